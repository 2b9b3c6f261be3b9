//! One policy, taken apart: a scope that is decided here, and a condition that Cedar evaluates.
//!
//! A scope compares names and nothing else, so that deciding it takes no evaluator: most policies
//! are settled by theirs. That it comes out as Cedar's own authorizer would is proven by a property
//! test that asks both.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Expression, Policy, PrincipalConstraint,
    ResourceConstraint,
};
use jiff::tz::TimeZone;
use lockgate_model::{ConnectionName, Identity, IdentityKind, Timestamp};
use miette::SourceSpan;

use super::{
    budget::Budget,
    fault::{File, PolicyFault},
    hold::Hold,
    reads::Reads,
    vocabulary::{CALL_TOOL, ON_DATA, kind_of, tool_action},
};

/// One policy, with all that compiling and judging need to know of it.
#[derive(Debug)]
pub(super) struct Rule {
    /// The `@id`, or `file:number`.
    pub(super) id: String,
    pub(super) effect: Effect,
    /// The whole policy, for the validator.
    pub(super) policy: Policy,
    /// All `when` and `unless` clauses; `None` where there are none.
    pub(super) condition: Option<Expression>,
    /// What the condition reads.
    pub(super) reads: Reads,
    /// `None` where the policy carries no `@approvers`.
    pub(super) hold: Option<Hold>,
    /// The time zones that the condition reads.
    pub(super) zones: BTreeMap<String, TimeZone>,
    /// From when on it permits nothing; `None` for what stands until it is taken out.
    pub(super) until: Option<Timestamp>,
    /// How often it permits; `None` for however often.
    pub(super) budget: Option<Budget>,
    pub(super) place: Place,
    principal: PrincipalScope,
    actions: ActionScope,
    resource: ResourceScope,
}

/// Where a policy stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: File,
    pub(super) span: SourceSpan,
}

#[derive(Debug)]
enum PrincipalScope {
    Anyone,
    Any(IdentityKind),
    /// `issuer/subject`.
    One(IdentityKind, String),
    /// `issuer/name`, of both kinds or only of one.
    Group(Option<IdentityKind>, String),
    Nobody,
}

#[derive(Debug)]
enum ActionScope {
    Any,
    /// Ids, and whether the group of all tools is among them.
    These(BTreeSet<String>, bool),
}

#[derive(Debug)]
enum ResourceScope {
    Any,
    Connection(String),
    Nothing,
}

impl Rule {
    pub(super) fn new(policy: Policy, place: Place, reads: Reads) -> Self {
        Self {
            id: policy.id().to_string(),
            effect: policy.effect(),
            condition: policy.as_ref().non_scope_constraints().cloned().map(Expression::from),
            reads,
            hold: None,
            zones: BTreeMap::new(),
            until: None,
            budget: None,
            place,
            principal: PrincipalScope::of(&policy),
            actions: ActionScope::of(&policy),
            resource: ResourceScope::of(&policy),
            policy,
        }
    }

    /// As written.
    pub(super) fn text(&self) -> &str {
        let start = self.place.span.offset();
        self.place.file.text.get(start..start + self.place.span.len()).unwrap_or_default()
    }

    /// A fault at the whole policy.
    pub(super) fn fault(&self, message: impl Into<String>) -> PolicyFault {
        self.place.file.fault(Some(self.place.span), message)
    }

    /// A fault at the first place where the policy has `word` in quotes, or else has it at all, or
    /// else at the whole policy.
    pub(super) fn fault_at(&self, word: &str, message: impl Into<String>) -> PolicyFault {
        let start = self.place.span.offset();
        let quoted = self.text().find(&format!("\"{word}\"")).map(|at| (at, word.len() + 2));
        let found = quoted.or_else(|| self.text().find(word).map(|at| (at, word.len())));
        let span = found.map_or(self.place.span, |(at, len)| (start + at, len).into());
        self.place.file.fault(Some(span), message)
    }

    /// Whether the principal scope admits this caller.
    pub(super) fn covers_caller(&self, identity: &Identity) -> bool {
        match &self.principal {
            PrincipalScope::Anyone => true,
            PrincipalScope::Any(kind) => *kind == identity.kind,
            PrincipalScope::One(kind, id) => {
                *kind == identity.kind && is_qualified(id, &identity.issuer, &identity.subject)
            }
            PrincipalScope::Group(kind, id) => {
                let mut groups = identity.groups.iter();
                kind.is_none_or(|kind| kind == identity.kind)
                    && groups.any(|group| is_qualified(id, &group.issuer, &group.name))
            }
            PrincipalScope::Nobody => false,
        }
    }

    /// Whether it has not ended by then.
    pub(super) fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Who answers for it.
    pub(super) fn owner(&self) -> Option<&str> {
        self.policy.annotation("owner").filter(|owner| !owner.is_empty())
    }

    /// Whether it is about nothing but masked values.
    pub(super) fn is_about_data(&self) -> bool {
        let on_data = |id: &String| ON_DATA.contains(&id.as_str());
        matches!(&self.actions, ActionScope::These(ids, false) if ids.iter().all(on_data))
    }

