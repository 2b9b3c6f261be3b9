//! The groups that a token asserts. What can't be read for certain is a refusal, never "no groups"
//! and never "all".

use lockgate_model::{Group, Reason, Refusal};
use serde_json::{Map, Value};

use super::claims;
use crate::settings::IssuerSettings;

/// More groups than this are refused.
const GROUPS_MAX: usize = 1000;

/// All groups that `settings` look for in the token, qualified by the issuer, without repetition.
pub(super) fn read(
    token: &Map<String, Value>,
    settings: &IssuerSettings,
) -> Result<Vec<Group>, Refusal> {
    if settings.groups_claim.iter().any(|pointer| left_out(token, pointer)) {
        return Err(Refusal::new(
            Reason::GroupsOverage,
            "the issuer left the groups out: there are too many",
        ));
    }
    let found: Vec<&Value> =
        settings.groups_claim.iter().filter_map(|pointer| claims::at(token, pointer)).collect();
    if found.is_empty() && settings.groups_required && settings.profile.is_none() {
        return Err(Refusal::new(Reason::GroupsAbsent, "the token has no groups claim"));
    }
    let mut names = Vec::new();
    for value in found {
        names.extend(listed(value, settings.groups_split)?);
    }
    names.sort_unstable();
    names.dedup();
    if names.len() > GROUPS_MAX {
        return Err(malformed("there are more than 1000 groups"));
    }
    Ok(names.into_iter().map(|name| Group { issuer: settings.name.clone(), name }).collect())
}

/// Whether the issuer says that a claim exists but is not in the token: distributed claims
/// (OpenID Connect Core §5.6.2) and the `hasgroups` of Entra's implicit flow.
fn left_out(token: &Map<String, Value>, pointer: &str) -> bool {
    let first = pointer.split('/').nth(1).unwrap_or_default();
    let distributed = match token.get("_claim_names") {
        None => false,
        Some(Value::Object(names)) => names.contains_key(first),
        Some(_) => true,
    };
    let has_groups = token.get("hasgroups").is_some_and(|value| *value != Value::Bool(false));
    distributed || first == "groups" && has_groups && !token.contains_key("groups")
}

/// A list of names, or one text split at its spaces where the issuer writes them so.
fn listed(value: &Value, split: bool) -> Result<Vec<String>, Refusal> {
    match value {
        Value::Array(_) => {
            claims::texts(value).ok_or_else(|| malformed("the groups are not all texts"))
        }
        Value::String(text) if split => {
            Ok(text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect())
        }
        _ => Err(malformed("the groups claim is no list")),
    }
}

fn malformed(detail: &'static str) -> Refusal {
    Refusal::new(Reason::GroupsMalformed, detail)
}
