//! Policy files as lists of rules: parsing, ids and annotations.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};

use cedar_policy::{
    ActionConstraint, Effect, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint,
};
use lockgate_model::{ConnectionName, Group};
use miette::{Diagnostic, SourceSpan};

use super::{
    SOURCE_MAX_BYTES, Source,
    fault::{File, PolicyFault, Report},
    reads::Reads,
    vocabulary::{CALL_TOOL, tool_action},
};

/// One policy, with all that compiling needs to know of it.
#[derive(Debug)]
pub(super) struct Rule {
    /// The policy under its final id.
    pub(super) policy: Policy,
    pub(super) file: File,
    pub(super) span: SourceSpan,
    /// `None` where the policy carries no `@approvers`.
    pub(super) approvers: Option<Vec<Group>>,
    pub(super) reads: Reads,
    actions: ActionScope,
}

#[derive(Debug)]
enum ActionScope {
    Any,
    /// Ids, and whether the group of all tools is among them.
    These(BTreeSet<String>, bool),
}

impl Rule {
    /// Its final id: the `@id`, or `file:number`.
    pub(super) fn id(&self) -> String {
        self.policy.id().to_string()
    }

    /// As written.
    pub(super) fn text(&self) -> &str {
        let start = self.span.offset();
        self.file.text.get(start..start + self.span.len()).unwrap_or_default()
    }

    /// The line on which it starts, from 1.
    pub(super) fn line(&self) -> usize {
        let before = self.file.text.get(..self.span.offset()).unwrap_or_default();
        before.matches('\n').count() + 1
    }

    /// A fault at the whole policy.
    pub(super) fn fault(&self, message: impl Into<String>) -> PolicyFault {
        self.file.fault(Some(self.span), message)
    }

    /// A fault at the first place where the policy has `word` in quotes, or at the whole policy.
    pub(super) fn fault_at(&self, word: &str, message: impl Into<String>) -> PolicyFault {
        let quoted = self.text().find(&format!("\"{word}\"")).map(|at| (at, word.len() + 2));
        let found = quoted.or_else(|| self.text().find(word).map(|at| (at, word.len())));
        let span = found.map_or(self.span, |(at, len)| (self.span.offset() + at, len).into());
        self.file.fault(Some(span), message)
    }

    /// Whether the resource scope admits this connection.
    pub(super) fn covers_connection(&self, connection: &ConnectionName) -> bool {
        match self.policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Is(kind) => kind.to_string() == "Connection",
            ResourceConstraint::Eq(uid)
            | ResourceConstraint::In(uid)
            | ResourceConstraint::IsIn(_, uid) => uid.id().unescaped() == connection.as_str(),
        }
    }

    /// Whether the action scope admits this kind of action.
    pub(super) fn covers_kind(&self, kind: &str) -> bool {
        match &self.actions {
            ActionScope::Any => true,
            ActionScope::These(ids, _) => ids.contains(kind),
        }
    }

    /// Whether the action scope admits this tool.
    pub(super) fn covers_tool(&self, connection: &ConnectionName, tool: &str) -> bool {
        match &self.actions {
            ActionScope::Any => true,
            ActionScope::These(ids, all_tools) => {
                *all_tools || ids.contains(&tool_action(connection, tool))
            }
        }
    }

    /// Whether the scope is `action == Action::"call_tool"`, which no call satisfies.
    pub(super) fn is_for_the_group_itself(&self) -> bool {
        matches!(&self.actions, ActionScope::These(ids, false) if ids.contains(CALL_TOOL))
    }
}

impl ActionScope {
    fn of(policy: &Policy) -> Self {
        let (uids, may_be_in) = match policy.action_constraint() {
            ActionConstraint::Any => return Self::Any,
            ActionConstraint::Eq(uid) => (vec![uid], false),
            ActionConstraint::In(uids) => (uids, true),
        };
        let ids: BTreeSet<_> = uids.iter().map(|uid| uid.id().unescaped().to_owned()).collect();
        let all_tools = may_be_in && ids.contains(CALL_TOOL);
        Self::These(ids, all_tools)
    }
}

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
    let mut rule = Rule {
        reads: Reads::of(&json),
        actions: ActionScope::of(policy),
        policy: policy.new_id(PolicyId::new(id)),
        file: file.clone(),
        span,
        approvers: None,
    };
    rule.approvers = approvers(&rule, report);
    check_annotations(&rule, report);
    check_width(&rule, report);
    Some(rule)
}

/// `@approvers("issuer/group, issuer/group")`.
fn approvers(rule: &Rule, report: &mut Report) -> Option<Vec<Group>> {
    let text = rule.policy.annotation("approvers")?;
    let group = |part: &str| {
        let (issuer, name) = part.trim().split_once('/')?;
        let complete = !issuer.is_empty() && !name.is_empty();
        complete.then(|| Group { issuer: issuer.to_owned(), name: name.to_owned() })
    };
    let groups: Option<Vec<_>> = text.split(',').map(group).collect();
    if groups.is_none() {
        let fault = rule.fault_at(text, "`@approvers` names no groups");
        let help = "write qualified groups, separated by commas: `@approvers(\"dev/reviewers\")`";
        report.errors.push(fault.help(help));
    }
    if rule.policy.effect() == Effect::Permit {
        let fault = rule.fault("`@approvers` on a permit holds nothing");
        let help = "put it on a `forbid … unless { context.approvals.contains(Group::\"…\") }`";
        report.errors.push(fault.help(help));
    } else if !rule.reads.context("approvals") {
        let fault = rule.fault("this policy forbids even what its approvers have approved");
        let help = "add `unless { context.approvals.contains(Group::\"…\") }`";
        report.warnings.push(fault.help(help));
    }
    groups
}

fn check_annotations(rule: &Rule, report: &mut Report) {
    for (name, _) in rule.policy.annotations() {
        match name {
            "id" | "owner" | "approvers" => {}
            "until" => {
                let fault = rule.fault_at("@until", "`@until` is a note and ends nothing");
                let help = "to end a policy, compare `context.time` with a `datetime(\"…\")`";
                report.warnings.push(fault.help(help));
            }
            _ => {
                let word = format!("@{name}");
                let fault = rule.fault_at(&word, format!("unknown annotation `{word}`"));
                report.warnings.push(fault.help("known are @id, @owner, @until and @approvers"));
            }
        }
    }
}

/// Policies that say more than their author may think.
fn check_width(rule: &Rule, report: &mut Report) {
    let wide = matches!(rule.policy.principal_constraint(), PrincipalConstraint::Any)
        && matches!(rule.policy.resource_constraint(), ResourceConstraint::Any)
        && matches!(rule.actions, ActionScope::Any)
        && !rule.policy.has_non_scope_constraint();
    if wide && rule.policy.effect() == Effect::Permit {
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
        let id = rule.id();
        if let Some(first) = seen.get(&id) {
            let message = format!("a second policy with the id `{id}`");
            let place = format!("the first is on line {} of {}", first.line(), first.file.name);
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
