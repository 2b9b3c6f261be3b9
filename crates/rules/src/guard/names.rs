//! What an argument carries, by its name and its schema; and words that name a destructive action.

use serde_json::Value;

use super::Kind;

/// What an argument carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sql,
    Shell,
    Code,
    /// A query in some language: SQL, a search, GraphQL, PromQL.
    Query,
    Nosql,
    /// A path or URL.
    Location,
    /// Text for people, or the content of a file: nobody is known to run it.
    Prose,
    /// A word for what is to be done.
    Action,
    Unknown,
}

/// What an argument of this name carries.
pub(super) fn role(key: &str) -> Role {
    let key = plain(key);
    let last = key.rsplit('_').next().unwrap_or(&key);
    match key.as_str() {
        "sql" | "sql_query" | "query_sql" | "sql_text" | "raw_sql" | "statement" | "statements"
        | "sql_statement" | "sqlquery" | "queries" | "ddl" | "dml" | "cql" | "procedure_body" => {
            Role::Sql
        }
        "command" | "cmd" | "commands" | "script" | "shell" | "bash" | "sh" | "shell_command"
        | "command_line" | "commandline" | "cmdline" | "exec" | "execute" | "run" | "argv"
        | "bash_command" | "terminal_command" | "powershell" | "user_data" | "entrypoint"
        | "pre_command" | "post_command" | "hook" | "oneliner" | "shell_script" | "run_command" => {
            Role::Shell
        }
        "code" | "python" | "python_code" | "javascript" | "js" | "source_code" | "snippet"
        | "program" | "cell" | "expression" | "eval" | "lua" | "ruby" | "notebook_cell"
        | "function_body" => Role::Code,
        "query" | "q" | "where" | "filter" | "statement_text" | "gql" | "graphql" | "mutation"
        | "aql" | "cypher" | "kql" => Role::Query,
        "mongo" | "redis" | "redis_command" | "mongo_command" | "mongo_query" | "nosql"
        | "pipeline" | "aggregation" => Role::Nosql,
        "message" | "content" | "contents" | "text" | "body" | "description" | "comment"
        | "comments" | "title" | "note" | "notes" | "subject" | "summary" | "prompt"
        | "markdown" | "reason" | "question" | "answer" | "explanation" | "commit_message"
        | "html" | "instructions" | "details" | "caption" | "feedback" | "review" | "topic"
        | "label" | "labels" | "tags" | "old_string" | "new_string" | "old_str" | "new_str"
        | "file_text" | "diff" | "patch_text" | "reply" | "chat" | "conversation" | "memo"
        | "document" | "paragraph" | "user_message" | "system_prompt" | "display_name"
        | "search" | "search_term" | "search_query" | "keywords" | "pattern" | "regex"
        | "insert_text" | "replacement" | "find_text" | "goal" | "thought" | "thinking"
        | "plan" => Role::Prose,
        "action" | "operation" | "op" | "verb" | "method" | "command_type" | "mutation_name"
        | "http_method" | "request_method" | "intent" | "task" | "procedure" | "operation_name"
        | "api" | "function" | "event_type" | "subcommand" => Role::Action,
        _ => match last {
            "sql" | "statement" => Role::Sql,
            "command" | "cmd" | "script" | "shell" => Role::Shell,
            "query" => Role::Query,
            "path" | "paths" | "file" | "files" | "filename" | "filepath" | "dir" | "directory"
            | "folder" | "uri" | "url" | "urls" | "src" | "dst" | "source" | "destination"
            | "target" | "location" | "endpoint" | "href" | "link" | "root" | "cwd" | "image" => {
                Role::Location
            }
            "message" | "description" | "comment" | "content" | "text" | "note" | "notes"
            | "title" | "prompt" | "summary" | "body" => Role::Prose,
            "code"
                if !key.starts_with("zip")
                    && !key.starts_with("post")
                    && !key.starts_with("country")
                    && !key.starts_with("status")
                    && !key.starts_with("error") =>
            {
                Role::Code
            }
            _ => Role::Unknown,
        },
    }
}

impl From<Kind> for Role {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Sql => Self::Sql,
            Kind::Nosql => Self::Nosql,
            Kind::Code => Self::Code,
            Kind::Location => Self::Location,
            Kind::Prose => Self::Prose,
            Kind::Shell => Self::Shell,
            Kind::Call | Kind::Auto => Self::Unknown,
        }
    }
}

