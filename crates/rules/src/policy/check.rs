//! Policies against the schema of every connection that they can reach.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Effect, PolicySet, Schema, ValidationMode, ValidationWarning, Validator};
use miette::Diagnostic;

use super::{
    fault::{File, PolicyFault, Report},
    names::{nearest, with_near},
    rule::Rule,
    schema::{self, Typed},
    source::from_cedar,
    vocabulary::{KINDS, tool_action},
};

/// How one rule fared over all connections.
#[derive(Default)]
struct Tally {
    checked: usize,
    impossible: usize,
    faulty: bool,
}

/// Checks rules whose names are known to exist and whose ids are distinct.
pub(super) fn check(rules: &[&Rule], connections: &[Typed<'_>], report: &mut Report) {
    let labels: BTreeSet<&str> =
        connections.iter().flat_map(|typed| typed.labels.keys().map(String::as_str)).collect();
    let mut tallies: BTreeMap<String, Tally> =
        rules.iter().map(|rule| (rule.id.clone(), Tally::default())).collect();
    let mut seen = BTreeSet::new();
    for connection in connections {
        let reaching: Vec<&Rule> =
            rules.iter().copied().filter(|rule| reaches(rule, connection)).collect();
        if !reaching.is_empty() {
            validate(&reaching, connection, &labels, &mut tallies, &mut seen, report);
        }
    }
    for rule in rules {
        let Some(tally) = tallies.get(&rule.id) else { continue };
        if tally.faulty {
            continue;
        }
        check_tested_names(rule, connections, &labels, report);
        let idle = tally.checked == tally.impossible;
        if idle && !connections.is_empty() && !awaits_catalogue(rule, connections) {
            let effect = if rule.effect == Effect::Permit { "permit" } else { "forbid" };
            let fault = rule.fault(format!("this {effect} can never apply"));
            report.warnings.push(fault.help("compare its scope and conditions with the schema"));
        }
    }
}

/// Whether some question about this connection is in the rule's scope.
fn reaches(rule: &Rule, connection: &Typed<'_>) -> bool {
    let mut tools = connection.tools.iter().flatten();
    rule.covers_connection(connection.name)
        && (KINDS.iter().any(|(kind, _)| rule.covers_kind(kind))
            || tools.any(|(tool, _)| rule.covers_tool(connection.name, tool)))
}

/// Whether the rule may be about tools that are not known yet.
fn awaits_catalogue(rule: &Rule, connections: &[Typed<'_>]) -> bool {
    connections.iter().any(|typed| typed.tools.is_none() && rule.covers_connection(typed.name))
}

fn validate(
    rules: &[&Rule],
    connection: &Typed<'_>,
    labels: &BTreeSet<&str>,
    tallies: &mut BTreeMap<String, Tally>,
    seen: &mut BTreeSet<(String, usize)>,
    report: &mut Report,
) {
    let zones = rules.iter().flat_map(|rule| rule.zones.keys().map(String::as_str)).collect();
    let json = schema::json(connection, labels, &foreign_actions(rules, connection), &zones);
    let (schema, set) = match (
        Schema::from_json_value(json),
        PolicySet::from_policies(rules.iter().map(|rule| rule.policy.clone())),
    ) {
        (Ok(schema), Ok(set)) => (schema, set),
        (Err(error), _) => {
            report.errors.push(from_cedar(&schema_file(connection), &error));
            return;
        }
        (_, Err(error)) => {
            report.errors.push(from_cedar(&schema_file(connection), &error));
            return;
        }
    };
    let by_id: BTreeMap<String, &Rule> =
        rules.iter().map(|rule| (rule.id.clone(), *rule)).collect();
    for id in by_id.keys() {
        tallies.entry(id.clone()).or_default().checked += 1;
    }
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    let mut keep = |id: &str, diagnostic: &dyn Diagnostic| {
        let rule = *by_id.get(id)?;
        let fault = at_home(rule, diagnostic);
        let place = fault.span.map_or(0, |span| span.offset());
        // One mistake shows in every connection, and in every action that it can reach.
        seen.insert((id.to_owned(), place)).then_some(fault)
    };
    let mut errors: Vec<_> = result.validation_errors().collect();
    errors.sort_by_cached_key(ToString::to_string);
    for error in errors {
        let id = error.policy_id().to_string();
        report.errors.extend(keep(&id, error));
        tallies.entry(id).or_default().faulty = true;
    }
    for warning in result.validation_warnings() {
        let id = warning.policy_id().to_string();
        match warning {
            ValidationWarning::InvalidActionApplication(_) => {}
            ValidationWarning::ImpossiblePolicy(_) => {
                tallies.entry(id).or_default().impossible += 1;
            }
            _ => report.warnings.extend(keep(&id, warning)),
        }
    }
}

/// A diagnostic of Cedar, in the file and without the name of the rule.
fn at_home(rule: &Rule, diagnostic: &dyn Diagnostic) -> PolicyFault {
    let mut fault = from_cedar(&rule.place.file, diagnostic);
    fault.span = fault.span.or(Some(rule.place.span));
    let prefix = format!("for policy `{}`, ", rule.id);
    fault.message = fault.message.replacen(&prefix, "", 1);
    fault.help = fault.help.map(|help| help.replacen(&prefix, "", 1));
    fault
}

/// The tools of other connections that these rules mention.
fn foreign_actions(rules: &[&Rule], connection: &Typed<'_>) -> BTreeSet<String> {
    let own: BTreeSet<String> = connection
        .tools
        .iter()
        .flatten()
        .map(|(tool, _)| tool_action(connection.name, tool))
        .collect();
    let literals = rules.iter().flat_map(|rule| rule.policy.entity_literals());
    literals
        .filter(|uid| uid.type_name().to_string() == "Action")
        .map(|uid| uid.id().unescaped().to_owned())
        .filter(|id| id.contains('/') && !own.contains(id))
        .collect()
}

fn schema_file(connection: &Typed<'_>) -> File {
    File { name: format!("schema of {}", connection.name).into(), text: "".into() }
}

/// `has` takes any name, so Cedar lets a misspelt one pass and the condition is never true.
fn check_tested_names(
    rule: &Rule,
    connections: &[Typed<'_>],
    labels: &BTreeSet<&str>,
    report: &mut Report,
) {
    for name in rule.reads.labels.iter().filter(|name| !labels.contains(name.as_str())) {
        suspect(rule, name, "connection has a label", labels.iter().copied(), report);
    }
    if awaits_catalogue(rule, connections) {
        return;
    }
    let mut declared = BTreeSet::new();
    for typed in connections.iter().filter(|typed| rule.covers_connection(typed.name)) {
        for (tool, fields) in typed.tools.iter().flatten() {
            if rule.covers_tool(typed.name, tool) {
                declared.extend(fields.iter().map(|field| field.name.as_str()));
            }
        }
    }
    for name in rule.reads.arguments.iter().filter(|name| !declared.contains(name.as_str())) {
        suspect(rule, name, "tool in its scope has an argument", declared.iter().copied(), report);
    }
}

/// A name that nothing has: an error where it looks misspelt, else a warning, because a policy may
/// well speak of tools that come and go.
fn suspect<'a>(
    rule: &Rule,
    name: &str,
    what: &str,
    known: impl Iterator<Item = &'a str>,
    report: &mut Report,
) {
    let fault = rule.fault_at(name, format!("no {what} `{name}`"));
    let near = nearest(name, known);
    let list = if near.is_some() { &mut report.errors } else { &mut report.warnings };
    list.push(with_near(fault, near));
}
