//! One question in Cedar's terms: the caller as an entity, the call as a context record.

use cedar_policy::{Context, Entities, Entity, EntityUid, RestrictedExpression};
use lockgate_model::{Action, ClaimValue, Group, Identity, Timestamp};

use super::{
    Question,
    compile::Point,
    rule::Rule,
    shape::{self, Mismatch},
    vocabulary::Types,
    zones,
};

/// How much of the call is known.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    /// All of it, with these approvals.
    Call(&'a [Group]),
    /// A list entry: neither arguments nor what follows from them.
    List,
    /// The entry of a resource template, whose target is not known either.
    Template,
}

impl View<'_> {
    /// The parts of the context that are unknown.
    pub(super) fn unknown(self) -> &'static [&'static str] {
        match self {
            Self::Call(_) => &[],
            Self::List => &[
                "arguments",
                "arguments_json",
                "facts",
                "tables",
                "columns",
                "earlier",
                "approvals",
            ],
            Self::Template => &[
                "arguments",
                "arguments_json",
                "facts",
                "tables",
                "columns",
                "earlier",
                "approvals",
                "target",
            ],
        }
    }
}

/// The entities of a point with the caller among them.
pub(super) fn with_caller(
    types: &Types,
    entities: &Entities,
    user: EntityUid,
    identity: &Identity,
) -> Result<Entities, String> {
    let groups = identity.groups.iter().map(|group| types.group(group));
    let claims = identity.claims.iter().map(|(name, value)| (name.clone(), claim(value)));
    let caller =
        Entity::new_with_tags(user, [], groups, claims).map_err(|error| error.to_string())?;
    entities.clone().add_entities([caller], None).map_err(|error| error.to_string())
}

/// Every claim is a set of texts, since Cedar's tags have one type: `"true"`, `"42"`, lists as
/// they are.
fn claim(value: &ClaimValue) -> RestrictedExpression {
    let texts = match value {
        ClaimValue::Text(one) => vec![text(one)],
        ClaimValue::Number(number) => vec![text(&number.to_string())],
        ClaimValue::Flag(flag) => vec![text(&flag.to_string())],
        ClaimValue::List(list) => list.iter().map(|one| text(one)).collect(),
    };
    RestrictedExpression::new_set(texts)
}

/// The context of a question, as far as the conditions of `rules` read it.
///
/// # Errors
/// One sentence for the record, where an argument does not have its declared type or a value can't
/// be expressed.
pub(super) fn context(
    types: &Types,
    point: &Point,
    rules: &[&Rule],
    question: &Question<'_>,
    view: View<'_>,
) -> Result<Context, String> {
    let mut pairs = Pairs { rules, unknown: view.unknown(), pairs: Vec::new() };
    let identity = question.identity;
    pairs.add("time", || Some(datetime(question.now)));
    if pairs.wants("local") {
        let zones = rules.iter().flat_map(|rule| &rule.zones);
        let local = zones::local(question.now, zones)?;
        pairs.add("local", || Some(local));
    }
    pairs.add("peer", || {
        // An IPv4 caller on a dual-stack socket is still an IPv4 caller.
        Some(RestrictedExpression::new_ip(question.peer.to_canonical().to_string()))
    });
    pairs.add("issuer", || Some(text(&identity.issuer)));
    pairs.add("client", || identity.client.as_deref().map(text));
    pairs.add("token_age_s", || {
        let age_ms = question.now.millis_since(identity.token.issued_at?);
        Some(RestrictedExpression::new_long(age_ms.max(0) / 1000))
    });
    pairs.add("token_lifetime_s", || {
        let life_ms = identity.token.expires_at.millis_since(identity.token.issued_at?);
        Some(RestrictedExpression::new_long(life_ms / 1000))
    });
    pairs.add("facts", || {
        Some(RestrictedExpression::new_set(question.facts.iter().map(|fact| text(fact))))
    });
    pairs.add("tables", || Some(named(question.facts, "sql.table:")));
    pairs.add("columns", || Some(named(question.facts, "sql.column:")));
    pairs.add("earlier", || {
        Some(RestrictedExpression::new_set(question.earlier.iter().map(|name| text(name))))
    });
    if let View::Call(approvals) = view {
        pairs.add("approvals", || {
            let groups = approvals.iter().map(|group| types.group(group));
            Some(RestrictedExpression::new_set(groups.map(RestrictedExpression::new_entity_uid)))
        });
    }
    if let Action::Reveal { class, .. } | Action::Restore { class, .. } = question.action {
        pairs.add("classes", || {
            let ends = class.match_indices('.').map(|(at, _)| at).chain([class.len()]);
            let names = ends.filter_map(|end| class.get(..end));
            Some(RestrictedExpression::new_set(names.map(text)))
        });
    }
    match &point.arguments {
        Some(declared) => {
            if pairs.wants("arguments") {
                let wanted = |name: &str| rules.iter().any(|rule| rule.reads.argument(name));
                let typed = shape::typed(declared, question.arguments, wanted);
                let typed = typed.map_err(|mismatch| say(&mismatch))?;
                pairs.add("arguments", || Some(typed));
            }
            pairs.add("arguments_json", || {
                Some(text(&lockgate_model::canonical(question.arguments)))
            });
        }
        None => pairs.add("target", || Some(text(question.action.target()))),
    }
    Context::from_pairs(pairs.pairs).map_err(|error| error.to_string())
}

/// The pairs of a context that somebody reads, and that are known.
struct Pairs<'a> {
    rules: &'a [&'a Rule],
    unknown: &'static [&'static str],
    pairs: Vec<(String, RestrictedExpression)>,
}

impl Pairs<'_> {
    fn wants(&self, name: &str) -> bool {
        !self.unknown.contains(&name) && self.rules.iter().any(|rule| rule.reads.context(name))
    }

    fn add(&mut self, name: &str, value: impl FnOnce() -> Option<RestrictedExpression>) {
        if self.wants(name)
            && let Some(value) = value()
        {
            self.pairs.push((name.to_owned(), value));
        }
    }
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn say(Mismatch(path): &Mismatch) -> String {
    if path.is_empty() {
        "the arguments are no object".to_owned()
    } else {
        format!("the argument `{path}` does not have its declared type, or can't be held exactly")
    }
}

/// The names that facts of one kind carry. Where something could not be read, `?` is among them, so
/// that a list of what is allowed does not hold for it.
fn named(facts: &[String], kind: &str) -> RestrictedExpression {
    let names = facts.iter().filter_map(|fact| fact.strip_prefix(kind));
    let unread = ["sql.unparsed", "sql.execute", "guard.limit"];
    let unknown = facts.iter().any(|fact| unread.contains(&fact.as_str())).then_some("?");
    RestrictedExpression::new_set(names.chain(unknown).map(text))
}

/// A time that can't be written becomes one that Cedar refuses, so that the question is denied.
fn datetime(time: Timestamp) -> RestrictedExpression {
    let text = jiff::Timestamp::from_millisecond(time.millis())
        .map_or_else(|error| error.to_string(), |time| format!("{time:.3}"));
    RestrictedExpression::new_datetime(text)
}
