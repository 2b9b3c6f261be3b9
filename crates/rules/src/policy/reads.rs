//! What a policy looks at, found in its syntax tree.
//!
//! Two things rest on it. The context of a question holds only what some policy that concerns it
//! reads, so a megabyte of arguments that no policy mentions costs nothing. And a list is decided
//! without arguments: that is sound only where a policy that needs an absent value fails to
//! evaluate, instead of finding the value absent with `has` (see [`Reads::is_opaque`]).

use std::collections::BTreeSet;

use serde_json::Value;

/// Names that a policy reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// `context.X` and `context has X`.
    context: BTreeSet<String>,
    /// `context has X`.
    tested: BTreeSet<String>,
    /// The principal, beyond the scope.
    pub(super) principal: bool,
    /// `context` as a value: compared, or put in a set.
    whole_context: bool,
    /// `context.arguments.X` and `context.arguments has X`.
    pub(super) arguments: BTreeSet<String>,
    /// `context.arguments` as a value.
    whole_arguments: bool,
    /// `resource.labels.X` and `resource.labels has X`.
    pub(super) labels: BTreeSet<String>,
    /// `context.local["X"]`.
    pub(super) zones: BTreeSet<String>,
    /// A `like` that matches everything, or only the empty text.
    pub(super) vain_pattern: bool,
}

impl Reads {
    /// Of one policy in Cedar's JSON form.
    pub(super) fn of(policy: &Value) -> Self {
        let mut reads = Self::default();
        // An explicit stack: conditions nest as deep as a file is long.
        let mut open: Vec<&Value> = policy.get("conditions").into_iter().collect();
        while let Some(node) = open.pop() {
            match node {
                Value::Array(items) => open.extend(items),
                Value::Object(entries) => {
                    for (operator, operand) in entries {
                        reads.visit(operator, operand, &mut open);
                    }
                }
                _ => {}
            }
        }
        reads
    }

    /// Whether `context.name` can matter.
    pub(super) fn context(&self, name: &str) -> bool {
        self.whole_context || self.context.contains(name)
    }

    /// Whether the argument `name` can matter.
    pub(super) fn argument(&self, name: &str) -> bool {
        self.whole_context || self.whole_arguments || self.arguments.contains(name)
    }

    /// Whether the policy could come out as false only because `absent` parts of the context are
    /// absent: then it can't be evaluated without them.
    pub(super) fn is_opaque(&self, absent: &[&str]) -> bool {
        self.whole_context || absent.iter().any(|name| self.tested.contains(*name))
    }

    fn visit<'a>(&mut self, operator: &str, operand: &'a Value, open: &mut Vec<&'a Value>) {
        match operator {
            "." | "has" => self.access(operator == "has", operand, open),
            "Var" => {
                self.whole_context |= operand == "context";
                self.principal |= operand == "principal";
            }
            // A literal; its parts are no expressions.
            "Value" => {}
            "like" => {
                self.vain_pattern |= is_vain(operand.get("pattern"));
                open.extend(operand.get("left"));
            }
            _ => open.push(operand),
        }
    }

    fn access<'a>(&mut self, test: bool, operand: &'a Value, open: &mut Vec<&'a Value>) {
        let Some(left) = operand.get("left") else { return };
        let (base, mut path) = path(left);
        let inner = path.len();
        path.extend(names(operand.get("attr")));
        match (base, path.as_slice()) {
            (Some("context"), [first, rest @ ..]) => {
                self.context.insert((*first).to_owned());
                if test && inner == 0 {
                    self.tested.insert((*first).to_owned());
                }
                match (*first, rest.first()) {
                    ("arguments", Some(name)) => _ = self.arguments.insert((*name).to_owned()),
                    ("arguments", None) => self.whole_arguments |= !test,
                    ("local", Some(zone)) => _ = self.zones.insert((*zone).to_owned()),
                    _ => {}
                }
            }
            (Some("resource"), ["labels", name, ..]) => {
                self.labels.insert((*name).to_owned());
            }
            (Some(variable), _) => self.principal |= variable == "principal",
            (None, _) => open.push(left),
        }
    }
}

/// `a.b.c` as its variable and names; no variable where the base is another expression.
fn path(mut node: &Value) -> (Option<&str>, Vec<&str>) {
    let mut path = Vec::new();
    loop {
        if let Some(variable) = node.get("Var").and_then(Value::as_str) {
            path.reverse();
            return (Some(variable), path);
        }
        let Some(access) = node.get(".") else { return (None, path) };
        let (Some(left), Some(name)) =
            (access.get("left"), access.get("attr").and_then(Value::as_str))
        else {
            return (None, path);
        };
        path.push(name);
        node = left;
    }
}

/// `has` takes a name or, as in `has a.b`, a list of names.
fn names(attr: Option<&Value>) -> Vec<&str> {
    match attr {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_vain(pattern: Option<&Value>) -> bool {
    let parts = pattern.and_then(Value::as_array);
    parts.is_some_and(|parts| parts.iter().all(|part| part == "Wildcard"))
}

#[cfg(test)]
mod tests {
    use super::Reads;

    fn reads(condition: &str) -> Reads {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        let policy = cedar_policy::Policy::parse(None, text).unwrap();
        Reads::of(&policy.to_json().unwrap())
    }

    #[test]
    fn finds_names_however_they_are_written() {
        for condition in [
            "context.arguments.limit > 5",
            "context[\"arguments\"][\"limit\"] > 5",
            "context.arguments has limit",
            "context has arguments.limit",
            "context.arguments has limit.deep",
            "[1].contains(context.arguments.limit)",
            "if context.arguments.limit > 1 then true else false",
            "principal.hasTag(context.arguments.limit)",
            "{a: context.arguments.limit}.a > 5",
            "ip(\"::1\").isLoopback() || context.arguments.limit.deeper == 1",
        ] {
            let reads = reads(condition);
            assert!(reads.argument("limit"), "{condition}");
            assert!(reads.context("arguments"), "{condition}");
            assert!(!reads.argument("other"), "{condition}");
            assert!(!reads.context("time"), "{condition}");
        }
    }

    #[test]
    fn a_record_used_as_a_value_reads_everything() {
        for condition in [
            "context.arguments == {limit: 1}",
            "[context.arguments].contains({limit: 1})",
            "(if true then context.arguments else context.arguments).limit == 1",
            "context == {}",
            "(if true then context else context).arguments.limit == 1",
        ] {
            assert!(reads(condition).argument("limit"), "{condition}");
        }
    }

    #[test]
    fn opaque_is_what_could_mistake_unknown_for_absent() {
        let absent = ["arguments", "arguments_json", "facts", "approvals"];
        for condition in [
            "context has arguments",
            "context has facts",
            "context == {}",
            "context has arguments.x",
        ] {
            assert!(reads(condition).is_opaque(&absent), "{condition}");
        }
        for condition in
            ["context has client", "context.arguments has x", "context.facts.contains(\"x\")"]
        {
            assert!(!reads(condition).is_opaque(&absent), "{condition}");
        }
    }
}
