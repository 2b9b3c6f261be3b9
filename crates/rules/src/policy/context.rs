//! One question in Cedar's terms: the caller as an entity, the call as a context record.

use cedar_policy::{Context, Entities, Entity, EntityUid, RestrictedExpression};
use lockgate_model::{ClaimValue, Group, Identity, Timestamp};

use super::{
    Question,
    compile::Point,
    reads::Reads,
    shape::{self, Mismatch},
    vocabulary::Types,
};

/// How much of the call is known.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    /// All of it, with these approvals.
    Call(&'a [Group]),
    /// A list entry: neither arguments nor what follows from them, and the target only if `true`.
    List { target: bool },
}

/// The entities of a point with the caller among them.
pub(super) fn entities(
    types: &Types,
    point: &Point,
    identity: &Identity,
) -> Result<(EntityUid, Entities), String> {
    let user = types.user(identity);
    let groups = identity.groups.iter().map(|group| types.group(group));
    let claims = identity.claims.iter().map(|(name, value)| (name.clone(), claim(value)));
    let caller = Entity::new_with_tags(user.clone(), [], groups, claims)
        .map_err(|error| error.to_string())?;
    let entities =
        point.entities.clone().add_entities([caller], None).map_err(|error| error.to_string())?;
    Ok((user, entities))
}

/// Every claim is a set of texts, since Cedar's tags have one type: `"true"`, `"42"`, lists as
/// they are.
fn claim(value: &ClaimValue) -> RestrictedExpression {
    let text = RestrictedExpression::new_string;
    match value {
        ClaimValue::Text(one) => RestrictedExpression::new_set([text(one.clone())]),
        ClaimValue::Number(number) => RestrictedExpression::new_set([text(number.to_string())]),
        ClaimValue::Flag(flag) => RestrictedExpression::new_set([text(flag.to_string())]),
        ClaimValue::List(list) => RestrictedExpression::new_set(list.iter().cloned().map(text)),
    }
}

/// The context of a question, as far as `reads` mentions it.
///
/// # Errors
/// One sentence for the record, where an argument does not have its declared type or a value can't
/// be expressed.
pub(super) fn context(
    types: &Types,
    point: &Point,
    reads: &Reads,
    question: &Question<'_>,
    view: View<'_>,
) -> Result<Context, String> {
    let mut pairs = Pairs { reads, pairs: Vec::new() };
    let identity = question.identity;
    pairs.add("time", || Some(datetime(question.now)));
    pairs.add("peer", || {
        // An IPv4 caller on a dual-stack socket is still an IPv4 caller.
        Some(RestrictedExpression::new_ip(question.peer.to_canonical().to_string()))
    });
    pairs.add("issuer", || Some(RestrictedExpression::new_string(identity.issuer.clone())));
    pairs.add("client", || identity.client.clone().map(RestrictedExpression::new_string));
    pairs.add("token_age_s", || {
        let age_ms = question.now.millis_since(identity.token.issued_at?);
        Some(RestrictedExpression::new_long(age_ms.max(0) / 1000))
    });
    pairs.add("token_lifetime_s", || {
        let life_ms = identity.token.expires_at.millis_since(identity.token.issued_at?);
        Some(RestrictedExpression::new_long(life_ms / 1000))
    });
    let knows_target = matches!(view, View::Call(_) | View::List { target: true });
    if knows_target && point.arguments.is_none() {
        let target = question.action.target();
        pairs.add("target", || Some(RestrictedExpression::new_string(target.to_owned())));
    }
    if let View::Call(approvals) = view {
        pairs.add("facts", || {
            let facts = question.facts.iter().cloned().map(RestrictedExpression::new_string);
            Some(RestrictedExpression::new_set(facts))
        });
        pairs.add("approvals", || {
            let groups = approvals.iter().map(|group| types.group(group));
            let groups = groups.map(RestrictedExpression::new_entity_uid);
            Some(RestrictedExpression::new_set(groups))
        });
        if let Some(declared) = &point.arguments {
            if reads.context("arguments") {
                let typed = shape::typed(declared, question.arguments, reads);
                let typed = typed.map_err(|mismatch| say(&mismatch))?;
                pairs.add("arguments", || Some(typed));
            }
            let json = || Some(shape::canonical(question.arguments));
            pairs.add("arguments_json", || json().map(RestrictedExpression::new_string));
        }
    }
    Context::from_pairs(pairs.pairs).map_err(|error| error.to_string())
}

/// The pairs of a context that somebody reads.
struct Pairs<'a> {
    reads: &'a Reads,
    pairs: Vec<(String, RestrictedExpression)>,
}

impl Pairs<'_> {
    fn add(&mut self, name: &str, value: impl FnOnce() -> Option<RestrictedExpression>) {
        if self.reads.context(name)
            && let Some(value) = value()
        {
            self.pairs.push((name.to_owned(), value));
        }
    }
}

fn say(Mismatch(path): &Mismatch) -> String {
    if path.is_empty() {
        "the arguments are no object".to_owned()
    } else {
        format!("the argument `{path}` does not have its declared type, or can't be held exactly")
    }
}

/// A time that can't be written becomes one that Cedar refuses, so that the question is denied.
fn datetime(time: Timestamp) -> RestrictedExpression {
    let text = jiff::Timestamp::from_millisecond(time.millis())
        .map_or_else(|error| error.to_string(), |time| format!("{time:.3}"));
    RestrictedExpression::new_datetime(text)
}
