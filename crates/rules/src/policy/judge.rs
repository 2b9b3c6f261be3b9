//! Deciding one question at its point.
//!
//! A *call* is decided on all that is known of it. A *list entry* is decided by the same policies
//! without the call: a permit that can't be evaluated for want of it may yet apply, a forbid that
//! can't be evaluated may yet not. So a tool is listed if some call of it could be permitted as far
//! as policies can tell, and is absent if no permit can apply or a forbid applies to every call.

use cedar_policy::{Effect, EvalResult, Request, eval_expression};
use lockgate_model::{Action, Deny, Group, Reason, Verdict};

use super::{
    Policies, Question,
    compile::Point,
    context::{self, View},
    hold::Hold,
    rule::Rule,
    vocabulary::tool_action,
};

/// A verdict, and what the record and the operator should know of how it came about.
pub(super) struct Ruling {
    pub(super) verdict: Verdict,
    /// One sentence each; empty on the path of a call that raises no question.
    pub(super) notes: Vec<String>,
}

/// What the rules of a point say, each list in the order of ids.
#[derive(Default)]
struct Findings<'a> {
    permits: Vec<&'a Rule>,
    forbids: Vec<&'a Rule>,
    /// Rules that could not be evaluated, with the reason.
    errors: Vec<(&'a Rule, String)>,
    /// Permits whose condition can't be evaluated for what is unknown.
    open: Vec<&'a Rule>,
}

impl Policies {
    pub(super) fn ruling(&self, question: &Question<'_>) -> Ruling {
        let view = match question.action {
            Action::Protocol => return allow(Vec::new()),
            Action::ListTool(_) | Action::ListPrompt(_) => View::List,
            // The target of a template is known only when it is read.
            Action::ListResource(uri) if uri.contains('{') => View::Template,
            Action::ListResource(_) => View::List,
            _ => View::Call(question.approvals),
        };
        let point = match self.point(question) {
            Ok(point) => point,
            Err(ruling) => return *ruling,
        };
        let ruling = self.consult(question, point, view).and_then(|findings| match view {
            View::Call(_) => self.call(question, point, &findings),
            View::List | View::Template => Ok(entry(&findings)),
        });
        ruling.unwrap_or_else(|error| deny(Reason::PolicyError, Vec::new(), vec![error]))
    }

    /// Where the question is decided.
    pub(super) fn point(&self, question: &Question<'_>) -> Result<&Point, Box<Ruling>> {
        let kind = match question.action {
            Action::CallTool(_) | Action::ListTool(_) => None,
            Action::ListPrompt(_) => Some("get_prompt"),
            Action::ListResource(_) => Some("read_resource"),
            other => Some(other.kind()),
        };
        let refuse = |reason, note| Err(Box::new(deny(reason, Vec::new(), vec![note])));
        let name = question.connection;
        let Some(room) = self.rooms.get(name) else {
            let note = format!("there is no connection `{name}`");
            return refuse(Reason::ConnectionUnknown, note);
        };
        if let Some(kind) = kind {
            return match room.kinds.get(kind) {
                Some(point) => Ok(point),
                None => refuse(Reason::Internal, format!("`{kind}` has no decision point")),
            };
        }
        let Some(tools) = &room.tools else {
            let note = format!("the tools of `{name}` are not known yet");
            return refuse(Reason::CatalogueMissing, note);
        };
        match tools.get(question.action.target()) {
            Some(point) => Ok(point),
            None => {
                let action = tool_action(name, question.action.target());
                refuse(Reason::TargetUnknown, format!("there is no accepted tool `{action}`"))
            }
        }
    }

