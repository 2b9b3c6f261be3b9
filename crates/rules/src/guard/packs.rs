//! Rules of people's own: named patterns with their labels, in packs of YAML that carry their own
//! tests.
//!
//! The engine is linear in the text; patterns have limits at load, and one that matches everything is
//! refused. A pack whose examples do not come out as written does not load.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::Value;

use super::{Facts, fact::Place};

/// A pack larger than this is refused before it is parsed, in bytes.
pub const PACK_MAX_BYTES: usize = 256 * 1024;
/// A pack with more rules than this is refused.
const RULES_MAX: usize = 256;
/// A pattern longer than this is refused, in bytes.
const PATTERN_MAX_BYTES: usize = 4096;
/// A compiled pattern may be as large as this, in bytes.
const COMPILED_MAX_BYTES: usize = 1024 * 1024;
/// Rules look at so much of one argument; what is longer is a fact of its own, in bytes.
const TEXT_MAX_BYTES: usize = super::desk::TEXT_MAX_BYTES;

/// A pack that loaded: its rules compiled, its examples run.
#[derive(Clone, Debug)]
pub struct Pack {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    rules: Arc<[Rule]>,
}

/// Why a pack does not load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackFault {
    /// It is too large, or has too many rules.
    #[error("the pack has {found} {what}; at most {max}")]
    Size {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// It is no pack in YAML.
    #[error("{0}")]
    Form(String),
    /// A rule is wrong.
    #[error("rule `{rule}`: {why}")]
    Rule {
        /// Its name.
        rule: String,
        /// What is wrong with it, and how to mend it.
        why: String,
    },
}

/// One rule.
#[derive(Debug)]
struct Rule {
    name: String,
    label: String,
    note: String,
    patterns: Vec<Regex>,
    except: Vec<Regex>,
    connections: Vec<String>,
    tools: Vec<String>,
    arguments: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackText {
    pack: String,
    version: u32,
    rules: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: String,
    label: Option<String>,
    note: String,
    #[serde(default)]
    regex: Vec<String>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    connections: Vec<String>,
    #[serde(default)]
    tools: Vec<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(rename = "match")]
    matches: Vec<String>,
    no_match: Vec<String>,
}

impl Pack {
    /// Reads a pack, compiles its rules, and runs its examples.
    ///
    /// # Errors
    /// [`PackFault`] with the first thing that is wrong.
    pub fn load(text: &str) -> Result<Self, PackFault> {
        within("bytes", text.len(), PACK_MAX_BYTES)?;
        let parsed: PackText =
            serde_saphyr::from_str(text).map_err(|error| PackFault::Form(error.to_string()))?;
        within("rules", parsed.rules.len(), RULES_MAX)?;
        let mut rules: Vec<Rule> = Vec::new();
        for rule in &parsed.rules {
            if rules.iter().any(|one| one.name == rule.name) {
                return Err(fault(&rule.name, "its name is taken by another rule of the pack"));
            }
            let compiled = Rule::compile(rule)?;
            compiled.try_examples(rule)?;
            rules.push(compiled);
        }
        Ok(Self { name: parsed.pack, version: parsed.version, rules: rules.into() })
    }

    /// How many rules it has.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The names of its rules with their labels.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules.iter().map(|rule| (&*rule.name, &*rule.label))
    }

    fn text(&self, facts: &mut Facts, scope: Scope<'_>, pointer: &str, text: &str) {
        let place = Place { path: pointer.to_owned(), outer: None };
        if text.len() > TEXT_MAX_BYTES {
            return facts.add(
                "guard.limit",
                &place,
                0..text.len(),
                "an argument is too long for the rules",
            );
        }
        for rule in self.rules.iter().filter(|rule| rule.covers(scope, pointer)) {
            if let Some(span) = rule.find(text) {
                facts.add(rule.label.clone(), &place, span, rule.note.clone());
            }
        }
    }
}

/// What a call is about, for the scopes of rules.
#[derive(Clone, Copy)]
struct Scope<'a> {
    connection: &'a str,
    tool: &'a str,
}

