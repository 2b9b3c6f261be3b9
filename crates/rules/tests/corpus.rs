//! The guard against the labelled corpus: how many of the destructive commands it sees, and how many
//! of the harmless ones it takes for destructive. Misses are printed by name.
#![cfg(test)]

use lockgate_rules::guard::{Kind, inspect_text};
use serde_json::Value;

const CORPUS: &str = include_str!("../corpus/commands.jsonl");
/// At least this share of the destructive ones must be seen.
const RECALL_MIN: f64 = 0.98;
/// At most this share of the harmless ones may be taken for destructive.
const FALSE_MAX: f64 = 0.02;

#[test]
fn the_corpus_is_read_as_a_careful_person_reads_it() {
    let (mut seen, mut missed, mut passed, mut blocked) = (0u32, Vec::new(), 0u32, Vec::new());
    for line in CORPUS.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let text = entry["text"].as_str().unwrap();
        let kind = Kind::named(entry["kind"].as_str().unwrap()).unwrap();
        let danger = inspect_text(text, kind, None).dangers().next().is_some();
        match (entry["destructive"].as_bool().unwrap(), danger) {
            (true, true) => seen += 1,
            (false, false) => passed += 1,
            (true, false) => missed.push(format!("{}: {text}", entry["id"])),
            (false, true) => blocked.push(format!("{}: {text}", entry["id"])),
        }
    }
    let share = |part: usize, rest: u32| part as f64 / (part as f64 + f64::from(rest)).max(1.0);
    let (recall, wrong) = (1.0 - share(missed.len(), seen), share(blocked.len(), passed));
    println!(
        "recall {recall:.4} of {}, false {wrong:.4} of {}",
        seen as usize + missed.len(),
        passed as usize + blocked.len()
    );
    println!("missed:\n{}\nblocked:\n{}", missed.join("\n"), blocked.join("\n"));
    assert!(seen as usize + missed.len() + passed as usize + blocked.len() >= 500);
    assert!(recall >= RECALL_MIN && wrong <= FALSE_MAX, "recall {recall:.4}, false {wrong:.4}");
}
