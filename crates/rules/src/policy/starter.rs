//! First policy files: for a connection, and for what the guard finds. Short, commented, and valid as
//! they stand.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use lockgate_model::{
    Action, ConnectionName, Digest, Group, Identity, IdentityKind, Timestamp, TokenFacts,
};
use serde_json::Value;

use super::{
    ConnectionShape, IssuerShape, Policies, Question, Source, ToolShape, vocabulary::tool_action,
};
use crate::guard::labels;

/// Values of the label `env` that mean production.
const PRODUCTION: &str = r#"["prod", "production"]"#;
/// Values of the label `env` that mean a stage before it.
const STAGING: &str = r#"["staging", "stage", "preprod"]"#;

/// A commented policy file to start from: `group` may use the tools of `connection`.
///
/// Where the tools are known they are named one by one, so that a tool that is added later is not
/// granted with the rest.
pub fn starter(connection: &ConnectionShape, group: &Group) -> String {
    let name = &connection.name;
    let tools = connection.tools.as_deref().unwrap_or_default();
    let actions = if tools.is_empty() {
        "action in Action::\"call_tool\"".to_owned()
    } else {
        let line = |tool: &super::ToolShape| {
            format!("    Action::{},\n", quote(&tool_action(name, &tool.name)))
        };
        let lines: String = tools.iter().map(line).collect();
        format!("action in [\n{lines}  ]")
    };
    let group = quote(&group.to_string());
    let id = format!("{name}-tools");
    format!(
        "// Who may use the connection `{name}`.
//
// What no policy permits is denied, and a `forbid` wins over every `permit`.
// Check this file with `lockgate check`; ask who may do what with `lockgate policy explain`.

@id(\"{id}\")
permit (
  principal in Group::{group},
  {actions},
  resource == Connection::\"{name}\"
);

// A condition looks at the call. Uncomment to keep these tools to office hours (UTC):
//
// @id(\"{name}-hours\")
// forbid (
//   principal,
//   action in Action::\"call_tool\",
//   resource == Connection::\"{name}\"
// )
// unless {{
//   context.time.toTime() >= duration(\"8h\") && context.time.toTime() < duration(\"18h\")
// }};
"
    )
}

/// Policies for the facts that the guard finds: dangerous ones are forbidden on connections with the
/// label `env: prod`, held for `approvers` on `env: staging` (forbidden where nobody is named), and
/// only recorded elsewhere.
pub fn guard_starter(approvers: Option<&Group>) -> String {
    let mut text = "// What calls may do on connections labelled `env: prod` or `env: staging`.
//
// The guard reads the arguments of every call and finds facts: `lockgate guard labels` is their
// reference, `lockgate guard explain` shows those of a command. A fact forbids nothing by itself;
// these policies do. Anything else is on the record under its facts, and so is everything on a
// connection without one of these labels.
//
// Take a label out of a list to permit what it stands for; labels below it are other facts.
"
    .to_owned();
    for (family, dangers) in families() {
        let list: String = dangers.iter().map(|label| format!("    {},\n", quote(label))).collect();
        let found = format!("context.facts.containsAny([\n{list}  ])");
        let labelled = |values: &str| {
            format!("resource.labels has env && {values}.contains(resource.labels.env)")
        };
        text.push_str(&format!(
            "\n@id(\"guard-prod-{family}\")\nforbid (principal, action, resource)\nwhen {{\n  {} &&\n  {found}\n}};\n",
            labelled(PRODUCTION)
        ));
        let (holds, unless) = approvers.map_or_else(Default::default, |group| {
            let group = quote(&group.to_string());
            (
                format!("@approvers({group})\n"),
                format!("\nunless {{ context.approvals.contains(Group::{group}) }}"),
            )
        });
        text.push_str(&format!(
            "\n@id(\"guard-staging-{family}\")\n{holds}forbid (principal, action, resource)\nwhen {{\n  {} &&\n  {found}\n}}{unless};\n",
            labelled(STAGING)
        ));
    }
    text
}

/// The dangerous labels by their first part.
fn families() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut families = BTreeMap::<_, Vec<_>>::new();
    for label in labels::dangers() {
        families.entry(label.split('.').next().unwrap_or(label)).or_default().push(label);
    }
    families
}

/// The starter policies in force on a connection labelled `env: prod` on which everything else is
/// permitted: to measure what they would let through.
#[derive(Debug)]
pub struct Production {
    policies: Policies,
    connection: ConnectionName,
    identity: Identity,
}

impl Production {
    /// Compiles the starter policies.
    ///
    /// # Errors
    /// One sentence, which nobody has seen yet: the starter is tested to compile.
    pub fn new() -> Result<Self, String> {
        let connection = ConnectionName::new("prod").map_err(|error| error.to_string())?;
        let shape = ConnectionShape {
            name: connection.clone(),
            labels: [("env".to_owned(), "prod".to_owned())].into(),
            tools: Some(vec![ToolShape { name: "run".to_owned(), input_schema: Value::Null }]),
        };
        let everything = "permit (principal, action, resource);".to_owned();
        let sources = [("all.cedar", everything), ("guard.cedar", guard_starter(None))];
        let sources = sources.map(|(name, text)| Source { name: name.to_owned(), text });
        let compiled = Policies::compile(&sources, &[shape], &[IssuerShape::of_people("local")]);
        let policies = compiled.map_err(|errors| errors.to_string())?.policies;
        let now = Timestamp::from_seconds(0);
        let token = TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: None,
            expires_at: now,
            refused_from: now,
        };
        let identity = Identity {
            issuer: "local".to_owned(),
            kind: IdentityKind::Person,
            subject: "anyone".to_owned(),
            client: None,
            groups: Default::default(),
            claims: BTreeMap::new(),
            token,
        };
        Ok(Self { policies, connection, identity })
    }

    /// Whether a call with these facts would pass.
    pub fn allows(&self, facts: &[String]) -> bool {
        let verdict = self.policies.judge(&Question {
            identity: &self.identity,
            connection: &self.connection,
            action: &Action::CallTool("run".to_owned()),
            arguments: &Value::Object(serde_json::Map::new()),
            facts,
            earlier: &[],
            approvals: &[],
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            now: Timestamp::from_seconds(0),
        });
        verdict.is_allow()
    }
}

/// As a Cedar string literal.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if c.is_control() => quoted.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
