//! Nothing of a value is left, however it is written and wherever it is cut: a value of every class, in
//! every encoding, at every place, as it stands and with the encoding undone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Kit,
    encodings::{ENCODINGS, Encoding, Of},
    leaks,
    samples::{SAMPLES, Sample},
    strings,
};
use crate::mask::Operator;

/// What leaked, once for each kind.
#[derive(Default)]
struct Leaks {
    seen: BTreeSet<(&'static str, &'static str, String)>,
    tried: usize,
    left: usize,
}

impl Leaks {
    /// Looks at a masked message, where parts of one text are to be read as one.
    fn look(
        &mut self,
        sample: &Sample,
        encoding: &Encoding,
        message: &str,
        masked: &str,
        joined: bool,
    ) {
        self.tried += 1;
        let Ok(value) = serde_json::from_str::<Value>(masked) else {
            self.note(sample, encoding, format!("no JSON: {masked}"));
            return;
        };
        let mut texts = Vec::new();
        strings(&value, &mut texts);
        if joined {
            texts.push(texts.concat());
        }
        let undone: Vec<String> = texts.iter().flat_map(|text| (encoding.undo)(text)).collect();
        texts.extend(undone);
        if texts.iter().any(|text| leaks(text, sample.value)) {
            self.note(sample, encoding, format!("{message}\n   gives {masked}"));
        }
    }

    fn note(&mut self, sample: &Sample, encoding: &Encoding, what: String) {
        self.left += 1;
        if !self
            .seen
            .iter()
            .any(|(class, name, _)| (*class, *name) == (sample.class, encoding.name))
        {
            self.seen.insert((sample.class, encoding.name, what));
        }
    }

    fn none(self, what: &str) {
        println!("{what}: {} tried", self.tried);
        let Self { seen, left, .. } = self;
        for (class, name, what) in seen.iter().take(20) {
            println!("{class}, {name}: {what}");
        }
        assert!(seen.is_empty(), "{left} of {} leak", self.tried);
    }
}

/// The ways in which a text can be written for this sample, each as the inside of a JSON string.
fn written(sample: &Sample) -> impl Iterator<Item = (&'static Encoding, String)> {
    let sample = *sample;
    let fits = move |encoding: &&Encoding| encoding.of != Of::Telling || sample.key.is_empty();
    ENCODINGS.iter().filter(fits).flat_map(move |encoding| {
        let all = (encoding.inner)(&sample.text(sample.value));
        // Within plain words as well, where an encoding is of parts of a text.
        let inner = sample.text(&(encoding.inner)(sample.value));
        let both = [(encoding, all), (encoding, inner)];
        both.into_iter().take(if encoding.of == Of::Any { 2 } else { 1 })
    })
}

