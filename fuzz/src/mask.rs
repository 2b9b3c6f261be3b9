//! Masking: messages, texts and streams. On a small stack, because nothing in it may recurse over its
//! input.

use std::{borrow::Cow, sync::LazyLock};

use lockgate_rules::mask::{
    Detectors, MaskKey, MaskSettings, Masker, Operator, Passed, Reveal, Stream, mask_json,
    mask_text, restore,
};
use serde_json::Value;

use crate::in_two;

/// A quarter of what a thread of the gateway has.
const STACK_BYTES: usize = 512 * 1024;
const EVENT_MAX_BYTES: usize = 4096;

static DETECTORS: LazyLock<Detectors> = LazyLock::new(Detectors::standard);
static SETTINGS: LazyLock<MaskSettings> = LazyLock::new(MaskSettings::default);
static TOKENS: LazyLock<MaskSettings> = LazyLock::new(|| MaskSettings {
    operators: SETTINGS.mask.iter().map(|class| (class.clone(), Operator::Token)).collect(),
    ..MaskSettings::default()
});
static KEY: MaskKey = MaskKey::new([7; 32]);
static REVEAL: Reveal = Reveal::nothing();

fn masker() -> Masker<'static> {
    let (detectors, settings) = (&*DETECTORS, &*SETTINGS);
    Masker::new(detectors, settings, &KEY, &REVEAL)
}

fn on_a_small_stack(check: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(check);
    if thread.expect("a thread").join().is_err() {
        panic!("masking panicked");
    }
}

/// A masked message is JSON of the same form, and what nothing was found in is as it came.
pub fn json(input: &[u8]) {
    let input = input.to_vec();
    on_a_small_stack(move || {
        let Ok(text) = mask_text(&masker(), &input) else { return };
        assert!(str::from_utf8(&text.bytes).is_ok());
        let Ok(masked) = mask_json(&masker(), &input) else { return };
        for report in &masked.reports {
            assert!(
                report.span.start < report.span.end && report.span.end <= input.len(),
                "{report:?}"
            );
        }
        if masked.reports.is_empty() {
            assert!(matches!(masked.bytes, Cow::Borrowed(_)));
        }
        if let Ok(before) = serde_json::from_slice::<Value>(&input) {
            let after = serde_json::from_slice::<Value>(&masked.bytes).expect("no JSON comes out");
            assert!(is_same_form(&before, &after), "{before}\n{after}");
        }
        comes_back(&input);
    });
}

/// Tokens that were issued are all known, and what they stand for is put back as JSON.
fn comes_back(input: &[u8]) {
    let masker = Masker { settings: &TOKENS, ..masker() };
    let Ok(masked) = mask_json(&masker, input) else { return };
    let find = |token: &str| masked.issued.iter().find(|issued| issued.token == token).cloned();
    match restore(&KEY, &masked.bytes, &find) {
        Ok(restored) => {
            let read = serde_json::from_slice::<Value>(&restored.bytes);
            assert!(read.is_ok() || serde_json::from_slice::<Value>(input).is_err());
        }
        // Whoever writes an address of ours gets a fault.
        Err(fault) => {
            assert!(input.windows(6).any(|part| part == b"masked"), "{fault}");
        }
    }
}

/// Whether both are of the same form. Numbers may have become strings; of equal keys one remains in each.
fn is_same_form(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(_), Value::Object(_)) => true,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_form(a, b))
        }
        (Value::Number(_), Value::String(_)) => true,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// The masked parts are the masked whole, however the stream is cut.
pub fn stream(input: &[u8]) {
    let parts = in_two(input);
    let stream = parts.concat();
    let whole = pass([&*stream]);
    assert_eq!(whole, pass(parts), "the split decides");
    assert_eq!(whole, pass(stream.chunks(1)), "the split decides");
}

/// What leaves, and whether the stream was read to its end.
fn pass<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
    let mut stream = Stream::new(masker(), EVENT_MAX_BYTES);
    let mut passed = Passed::default();
    for part in parts {
        if stream.push(part, &mut passed).is_err() {
            return (passed.bytes, false);
        }
    }
    let ended = stream.finish(&mut passed).is_ok();
    (passed.bytes, ended)
}
