//! Commands as JSON documents: MongoDB's own (`{"drop": "users"}`), and the shapes in which tools
//! take them (`{"collection": "users", "operation": "deleteMany", "filter": {}}`).

use serde_json::{Map, Value};

use super::mongo::matches_all;
use crate::guard::{desk::Desk, fact::shown};

/// What a command of MongoDB does, by the first key of its document.
pub(super) fn command(key: &str) -> Option<(&'static str, &'static str)> {
    Some(match key {
        "drop" | "dropDatabase" | "dropIndexes" | "deleteIndexes" | "convertToCapped"
        | "renameCollection" => ("db.drop", "this would drop something of the database"),
        "shutdown" | "fsync" | "killOp" | "killSessions" | "killAllSessions"
        | "replSetReconfig" | "replSetStepDown" | "setParameter" | "removeShard" | "compact"
        | "eval" | "$eval" | "logRotate" | "resync" | "flushRouterConfig" | "repairDatabase" => {
            ("db.server", "this would touch the server itself")
        }
        "createUser"
        | "dropUser"
        | "dropAllUsersFromDatabase"
        | "updateUser"
        | "grantRolesToUser"
        | "revokeRolesFromUser"
        | "createRole"
        | "dropRole"
        | "updateRole" => ("db.privilege", "this would change accounts or rights"),
        "insert" | "update" | "delete" | "findAndModify" | "create" | "createIndexes"
        | "collMod" => ("db.write", "documents are written"),
        "find" | "aggregate" | "count" | "distinct" | "listCollections" | "listDatabases"
        | "ping" | "dbStats" | "collStats" | "serverStatus" | "hello" | "explain" => {
            ("db.read", "documents are read")
        }
        _ => return None,
    })
}

/// Reads one object as a command of MongoDB, or a query of Elasticsearch.
pub(in crate::guard) fn read(desk: &mut Desk<'_>, object: &Map<String, Value>) {
    let Some((first, value)) = object.iter().next() else { return };
    // A field that is called `update` is no command; a command names its collection, or is 1.
    let names = value.is_string() || matches!(value, Value::Number(_));
    let alone = object.keys().all(|key| {
        key == first
            || key.starts_with('$')
            || matches!(
                key.as_str(),
                "deletes"
                    | "updates"
                    | "documents"
                    | "filter"
                    | "query"
                    | "writeConcern"
                    | "comment"
                    | "ordered"
                    | "lsid"
                    | "force"
                    | "index"
                    | "to"
                    | "dropTarget"
                    | "pipeline"
                    | "cursor"
                    | "roles"
                    | "pwd"
                    | "op"
                    | "limit"
                    | "sort"
                    | "projection"
                    | "timeoutSecs"
                    | "maxTimeMS"
            )
    });
    if names
        && alone
        && let Some((label, note)) = command(first)
    {
        desk.fact(label, 0..0, note);
    }
    let unbounded = |list: &str, flag: fn(&Value) -> bool| {
        let items = object.get(list).and_then(Value::as_array);
        items.is_some_and(|items| {
            items.iter().any(|item| item.get("q").is_some_and(is_all) && flag(item))
        })
    };
    if unbounded("deletes", |item| item.get("limit").is_none_or(|limit| limit == 0))
        || unbounded("updates", |item| item.get("multi") == Some(&Value::Bool(true)))
    {
        desk.fact("db.delete.unbounded", 0..0, "this would delete or change every document");
    }
    replaces(desk, object);
}

fn is_all(filter: &Value) -> bool {
    matches_all(&filter.to_string())
}

/// An aggregation may end in a collection, in the place of what stood there.
fn replaces(desk: &mut Desk<'_>, object: &Map<String, Value>) {
    let stages = object.get("pipeline").and_then(Value::as_array);
    if stages.is_some_and(|stages| stages.iter().any(|stage| stage.get("$out").is_some())) {
        desk.fact(
            "db.delete.unbounded",
            0..0,
            "this would replace a collection by what it computes",
        );
    }
}

/// Reads an object in the shape in which tools take commands: an operation beside what it is for.
/// `operation` is in lower case, without separators.
pub(in crate::guard) fn shaped(desk: &mut Desk<'_>, object: &Map<String, Value>, operation: &str) {
    let collection = [
        "collection",
        "coll",
        "collection_name",
        "collectionName",
        "index",
        "indexName",
        "index_name",
    ]
    .iter()
    .find_map(|key| object.get(*key)?.as_str());
    let Some(collection) = collection else { return };
    desk.name("db.collection", collection);
    let filter = ["filter", "query", "q", "selector", "where", "match", "condition"]
        .iter()
        .find_map(|key| object.get(*key));
    let all = filter.is_none_or(|filter| {
        is_all(filter)
            || filter.as_str().is_some_and(matches_all)
            || filter.get("match_all").is_some()
    });
    let of = shown(collection);
    match operation {
        "deletemany" | "remove" | "removeall" | "deleteall" | "deletebyquery" | "delete"
            if all && object.get("id").is_none() && object.get("_id").is_none() =>
        {
            desk.fact(
                "db.delete.unbounded",
                0..0,
                format!("this would delete every document of {of}"),
            );
        }
        "updatemany" | "updateall" | "updatebyquery" if all => desk.fact(
            "db.delete.unbounded",
            0..0,
            format!("this would change every document of {of}"),
        ),
        "drop" | "dropcollection" | "dropindex" | "dropindexes" | "dropdatabase"
        | "deleteindex" | "deletecollection" => {
            desk.fact("db.drop", 0..0, format!("this would drop {of}"))
        }
        "aggregate" => replaces(desk, object),
        _ if operation.starts_with("find") || operation.starts_with("count") => {
            desk.fact("db.read", 0..0, format!("{of} is read"))
        }
        _ => desk.fact("db", 0..0, format!("an operation on {of}")),
    }
}
