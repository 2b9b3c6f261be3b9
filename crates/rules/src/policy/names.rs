//! Names in policies against the names that exist, with the nearest one as help.

use std::collections::BTreeSet;

use lockgate_model::IdentityKind;

use super::{
    ConnectionShape, IssuerShape,
    fault::{PolicyFault, Report},
    hold::Hold,
    rule::Rule,
    vocabulary::{CALL_TOOL, KINDS, kind_of, tool_action},
};

/// Everything that a policy may name.
pub(super) struct Names<'a> {
    pub(super) connections: &'a [ConnectionShape],
    pub(super) issuers: &'a [IssuerShape],
}

impl Names<'_> {
    /// Checks every entity and approver that the rule names; `false` where one is wrong.
    pub(super) fn check(&self, rule: &Rule, report: &mut Report) -> bool {
        let before = report.errors.len();
        // A scope can name an entity that the conditions name too.
        let literals: BTreeSet<_> = rule.policy.entity_literals().into_iter().collect();
        for uid in literals {
            let id = uid.id().unescaped();
            match uid.type_name().to_string().as_str() {
                "Action" => self.action(rule, id, report),
                "Connection" => report.errors.extend(self.connection(rule, id, id)),
                kind @ ("Group" | "User" | "Workload") => {
                    report.errors.extend(self.qualified(rule, kind, id))
                }
                other => report.errors.push(unknown_type(rule, other)),
            }
        }
        for group in rule.hold.iter().flat_map(Hold::named) {
            report.errors.extend(self.qualified(rule, "Group", &group.to_string()));
        }
        report.errors.len() == before
    }

    fn action(&self, rule: &Rule, id: &str, report: &mut Report) {
        if id == CALL_TOOL {
            if rule.is_for_the_group_itself() {
                let fault = rule.fault_at(id, "no call is `call_tool` itself: it is a group");
                let help = "write `action in Action::\"call_tool\"` for every tool";
                report.errors.push(fault.help(help));
            }
            return;
        }
        if KINDS.iter().any(|(kind, _)| *kind == id) {
            return;
        }
        let Some((connection, tool)) = id.split_once('/') else {
            report.errors.push(self.unknown_kind(rule, id));
            return;
        };
        let Some(shape) = self.shape(connection) else {
            report.errors.extend(self.connection(rule, connection, id));
            return;
        };
        match &shape.tools {
            None => {
                let message = format!("the tools of `{connection}` are not known yet");
                let help = "until they are, none of them is callable and this can't be checked";
                report.warnings.push(rule.fault_at(id, message).help(help));
            }
            Some(tools) if tools.iter().any(|known| known.name == tool) => {}
            Some(tools) => {
                let message = format!("`{connection}` has no tool `{tool}`");
                let near = nearest(tool, tools.iter().map(|tool| tool.name.as_str()));
                report.errors.push(with_near(rule.fault_at(id, message), near));
            }
        }
    }

    fn unknown_kind(&self, rule: &Rule, id: &str) -> PolicyFault {
        let fault = rule.fault_at(id, format!("unknown action `{id}`"));
        let tools = self.connections.iter().flat_map(|connection| {
            let tools = connection.tools.iter().flatten();
            tools.map(|tool| (tool.name.as_str(), tool_action(&connection.name, &tool.name)))
        });
        if let Some((_, action)) = tools.into_iter().find(|(name, _)| *name == id) {
            return fault.help(format!("a tool's action names its connection: `{action}`"));
        }
        let kinds = KINDS.iter().map(|(kind, _)| *kind).chain([CALL_TOOL]);
        with_near(fault, nearest(id, kinds))
    }

    /// `word` is what the policy has in quotes, the name or more.
    fn connection(&self, rule: &Rule, name: &str, word: &str) -> Option<PolicyFault> {
        if self.shape(name).is_some() {
            return None;
        }
        let fault = rule.fault_at(word, format!("unknown connection `{name}`"));
        let names = self.connections.iter().map(|connection| connection.name.as_str());
        Some(with_near(fault, nearest(name, names)))
    }

    fn qualified(&self, rule: &Rule, kind: &str, id: &str) -> Option<PolicyFault> {
        let Some((issuer, _)) = id.split_once('/') else {
            let fault = rule.fault_at(id, format!("`{kind}::\"{id}\"` names no issuer"));
            let issuer = self.issuers.first().map_or("issuer", |issuer| issuer.name.as_str());
            return Some(fault.help(format!("write `{kind}::\"{issuer}/{id}\"`")));
        };
        let Some(known) = self.issuers.iter().find(|known| known.name == issuer) else {
            let fault = rule.fault_at(id, format!("unknown issuer `{issuer}`"));
            let names = self.issuers.iter().map(|issuer| issuer.name.as_str());
            return Some(with_near(fault, nearest(issuer, names)));
        };
        let other = kind_of(kind).is_some_and(|kind| kind != known.vouches_for);
        other.then(|| {
            let (who, word) = match known.vouches_for {
                IdentityKind::Person => ("people", "User"),
                IdentityKind::Workload => ("jobs or services", "Workload"),
            };
            let fault =
                rule.fault_at(id, format!("`{issuer}` vouches for {who}, so this is nobody"));
            fault.help(format!("write `{word}::\"{id}\"`"))
        })
    }

    fn shape(&self, connection: &str) -> Option<&ConnectionShape> {
        self.connections.iter().find(|shape| shape.name.as_str() == connection)
    }
}

fn unknown_type(rule: &Rule, name: &str) -> PolicyFault {
    let fault = rule.fault_at(&format!("{name}::"), format!("unknown entity type `{name}`"));
    with_near(
        fault,
        nearest(name, ["User", "Workload", "Group", "Connection", "Action"].into_iter()),
    )
}

pub(super) fn with_near(fault: PolicyFault, near: Option<&str>) -> PolicyFault {
    match near {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    }
}

/// The known name that `name` is most likely a misspelling of.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&name, &known.to_lowercase());
    let near = known.min_by_key(distance)?;
    let close = distance(&near) <= (near.chars().count() / 3).max(2);
    close.then_some(near)
}
