//! The arguments of a call: every text in them, with what it is likely to be. A stack instead of
//! recursion; nested JSON, base64 and percent encoding wait in the queue like every text.

use serde_json::{Map, Value};

use super::{
    Profile,
    desk::{Context, Desk, Reader},
    names::{Role, destroys, plain, role, role_by_schema},
    nosql, shell, sql,
    text::{base64_text, percent_text},
};

/// More values than this in one call are not looked at.
const VALUES_MAX: usize = 50_000;

/// Something in the arguments, waiting.
struct Item<'a> {
    pointer: String,
    role: Role,
    value: &'a Value,
}

/// Reads a call's arguments.
pub(super) fn read(desk: &mut Desk<'_>, profile: &Profile<'_>, arguments: &Value) {
    let base = desk.context.place.path.clone();
    let mut waiting = vec![Item { pointer: base, role: Role::Unknown, value: arguments }];
    let mut count = 0;
    let program = profile.tool.map(program_of).unwrap_or_default();
    if let (Some(tool), Value::Object(object)) = (profile.tool, arguments)
        && destroys(tool, "")
        && !is_tried(object)
    {
        desk.fact(
            "call.delete",
            0..0,
            format!("the tool {} by its name destroys something", super::fact::shown(tool)),
        );
    }
    while let Some(item) = waiting.pop() {
        count += 1;
        if count > VALUES_MAX {
            desk.fact("guard.limit", 0..0, "the arguments have too many parts to be read");
            break;
        }
        let mut here = at(desk, &item.pointer);
        match item.value {
            Value::String(text) => one(&mut here, item.role, text, &program),
            Value::Array(items) => {
                list(&mut here, item.role, items, &program);
                for (index, value) in items.iter().enumerate().rev() {
                    waiting.push(Item {
                        pointer: format!("{}/{index}", item.pointer),
                        role: item.role,
                        value,
                    });
                }
            }
            Value::Object(object) => {
                shapes(&mut here, object, &program);
                nosql::read_document(&mut here, object);
                for (key, value) in object.iter().rev() {
                    let role = role_of(profile, &item, key, object);
                    waiting.push(Item {
                        pointer: format!(
                            "{}/{}",
                            item.pointer,
                            key.replace('~', "~0").replace('/', "~1")
                        ),
                        role,
                        value,
                    });
                }
            }
            _ => {}
        }
    }
}

/// The same desk for another argument.
fn at<'a>(desk: &'a mut Desk<'_>, pointer: &str) -> Desk<'a> {
    let mut context: Context = desk.context.clone();
    if context.place.outer.is_none() {
        pointer.clone_into(&mut context.place.path);
    }
    Desk { work: desk.work, context }
}

/// What an argument carries: as an admin said, as its schema says, as its name says.
fn role_of(
    profile: &Profile<'_>,
    parent: &Item<'_>,
    key: &str,
    object: &Map<String, Value>,
) -> Role {
    let pointer = format!("{}/{key}", parent.pointer);
    if let Some((_, kind)) = profile
        .roles
        .iter()
        .find(|(at, _)| *at == pointer || (at.as_str() == key && parent.pointer.is_empty()))
    {
        return (*kind).into();
    }
    let property = profile
        .schema
        .filter(|_| parent.pointer.is_empty())
        .and_then(|schema| schema.get("properties")?.get(key));
    if let Some(role) = property.and_then(role_by_schema) {
        return role;
    }
    let named = if key == "value" && object.contains_key("key") { Role::Prose } else { role(key) };
    // The content of a message is no command; neither are the fields of a form within it.
    if parent.role == Role::Prose && matches!(named, Role::Unknown | Role::Query | Role::Action) {
        return Role::Prose;
    }
    let search = named == Role::Query
        && [
            "language",
            "search_type",
            "engine",
            "limit_results",
            "top_k",
            "page",
            "per_page",
            "site",
            "max_results",
        ]
        .iter()
        .any(|other| object.contains_key(*other))
        && !object.contains_key("database");
    if search {
        return Role::Prose;
    }
    if named == Role::Unknown && parent.role != Role::Action { parent.role } else { named }
}

