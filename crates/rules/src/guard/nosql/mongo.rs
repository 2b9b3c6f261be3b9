//! MongoDB's shell: which methods are called, and does their filter match everything? Method names
//! of the drivers of other languages count too.

use crate::guard::{
    desk::{Desk, Reader},
    fact::shown,
};

/// A method call: its name, what stands in its parentheses, and where.
struct Call<'a> {
    name: &'a str,
    inside: &'a str,
    span: std::ops::Range<usize>,
    /// The name before the dot.
    owner: &'a str,
}

/// More calls than this are not looked at.
const CALLS_MAX: usize = 2048;

/// Whether a text calls methods of a database.
pub(super) fn resembles(text: &str) -> bool {
    calls(text.get(..text.floor_char_boundary(4096)).unwrap_or_default())
        .iter()
        .any(|call| kind(call).is_some())
}

/// Reads the text, if it is one.
pub(super) fn read(desk: &mut Desk<'_>, text: &str) -> bool {
    let calls = calls(text);
    let begins = text.trim_start().starts_with("db.")
        || text.trim_start().starts_with("db[")
        || text.trim_start().starts_with("use ")
        || text.trim_start().starts_with("show ");
    let mut known = begins;
    for call in &calls {
        let Some((label, note)) = kind(call) else { continue };
        known = true;
        desk.fact(label, call.span.clone(), note);
        if !call.owner.is_empty() && call.owner != "db" {
            desk.name("db.collection", call.owner);
        }
        if matches!(
            call.name,
            "runCommand" | "adminCommand" | "command" | "bulkWrite" | "aggregate"
        ) {
            document(desk, call);
        }
        if call.name == "eval" || call.name == "system" {
            desk.later(Reader::Code, call.inside, call.span.clone());
        }
    }
    if known && calls.is_empty() {
        desk.fact("db.read", 0..text.len(), "the database is looked at");
    }
    known
}

/// Methods that write documents.
const WRITES: [&str; 25] = [
    "deleteMany",
    "delete_many",
    "deleteOne",
    "delete_one",
    "findOneAndDelete",
    "find_one_and_delete",
    "updateMany",
    "update_many",
    "updateOne",
    "update_one",
    "replaceOne",
    "insertOne",
    "insertMany",
    "insert_one",
    "insert_many",
    "findOneAndUpdate",
    "findOneAndReplace",
    "findAndModify",
    "bulkWrite",
    "save",
    "createIndex",
    "createCollection",
    "insert",
    "update",
    "remove",
];
/// Methods that read.
const READS: [&str; 14] = [
    "find",
    "findOne",
    "find_one",
    "countDocuments",
    "count",
    "distinct",
    "estimatedDocumentCount",
    "getIndexes",
    "stats",
    "explain",
    "getCollectionNames",
    "serverStatus",
    "currentOp",
    "listCollections",
];
/// Methods that touch the server or its cluster.
const SERVER: [&str; 14] = [
    "shutdownServer",
    "fsyncLock",
    "killOp",
    "setProfilingLevel",
    "stepDown",
    "reconfig",
    "removeShard",
    "stopBalancer",
    "removeShardTag",
    "setFeatureCompatibilityVersion",
    "repairDatabase",
    "moveChunk",
    "killAllSessions",
    "killSessions",
];
/// Methods that change accounts or rights.
const PRIVILEGES: [&str; 13] = [
    "createUser",
    "dropUser",
    "dropAllUsers",
    "updateUser",
    "changeUserPassword",
    "grantRolesToUser",
    "revokeRolesFromUser",
    "createRole",
    "dropRole",
    "dropAllRoles",
    "grantPrivilegesToRole",
    "updateRole",
    "grantRolesToRole",
];

/// What a method does, by its name and filter.
fn kind(call: &Call<'_>) -> Option<(&'static str, String)> {
    loss(call).or_else(|| other(call))
}

