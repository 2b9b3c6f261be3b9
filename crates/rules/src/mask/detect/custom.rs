//! Detectors and exceptions of an operator's own, compiled from [`super::settings`].
//!
//! Linear in the text: the engine of `regex` has no look-around, and patterns have limits at load.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};

use super::{
    Finding, Text,
    bytes::{distinct, kind},
    iban,
    ids::{luhn, verhoeff},
    settings::{Allow, Check, Custom, Settings, SettingsFault},
    spot::{self, Spot},
};
use crate::mask::{Class, Name};

/// A pattern longer than this is refused, in bytes.
const PATTERN_MAX_BYTES: usize = 4096;
/// A compiled pattern may be as large as this, in bytes.
const COMPILED_MAX_BYTES: usize = 1024 * 1024;
/// More custom detectors than this are refused.
const DETECTORS_MAX: usize = 256;
/// More keywords than this of one detector are refused.
const KEYWORDS_MAX: usize = 4096;

/// What an operator said, compiled.
#[derive(Debug)]
pub(super) struct Rules {
    /// Findings below this are dropped, in percent.
    pub(super) score_min: u8,
    off: Vec<String>,
    detectors: Vec<Detector>,
    spots: Vec<Spot>,
    allow: Vec<Allowed>,
}

#[derive(Debug)]
struct Detector {
    name: Name,
    class: Class,
    score: u8,
    patterns: Vec<Regex>,
    words: Option<Regex>,
    keys: Vec<String>,
    check: Option<Check>,
}

#[derive(Debug)]
struct Allowed {
    values: HashSet<String>,
    patterns: Vec<Regex>,
    classes: Vec<String>,
}

impl Rules {
    /// Nothing of an operator's own.
    pub(super) fn standard() -> Self {
        let score_min = Settings::default().score_min;
        Self {
            score_min,
            off: Vec::new(),
            detectors: Vec::new(),
            spots: Vec::new(),
            allow: Vec::new(),
        }
    }

    pub(super) fn compile(settings: &Settings) -> Result<Self, SettingsFault> {
        if settings.score_min > 100 {
            return Err(fault("score_min".into(), "it is a percentage, at most 100"));
        }
        if settings.custom.len() > DETECTORS_MAX {
            return Err(fault(
                "custom".into(),
                &format!("there are more than {DETECTORS_MAX} detectors"),
            ));
        }
        let detector = |(at, custom)| Detector::compile(custom, &format!("custom[{at}]"));
        let allowed = |(at, allow)| Allowed::compile(allow, &format!("allow[{at}]"));
        Ok(Self {
            score_min: settings.score_min,
            off: settings.off.clone(),
            detectors: settings
                .custom
                .iter()
                .enumerate()
                .map(detector)
                .collect::<Result<_, _>>()?,
            spots: spots(settings)?,
            allow: settings.allow.iter().enumerate().map(allowed).collect::<Result<_, _>>()?,
        })
    }

    /// Whether anything looks at texts in a way that only the operator knows.
    pub(super) fn has_own(&self) -> bool {
        !self.detectors.is_empty()
    }

    /// Whether a class is searched for.
    pub(super) fn wants(&self, class: &str) -> bool {
        !self.off.iter().any(|off| is_within(class, off))
    }

    /// Adds what the operator's detectors find.
    pub(super) fn scan(&self, text: Text<'_>, found: &mut Vec<Finding>) {
        for detector in &self.detectors {
            if detector.score >= self.score_min && self.wants(detector.class.name()) {
                detector.scan(text, found);
            }
        }
    }

    /// Where whole values are found.
    pub(super) fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// Whether a finding stands on an allow-list.
    pub(super) fn allows(&self, text: &str, finding: &Finding) -> bool {
        let value = text.get(finding.start..finding.end).unwrap_or_default();
        self.allow.iter().any(|allowed| allowed.covers(value, &finding.class))
    }

    /// Whether there is an allow-list.
    pub(super) fn has_allowed(&self) -> bool {
        !self.allow.is_empty()
    }
}

impl Detector {
    fn compile(custom: &Custom, place: &str) -> Result<Self, SettingsFault> {
        let part = |name: &str| format!("{place}.{name}");
        if custom.name.trim().is_empty() {
            return Err(fault(part("name"), "give it a name"));
        }
        let class_fits =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
        if custom.class.is_empty() || !custom.class.bytes().all(class_fits) {
            return Err(fault(
                part("class"),
                "a class is words of small letters with dots between them: `pii.employee_id`",
            ));
        }
        if custom.score > 100 {
            return Err(fault(part("score"), "it is a percentage, at most 100"));
        }
        let named = [&custom.keywords, &custom.keys, &custom.paths];
        if custom.regex.is_empty() && named.iter().all(|names| names.is_empty()) {
            let why = "it finds nothing: give `regex`, `keywords`, `keys` or `paths`";
            return Err(fault(place.into(), why));
        }
        if custom.check.is_some() && custom.regex.is_empty() {
            return Err(fault(part("check"), "it checks matches of `regex`, and there is none"));
        }
        let compile =
            |(at, pattern): (usize, &String)| pattern_at(pattern, &part(&format!("regex[{at}]")));
        Ok(Self {
            name: Name::new(&custom.name),
            class: Class::new(&custom.class),
            score: custom.score,
            patterns: custom.regex.iter().enumerate().map(compile).collect::<Result<_, _>>()?,
            words: words(&custom.keywords, &part("keywords"))?,
            keys: custom.keys.iter().map(|key| plain(key)).collect(),
            check: custom.check,
        })
    }

