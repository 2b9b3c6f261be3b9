//! Saying why, for people: the deciding policies with their text, and what was missing.

use lockgate_model::{Action, Reason, Verdict};

use super::{
    DecidingPolicy, Explanation, Policies, Question, judge::Ruling, names::nearest,
    vocabulary::tool_action,
};

impl Policies {
    pub(super) fn explanation(&self, question: &Question<'_>) -> Explanation {
        let Ruling { verdict, mut notes } = self.ruling(question);
        match &verdict {
            Verdict::Deny(deny) => {
                notes.extend(self.why_not(question, deny.reason));
                if let Ok(point) = self.point(question) {
                    notes.extend(self.ended(question, point));
                }
            }
            Verdict::Ask(ask) => {
                let groups = ask.approvers.join("`, `");
                notes.push(format!("it would be allowed once approved by `{groups}`"));
            }
            Verdict::Allow { .. } if *question.action == Action::Protocol => {
                notes.push("every verified identity may speak the protocol".to_owned());
            }
            Verdict::Allow { policies } => notes.extend(self.bounds(policies)),
        }
        let policies = verdict.policies().iter().filter_map(|id| self.deciding(id)).collect();
        Explanation { verdict, policies, notes }
    }

    /// How often these permit, where that is bounded; whether anything is left is not known here.
    fn bounds(&self, permits: &[String]) -> Vec<String> {
        let budgets = self.budgets(permits).unwrap_or_default();
        let bound = |id: &str| {
            let rule = self.rules.iter().find(|rule| rule.id == id)?;
            let budget = rule.policy.annotation("budget")?;
            Some(format!("`{id}` permits it {budget} to each identity"))
        };
        budgets.iter().filter_map(|budget| bound(&budget.policy)).collect()
    }

    fn deciding(&self, id: &str) -> Option<DecidingPolicy> {
        let rule = self.rules.iter().find(|rule| rule.id == id)?;
        Some(DecidingPolicy {
            id: id.to_owned(),
            file: rule.place.file.name.to_string(),
            line: rule.place.line(),
            text: rule.text().to_owned(),
            owner: rule.owner().map(str::to_owned),
            until: rule.until,
        })
    }

    fn why_not(&self, question: &Question<'_>, reason: Reason) -> Option<String> {
        let action = match question.action {
            Action::CallTool(tool) | Action::ListTool(tool) => {
                tool_action(question.connection, tool)
            }
            other => other.kind().to_owned(),
        };
        match reason {
            Reason::PolicyNoPermit | Reason::ServerRequestDenied => {
                let user = self.types.caller(question.identity);
                let groups: Vec<_> =
                    question.identity.groups.iter().map(|group| format!("`{group}`")).collect();
                let groups = if groups.is_empty() {
                    "in no group".to_owned()
                } else {
                    format!("in {}", groups.join(", "))
                };
                Some(format!("no policy permits `{action}` for {user}, {groups}"))
            }
            Reason::TargetUnknown => {
                let tools = self.rooms.get(question.connection)?.tools.as_ref()?;
                let near = nearest(question.action.target(), tools.keys().map(String::as_str))?;
                Some(format!("did you mean `{near}`?"))
            }
            _ => None,
        }
    }
}