/// Methods that lose many documents, or what is built on them.
fn loss(call: &Call<'_>) -> Option<(&'static str, String)> {
    let of = named(call);
    let all = matches_all(arguments(call.inside).next().unwrap_or_default());
    Some(match call.name {
        "dropDatabase" | "drop_database" | "dropDb" => {
            ("db.drop", "this would drop the whole database".to_owned())
        }
        "drop" | "drop_collection" | "dropCollection" if call.owner != "console" => {
            ("db.drop", format!("this would drop {of}"))
        }
        "dropIndex" | "dropIndexes" | "drop_index" | "drop_indexes" | "convertToCapped"
        | "dropSearchIndex" => ("db.drop", format!("this would drop indexes of {of}")),
        "renameCollection" => ("db.drop", format!("this would take the name of {of} away")),
        "rename" if call.inside.contains("true") => {
            ("db.drop", format!("this would take the name of {of} away"))
        }
        "remove" if call.owner == "rs" => {
            ("db.server", "this would take a node out of its cluster".to_owned())
        }
        "deleteMany" | "delete_many" | "remove" | "destroyMany" if all => {
            ("db.delete.unbounded", format!("this would delete every document of {of}"))
        }
        "updateMany" | "update_many" if all => {
            ("db.delete.unbounded", format!("this would change every document of {of}"))
        }
        "update" if all && call.inside.contains("multi") => {
            ("db.delete.unbounded", format!("this would change every document of {of}"))
        }
        "flushall" | "flushdb" | "flush_all" | "flushAll" | "flushDb" | "flush_db" => {
            ("db.drop", "this would empty the key store".to_owned())
        }
        "delete" if matches!(call.owner, "indices" | "index") => {
            ("db.drop", "this would delete an index".to_owned())
        }
        "delete_by_query" | "deleteByQuery" if call.inside.contains("match_all") => {
            ("db.delete.unbounded", "this would delete every document".to_owned())
        }
        _ => return None,
    })
}

fn other(call: &Call<'_>) -> Option<(&'static str, String)> {
    let commands = ["runCommand", "adminCommand", "aggregate", "eval"].contains(&call.name)
        || call.name == "command" && call.owner == "db";
    if WRITES.contains(&call.name) {
        Some(("db.write", format!("documents of {} are written", named(call))))
    } else if SERVER.contains(&call.name) {
        Some(("db.server", "this would touch the server itself".to_owned()))
    } else if PRIVILEGES.contains(&call.name) {
        Some(("db.privilege", "this would change accounts or rights".to_owned()))
    } else if commands {
        Some(("db", "a command is run".to_owned()))
    } else if READS.contains(&call.name) && !call.owner.is_empty() {
        Some(("db.read", format!("{} is read", named(call))))
    } else {
        None
    }
}

/// What the method belongs to, in words.
fn named(call: &Call<'_>) -> String {
    if call.owner.is_empty() { "it".to_owned() } else { shown(call.owner) }
}

/// The documents of a command.
fn document(desk: &mut Desk<'_>, call: &Call<'_>) {
    let squeezed = squeeze(call.inside);
    let has = |key: &str| squeezed.contains(&format!("{key}:"));
    let span = call.span.clone();
    match call.name {
        "aggregate" if has("$out") => desk.fact(
            "db.delete.unbounded",
            span,
            "this would replace a collection by what it computes",
        ),
        "aggregate" if has("$merge") => desk.fact("db.write", span, "documents are written"),
        "bulkWrite"
            if squeezed.contains("deleteMany:{filter:{}")
                || squeezed.contains("updateMany:{filter:{}") =>
        {
            desk.fact("db.delete.unbounded", span, "this would delete or change every document")
        }
        "aggregate" | "bulkWrite" => {}
        _ => {
            let first = squeezed
                .trim_start_matches('{')
                .split([':', ',', '}'])
                .next()
                .unwrap_or_default()
                .to_owned();
            if let Some((label, note)) = super::documents::command(&first) {
                desk.fact(label, span.clone(), note);
            }
            if (first == "delete"
                && (squeezed.contains("q:{},limit:0") || squeezed.contains("limit:0,q:{}")))
                || (first == "update"
                    && squeezed.contains("q:{}")
                    && squeezed.contains("multi:true"))
            {
                desk.fact(
                    "db.delete.unbounded",
                    span,
                    "this would delete or change every document",
                );
            }
        }
    }
}

/// A document without quotes and spaces.
pub(super) fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '`')).collect()
}

