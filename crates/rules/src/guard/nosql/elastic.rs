//! Elasticsearch, OpenSearch, Solr, CouchDB: a method, a path and a body.

use super::mongo::squeeze;
use crate::guard::desk::Desk;

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Whether a text begins with a method and a path.
pub(super) fn resembles(text: &str) -> bool {
    split(text).is_some()
}

fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (method, rest) = text.trim_start().split_once([' ', '\t'])?;
    let method = METHODS.into_iter().find(|one| one.eq_ignore_ascii_case(method))?;
    let rest = rest.trim_start();
    let (path, body) = rest.split_once([' ', '\n', '\t']).unwrap_or((rest, ""));
    let shaped = path.starts_with(['/', '_', '*'])
        || path.contains("://")
        || path.contains("/_")
        || (method == "DELETE"
            && path.bytes().all(|byte| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || matches!(byte, b'-' | b'_' | b'*' | b'.' | b'/' | b',')
            }));
    (shaped && !path.is_empty()).then_some((method, path, body))
}

/// Whether a DELETE of this URL reaches an index and not one document.
pub(in crate::guard) fn is_destructive_url(url: &str) -> bool {
    let database = url.contains(":9200")
        || url.contains(":9243")
        || url.contains("elastic")
        || url.contains("opensearch")
        || url.contains("/_all")
        || url.contains(":5984")
        || url.contains("/*");
    database && verdict("DELETE", path_of(url), "").is_some_and(|(label, _)| label == "db.drop")
}

fn path_of(url: &str) -> &str {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None if url.starts_with("localhost") || url.contains(":9200") => {
            url.find('/').and_then(|at| url.get(at..)).unwrap_or("/")
        }
        None => url,
    };
    rest.split(['?', '#']).next().unwrap_or(rest)
}

/// Reads the text, if it is one.
pub(super) fn read(desk: &mut Desk<'_>, text: &str) -> bool {
    let mut known = false;
    let mut at = 0;
    // Consoles take several requests, each beginning a line.
    for (place, _) in
        std::iter::once((0, "")).chain(text.match_indices('\n').map(|(place, _)| (place + 1, "")))
    {
        if place < at {
            continue;
        }
        let Some((method, path, _)) = text.get(place..).and_then(split) else { continue };
        let next = text
            .get(place..)
            .unwrap_or_default()
            .match_indices('\n')
            .map(|(end, _)| place + end + 1)
            .find(|end| text.get(*end..).and_then(split).is_some());
        let end = next.unwrap_or(text.len());
        let whole = text.get(place..end).unwrap_or_default();
        let body =
            whole.find(path).and_then(|start| whole.get(start + path.len()..)).unwrap_or_default();
        known = true;
        let (label, note) =
            verdict(method, path_of(path), body).unwrap_or(("db.read", "something is read"));
        desk.fact(label, place..end, note);
        at = end;
    }
    known
}

/// Endpoints that close or replace an index.
const REPLACES: [&str; 5] = ["_close", "_shutdown", "_restore", "_freeze", "_shrink"];
/// Endpoints of the cluster itself.
const CLUSTER: [&str; 5] = ["_cluster", "_nodes", "_ilm", "_slm", "_license"];
/// Settings that make an index unusable, less safe, or easier to lose.
const HARSH: [&str; 3] = ["blocks", "number_of_replicas:0", "destructive_requires_name:false"];
/// Endpoints that only read, though their method is POST.
const READS: [&str; 9] = [
    "_search",
    "_count",
    "_msearch",
    "_mget",
    "_explain",
    "_validate",
    "_analyze",
    "_sql",
    "_find",
];
/// Bodies, squeezed, whose query holds for every document.
const EVERY: [&str; 4] = ["match_all", "query_string:{query:*}", "<query>*:*", "query:*:*"];

/// What a request does: a label, and words for it.
type Verdict = Option<(&'static str, &'static str)>;

fn verdict(method: &str, path: &str, body: &str) -> Verdict {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.contains(&"_security") && method != "GET" {
        return Some(("db.privilege", "this would change accounts or rights"));
    }
    match method {
        "DELETE" => Some(deletion(&parts)),
        "POST" | "PUT" | "PATCH" => Some(change(method, &parts, &squeeze(body))),
        _ => None,
    }
}

fn deletion(parts: &[&str]) -> (&'static str, &'static str) {
    let has = |part: &str| parts.contains(&part);
    let special = parts.iter().any(|part| part.starts_with('_'));
    let wild = parts.iter().any(|part| part.contains('*'));
    if has("_doc") || has("_search") || (has("_source") && parts.len() > 2) {
        ("db.write", "one document is deleted")
    } else if parts.is_empty() {
        ("db.drop", "this would delete everything")
    } else if !special && (parts.len() > 2 || parts.len() == 2 && !wild) {
        ("http.delete", "this would delete something by an HTTP request")
    } else {
        ("db.drop", "this would delete an index, or what belongs to it")
    }
}

fn change(method: &str, parts: &[&str], body: &str) -> (&'static str, &'static str) {
    let has = |part: &str| parts.contains(&part);
    let any = |list: &[&str]| list.iter().any(|part| parts.contains(part));
    let every = body.is_empty() || body == "{}" || EVERY.iter().any(|one| body.contains(one));
    let put_or_post = method != "PATCH";
    if put_or_post && (has("_delete_by_query") || has("_update_by_query")) {
        match (every, has("_delete_by_query")) {
            (true, true) => ("db.delete.unbounded", "this would delete every document"),
            (true, false) => ("db.delete.unbounded", "this would change every document"),
            (false, _) => ("db.write", "documents are written"),
        }
    } else if put_or_post && has("_aliases") && body.contains("remove_index") {
        ("db.drop", "this would delete an index")
    } else if put_or_post && any(&REPLACES) {
        ("db.server", "this would close or replace an index")
    } else if put_or_post && any(&CLUSTER) {
        ("db.server", "this would change the cluster itself")
    } else if method == "PUT" && has("_settings") && HARSH.iter().any(|one| body.contains(one)) {
        ("db.server", "this would change how an index is kept")
    } else if method == "POST" && has("update") && body.contains("delete") && every {
        ("db.delete.unbounded", "this would delete every document")
    } else if method == "POST" && any(&READS) {
        ("db.read", "something is read")
    } else {
        ("db.write", "something is written")
    }
}