/// One text.
fn one(desk: &mut Desk<'_>, role: Role, text: &str, program: &str) {
    if text.len() > super::desk::TEXT_MAX_BYTES && role != Role::Prose {
        return desk.fact("guard.limit", 0..text.len(), "an argument is too long to be read");
    }
    let whole = 0..text.len();
    let suspect = desk.context.suspect;
    desk.context.suspect = suspect || role == Role::Prose;
    match role {
        Role::Sql => same(desk, Reader::Sql, text),
        Role::Shell => {
            let joined = if !program.is_empty()
                && !text.trim_start().starts_with(program)
                && super::cli::knows(program)
            {
                format!("{program} {text}")
            } else {
                text.to_owned()
            };
            same(desk, Reader::Shell, &joined);
            if nosql::resembles(text) && !shell::resembles(text) {
                same(desk, Reader::Nosql, text);
            }
            if sql::resembles(text) && !shell::resembles(text) {
                same(desk, Reader::Sql, text);
            }
        }
        Role::Code => {
            same(desk, Reader::Code, text);
            probe(desk, text);
        }
        Role::Nosql => same(desk, Reader::Nosql, text),
        Role::Location => {
            same(desk, Reader::Location, text);
            probe(desk, text);
        }
        Role::Query => {
            graphql(desk, text);
            // A search for `rm -rf` runs nothing.
            if sql::resembles(text)
                || nosql::resembles(text)
                || text.trim_start().starts_with(['{', '['])
                || !shell::resembles(text)
            {
                probe(desk, text);
            }
        }
        Role::Unknown | Role::Action => {
            graphql(desk, text);
            probe(desk, text);
        }
        Role::Prose => {
            probe(desk, text);
        }
    }
    if role != Role::Prose {
        encoded(desk, role, text, whole);
    }
    desk.context.suspect = suspect;
}

/// Reads the text itself, not one within it: its spans are those of the argument.
fn same(desk: &mut Desk<'_>, reader: Reader, text: &str) {
    let mut context = desk.context.clone();
    // A declared text is judged in full; what can't be read of it is a fact.
    context.depth = 0;
    desk.work.push(super::desk::Task { reader, text: text.to_owned(), context });
}

/// A text that nobody declares: read as what it resembles.
pub(super) fn probe(desk: &mut Desk<'_>, text: &str) {
    if !may_matter(text) {
        return;
    }
    if sql::resembles(text) {
        desk.later(Reader::Sql, text, 0..text.len());
    }
    if nosql::resembles(text) {
        desk.later(Reader::Nosql, text, 0..text.len());
    }
    if shell::resembles(text) {
        desk.later(Reader::Shell, text, 0..text.len());
    }
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) && trimmed.len() > 4 {
        desk.later(Reader::Json, text, 0..text.len());
    }
    if trimmed.starts_with("http://")
        || trimmed.starts_with("https://")
        || trimmed.starts_with("file://")
        || trimmed.contains("../")
    {
        desk.later(Reader::Location, text, 0..text.len());
    }
}

/// Whether a text can matter at all: cheap, for the many that are names and numbers.
fn may_matter(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 4
        && bytes.iter().any(|byte| {
            matches!(
                byte,
                b' ' | b'\t'
                    | b'\n'
                    | b'('
                    | b'{'
                    | b'/'
                    | b'$'
                    | b'.'
                    | b'|'
                    | b';'
                    | b'%'
                    | 0x80..
            )
        })
        || matches!(
            text.to_ascii_lowercase().as_str(),
            "flushall" | "flushdb" | "reboot" | "shutdown" | "halt" | "poweroff"
        )
}

/// What stands behind an encoding.
fn encoded(desk: &mut Desk<'_>, role: Role, text: &str, whole: std::ops::Range<usize>) {
    if let Some(decoded) = percent_text(text) {
        let again = percent_text(&decoded).unwrap_or_else(|| decoded.clone());
        if reads_like_command(&again) {
            desk.fact("guard.encoded", whole.clone(), "a command stands in percent encoding");
            desk.later(Reader::Probe, again, whole.clone());
        }
    }
    if text.starts_with("H4sI") && matches!(role, Role::Shell | Role::Sql | Role::Code) {
        desk.fact("shell.obfuscated", whole.clone(), "what is run stands in a compressed form");
    }
    let least = if matches!(role, Role::Shell | Role::Sql) { 8 } else { 12 };
    let Some(decoded) = base64_text(text, least).filter(|decoded| decoded.len() >= 6) else {
        return;
    };
    // What is encoded twice is read twice.
    let decoded = base64_text(&decoded, 12).unwrap_or(decoded);
    if reads_like_command(&decoded) || decoded.trim_start().starts_with('{') {
        desk.fact("guard.encoded", whole.clone(), "a text stands in base64");
        desk.later(Reader::Probe, decoded, whole);
    }
}