/// A text, by its inner text, where a message can have one.
fn messages(sample: &Sample, inner: &str) -> Vec<String> {
    let mut messages = vec![sample.message(inner)];
    if sample.key.is_empty() {
        messages.push(format!(r#"{{"{inner}":[true]}}"#));
        messages.push(format!("\"{inner}\""));
    } else {
        messages.push(format!(r#"[["id","{0}"],[1,"{inner}"]]"#, sample.key));
        messages.push(format!(r#"{{"name":"{0}","value":"{inner}"}}"#, sample.key));
    }
    if sample.value.bytes().all(|byte| byte.is_ascii_digit()) {
        messages.push(format!(r#"{{"{}":{}}}"#, sample.key, sample.value));
    }
    messages
}

#[test]
fn no_encoding_hides_a_value() {
    let mut leaks = Leaks::default();
    // The last operator keeps less than what counts as a leak.
    for operator in
        [Operator::Label, Operator::Hash, Operator::Token, Operator::Drop, Operator::Last(3)]
    {
        let kit = Kit::with(operator);
        for sample in SAMPLES {
            for (encoding, inner) in written(sample) {
                // Every place once.
                let places = if operator == Operator::Label { usize::MAX } else { 1 };
                for message in messages(sample, &inner).into_iter().take(places) {
                    let masked = kit.masked(&message);
                    leaks.look(sample, encoding, &message, &masked, false);
                    let again = kit.masked(&masked);
                    if again != masked {
                        let what =
                            format!("{operator:?}: {message}\n   gives {masked}\n    then {again}");
                        leaks.note(sample, encoding, what);
                    }
                }
            }
        }
    }
    leaks.none("encodings");
}

/// Longer texts are cut in their plain form only, in bytes.
const CUT_MAX: usize = 60;

/// The same for texts of events.
const EVENT_CUT_MAX: usize = 60;

/// Two texts that stand side by side, as inner texts of JSON strings.
const PAIRS: &[&str] = &[
    r#"{"content":[{"type":"text","text":"<"},{"type":"text","text":">"}]}"#,
    r#"{"messages":[{"content":{"type":"text","text":"<"}},{"content":{"type":"text","text":">"}}]}"#,
    r#"{"structuredContent":{"rows":["<",">"]}}"#,
];

/// The two sides of every cut of the inside of a JSON string. Within an escape there is none.
fn cuts(inner: &str) -> impl Iterator<Item = (&str, &str)> {
    let all = inner.char_indices().skip(1).map(|(at, _)| inner.split_at(at));
    all.filter(|(left, _)| serde_json::from_str::<String>(&format!("\"{left}\"")).is_ok())
        .filter(|(_, right)| serde_json::from_str::<String>(&format!("\"{right}\"")).is_ok())
}

/// A notification with a text, as an event.
const EVENTS: &[&str] = &[
    r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"<"}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t-1","progress":1,"message":"<"}}"#,
    r#"{"method":"notifications/x","params":{"content":[{"type":"text","text":"<"}]}}"#,
];

/// The messages of the events in a masked stream, as one JSON text.
fn events(kit: &Kit, shape: &str, texts: &[&str]) -> (String, String) {
    let event = |text: &&str| format!("data: {}\n\n", shape.replace('<', text));
    let stream = texts.iter().map(event).collect::<String>();
    let masked = kit.stream([stream.as_bytes()]).unwrap();
    let messages: Vec<&str> =
        masked.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(messages.len(), texts.len());
    // The texts alone, for these are read as one.
    let texts = messages.iter().map(|message| {
        let message: Value = serde_json::from_str(message).unwrap();
        let params = &message["params"];
        let text = [&params["data"], &params["message"], &params["content"][0]["text"]];
        text.into_iter().find(|text| text.is_string()).unwrap().clone()
    });
    (stream, Value::Array(texts.collect()).to_string())
}

#[test]
fn no_cut_over_events_hides_a_value() {
    let (kit, mut leaks) = (Kit::new(), Leaks::default());
    for sample in telling() {
        for (nth, (encoding, inner)) in written(sample).enumerate() {
            if nth > 1 && (inner.len() > EVENT_CUT_MAX || nth % 3 > 0) {
                continue;
            }
            for (at, (left, right)) in cuts(&inner).enumerate() {
                let (stream, masked) = events(&kit, EVENTS[at % EVENTS.len()], &[left, right]);
                leaks.look(sample, encoding, &stream, &masked, true);
            }
        }
    }
    leaks.none("events in two");
    let mut leaks = Leaks::default();
    for sample in telling().filter(|sample| sample.value.len() <= 20) {
        let inner = sample.text(sample.value);
        for (first, rest) in cuts(&inner) {
            for (second, third) in cuts(rest) {
                let (stream, masked) = events(&kit, EVENTS[0], &[first, second, third]);
                leaks.look(sample, &ENCODINGS[0], &stream, &masked, true);
            }
        }
    }
    leaks.none("events in three");
}

#[test]
fn no_cut_into_chunks_changes_what_comes_out() {
    let (kit, mut leaks) = (Kit::new(), Leaks::default());
    for sample in SAMPLES {
        for (nth, (encoding, inner)) in written(sample).enumerate().filter(|(nth, _)| nth % 5 == 0)
        {
            let stream = format!("id: {nth}\ndata: {}\n\n", sample.message(&inner));
            let whole = kit.stream([stream.as_bytes()]).unwrap();
            let message = whole.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            leaks.look(sample, encoding, &stream, message, false);
            for at in (1..stream.len()).filter(|at| at % 3 == nth % 3 || nth == 0) {
                let (left, right) = stream.as_bytes().split_at(at);
                assert_eq!(kit.stream([left, right]).unwrap(), whole, "cut at {at}: {stream}");
                leaks.tried += 1;
            }
        }
    }
    leaks.none("chunks");
}

/// Samples that are known by themselves, or by what stands around them in their text.
fn telling() -> impl Iterator<Item = &'static Sample> {
    SAMPLES.iter().filter(|sample| sample.key.is_empty())
}

#[test]
fn no_cut_over_blocks_or_items_hides_a_value() {
    let (kit, mut leaks) = (Kit::new(), Leaks::default());
    for sample in telling() {
        for (nth, (encoding, inner)) in written(sample).enumerate() {
            // Every encoding of short values, and the plain text in every shape.
            if nth > 1 && inner.len() > CUT_MAX {
                continue;
            }
            let shapes = if nth > 1 { 1 } else { PAIRS.len() };
            for (left, right) in cuts(&inner) {
                for shape in &PAIRS[..shapes] {
                    let message = shape.replace('<', left).replace('>', right);
                    leaks.look(sample, encoding, &message, &kit.masked(&message), true);
                }
            }
        }
    }
    leaks.none("cuts in two");
}

#[test]
fn no_two_cuts_over_blocks_hide_a_value() {
    let (kit, mut leaks) = (Kit::new(), Leaks::default());
    let plain = &ENCODINGS[0];
    for sample in telling().filter(|sample| sample.value.len() <= 24) {
        let inner = (plain.inner)(&sample.text(sample.value));
        for (first, rest) in cuts(&inner) {
            for (second, third) in cuts(rest) {
                let blocks = [first, second, third]
                    .map(|text| format!(r#"{{"type":"text","text":"{text}"}}"#));
                let message = format!(r#"{{"content":[{}]}}"#, blocks.join(","));
                leaks.look(sample, plain, &message, &kit.masked(&message), true);
            }
        }
    }
    leaks.none("cuts in three");
}
