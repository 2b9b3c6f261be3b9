//! Policy files as lists of rules: parsing, ids and annotations.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet};
use miette::{Diagnostic, SourceSpan};

use super::{
    SOURCE_MAX_BYTES, Source, budget,
    fault::{File, PolicyFault, Report},
    hold::Hold,
    reads::Reads,
    rule::{Place, Rule},
    standing, zones,
};

/// Reads all files; what can't be read is reported and left out.
pub(super) fn read(sources: &[Source], report: &mut Report) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut files = BTreeSet::new();
    for source in sources {
        let file = File { name: source.name.as_str().into(), text: source.text.as_str().into() };
        if !files.insert(Arc::clone(&file.name)) {
            report.errors.push(file.fault(None, "two policy files have the same name"));
        }
        read_file(&file, &mut rules, report);
    }
    refuse_twins(&rules, report);
    rules
}

fn read_file(file: &File, rules: &mut Vec<Rule>, report: &mut Report) {
    if file.text.len() > SOURCE_MAX_BYTES {
        let short = File { text: "".into(), ..file.clone() };
        let message = format!("`{}` is larger than {SOURCE_MAX_BYTES} bytes", file.name);
        report.errors.push(short.fault(None, message).help("split it into several files"));
        return;
    }
    if file.text.starts_with('\u{feff}') {
        let fault = file.fault(Some((0, 3).into()), "the file starts with a byte order mark");
        report.errors.push(fault.help("save it as UTF-8 without BOM"));
        return;
    }
    let set = match PolicySet::from_str(&file.text) {
        Ok(set) => set,
        Err(errors) => {
            report.errors.extend(errors.iter().map(|error| from_cedar(file, error)));
            return;
        }
    };
    for template in set.templates() {
        let span = template.as_ref().loc().map(|loc| loc.span);
        let fault = file.fault(span, "a policy can't have slots such as `?principal`");
        report.errors.push(fault.help("write one policy for each group"));
    }
    let mut found: Vec<_> = set
        .policies()
        .map(|policy| (policy.as_ref().loc().map_or((0, 0).into(), |loc| loc.span), policy))
        .collect();
    found.sort_by_key(|(span, _): &(SourceSpan, _)| span.offset());
    for (index, (span, policy)) in found.into_iter().enumerate() {
        rules.extend(rule(file, span, index + 1, policy, report));
    }
}

fn rule(
    file: &File,
    span: SourceSpan,
    number: usize,
    policy: &Policy,
    report: &mut Report,
) -> Option<Rule> {
    let id = match policy.annotation("id") {
        Some("") => {
            report.errors.push(file.fault(Some(span), "an `@id` can't be empty"));
            return None;
        }
        Some(id) => id.to_owned(),
        None => format!("{}:{number}", file.name),
    };
    let json = match policy.to_json() {
        Ok(json) => json,
        Err(error) => {
            report.errors.push(file.fault(Some(span), error.to_string()));
            return None;
        }
    };
    let policy = policy.new_id(PolicyId::new(id));
    let place = Place { file: file.clone(), span };
    let mut rule = Rule::new(policy, place, Reads::of(&json));
    rule.hold = Hold::of(&rule, report);
    rule.until = standing::until(&rule, report);
    rule.budget = budget::of(&rule, report);
    rule.zones = zones::of(&rule, report);
    check_annotations(&rule, report);
    check_width(&rule, report);
    Some(rule)
}

fn check_annotations(rule: &Rule, report: &mut Report) {
    for (name, _) in rule.policy.annotations() {
        match name {
            "id" | "owner" | "until" | "budget" | "approvers" | "quorum" | "expires" | "reason"
            | "access" | "break_glass" => {}
            _ => {
                let word = format!("@{name}");
                let fault = rule.fault_at(&word, format!("unknown annotation `{word}`"));
                let help = "known are @id, @owner, @until, @budget, @approvers, @quorum, @expires, @reason, @access and \
                     @break_glass";
                report.warnings.push(fault.help(help));
            }
        }
    }
}

/// Policies that say more than their author may think.
fn check_width(rule: &Rule, report: &mut Report) {
    if rule.is_everything() && rule.effect == Effect::Permit {
        let fault = rule.fault("every verified identity may do everything on every connection");
        report.warnings.push(fault.help("name a group, an action or a connection"));
    }
    if rule.reads.vain_pattern {
        let fault = rule.fault_at("like", "a pattern that matches everything or only \"\"");
        report.warnings.push(fault.help("write the text to match, with `*` for any text"));
    }
}

fn refuse_twins(rules: &[Rule], report: &mut Report) {
    let mut seen: BTreeMap<String, &Rule> = BTreeMap::new();
    for rule in rules {
        let id = rule.id.clone();
        if let Some(first) = seen.get(&id) {
            let message = format!("a second policy with the id `{id}`");
            let place =
                format!("the first is on line {} of {}", first.place.line(), first.place.file.name);
            report.errors.push(rule.fault_at(&id, message).help(place));
        }
        seen.entry(id).or_insert(rule);
    }
}

/// A parse or validation error of Cedar, at its own place.
pub(super) fn from_cedar(file: &File, error: &dyn Diagnostic) -> PolicyFault {
    let label = error.labels().and_then(|mut labels| labels.next());
    let span = label.as_ref().map(|label| *label.inner());
    let mut fault = file.fault(span, error.to_string());
    fault.help = error.help().map(|help| help.to_string());
    if let Some(text) = label.as_ref().and_then(|label| label.label()) {
        text.clone_into(&mut fault.label);
    }
    fault
}