/// Whether a filter, as written, matches every document.
pub(super) fn matches_all(filter: &str) -> bool {
    let mut bare = squeeze(filter);
    for wrap in ["filter=", "filter:", "query=", "q:"] {
        bare = bare.strip_prefix(wrap).map_or(bare.clone(), str::to_owned);
    }
    let inner = bare.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(&bare);
    if matches!(inner, "" | "newDocument()" | "Document()" | "true" | "null" | "undefined" | "None")
    {
        return true;
    }
    if inner.starts_with("$where:") {
        let condition = inner
            .trim_start_matches("$where:")
            .trim_start_matches("function(){return")
            .trim_end_matches(['}', ';'])
            .trim_start_matches("return");
        return matches!(condition, "true" | "1" | "1==1" | "1===1" | "1=1" | "!0");
    }
    if matches!(
        inner,
        "$expr:true"
            | "$or:[{}]"
            | "$and:[{}]"
            | "$nor:[]"
            | "$expr:{$eq:[1,1]}"
            | "$comment:"
            | "$alwaysTrue:1"
    ) {
        return true;
    }
    let Some((key, condition)) = inner.split_once(':') else { return false };
    if condition.contains("},") || (condition.contains(',') && !condition.starts_with('{')) {
        return false;
    }
    let key_like = matches!(key, "_id" | "id");
    let any = [
        "{$regex:.*}",
        "{$regex:^}",
        "{$regex:.}",
        "/.*/",
        "{$regex:}",
        "/^/",
        "/./",
        "{$regex:/.*/}",
    ]
    .contains(&condition);
    any || (key_like
        && [
            "{$exists:true}",
            "{$exists:1}",
            "{$ne:null}",
            "{$ne:}",
            "{$ne:0}",
            "{$nin:[]}",
            "{$gt:0}",
            "{$gte:0}",
            "{$gt:}",
            "{$gt:-1}",
            "{$gte:}",
            "{$ne:None}",
            "{$exists:True}",
            "{$ne:-1}",
            "{$ne:1}",
            "{$gt:MinKey}",
            "{$gte:MinKey}",
            "{$type:objectId}",
        ]
        .contains(&condition))
        || condition == "{$nin:[]}"
}

/// The arguments of a call, as written.
fn arguments(inside: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0i32;
    let mut quote = None;
    inside.split(move |c: char| {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{' | '[' | '(') => depth += 1,
            (None, '}' | ']' | ')') => depth -= 1,
            (None, ',') => return depth == 0,
            _ => {}
        }
        false
    })
}

/// Every call of a method, outside of literals and comments.
fn calls(text: &str) -> Vec<Call<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() && found.len() < CALLS_MAX {
        match bytes.get(at) {
            Some(b'/')
                if bytes.get(at + 1) == Some(&b'/')
                    && at.checked_sub(1).and_then(|before| bytes.get(before)) != Some(&b':') =>
            {
                let rest = bytes.get(at..).unwrap_or_default();
                at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            }
            Some(b'/') if bytes.get(at + 1) == Some(&b'*') => {
                let rest = bytes.get(at + 2..).unwrap_or_default();
                at += memchr::memmem::find(rest, b"*/").map_or(rest.len(), |end| end + 2) + 2;
            }
            Some(quote @ (b'"' | b'\'' | b'`')) => {
                // `db["users"]["drop"]()`: a name in brackets.
                let bracket = at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'[');
                let end = closing(bytes, at + 1, *quote);
                if bracket && bytes.get(end + 1) == Some(&b']') {
                    at = method(text, at + 1, end, end + 2, &mut found);
                } else {
                    at = end + 1;
                }
            }
            Some(b'.') => {
                let start = at + 1;
                let rest = bytes.get(start..).unwrap_or_default();
                let length = rest
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')))
                    .unwrap_or(rest.len());
                at = if length == 0 {
                    start
                } else {
                    method(text, start, start + length, start + length, &mut found)
                };
            }
            Some(_) => at += 1,
            None => break,
        }
    }
    found
}

/// Takes the call whose name lies between `start` and `end`, if parentheses follow at `next`.
fn method<'a>(
    text: &'a str,
    start: usize,
    end: usize,
    next: usize,
    found: &mut Vec<Call<'a>>,
) -> usize {
    let bytes = text.as_bytes();
    let open = next
        + bytes
            .get(next..)
            .unwrap_or_default()
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())
            .unwrap_or(0);
    let name = text.get(start..end).unwrap_or_default();
    if bytes.get(open) != Some(&b'(') {
        return next.max(end);
    }
    let close = parenthesis(bytes, open);
    let head =
        text.get(..start).unwrap_or_default().trim_end_matches(['.', '[', '"', '\'', '`', ']']);
    let owner = head
        .rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
        .next()
        .unwrap_or_default();
    found.push(Call {
        name,
        inside: text.get(open + 1..close).unwrap_or_default(),
        span: start..close,
        owner,
    });
    open + 1
}

fn closing(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            byte if *byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The parenthesis that closes the one at `open`; at most 4 KiB are searched.
fn parenthesis(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0usize;
    let mut at = open;
    let end = bytes.len().min(open + 4096);
    while at < end {
        match bytes.get(at) {
            Some(b'(') => depth += 1,
            Some(b')') => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            Some(quote @ (b'"' | b'\'' | b'`')) => {
                at = closing(bytes.get(..end).unwrap_or(bytes), at + 1, *quote)
            }
            _ => {}
        }
        at += 1;
    }
    end
}
