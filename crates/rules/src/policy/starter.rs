//! A first policy file for a connection: short, commented, and valid as it stands.

use lockgate_model::Group;

use super::{ConnectionShape, vocabulary::tool_action};

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