/// Adds what the rules of `packs` find in the texts of `arguments`.
pub(super) fn read(
    facts: &mut Facts,
    packs: &[Pack],
    connection: &str,
    tool: &str,
    arguments: &Value,
) {
    if packs.is_empty() {
        return;
    }
    let mut waiting = vec![(String::new(), arguments)];
    while let Some((pointer, value)) = waiting.pop() {
        match value {
            Value::String(text) => {
                for pack in packs {
                    pack.text(facts, Scope { connection, tool }, &pointer, text);
                }
            }
            Value::Array(items) => {
                waiting.extend(
                    items.iter().enumerate().map(|(at, item)| (format!("{pointer}/{at}"), item)),
                );
            }
            Value::Object(object) => {
                waiting.extend(object.iter().map(|(key, item)| {
                    (format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), item)
                }));
            }
            _ => {}
        }
    }
}

/// Adds what the rules find in one text that belongs to no call.
pub(super) fn read_text(facts: &mut Facts, packs: &[Pack], text: &str) {
    for pack in packs {
        pack.text(facts, Scope { connection: "", tool: "" }, "", text);
    }
}

impl Rule {
    fn compile(text: &RuleText) -> Result<Self, PackFault> {
        let label = text.label.clone().unwrap_or_else(|| format!("custom.{}", text.name));
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
        if label.is_empty() || !label.chars().all(plain) || label.split('.').any(str::is_empty) {
            return Err(fault(
                &text.name,
                "a label is words of a-z, 0-9, `_` and `-` with dots between",
            ));
        }
        if text.regex.is_empty() && text.keywords.is_empty() {
            return Err(fault(&text.name, "it has neither `regex` nor `keywords`"));
        }
        if text.matches.is_empty() || text.no_match.is_empty() {
            return Err(fault(
                &text.name,
                "it needs at least one example under `match` and `no_match`",
            ));
        }
        let keywords = text
            .keywords
            .iter()
            .map(|word| format!(r"(?i)(?:^|\W){}(?:\W|$)", regex::escape(word)));
        let keywords = keywords.zip(&text.keywords).map(|(pattern, word)| {
            if word.trim().len() < 2 {
                Err(fault(&text.name, "a keyword is shorter than two letters"))
            } else {
                pattern_of(&text.name, &pattern)
            }
        });
        let patterns = text.regex.iter().map(|pattern| pattern_of(&text.name, pattern));
        Ok(Self {
            name: text.name.clone(),
            label,
            note: text.note.clone(),
            patterns: patterns.chain(keywords).collect::<Result<_, _>>()?,
            except: text
                .except
                .iter()
                .map(|pattern| pattern_of(&text.name, pattern))
                .collect::<Result<_, _>>()?,
            connections: text.connections.clone(),
            tools: text.tools.clone(),
            arguments: text.arguments.clone(),
        })
    }

    fn try_examples(&self, text: &RuleText) -> Result<(), PackFault> {
        for example in &text.matches {
            if self.find(example).is_none() {
                return Err(fault(
                    &text.name,
                    format!("the example `{example}` should match and does not"),
                ));
            }
        }
        for example in &text.no_match {
            if self.find(example).is_some() {
                return Err(fault(
                    &text.name,
                    format!("the example `{example}` should not match and does"),
                ));
            }
        }
        Ok(())
    }

    /// Where it matches, unless an exception matches as well.
    fn find(&self, text: &str) -> Option<std::ops::Range<usize>> {
        let found = self.patterns.iter().find_map(|pattern| pattern.find(text))?.range();
        (!self.except.iter().any(|pattern| pattern.is_match(text))).then_some(found)
    }

    fn covers(&self, scope: Scope<'_>, pointer: &str) -> bool {
        let name =
            pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
        let within =
            |list: &[String], one: &str| list.is_empty() || list.iter().any(|item| item == one);
        within(&self.connections, scope.connection)
            && within(&self.tools, scope.tool)
            && (within(&self.arguments, pointer) || within(&self.arguments, name))
    }
}

