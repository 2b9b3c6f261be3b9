//! What would change, field by field, and what others changed since documents were applied last. Pure:
//! compares what was read.

use std::collections::BTreeMap;

use lockgate_gateway::settings::ConnectionSettings;
use lockgate_model::ConnectionName;
use lockgate_store::connections::{ConnectionRow, Register};
use serde::Serialize;
use serde_json::Value;

use crate::{
    config::{leaves, sparse},
    failure::Failure,
    moment,
    registered::Wish,
};

/// Everything that there is to show and to do.
pub(super) struct Plan {
    /// One a connection: the documents' in their order, then those that go.
    pub(super) steps: Vec<Step>,
    /// What others changed since documents were applied last.
    pub(super) drift: Vec<Drift>,
    /// What is registered, stands in no document, and stays.
    pub(super) kept: Vec<String>,
}

/// What becomes of one connection.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) name: ConnectionName,
    pub(super) action: Action,
    /// What differs.
    pub(super) fields: Vec<Field>,
}

/// What becomes of it, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Add,
    Change,
    Remove,
    Unchanged,
}

/// One setting that differs.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Field {
    /// The path of keys, joined by dots.
    field: String,
    /// Absent where it had its default.
    before: Option<Value>,
    after: Option<Value>,
}

/// What somebody else made of a connection that came from documents.
#[derive(Debug, Serialize)]
pub(super) struct Drift {
    name: String,
    /// Who changed it last.
    by: String,
    at: String,
    removed: bool,
    /// What differs from what was applied.
    pub(super) fields: Vec<Field>,
}

impl Plan {
    /// Compares the documents with what is registered. `applied` are the versions that came from documents
    /// last; `prune` lets go what stands in none.
    ///
    /// # Errors
    /// Where a setting has no JSON form.
    pub(super) fn new(
        documents: &[ConnectionSettings],
        register: &Register,
        applied: &[ConnectionRow],
        prune: bool,
    ) -> Result<Self, Failure> {
        let live: BTreeMap<&str, Value> =
            register.rows.iter().filter_map(|row| Some((row.name.as_str(), tree(row)?))).collect();
        let mut steps = Vec::new();
        for one in documents {
            let wanted = sparse(one).map_err(Failure::bug)?;
            let now = live.get(one.name.as_str());
            let action = match now {
                None => Action::Add,
                Some(now) if *now == wanted => Action::Unchanged,
                Some(_) => Action::Change,
            };
            let fields = differences(now.unwrap_or(&Value::Null), &wanted);
            steps.push(Step { name: one.name.clone(), action, fields });
        }
        let others =
            live.iter().filter(|(name, _)| documents.iter().all(|one| one.name.as_str() != **name));
        let mut kept = Vec::new();
        for (name, now) in others {
            match ConnectionName::new(name) {
                Ok(name) if prune => {
                    let fields = differences(now, &Value::Null);
                    steps.push(Step { name, action: Action::Remove, fields });
                }
                _ => kept.push((*name).to_owned()),
            }
        }
        let drift = applied.iter().filter_map(|row| Drift::of(row, register)).collect();
        Ok(Self { steps, drift, kept })
    }

    /// What has to be done for it.
    pub(super) fn wishes(&self, documents: &[ConnectionSettings]) -> Vec<Wish> {
        let steps = self.steps.iter().filter(|step| step.action != Action::Unchanged);
        steps
            .map(|step| Wish {
                name: step.name.clone(),
                settings: documents.iter().find(|one| one.name == step.name).cloned(),
            })
            .collect()
    }
}

impl Action {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Unchanged => "unchanged",
        }
    }
}

impl Drift {
    fn of(applied: &ConnectionRow, register: &Register) -> Option<Self> {
        let now = register.rows.iter().find(|row| row.name == applied.name)?;
        if now.applied || now.settings == applied.settings {
            return None;
        }
        let (before, after) = (tree(applied)?, tree(now));
        Some(Self {
            name: now.name.clone(),
            by: now.author.clone(),
            at: moment::text(now.changed),
            removed: after.is_none(),
            fields: after.map(|after| differences(&before, &after)).unwrap_or_default(),
        })
    }

    /// On one line.
    pub(super) fn words(&self) -> String {
        let word = if self.removed { "removed" } else { "changed" };
        let Self { name, by, at, .. } = self;
        format!("drift      {name} was {word} by {by} at {at}, after it was applied")
    }
}

impl Field {
    /// On one line.
    pub(super) fn line(&self) -> String {
        let shown = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "(default)".to_owned(), ToString::to_string)
        };
        format!("             {}: {} → {}", self.field, shown(&self.before), shown(&self.after))
    }
}

fn tree(row: &ConnectionRow) -> Option<Value> {
    // What can't be read any more differs from everything.
    let read = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| text.clone().into());
    row.settings.as_ref().map(read)
}

fn differences(before: &Value, after: &Value) -> Vec<Field> {
    let (before, after) = (flat(before), flat(after));
    let mut fields: Vec<&String> = before.keys().chain(after.keys()).collect();
    fields.sort();
    fields.dedup();
    let differs = fields.into_iter().filter(|field| before.get(*field) != after.get(*field));
    differs
        .map(|field| Field {
            field: field.clone(),
            before: before.get(field).cloned(),
            after: after.get(field).cloned(),
        })
        .collect()
}

fn flat(tree: &Value) -> BTreeMap<String, Value> {
    if tree.is_null() {
        return BTreeMap::new();
    }
    let named = leaves(tree).into_iter().map(|(path, value)| (path.join("."), value.clone()));
    named.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Field, differences};

    #[test]
    fn differences_are_told_field_by_field() {
        let before =
            json!({ "name": "a", "issuers": ["x"], "upstream": { "http": { "url": "u" } } });
        let after = json!({ "name": "a", "upstream": { "http": { "url": "v", "ca": "/c" } } });
        let field = |field: &str, before: Option<Value>, after: Option<Value>| Field {
            field: field.to_owned(),
            before,
            after,
        };
        assert_eq!(
            differences(&before, &after),
            [
                field("issuers", Some(json!(["x"])), None),
                field("upstream.http.ca", None, Some(json!("/c"))),
                field("upstream.http.url", Some(json!("u")), Some(json!("v"))),
            ]
        );
        assert_eq!(differences(&before, &before), []);
        assert_eq!(differences(&Value::Null, &after).len(), 3);
    }
}
