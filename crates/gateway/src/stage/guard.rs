//! What would this call do? The guard's facts about the arguments, between parse and judge.
//!
//! Decides nothing: policy does, on `context.facts`.

use lockgate_model::Action;
use lockgate_rules::guard::{self, Facts, Kind, Profile};
use serde_json::Value;

use super::{parse::Item, resolve::Caller};
use crate::snapshot::Snapshot;

/// A refused caller is told at most so much of what was found.
const SENTENCES_MAX: usize = 3;

/// The facts about one call.
pub fn read(snapshot: &Snapshot, caller: &Caller, item: &Item) -> Facts {
    match &item.call.action {
        Action::CallTool(tool) => {
            let connection = snapshot.connection(caller.connection.name());
            let schema = connection.and_then(|connection| connection.tools.get(tool));
            let schema = schema.map(|pinned| &pinned.schema);
            let profile = connection
                .map(|known| known.guard.profile(caller.connection.name(), tool, schema))
                .unwrap_or_default();
            guard::inspect(&profile, &item.call.arguments)
        }
        Action::ReadResource(uri) | Action::SubscribeResource(uri) => {
            guard::inspect_text(uri, Kind::Location, None)
        }
        _ => match &item.call.arguments {
            Value::Object(_) => guard::inspect(&Profile::default(), &item.call.arguments),
            _ => Facts::default(),
        },
    }
}

/// The dangers in words, for the caller whose call was refused.
pub fn sentences(facts: &Facts) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for fact in facts.dangers() {
        if sentences.len() < SENTENCES_MAX && !sentences.contains(&fact.note) {
            sentences.push(fact.note.clone());
        }
    }
    sentences
}
