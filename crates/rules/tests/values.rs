//! The detectors against the labelled corpus: how many of the values are covered, how many of those
//! under their class, and how often something is found where nothing is. Misses are printed by number.
//!
//! A finding that lies on nothing labelled counts against the precision of its class, in texts with values
//! as well as in those without.
#![cfg(test)]

use std::collections::BTreeMap;

use lockgate_rules::mask::{Detectors, Finding, Text, detect::classes};
use serde_json::Value;

const CORPUS: &str = include_str!("../corpus/values.jsonl");
/// Stands in the middle of secrets in the file, so that no scanner takes the corpus for a leak.
const JOINT: char = '\u{241f}';
/// At least this share of the values of each kind must be covered.
const RECALL_MIN: f64 = 0.95;
/// The same of numbers with a checksum.
const CHECKED_RECALL_MIN: f64 = 0.99;
/// At most this share of the texts without values may give a finding.
const FALSE_MAX: f64 = 0.001;
/// At least this share of the findings of each class must lie on something labelled.
const PRECISION_MIN: f64 = 0.97;
/// Kinds whose values have a checksum.
const CHECKED: [&str; 4] = ["card", "iban", "id", "crypto"];

/// What became of the values of one kind or class.
#[derive(Default)]
struct Count {
    wanted: u32,
    covered: u32,
    named: u32,
    /// Findings of the class that lie on something labelled, and those that do not.
    right: u32,
    wrong: u32,
}

#[test]
fn values_are_found_and_nothing_else_is() {
    let detectors = Detectors::standard();
    let mut kinds: BTreeMap<String, Count> = BTreeMap::new();
    let mut classes: BTreeMap<String, Count> = BTreeMap::new();
    let (mut quiet, mut wrong, mut misses, mut unseen) = (0u32, Vec::new(), Vec::new(), Vec::new());
    let mut beside = Vec::new();
    for line in CORPUS.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let whole = |value: &Value| value.as_str().unwrap().replace(JOINT, "");
        let (id, kind, text) = (&entry["id"], whole(&entry["kind"]), whole(&entry["text"]));
        let key = entry.get("key").map(whole);
        let found = scan(&detectors, &text, key.as_deref());
        let labelled = spans(&entry, &text);
        for one in &found {
            let count = classes.entry(one.class.name().to_owned()).or_default();
            let right = labelled.iter().any(|(start, end)| one.start < *end && *start < one.end);
            count.right += u32::from(right);
            count.wrong += u32::from(!right);
            if !right && !labelled.is_empty() {
                beside.push(format!("{id} {kind} {key:?} {text:?}: {one:?}"));
            }
        }
        let Some(wanted) = entry.get("find").and_then(Value::as_array) else {
            quiet += 1;
            if !found.is_empty() {
                wrong.push(format!("{id} {kind} {key:?} {text:?}: {found:?}"));
            }
            continue;
        };
        let raw = serde_json::json!({ key.clone().unwrap_or("x".into()): text }).to_string();
        let plain = raw.is_ascii() && !raw.contains('\\');
        if !found.is_empty() && plain && !detectors.may_hit(raw.as_bytes()) {
            unseen.push(format!("{id} {raw}"));
        }
        for one in wanted {
            let (class, value) = (whole(&one["class"]), whole(&one["value"]));
            let (covered, named) = judge(&found, &text, &value, &class);
            for count in [kinds.entry(kind.clone()), classes.entry(class.clone())] {
                let count = count.or_default();
                count.wanted += 1;
                count.covered += u32::from(covered);
                count.named += u32::from(named);
            }
            if !covered || !named {
                misses.push(format!(
                    "{id} {kind} {class} {covered} {key:?} {text:?} {value:?}: {found:?}"
                ));
            }
        }
    }
    println!("misses:\n{}\nfound in vain:\n{}", misses.join("\n"), wrong.join("\n"));
    println!("found beside values:\n{}", beside.join("\n"));
    println!("not seen in raw bytes:\n{}", unseen.join("\n"));
    report("class", &classes);
    report("kind", &kinds);
    let share = wrong.len() as f64 / f64::from(quiet);
    println!("{} of {quiet} texts without values gave a finding: {share:.5}", wrong.len());
    assert!(unseen.is_empty(), "the prefilter passed {} texts with values", unseen.len());
    let broken = wrong.iter().filter(|line| line.contains("_bad ")).count();
    assert_eq!(broken, 0, "numbers that fail their checksum were found");
    assert!(share <= FALSE_MAX, "{share:.5} of the texts without values gave a finding");
    for (kind, count) in &kinds {
        let least = if CHECKED.contains(&&**kind) { CHECKED_RECALL_MIN } else { RECALL_MIN };
        let recall = f64::from(count.covered) / f64::from(count.wanted);
        assert!(recall >= least, "{kind}: recall {recall:.4}");
    }
    for (class, count) in &classes {
        let precision = count.precision();
        assert!(precision >= PRECISION_MIN, "{class}: precision {precision:.4}");
    }
}

impl Count {
    /// Which share of the findings lies on something labelled; 1 without findings.
    fn precision(&self) -> f64 {
        let found = self.right + self.wrong;
        if found > 0 { f64::from(self.right) / f64::from(found) } else { 1.0 }
    }
}

/// Where the labelled values of an entry lie.
fn spans(entry: &Value, text: &str) -> Vec<(usize, usize)> {
    let wanted = entry.get("find").and_then(Value::as_array);
    let values = wanted.into_iter().flatten().map(|one| one["value"].as_str().unwrap());
    values
        .map(|value| {
            let value = value.replace(JOINT, "");
            let start = text.rfind(&value).unwrap();
            (start, start + value.len())
        })
        .collect()
}

fn scan(detectors: &Detectors, text: &str, key: Option<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    detectors.scan(Text { text, key }, &mut found);
    let unknown = found.iter().find(|one| !classes::is_known(one.class.name()));
    assert_eq!(unknown, None, "the reference lacks its class");
    assert!(found.is_sorted_by(|one, next| one.end <= next.start), "{text:?}: {found:?}");
    found
}

/// Whether the value is covered, and by a finding of its class.
fn judge(found: &[Finding], text: &str, value: &str, class: &str) -> (bool, bool) {
    let start = text.rfind(value).unwrap();
    let end = start + value.len();
    let over = found.iter().find(|one| one.start <= start && end <= one.end);
    (over.is_some(), over.is_some_and(|one| one.class.is_in(class)))
}

fn report(what: &str, counts: &BTreeMap<String, Count>) {
    for (name, count) in counts {
        let share = |part: u32| f64::from(part) / f64::from(count.wanted.max(1));
        let (covered, named) = (share(count.covered), share(count.named));
        let found = count.right + count.wrong;
        let precision = if found > 0 {
            format!(", {found} found, precision {:.3}", count.precision())
        } else {
            String::new()
        };
        println!(
            "{what} {name}: {} values, covered {covered:.3}, named {named:.3}{precision}",
            count.wanted
        );
    }
}