    fn scan(&self, text: Text<'_>, found: &mut Vec<Finding>) {
        let mut take = |start: usize, end: usize| {
            if start < end {
                let (class, detector) = (self.class.clone(), self.name.clone());
                found.push(Finding { start, end, class, score: self.score, detector });
            }
        };
        if !self.keys.is_empty()
            && let Some(key) = text.key.map(plain)
            && self.keys.contains(&key)
        {
            take(0, text.text.len());
        }
        for groups in self.patterns.iter().flat_map(|pattern| pattern.captures_iter(text.text)) {
            if let Some(value) = groups.name("value").or_else(|| groups.get(0))
                && self.check.is_none_or(|check| holds(check, value.as_str()))
            {
                take(value.start(), value.end());
            }
        }
        for word in self.words.iter().flat_map(|words| words.find_iter(text.text)) {
            let wordy = |one: char| one.is_alphanumeric();
            let before = text.text.get(..word.start()).and_then(|text| text.chars().next_back());
            let behind = text.text.get(word.end()..).and_then(|text| text.chars().next());
            if !before.is_some_and(wordy) && !behind.is_some_and(wordy) {
                take(word.start(), word.end());
            }
        }
    }
}

impl Allowed {
    fn compile(allow: &Allow, place: &str) -> Result<Self, SettingsFault> {
        if allow.values.is_empty() && allow.regex.is_empty() {
            return Err(fault(place.into(), "it allows nothing: give `values` or `regex`"));
        }
        let whole = |(at, pattern): (usize, &String)| {
            let place = format!("{place}.regex[{at}]");
            pattern_at(pattern, &place)
                .and_then(|_| pattern_at(&format!("^(?:{pattern})$"), &place))
        };
        Ok(Self {
            values: allow.values.iter().map(|value| value.to_lowercase()).collect(),
            patterns: allow.regex.iter().enumerate().map(whole).collect::<Result<_, _>>()?,
            classes: allow.classes.clone(),
        })
    }

    fn covers(&self, value: &str, class: &Class) -> bool {
        let here = self.classes.is_empty() || self.classes.iter().any(|above| class.is_in(above));
        here && (self.values.contains(&value.to_lowercase())
            || self.patterns.iter().any(|pattern| pattern.is_match(value)))
    }
}

fn pattern_at(pattern: &str, place: &str) -> Result<Regex, SettingsFault> {
    if pattern.len() > PATTERN_MAX_BYTES {
        return Err(fault(
            place.into(),
            &format!("it is longer than {PATTERN_MAX_BYTES} bytes; split it"),
        ));
    }
    let built = RegexBuilder::new(pattern).size_limit(COMPILED_MAX_BYTES).build();
    let regex = built.map_err(|error| {
        let why = error.to_string();
        let hint = if why.contains("look-around") {
            "; look-around is not supported: match more, and name the part that counts `(?P<value>…)`"
        } else {
            ""
        };
        fault(place.into(), &format!("`{pattern}` is no regular expression: {why}{hint}"))
    })?;
    if regex.is_match("") {
        return Err(fault(
            place.into(),
            "it matches an empty text, so it would match everywhere; ask for at least one character",
        ));
    }
    Ok(regex)
}

/// The spots that detectors name, of classes that are searched for.
fn spots(settings: &Settings) -> Result<Vec<Spot>, SettingsFault> {
    let mut spots = Vec::new();
    for (at, custom) in settings.custom.iter().enumerate() {
        for (nth, path) in custom.paths.iter().enumerate() {
            let steps = spot::steps(path, &format!("custom[{at}].paths[{nth}]"))?;
            let off = settings.off.iter().any(|off| is_within(&custom.class, off));
            if custom.score >= settings.score_min && !off {
                let (class, detector) = (Class::new(&custom.class), Name::new(&custom.name));
                spots.push(Spot { steps, class, score: custom.score, detector });
            }
        }
    }
    Ok(spots)
}

fn words(words: &[String], place: &str) -> Result<Option<Regex>, SettingsFault> {
    if words.len() > KEYWORDS_MAX {
        return Err(fault(place.into(), &format!("there are more than {KEYWORDS_MAX}")));
    }
    if words.is_empty() {
        return Ok(None);
    }
    if let Some(at) = words.iter().position(|word| word.trim().is_empty()) {
        return Err(fault(format!("{place}[{at}]"), "it is empty"));
    }
    // Of two words that begin alike, the longer one is tried first.
    let mut words: Vec<String> = words.iter().map(|word| regex::escape(word.trim())).collect();
    words.sort_by_key(|word| usize::MAX - word.len());
    let joined = format!("(?i:{})", words.join("|"));
    let built = RegexBuilder::new(&joined).size_limit(COMPILED_MAX_BYTES * 8).build();
    built.map(Some).map_err(|error| fault(place.into(), &format!("they are too much: {error}")))
}

/// A key in small letters and digits only.
fn plain(key: &str) -> String {
    key.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn holds(check: Check, value: &str) -> bool {
    let letters: Vec<u8> = value
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let digits: Vec<u8> =
        letters.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
    match check {
        Check::Luhn => digits.len() > 1 && luhn(&digits),
        Check::Verhoeff => digits.len() > 1 && verhoeff(&digits),
        Check::Mod97 => iban::mod_97(&letters, 0),
        Check::Iban => letters.len() > 4 && iban::mod_97(&letters, 4),
        Check::Entropy => {
            let digit = value.bytes().any(|byte| kind(byte) == super::bytes::DIGIT);
            digit && distinct(value.as_bytes()) >= 8 && entropy(value.as_bytes()) >= 3.0
        }
    }
}

/// Shannon's entropy, in bits a byte.
fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let whole = value.len() as f64;
    let share = |count: &u32| f64::from(*count) / whole;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

fn is_within(class: &str, above: &str) -> bool {
    class.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(super) fn fault(place: String, why: &str) -> SettingsFault {
    SettingsFault { place, why: why.to_owned() }
}
