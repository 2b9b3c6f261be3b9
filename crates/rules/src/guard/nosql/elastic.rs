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

/// What a request does.
fn verdict(method: &str, path: &str, body: &str) -> Option<(&'static str, &'static str)> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let has = |part: &str| parts.contains(&part);
    let squeezed = squeeze(body);
    let every = squeezed.is_empty()
        || squeezed.contains("match_all")
        || squeezed == "{}"
        || squeezed.contains("query_string:{query:*}")
        || squeezed.contains("<query>*:*")
        || squeezed.contains("query:*:*");
    let pair = match method {
        _ if has("_security") && method != "GET" => {
            ("db.privilege", "this would change accounts or rights")
        }
        "DELETE" if has("_doc") || has("_search") || (has("_source") && parts.len() > 2) => {
            ("db.write", "one document is deleted")
        }
        "DELETE" if parts.is_empty() => ("db.drop", "this would delete everything"),
        "DELETE"
            if parts.len() == 2
                && !parts.iter().any(|part| part.starts_with('_') || part.contains('*')) =>
        {
            ("http.delete", "this would delete something by an HTTP request")
        }
        "DELETE" if parts.len() > 2 && !parts.iter().any(|part| part.starts_with('_')) => {
            ("http.delete", "this would delete something by an HTTP request")
        }
        "DELETE" => ("db.drop", "this would delete an index, or what belongs to it"),
        "POST" | "PUT" if has("_delete_by_query") && every => {
            ("db.delete.unbounded", "this would delete every document")
        }
        "POST" | "PUT" if has("_update_by_query") && every => {
            ("db.delete.unbounded", "this would change every document")
        }
        "POST" | "PUT" if has("_delete_by_query") || has("_update_by_query") => {
            ("db.write", "documents are written")
        }
        "POST" | "PUT" if has("_aliases") && squeezed.contains("remove_index") => {
            ("db.drop", "this would delete an index")
        }
        "POST" | "PUT"
            if has("_close")
                || has("_shutdown")
                || has("_restore")
                || has("_freeze")
                || has("_shrink") =>
        {
            ("db.server", "this would close or replace an index")
        }
        "POST" | "PUT"
            if has("_cluster")
                || has("_nodes")
                || has("_ilm")
                || has("_slm")
                || has("_license") =>
        {
            ("db.server", "this would change the cluster itself")
        }
        "PUT"
            if has("_settings")
                && (squeezed.contains("blocks")
                    || squeezed.contains("number_of_replicas:0")
                    || squeezed.contains("destructive_requires_name:false")) =>
        {
            ("db.server", "this would change how an index is kept")
        }
        "POST" if has("update") && squeezed.contains("delete") && every => {
            ("db.delete.unbounded", "this would delete every document")
        }
        "POST"
            if has("_search")
                || has("_count")
                || has("_msearch")
                || has("_mget")
                || has("_explain")
                || has("_validate")
                || has("_analyze")
                || has("_sql")
                || has("_find") =>
        {
            ("db.read", "something is read")
        }
        "POST" | "PUT" | "PATCH" => ("db.write", "something is written"),
        _ => return None,
    };
    Some(pair)
}