    /// Asks every rule of the point that concerns the caller.
    fn consult<'a>(
        &self,
        question: &Question<'_>,
        point: &'a Point,
        view: View<'_>,
    ) -> Result<Findings<'a>, String> {
        let mut findings = Findings::default();
        let mut conditional = Vec::new();
        let concerns =
            |rule: &Rule| rule.is_in_force(question.now) && rule.covers_caller(question.identity);
        for rule in point.slice.iter().filter(|rule| concerns(rule)) {
            let rule = rule.as_ref();
            match (&rule.condition, rule.effect) {
                (None, _) => findings.satisfied(rule),
                (Some(_), effect) if rule.reads.is_opaque(view.unknown()) => {
                    if effect == Effect::Permit {
                        findings.open.push(rule);
                    }
                }
                (Some(_), _) => conditional.push(rule),
            }
        }
        if !conditional.is_empty() {
            self.evaluate(question, point, view, &conditional, &mut findings)?;
        }
        Ok(findings)
    }

    fn evaluate<'a>(
        &self,
        question: &Question<'_>,
        point: &Point,
        view: View<'_>,
        rules: &[&'a Rule],
        findings: &mut Findings<'a>,
    ) -> Result<(), String> {
        let user = self.types.caller(question.identity);
        let widened;
        let entities = if rules.iter().any(|rule| rule.reads.principal) {
            let (known, user) = (&point.entities, user.clone());
            widened = context::with_caller(&self.types, known, user, question.identity)?;
            &widened
        } else {
            &point.entities
        };
        let context = context::context(&self.types, point, rules, question, view)?;
        // Without a schema: the context was built from the same types that policies were checked
        // against, and leaves out what none of them reads.
        let (action, resource) = (point.action.clone(), point.resource.clone());
        let request = Request::new(user, action, resource, context, None)
            .map_err(|error| error.to_string())?;
        for rule in rules {
            let Some(condition) = &rule.condition else { continue };
            match eval_expression(&request, entities, condition) {
                Ok(EvalResult::Bool(true)) => findings.satisfied(rule),
                Ok(EvalResult::Bool(false)) => {}
                Ok(other) => findings.errors.push((rule, format!("it is {other}, not a truth"))),
                Err(error) => findings.errors.push((rule, error.to_string())),
            }
        }
        findings.permits.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        findings.forbids.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(())
    }

    fn call(
        &self,
        question: &Question<'_>,
        point: &Point,
        findings: &Findings<'_>,
    ) -> Result<Ruling, String> {
        if !findings.errors.is_empty() {
            let note = |(rule, error): &(&Rule, String)| format!("policy `{}`: {error}", rule.id);
            let notes = findings.errors.iter().map(note).collect();
            let failed = findings.errors.iter().map(|(rule, _)| *rule);
            return Ok(deny(Reason::PolicyError, ids(failed), notes));
        }
        if !findings.forbids.is_empty() {
            let policies = ids(findings.forbids.iter().copied());
            return Ok(match self.approvers(question, point, &findings.forbids)? {
                Some(groups) => {
                    let holds = findings.forbids.iter().filter_map(|rule| rule.hold.as_ref());
                    let ask = Hold::ask(holds, groups, policies, question.identity);
                    Ruling { verdict: Verdict::Ask(ask), notes: Vec::new() }
                }
                None => deny(Reason::PolicyForbidden, policies, Vec::new()),
            });
        }
        if findings.permits.is_empty() {
            let reason = match question.action {
                Action::ServerRequest(_) => Reason::ServerRequestDenied,
                _ => Reason::PolicyNoPermit,
            };
            return Ok(deny(reason, Vec::new(), Vec::new()));
        }
        Ok(allow(ids(findings.permits.iter().copied())))
    }

    /// Who could turn this deny into an allow: `None` unless every deciding forbid names approvers
    /// and the call would be allowed with the approval of all of them.
    fn approvers(
        &self,
        question: &Question<'_>,
        point: &Point,
        forbids: &[&Rule],
    ) -> Result<Option<Vec<String>>, String> {
        let mut granted = question.approvals.to_vec();
        for rule in forbids {
            match &rule.hold {
                Some(hold) => granted.extend(hold.groups.iter().cloned()),
                None => return Ok(None),
            }
        }
        let then = self.consult(question, point, View::Call(&granted))?;
        if then.permits.is_empty() || !then.forbids.is_empty() || !then.errors.is_empty() {
            return Ok(None);
        }
        let missing = |group: &&Group| !question.approvals.contains(group);
        let mut names: Vec<_> = granted.iter().filter(missing).map(Group::to_string).collect();
        names.sort_unstable();
        names.dedup();
        Ok(Some(names))
    }
}

impl<'a> Findings<'a> {
    fn satisfied(&mut self, rule: &'a Rule) {
        match rule.effect {
            Effect::Permit => self.permits.push(rule),
            Effect::Forbid => self.forbids.push(rule),
        }
    }
}

/// Whether a list shows an entry.
fn entry(findings: &Findings<'_>) -> Ruling {
    if !findings.forbids.is_empty() {
        let certain = ids(findings.forbids.iter().copied());
        return deny(Reason::PolicyForbidden, certain, Vec::new());
    }
    let failed = findings.errors.iter().map(|(rule, _)| *rule);
    let open = findings.open.iter().copied().chain(failed);
    let possible = open.filter(|rule| rule.effect == Effect::Permit);
    let mut possible = ids(findings.permits.iter().copied().chain(possible));
    possible.sort_unstable();
    if possible.is_empty() {
        deny(Reason::PolicyNoPermit, possible, Vec::new())
    } else {
        allow(possible)
    }
}

fn allow(policies: Vec<String>) -> Ruling {
    Ruling { verdict: Verdict::Allow { policies }, notes: Vec::new() }
}

fn deny(reason: Reason, policies: Vec<String>, notes: Vec<String>) -> Ruling {
    Ruling { verdict: Verdict::Deny(Deny { reason, policies }), notes }
}

fn ids<'a>(rules: impl Iterator<Item = &'a Rule>) -> Vec<String> {
    rules.map(|rule| rule.id.clone()).collect()
}
