//! What is wrong with the configuration: file, line, what, and how to mend it.
//!
//! Names settings as the user wrote them, never Rust types, and never quotes a secret's value.

use std::ops::Range;

use lockgate_gateway::{secret::REFERENCE_WANTED, vault::KEYS_WANTED};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::located::byte_range;

/// One fault, with its place where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct ConfigFault {
    what: String,
    help: Option<String>,
    place: Option<Box<Place>>,
}

/// Where it stands.
#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    span: Range<usize>,
    label: String,
}

impl ConfigFault {
    /// A fault that stands nowhere in the file.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None, place: None }
    }

    /// How to mend it, in one sentence.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where it stands: `span` of `text`, which was read from `file`.
    pub(crate) fn at(mut self, file: &str, text: &str, span: Range<usize>, label: &str) -> Self {
        let source = NamedSource::new(file, text.to_owned());
        self.place = Some(Box::new(Place { source, span, label: label.to_owned() }));
        self
    }

    /// From what the YAML reader says about `text` of `file`.
    pub(crate) fn from_yaml(error: &serde_saphyr::Error, file: &str, text: &str) -> Self {
        let error = error.without_snippet();
        let (what, label, help) = words_for(error);
        // The line may hold the secret itself.
        if let Some(wanted) = [REFERENCE_WANTED, KEYS_WANTED].into_iter().find(|w| what.contains(w))
        {
            let line = error.location().map_or(0, |location| location.line());
            return Self::new(format!("{file}:{line}: {wanted}"));
        }
        let span = error.location().map(|location| byte_range(&location, text));
        let fault = Self { what, help, place: None };
        fault.at(file, text, span.unwrap_or(0..0), &label)
    }
}

impl Diagnostic for ConfigFault {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Place { span, label, .. } = self.place.as_deref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new(
            Some(label.clone()),
            span.start,
            span.len(),
        ))))
    }
}

/// What, label and help.
fn words_for(error: &serde_saphyr::Error) -> (String, String, Option<String>) {
    use serde_saphyr::Error as Yaml;
    match error {
        Yaml::SerdeUnknownField { field, expected, .. } => (
            format!("there is no setting `{field}` here"),
            "not known".to_owned(),
            Some(suggestion(field, expected)),
        ),
        Yaml::SerdeUnknownVariant { variant, expected, .. } => (
            format!("`{variant}` is none of the choices here"),
            "not known".to_owned(),
            Some(suggestion(variant, expected)),
        ),
        Yaml::SerdeMissingField { field, .. } => (
            format!("the setting `{field}` is missing"),
            "in this section".to_owned(),
            Some(format!("add `{field}: …`")),
        ),
        Yaml::SerdeInvalidType { unexpected, expected, .. }
        | Yaml::SerdeInvalidValue { unexpected, expected, .. } => {
            let expected = without_types(&format!("expected {expected}"));
            (format!("found {unexpected}, {expected}"), "this value".to_owned(), None)
        }
        Yaml::Unexpected { expected: "sequence start", .. } => (
            "expected a list".to_owned(),
            "this value".to_owned(),
            Some("write it in brackets: `[…]`".to_owned()),
        ),
        Yaml::Unexpected { expected: "mapping start", .. } => {
            ("expected settings with keys of their own".to_owned(), "this value".to_owned(), None)
        }
        Yaml::InvalidScalar { ty, .. } => {
            (format!("expected{}", without_types(&format!(" {ty}"))), "this value".to_owned(), None)
        }
        Yaml::DuplicateMappingKey { key, .. } => (
            match key {
                Some(key) => format!("the setting `{key}` is given twice"),
                None => "a setting is given twice".to_owned(),
            },
            "the second one".to_owned(),
            Some("keep one of them".to_owned()),
        ),
        other => (plain(other), "here".to_owned(), None),
    }
}

/// The YAML reader's own words without its place, which the label shows.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    match first.rfind(" at line ") {
        Some(end) => without_types(first.get(..end).unwrap_or(first)),
        None => without_types(first),
    }
}

/// A reader's words with numbers in place of Rust's names for them.
pub(crate) fn without_types(text: &str) -> String {
    ["u8", "u16", "u32", "u64", "i64", "usize"].iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!(" {name}"), " a whole number that fits")
    })
}

/// "did you mean", or the whole choice where nothing is near.
pub(crate) fn suggestion<S: AsRef<str>>(found: &str, known: &[S]) -> String {
    match nearest(found, known.iter().map(AsRef::as_ref)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<String> = known.iter().map(|k| format!("`{}`", k.as_ref())).collect();
            format!("the choices are {}", names.join(", "))
        }
    }
}

/// The known name that `found` is most likely a slip of.
pub(crate) fn nearest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
