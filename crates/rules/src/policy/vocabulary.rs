//! The entity types and actions that policies speak of, and how their ids are written.

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use lockgate_model::{ConnectionName, Group, Identity, IdentityKind};

/// The types of principals.
pub(super) const PRINCIPALS: [&str; 2] = ["User", "Workload"];

/// The group of all tools.
pub(super) const CALL_TOOL: &str = "call_tool";

/// Showing values of a data class; `context.classes` says of which.
pub(super) const REVEAL: &str = "reveal";

/// Putting values of a data class back in place of their tokens.
pub(super) const RESTORE: &str = "restore";

/// The actions on values of a data class. Only a permit that names them permits them.
pub(super) const ON_DATA: [&str; 2] = [REVEAL, RESTORE];

/// The actions that are no tools, with `true` where `context.target` says on what.
pub(super) const KINDS: [(&str, bool); 10] = [
    ("read_resource", true),
    ("subscribe_resource", true),
    ("get_prompt", true),
    ("complete", true),
    ("subscribe", false),
    ("task", true),
    ("set_log_level", false),
    ("server_request", true),
    (REVEAL, true),
    (RESTORE, true),
];

/// The entity types, parsed once.
#[derive(Debug)]
pub(super) struct Types {
    pub(super) user: EntityTypeName,
    pub(super) workload: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) connection: EntityTypeName,
    pub(super) action: EntityTypeName,
}

impl Types {
    /// `None` only if Cedar did not take these five words as type names.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            user: "User".parse().ok()?,
            workload: "Workload".parse().ok()?,
            group: "Group".parse().ok()?,
            connection: "Connection".parse().ok()?,
            action: "Action".parse().ok()?,
        })
    }

    pub(super) fn caller(&self, identity: &Identity) -> EntityUid {
        let kind = match identity.kind {
            IdentityKind::Person => &self.user,
            IdentityKind::Workload => &self.workload,
        };
        uid(kind, format!("{}/{}", identity.issuer, identity.subject))
    }

    pub(super) fn group(&self, group: &Group) -> EntityUid {
        uid(&self.group, format!("{}/{}", group.issuer, group.name))
    }

    pub(super) fn connection(&self, name: &ConnectionName) -> EntityUid {
        uid(&self.connection, name.as_str().to_owned())
    }

    pub(super) fn action(&self, id: &str) -> EntityUid {
        uid(&self.action, id.to_owned())
    }
}

/// What a type of principal stands for.
pub(super) fn kind_of(principal: &str) -> Option<IdentityKind> {
    match principal {
        "User" => Some(IdentityKind::Person),
        "Workload" => Some(IdentityKind::Workload),
        _ => None,
    }
}

/// The action id of a tool; unambiguous, because connection names have no `/`.
pub(super) fn tool_action(connection: &ConnectionName, tool: &str) -> String {
    format!("{connection}/{tool}")
}

fn uid(type_name: &EntityTypeName, id: String) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}
