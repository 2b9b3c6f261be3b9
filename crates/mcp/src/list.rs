//! Takes items out of list results without touching what stays.
//!
//! Never reorders, renames or rewrites an item; never decides which ones stay.

mod loosen;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ops::Range};

use lockgate_model::Era;

use crate::{
    Fault,
    definition::{self, Kind},
    json::{Document, JsonLimits, Node},
};

/// One item of a list result, as offered to the filter.
#[derive(Clone, Debug)]
pub struct Item<'d, 'a> {
    /// The name of a tool or prompt, the canonical `uri` of a resource, the `uriTemplate`.
    pub name: String,
    /// The item itself.
    pub node: Node<'d, 'a>,
}

/// A stretch of text and what stands there instead.
type Edit = (Range<usize>, String);

/// The whole JSON-RPC response `body` without the items for which `keep` says no.
///
/// Kept items, their order, the cursor and unknown members stay byte for byte. Items that nobody
/// could call without doubt (see [`definition`]) are never offered to `keep` and never stay. A
/// modern result becomes `cacheScope: "private"` with at most `ttl_max_ms` as `ttlMs`. An error
/// response is returned as it is.
///
/// # Errors
/// [`Fault`] with reason `upstream.invalid` where it is no such result.
pub fn filter(
    body: &[u8],
    kind: Kind,
    era: Era,
    ttl_max_ms: u64,
    limits: JsonLimits,
    keep: impl FnMut(&Item<'_, '_>) -> bool,
) -> Result<Vec<u8>, Fault> {
    let document = Document::strict(body, limits).map_err(Fault::from_upstream)?;
    if document.root().get("error").is_some() {
        return Ok(body.to_vec());
    }
    let (result, items) = definition::items(&document, kind)?;
    let mut edits = Vec::new();
    edits.extend(without_dropped(items, kind, keep));
    if era == Era::Modern {
        edits.extend(private(result, ttl_max_ms));
    }
    Ok(splice(document.text(), edits))
}

/// The whole JSON-RPC response `body`, for this caller's cache alone: `cacheScope: "private"` and
/// at most `ttl_max_ms` as `ttlMs`. Responses without a `ttlMs` or `cacheScope` stay as they are.
///
/// # Errors
/// [`Fault`] with reason `upstream.invalid` where it is no response.
pub fn make_private(body: &[u8], ttl_max_ms: u64, limits: JsonLimits) -> Result<Vec<u8>, Fault> {
    let document = Document::envelope(body, limits).map_err(Fault::from_upstream)?;
    let cached =
        |result: &Node<'_, '_>| result.get("ttlMs").is_some() || result.get("cacheScope").is_some();
    let edits = document.root().get("result").filter(cached);
    let edits = edits.map_or_else(Vec::new, |result| private(result, ttl_max_ms));
    Ok(splice(document.text(), edits))
}

/// The whole JSON-RPC response `body` to `tools/list`, with output schemas that masked answers still
/// satisfy. Everything else stays byte for byte.
///
/// # Errors
/// [`Fault`] with reason `upstream.invalid` where it is no such result.
pub fn loosen_outputs(body: &[u8], limits: JsonLimits) -> Result<Vec<u8>, Fault> {
    let document = Document::strict(body, limits).map_err(Fault::from_upstream)?;
    if document.root().get("error").is_some() {
        return Ok(body.to_vec());
    }
    let (_, items) = definition::items(&document, Kind::Tool)?;
    let schemas = items.children().filter_map(|tool| tool.get("outputSchema"));
    let loosened = schemas.map(|schema| {
        let loose = loosen::loosen(&schema.to_value());
        (schema.value_span(), loose.to_string())
    });
    Ok(splice(document.text(), loosened.collect()))
}

/// One edit over all items, where any goes.
fn without_dropped(
    items: Node<'_, '_>,
    kind: Kind,
    mut keep: impl FnMut(&Item<'_, '_>) -> bool,
) -> Option<Edit> {
    let named: Vec<_> =
        items.children().map(|node| (node, definition::name_of(node, kind).ok())).collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for name in named.iter().filter_map(|(_, name)| name.as_deref()) {
        *times.entry(name).or_default() += 1;
    }
    let once = |name: &&String| times.get(name.as_str()) == Some(&1);
    let kept: Vec<&str> = named
        .iter()
        .filter_map(|(node, name)| name.as_ref().filter(once).map(|name| (*node, name.clone())))
        .filter_map(|(node, name)| keep(&Item { name, node }).then(|| node.raw()))
        .collect();
    let (first, last) = (named.first()?.0.span(), named.last()?.0.span());
    (kept.len() < named.len()).then(|| (first.start..last.end, kept.join(",")))
}

fn private(result: Node<'_, '_>, ttl_max_ms: u64) -> Vec<Edit> {
    let mut edits = Vec::new();
    match result.get("cacheScope") {
        Some(scope) => edits.push((scope.value_span(), "\"private\"".to_owned())),
        None => {
            let inside = result.value_span().start + 1;
            let comma = if result.children().next().is_some() { "," } else { "" };
            edits.push((inside..inside, format!("\"cacheScope\":\"private\"{comma}")));
        }
    }
    if let Some(ttl) = result.get("ttlMs") {
        let wanted = ttl.raw().parse::<u64>().unwrap_or(0);
        if wanted > ttl_max_ms || ttl.raw() != wanted.to_string() {
            edits.push((ttl.value_span(), wanted.min(ttl_max_ms).to_string()));
        }
    }
    edits
}

/// `text` with every edit done; edits never overlap.
fn splice(text: &str, mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_unstable_by_key(|(span, _)| span.start);
    let mut out = Vec::with_capacity(text.len() + 32);
    let mut done = 0;
    for (span, instead) in edits {
        out.extend_from_slice(text.get(done..span.start).unwrap_or_default().as_bytes());
        out.extend_from_slice(instead.as_bytes());
        done = span.end;
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default().as_bytes());
    out
}