fn pattern_of(rule: &str, pattern: &str) -> Result<Regex, PackFault> {
    if pattern.len() > PATTERN_MAX_BYTES {
        return Err(fault(rule, format!("a pattern is longer than {PATTERN_MAX_BYTES} bytes")));
    }
    let built = RegexBuilder::new(pattern)
        .size_limit(COMPILED_MAX_BYTES)
        .dfa_size_limit(COMPILED_MAX_BYTES)
        .nest_limit(64)
        .build()
        .map_err(|error| fault(rule, error.to_string()))?;
    if built.is_match("") {
        return Err(fault(
            rule,
            format!("the pattern `{pattern}` matches an empty text, and so everything"),
        ));
    }
    Ok(built)
}

fn within(what: &'static str, found: usize, max: usize) -> Result<(), PackFault> {
    if found > max { Err(PackFault::Size { what, found, max }) } else { Ok(()) }
}

fn fault(rule: &str, why: impl Into<String>) -> PackFault {
    PackFault::Rule { rule: rule.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Pack, PackFault};
    use crate::guard::{Profile, inspect};

    fn pack(rule: &str) -> Result<Pack, PackFault> {
        Pack::load(&format!(
            "pack: test\nversion: 1\nrules:\n  - name: one\n    note: a note\n{rule}"
        ))
    }

    const EXAMPLES: &str = "    match: [payroll]\n    no_match: [parole]\n";

    #[test]
    fn a_rule_finds_what_its_scope_covers() {
        let pack = pack(&format!("    regex: ['payroll']\n    except: ['payroll_public']\n    tools: [query]\n    arguments: [sql]\n{EXAMPLES}")).unwrap();
        for (tool, arguments, found) in [
            ("query", json!({"sql": "SELECT 1 FROM payroll"}), true),
            ("query", json!({"sql": ["x", "payroll"]}), true),
            ("query", json!({"sql": "SELECT 1 FROM payroll_public"}), false),
            ("query", json!({"note": "payroll"}), false),
            ("other", json!({"sql": "payroll"}), false),
        ] {
            let packs = [pack.clone()];
            let profile = Profile { tool: Some(tool), packs: &packs, ..Profile::default() };
            let facts = inspect(&profile, &arguments);
            assert_eq!(facts.has("custom.one"), found, "{tool} {arguments}");
        }
    }

    #[test]
    fn p17_p20_patterns_have_their_limits() {
        for (rule, why) in [
            ("    regex: ['.*']\n", "matches an empty text"),
            ("    regex: ['']\n", "matches an empty text"),
            ("    regex: ['(a']\n", "unclosed"),
            ("    regex: ['(?:a{1000}){1000}payroll']\n", "size"),
            ("    keywords: ['x']\n", "shorter"),
            ("    label: 'Not A Label'\n    regex: [payroll]\n", "label"),
            ("    regex: [parole]\n", "should match"),
            ("    regex: ['payroll|parole']\n", "should not match"),
            ("    regex: [payroll]\n    colour: red\n", "colour"),
        ] {
            let fault = pack(&format!("{rule}{EXAMPLES}")).unwrap_err().to_string();
            assert!(fault.contains(why), "{rule}: {fault}");
        }
        let long = format!("    regex: ['{}']\n{EXAMPLES}", "payroll".repeat(1000));
        assert!(pack(&long).is_err());
        assert!(matches!(Pack::load(&" ".repeat(10_000_000)), Err(PackFault::Size { .. })));
    }

    #[test]
    fn p17_a_hostile_text_takes_linear_time() {
        let pack = pack("    regex: ['(a+)+$']\n    match: [aa]\n    no_match: [ab]\n").unwrap();
        let packs = [pack];
        let profile = Profile { packs: &packs, ..Profile::default() };
        let text = format!("{}!", "a".repeat(100_000));
        assert!(!inspect(&profile, &json!({ "sql": text })).has("custom.one"));
    }

    #[test]
    fn starter_packs_load() {
        for text in [
            include_str!("../../packs/databases.yaml"),
            include_str!("../../packs/shells.yaml"),
            include_str!("../../packs/kubernetes.yaml"),
            include_str!("../../packs/git.yaml"),
            include_str!("../../packs/cloud.yaml"),
            include_str!("../../packs/filesystems.yaml"),
        ] {
            let pack = Pack::load(text).unwrap_or_else(|fault| panic!("{fault}"));
            assert!(!pack.is_empty(), "{}", pack.name);
        }
    }
}