fn reads_like_command(text: &str) -> bool {
    sql::resembles(text) || shell::resembles(text) || nosql::resembles(text)
}

/// A list of texts: a program with its arguments, or pieces of one text.
fn list(desk: &mut Desk<'_>, role: Role, items: &[Value], program: &str) {
    let texts: Option<Vec<String>> =
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    let Some(texts) = texts.filter(|texts| texts.len() > 1 || role == Role::Shell) else { return };
    if role == Role::Prose {
        return;
    }
    // Commands one by one have spaces; words of one command have none, or stand behind `-c`.
    let spaced = texts.first().is_some_and(|first| first.contains(' '));
    if !spaced && texts.len() < 1000 {
        let argv = if program.is_empty() || texts.first().is_some_and(|first| first == program) {
            texts.clone()
        } else {
            [vec![program.to_owned()], texts.clone()].concat()
        };
        desk.later(Reader::Argv(argv), "", 0..0);
    }
    if matches!(role, Role::Sql | Role::Query | Role::Unknown | Role::Shell) && texts.len() < 1000 {
        for joined in [texts.concat(), texts.join(" ")] {
            if sql::resembles(&joined) || (role != Role::Shell && shell::resembles(&joined)) {
                desk.later(Reader::Probe, joined, 0..0);
            }
        }
    }
}

/// Members that name what is to be done, the likeliest first.
const ACTIONS: [&str; 18] = [
    "action",
    "operation",
    "op",
    "verb",
    "command",
    "cmd",
    "method",
    "task",
    "intent",
    "type",
    "operation_name",
    "operationName",
    "function",
    "api",
    "Action",
    "mutation",
    "procedure",
    "subcommand",
];
/// Members that name what it is done to.
const ABOUT: [&str; 11] = [
    "resource",
    "kind",
    "type",
    "target",
    "object",
    "entity",
    "resource_type",
    "resourceType",
    "scope",
    "what",
    "object_type",
];

/// Objects whose members mean something together.
fn shapes(desk: &mut Desk<'_>, object: &Map<String, Value>, program: &str) {
    let text = |keys: &[&str]| keys.iter().find_map(|key| object.get(*key)?.as_str());
    argv(desk, object, program);
    if is_tried(object) {
        return desk.fact("call.dry_run", 0..0, "the call says that nothing is to change");
    }
    let method = text(&["method", "http_method", "httpMethod", "verb", "request_method"]);
    let url = text(&["url", "path", "endpoint", "uri", "resource", "route", "href"]);
    if let (Some(method), Some(url)) = (method, url)
        && ["DELETE", "POST", "PUT", "PATCH"].iter().any(|one| one.eq_ignore_ascii_case(method))
    {
        let body = ["body", "data", "payload", "json"]
            .iter()
            .find_map(|key| object.get(*key))
            .map(|body| body.as_str().map_or_else(|| body.to_string(), str::to_owned))
            .unwrap_or_default();
        if method.eq_ignore_ascii_case("DELETE") {
            desk.fact("http.delete", 0..0, "this would make an HTTP request with DELETE");
        }
        desk.later(Reader::Nosql, format!("{} {url} {body}", method.to_ascii_uppercase()), 0..0);
    }
    let action = text(&ACTIONS);
    if let Some(action) = action.filter(|action| action.len() < 80 && !action.contains(' ')) {
        let about = text(&ABOUT).unwrap_or_default();
        nosql::shaped(desk, object, &plain(action).replace('_', ""));
        if destroys(action, about) || all_of(object) && destroys(action, "all") {
            desk.fact(
                "call.delete",
                0..0,
                format!("the arguments name the action {}", super::fact::shown(action)),
            );
        }
    }
    pieces(desk, object);
    let content = ["content", "contents", "text", "data", "file_text", "body"]
        .iter()
        .any(|key| object.contains_key(*key));
    if let (Some(path), true) = (
        text(&["path", "file", "file_path", "filePath", "filename", "target_file", "destination"]),
        content,
    ) {
        shell::written_to(desk, path);
    }
}