/// What a schema says that a property carries; `None` where it says nothing.
pub(super) fn role_by_schema(property: &Value) -> Option<Role> {
    let text = |key: &str| {
        property.get(key).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
    };
    let media = text("contentMediaType");
    match () {
        () if media.contains("sql") => return Some(Role::Sql),
        () if media.contains("shell") || media.contains("x-sh") => return Some(Role::Shell),
        () if matches!(
            text("format").as_str(),
            "uri" | "url" | "path" | "file-path" | "uri-reference"
        ) =>
        {
            return Some(Role::Location);
        }
        () => {}
    }
    let described = format!("{} {}", text("description"), text("title"));
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| described.contains(phrase));
    match () {
        () if says(&[
            "sql to",
            "sql query",
            "sql statement",
            "sql code",
            "sql command",
            "sql script",
        ]) =>
        {
            Some(Role::Sql)
        }
        () if says(&[
            "shell command",
            "bash command",
            "command to run",
            "command to execute",
            "command line",
            "terminal command",
            "shell script",
        ]) =>
        {
            Some(Role::Shell)
        }
        () if says(&[
            "python code",
            "javascript code",
            "code to run",
            "code to execute",
            "source code to",
        ]) =>
        {
            Some(Role::Code)
        }
        () if says(&["redis command", "mongodb command", "mongo shell", "mongodb query"]) => {
            Some(Role::Nosql)
        }
        () => None,
    }
}

/// `shellCommand`, `shell-command` as `shell_command`.
pub(super) fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut lower = false;
    let mut characters = name.chars().take(128).peekable();
    while let Some(character) = characters.next() {
        if character.is_ascii_uppercase() {
            // `dbInstance`, and `DBInstance` too.
            let begins = !out.is_empty()
                && !out.ends_with('_')
                && characters.peek().is_some_and(char::is_ascii_lowercase);
            if lower || begins {
                out.push('_');
            }
            out.push(character.to_ascii_lowercase());
            lower = false;
        } else if character.is_alphanumeric() {
            out.push(character);
            lower = true;
        } else {
            if !out.ends_with('_') && !out.is_empty() {
                out.push('_');
            }
            lower = false;
        }
    }
    out
}

/// Words that destroy by themselves.
const RUINS: [&str; 18] = [
    "drop",
    "truncate",
    "wipe",
    "purge",
    "destroy",
    "terminate",
    "nuke",
    "erase",
    "shutdown",
    "obliterate",
    "flushall",
    "flushdb",
    "uninstall",
    "deprovision",
    "decommission",
    "teardown",
    "dropdb",
    "factoryreset",
];
/// Words that destroy when much, or something large, is their object.
const REMOVES: [&str; 6] = ["delete", "remove", "rm", "del", "clear", "empty"];
/// Objects whose loss is not felt, and ways to only look.
const MINOR: [&str; 29] = [
    "cache", "cookies", "log", "logs", "session", "tmp", "temp", "draft", "cart", "filter",
    "label", "tag", "reaction", "star", "bookmark", "reminder", "shadow", "item", "comment",
    "column", "off", "down", "dry", "check", "list", "get", "preview", "simulate", "plan",
];
/// Words for much at once.
const BULK: [&str; 7] = ["all", "everything", "bulk", "force", "recursive", "many", "batch"];
/// Things whose loss is felt, in the singular.
const LARGE: [&str; 62] = [
    "database",
    "databas",
    "db",
    "table",
    "collection",
    "schema",
    "index",
    "indice",
    "bucket",
    "cluster",
    "namespace",
    "repo",
    "repository",
    "repositorie",
    "branch",
    "branche",
    "instance",
    "vm",
    "server",
    "volume",
    "disk",
    "deployment",
    "environment",
    "account",
    "org",
    "organization",
    "project",
    "stack",
    "backup",
    "snapshot",
    "keyspace",
    "queue",
    "tenant",
    "workspace",
    "zone",
    "hostedzone",
    "vpc",
    "secret",
    "policy",
    "role",
    "release",
    "pipeline",
    "dataset",
    "warehouse",
    "pvc",
    "statefulset",
    "node",
    "fleet",
    "domain",
    "vault",
    "key",
    "everything",
    "all",
    "certificate",
    "crd",
    "droplet",
    "container",
    "storage",
    "machine",
    "infrastructure",
    "production",
    "prod",
];

/// Whether words name an action that destroys, such as `deleteAll` or `drop_database`. `object` is
/// what else the call says it is about.
pub(super) fn destroys(action: &str, object: &str) -> bool {
    let action = plain(action);
    let words: Vec<&str> = action.split('_').collect();
    if words.len() > 6 {
        return false;
    }
    let any = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let bulk = any(&BULK);
    if any(&MINOR) && !bulk {
        return false;
    }
    let object = plain(object);
    let large = words.iter().copied().chain(object.split('_')).any(is_large);
    any(&RUINS) || any(&REMOVES) && (bulk || large)
}

fn is_large(word: &str) -> bool {
    LARGE.contains(&word.strip_suffix('s').unwrap_or(word))
}
