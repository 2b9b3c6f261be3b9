//! Deciding one question at its point.
//!
//! A *call* is decided on all that is known of it. A *list entry* is decided by the same policies
//! without the call: a permit that can't be evaluated for want of it may yet apply, a forbid that
//! can't be evaluated may yet not. So a tool is listed if some call of it could be permitted as far
//! as policies can tell, and is absent if no permit can apply or a forbid applies to every call.

use cedar_policy::{AuthorizationError, Decision, Effect, PolicyId, Request, Response};
use lockgate_model::{Action, Ask, Deny, Group, Reason, Verdict};

use super::{
    Policies, Question,
    compile::{Point, Slice},
    context::{self, View},
    vocabulary::tool_action,
};

/// A verdict, and what the record and the operator should know of how it came about.
pub(super) struct Ruling {
    pub(super) verdict: Verdict,
    /// One sentence each; empty on the path of a call that raises no question.
    pub(super) notes: Vec<String>,
}

impl Policies {
    pub(super) fn rule(&self, question: &Question<'_>) -> Ruling {
        let kind = match question.action {
            Action::Protocol => return allow(Vec::new()),
            Action::CallTool(_) | Action::ListTool(_) => None,
            Action::ListResource(_) => Some("read_resource"),
            Action::ListPrompt(_) => Some("get_prompt"),
            other => Some(other.kind()),
        };
        let point = match self.point(question, kind) {
            Ok(point) => point,
            Err(ruling) => return *ruling,
        };
        let decided = match question.action {
            // The target of a template is known only when it is read.
            Action::ListResource(uri) if uri.contains('{') => {
                self.list(question, point, &point.slices.template, false)
            }
            Action::ListTool(_) | Action::ListResource(_) | Action::ListPrompt(_) => {
                self.list(question, point, &point.slices.list, true)
            }
            _ => self.call(question, point),
        };
        decided.unwrap_or_else(|error| deny(Reason::PolicyError, Vec::new(), vec![error]))
    }

    fn point(&self, question: &Question<'_>, kind: Option<&str>) -> Result<&Point, Box<Ruling>> {
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

    fn call(&self, question: &Question<'_>, point: &Point) -> Result<Ruling, String> {
        let slice = &point.slices.call;
        let response = self.ask_cedar(question, point, slice, View::Call(question.approvals))?;
        let notes = errors(&response);
        if !notes.is_empty() {
            return Ok(deny(Reason::PolicyError, erring(&response), notes));
        }
        let deciding = deciding(&response);
        Ok(match response.decision() {
            Decision::Allow => allow(deciding),
            Decision::Deny if deciding.is_empty() => {
                let reason = match question.action {
                    Action::ServerRequest(_) => Reason::ServerRequestDenied,
                    _ => Reason::PolicyNoPermit,
                };
                deny(reason, deciding, Vec::new())
            }
            Decision::Deny => match self.approvers(question, point, &deciding)? {
                Some(approvers) => Ruling {
                    verdict: Verdict::Ask(Ask { approvers, policies: deciding }),
                    notes: Vec::new(),
                },
                None => deny(Reason::PolicyForbidden, deciding, Vec::new()),
            },
        })
    }

    /// Who could turn this deny into an allow: `None` unless every deciding forbid names approvers
    /// and the call would be allowed with the approval of all of them.
    fn approvers(
        &self,
        question: &Question<'_>,
        point: &Point,
        forbids: &[String],
    ) -> Result<Option<Vec<String>>, String> {
        let mut granted = question.approvals.to_vec();
        for id in forbids {
            match self.rules.get(id).and_then(|rule| rule.approvers.as_ref()) {
                Some(groups) => granted.extend(groups.iter().cloned()),
                None => return Ok(None),
            }
        }
        let slice = &point.slices.call;
        let response = self.ask_cedar(question, point, slice, View::Call(&granted))?;
        if response.decision() != Decision::Allow || !errors(&response).is_empty() {
            return Ok(None);
        }
        let missing = |group: &&Group| !question.approvals.contains(group);
        let mut names: Vec<_> = granted.iter().filter(missing).map(Group::to_string).collect();
        names.sort_unstable();
        names.dedup();
        Ok(Some(names))
    }

    fn list(
        &self,
        question: &Question<'_>,
        point: &Point,
        slice: &Slice,
        target: bool,
    ) -> Result<Ruling, String> {
        let response = self.ask_cedar(question, point, slice, View::List { target })?;
        let certain = deciding(&response);
        if response.decision() == Decision::Allow {
            return Ok(allow(certain));
        }
        if !certain.is_empty() {
            return Ok(deny(Reason::PolicyForbidden, certain, Vec::new()));
        }
        let mut possible = erring(&response);
        possible.retain(|id| {
            self.rules.get(id).is_some_and(|rule| rule.policy.effect() == Effect::Permit)
        });
        Ok(if possible.is_empty() {
            deny(Reason::PolicyNoPermit, Vec::new(), Vec::new())
        } else {
            allow(possible)
        })
    }

    fn ask_cedar(
        &self,
        question: &Question<'_>,
        point: &Point,
        slice: &Slice,
        view: View<'_>,
    ) -> Result<Response, String> {
        let room = self.rooms.get(question.connection).ok_or("the connection is gone")?;
        let context = context::context(&self.types, point, &slice.reads, question, view)?;
        let (user, entities) = context::entities(&self.types, point, question.identity)?;
        // Without a schema: the context was built from the same types that policies were checked
        // against, and leaves out what none of them reads.
        let request =
            Request::new(user, point.action.clone(), room.resource.clone(), context, None)
                .map_err(|error| error.to_string())?;
        Ok(self.authorizer.is_authorized(&request, &slice.policies, &entities))
    }
}

fn allow(policies: Vec<String>) -> Ruling {
    Ruling { verdict: Verdict::Allow { policies }, notes: Vec::new() }
}

fn deny(reason: Reason, policies: Vec<String>, notes: Vec<String>) -> Ruling {
    Ruling { verdict: Verdict::Deny(Deny { reason, policies }), notes }
}

fn deciding(response: &Response) -> Vec<String> {
    sorted(response.diagnostics().reason())
}

fn erring(response: &Response) -> Vec<String> {
    sorted(response.diagnostics().errors().map(|error| match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    }))
}

fn errors(response: &Response) -> Vec<String> {
    response.diagnostics().errors().map(ToString::to_string).collect()
}

fn sorted<'a>(ids: impl Iterator<Item = &'a PolicyId>) -> Vec<String> {
    let mut ids: Vec<_> = ids.map(ToString::to_string).collect();
    ids.sort_unstable();
    ids
}
