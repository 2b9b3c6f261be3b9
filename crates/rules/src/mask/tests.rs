//! What must hold of masking, by the rows of the attack catalogue that are pure (K), and by properties.

mod encodings;
mod evasion;
mod leaks;
mod restore;
mod samples;
mod shape;
mod splits;

use super::{
    Detectors, MaskFault, MaskKey, MaskSettings, Masked, Masker, Numbers, Operator, Passed, Reveal,
    Stream, mask_json, mask_text,
};

/// Everything that a masker is made of.
pub(super) struct Kit {
    detectors: Detectors,
    settings: MaskSettings,
    key: MaskKey,
    reveal: Reveal,
    numbers: Numbers,
}

impl Kit {
    pub(super) fn new() -> Self {
        Self {
            detectors: Detectors::standard(),
            settings: MaskSettings::default(),
            key: MaskKey::new([7; 32]),
            reveal: Reveal::nothing(),
            numbers: Numbers::Text,
        }
    }

    /// With one operator for all classes.
    fn with(operator: Operator) -> Self {
        let mut kit = Self::new();
        for class in ["secret", "pci", "pii", "phi"] {
            kit.settings.operators.insert(class.to_owned(), operator);
        }
        kit
    }

    pub(super) fn masker(&self) -> Masker<'_> {
        let Self { detectors, settings, key, reveal, numbers } = self;
        Masker { numbers: *numbers, ..Masker::new(detectors, settings, key, reveal) }
    }

    fn json<'t>(&self, text: &'t str) -> Result<Masked<'t>, MaskFault> {
        mask_json(&self.masker(), text.as_bytes())
    }

    /// The masked message, which must be JSON.
    fn masked(&self, text: &str) -> String {
        let masked = self.json(text).unwrap_or_else(|fault| panic!("{fault}: {text}"));
        let masked = String::from_utf8(masked.bytes.into_owned()).unwrap();
        let read = serde_json::from_str::<serde_json::Value>(&masked);
        assert!(read.is_ok(), "no JSON: {masked}");
        masked
    }

    fn text(&self, text: &str) -> String {
        let masked = mask_text(&self.masker(), text.as_bytes()).unwrap();
        String::from_utf8(masked.bytes.into_owned()).unwrap()
    }

    /// The stream in parts as they are given.
    fn stream<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Result<String, MaskFault> {
        let mut stream = Stream::new(self.masker(), 1 << 20);
        let mut passed = Passed::default();
        for part in parts {
            stream.push(part, &mut passed)?;
        }
        stream.finish(&mut passed)?;
        Ok(String::from_utf8(passed.bytes).unwrap())
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Whether a run of four characters of `secret` stands in `text`, other than separators.
fn leaks(text: &str, secret: &str) -> bool {
    let runs = secret.as_bytes().windows(4).filter(|run| run.iter().all(u8::is_ascii_alphanumeric));
    runs.into_iter().any(|run| memchr::memmem::find(text.as_bytes(), run).is_some())
}

/// Every key and string in `value`, and every number as it is written.
fn strings(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => into.push(text.clone()),
        serde_json::Value::Number(number) => into.push(number.to_string()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        serde_json::Value::Object(members) => members.iter().for_each(|(key, value)| {
            into.push(key.clone());
            strings(value, into);
        }),
        serde_json::Value::Null | serde_json::Value::Bool(_) => {}
    }
}