    /// Whom the principal scope is about, as written in a policy.
    pub(super) fn through(&self) -> String {
        let word = |kind: &IdentityKind| match kind {
            IdentityKind::Person => "User",
            IdentityKind::Workload => "Workload",
        };
        match &self.principal {
            PrincipalScope::Anyone => "everybody".to_owned(),
            PrincipalScope::Any(kind) => format!("every {}", word(kind)),
            PrincipalScope::One(kind, id) => format!("{}::\"{id}\"", word(kind)),
            PrincipalScope::Group(_, id) => format!("Group::\"{id}\""),
            PrincipalScope::Nobody => "nobody".to_owned(),
        }
    }

    /// Whether the resource scope admits this connection.
    pub(super) fn covers_connection(&self, connection: &ConnectionName) -> bool {
        match &self.resource {
            ResourceScope::Any => true,
            ResourceScope::Connection(name) => name == connection.as_str(),
            ResourceScope::Nothing => false,
        }
    }

    /// Whether the action scope admits this kind of action. What a permit gives of masked data must be
    /// said: one for every action gives none.
    pub(super) fn covers_kind(&self, kind: &str) -> bool {
        match &self.actions {
            ActionScope::Any => !ON_DATA.contains(&kind) || self.effect == Effect::Forbid,
            ActionScope::These(ids, _) => ids.contains(kind),
        }
    }

    /// Whether the action scope admits this tool.
    pub(super) fn covers_tool(&self, connection: &ConnectionName, tool: &str) -> bool {
        match &self.actions {
            ActionScope::Any => true,
            ActionScope::These(ids, all_tools) => {
                *all_tools || ids.contains(&tool_action(connection, tool))
            }
        }
    }

    /// Whether the scope is `action == Action::"call_tool"`, which no call satisfies.
    pub(super) fn is_for_the_group_itself(&self) -> bool {
        matches!(&self.actions, ActionScope::These(ids, false) if ids.contains(CALL_TOOL))
    }

    /// Whether neither scope nor condition leaves anything out.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self.principal, PrincipalScope::Anyone)
            && matches!(self.actions, ActionScope::Any)
            && matches!(self.resource, ResourceScope::Any)
            && self.condition.is_none()
    }
}

impl Place {
    /// The line on which it starts, from 1.
    pub(super) fn line(&self) -> usize {
        let before = self.file.text.get(..self.span.offset()).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

impl PrincipalScope {
    fn of(policy: &Policy) -> Self {
        let kind = |name: &EntityTypeName| kind_of(&name.to_string());
        match policy.principal_constraint() {
            PrincipalConstraint::Any => Self::Anyone,
            PrincipalConstraint::Is(name) => kind(&name).map_or(Self::Nobody, Self::Any),
            PrincipalConstraint::Eq(uid) => Self::one(&uid),
            PrincipalConstraint::In(uid) => match typed(&uid) {
                ("Group", id) => Self::Group(None, id.to_owned()),
                // Everything is in itself too.
                _ => Self::one(&uid),
            },
            PrincipalConstraint::IsIn(name, uid) => match (kind(&name), typed(&uid)) {
                (Some(kind), ("Group", id)) => Self::Group(Some(kind), id.to_owned()),
                (Some(kind), (one, _)) if kind_of(one) == Some(kind) => Self::one(&uid),
                _ => Self::Nobody,
            },
        }
    }

    fn one(uid: &EntityUid) -> Self {
        let (name, id) = typed(uid);
        kind_of(name).map_or(Self::Nobody, |kind| Self::One(kind, id.to_owned()))
    }
}

impl ActionScope {
    fn of(policy: &Policy) -> Self {
        let (uids, may_be_in) = match policy.action_constraint() {
            ActionConstraint::Any => return Self::Any,
            ActionConstraint::Eq(uid) => (vec![uid], false),
            ActionConstraint::In(uids) => (uids, true),
        };
        let actions = uids.iter().map(typed).filter(|(kind, _)| *kind == "Action");
        let ids: BTreeSet<_> = actions.map(|(_, id)| id.to_owned()).collect();
        let all_tools = may_be_in && ids.contains(CALL_TOOL);
        Self::These(ids, all_tools)
    }
}

impl ResourceScope {
    fn of(policy: &Policy) -> Self {
        match policy.resource_constraint() {
            ResourceConstraint::Any => Self::Any,
            ResourceConstraint::Is(kind) if kind.to_string() == "Connection" => Self::Any,
            ResourceConstraint::Is(_) => Self::Nothing,
            ResourceConstraint::IsIn(kind, _) if kind.to_string() != "Connection" => Self::Nothing,
            ResourceConstraint::Eq(uid)
            | ResourceConstraint::In(uid)
            | ResourceConstraint::IsIn(_, uid) => match typed(&uid) {
                ("Connection", name) => Self::Connection(name.to_owned()),
                _ => Self::Nothing,
            },
        }
    }
}

/// An entity's type, where it is one of ours, and its id.
fn typed(uid: &EntityUid) -> (&'static str, &str) {
    let name = uid.type_name().to_string();
    let known = ["User", "Workload", "Group", "Action", "Connection"]
        .into_iter()
        .find(|kind| *kind == name);
    (known.unwrap_or_default(), uid.id().unescaped())
}

/// Whether `id` is `issuer/name`, compared without building it.
fn is_qualified(id: &str, issuer: &str, name: &str) -> bool {
    id.strip_prefix(issuer).and_then(|rest| rest.strip_prefix('/')) == Some(name)
}