/// A program beside its arguments.
fn argv(desk: &mut Desk<'_>, object: &Map<String, Value>, tool: &str) {
    let program =
        ["command", "cmd", "program", "executable", "binary", "bin", "exe", "interpreter"]
            .iter()
            .find_map(|key| object.get(*key)?.as_str());
    let arguments =
        ["args", "arguments", "argv", "params", "parameters", "options", "flags", "command_args"]
            .iter()
            .find_map(|key| object.get(*key));
    let program = program.or((!tool.is_empty()).then_some(tool));
    let (Some(program), Some(arguments)) = (program, arguments) else { return };
    match arguments {
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let words = program.split_whitespace().map(str::to_owned);
            let rest = items.iter().filter_map(Value::as_str).map(str::to_owned);
            desk.later(Reader::Argv(words.chain(rest).collect()), "", 0..0);
        }
        Value::String(text) => desk.later(Reader::Shell, format!("{program} {text}"), 0..0),
        _ => {}
    }
}

/// `part1`, `part2`: pieces of one text.
fn pieces(desk: &mut Desk<'_>, object: &Map<String, Value>) {
    let stem = |key: &str| {
        key.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '_' | '-')).to_owned()
    };
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (key, value) in object.iter().take(64) {
        let (Some(text), true) = (
            value.as_str(),
            key.ends_with(|c: char| c.is_ascii_digit())
                || key.ends_with("_a")
                || key.ends_with("_b"),
        ) else {
            continue;
        };
        let stem = stem(key.trim_end_matches(['a', 'b']));
        match groups.iter_mut().find(|(name, _)| *name == stem) {
            Some((_, texts)) => texts.push(text),
            None => groups.push((stem, vec![text])),
        }
    }
    for (_, texts) in groups.into_iter().filter(|(_, texts)| texts.len() > 1) {
        for joined in [texts.concat(), texts.join(" ")] {
            if reads_like_command(&joined) {
                desk.later(Reader::Probe, joined, 0..0);
            }
        }
    }
}

/// Whether the arguments say that nothing is to change.
fn is_tried(object: &Map<String, Value>) -> bool {
    let yes = |value: &Value| {
        matches!(value, Value::Bool(true))
            || value.as_str().is_some_and(|text| {
                matches!(
                    text.to_ascii_lowercase().as_str(),
                    "true" | "yes" | "all" | "client" | "server" | "1"
                )
            })
    };
    [
        "dry_run",
        "dryRun",
        "dryrun",
        "dry-run",
        "DryRun",
        "what_if",
        "whatIf",
        "preview",
        "simulate",
        "check_only",
        "validate_only",
        "validateOnly",
        "plan_only",
    ]
    .iter()
    .any(|key| object.get(*key).is_some_and(yes))
}

fn all_of(object: &Map<String, Value>) -> bool {
    let star = |value: &Value| {
        value.as_str().is_some_and(|text| matches!(text, "*" | "all" | "/" | "/*" | "**"))
    };
    object.values().any(star)
        || ["all", "recursive", "force", "cascade"]
            .iter()
            .any(|key| object.get(*key) == Some(&Value::Bool(true)))
}

/// Mutations of GraphQL by their names.
fn graphql(desk: &mut Desk<'_>, text: &str) {
    let trimmed = text.trim_start();
    if !trimmed.starts_with("mutation") {
        return;
    }
    let names = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty() && *word != "mutation");
    if let Some(name) = names.take(64).find(|name| {
        destroys(name, "")
            || (name.starts_with("delete") && name.len() > 6 && destroys(name, "all"))
    }) {
        desk.fact(
            "call.delete",
            0..text.len(),
            format!("the mutation {} by its name destroys something", super::fact::shown(name)),
        );
    }
}

/// The program that a tool runs, by its name: `run_kubectl`, `git`, `docker-exec`.
fn program_of(tool: &str) -> String {
    let known = [
        "kubectl",
        "git",
        "docker",
        "terraform",
        "helm",
        "aws",
        "gcloud",
        "az",
        "podman",
        "psql",
        "mysql",
        "redis-cli",
        "mongosh",
        "pulumi",
        "gh",
        "argocd",
        "oc",
    ];
    let plain = plain(tool);
    let words: Vec<&str> = plain.split('_').collect();
    known.into_iter().find(|name| words.contains(name)).unwrap_or_default().to_owned()
}
