//! Tool, prompt and resource definitions as they are pinned: names, values and digests.
//!
//! Never decides what is accepted. Definitions that nobody could call without doubt (a name that is
//! none, two of one name) are set aside here, so that list and call can't drift apart.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use lockgate_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Fault, call, headers,
    json::{self, Document, JsonLimits, Node},
    uri,
};

/// What a list result lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `tools/list`
    Tool,
    /// `prompts/list`
    Prompt,
    /// `resources/list`
    Resource,
    /// `resources/templates/list`
    Template,
}

/// One definition of an upstream's catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// What it defines.
    pub kind: Kind,
    /// The name of a tool or prompt, the canonical `uri` of a resource, the `uriTemplate`.
    pub name: String,
    /// SHA-256 of the canonical definition: all of it, unknown members included.
    pub digest: Digest,
    /// The definition as a tree; numbers keep their digits.
    pub value: Value,
}

/// One page of a catalogue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The definitions in the upstream's order.
    pub definitions: Vec<Definition>,
    /// Those that are offered to nobody.
    pub rejected: Vec<Rejected>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// A definition that is offered to nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The name as far as there is one; it may hold any character.
    pub name: String,
    /// Why, as one constant phrase.
    pub why: &'static str,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Tool, Self::Prompt, Self::Resource, Self::Template];

    /// The method that lists it.
    pub const fn list_method(self) -> &'static str {
        match self {
            Self::Tool => "tools/list",
            Self::Prompt => "prompts/list",
            Self::Resource => "resources/list",
            Self::Template => "resources/templates/list",
        }
    }

    /// The kind that this method lists.
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.list_method() == method)
    }

    /// The member of a list result that holds the items.
    pub const fn items_key(self) -> &'static str {
        match self {
            Self::Tool => "tools",
            Self::Prompt => "prompts",
            Self::Resource => "resources",
            Self::Template => "resourceTemplates",
        }
    }

    const fn name_key(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource => "uri",
            Self::Template => "uriTemplate",
        }
    }
}

/// The name by which an item can be called, or why it has none.
pub(crate) fn name_of(item: Node<'_, '_>, kind: Kind) -> Result<String, Rejected> {
    let reject = |name: &str, why| Rejected { name: name.to_owned(), why };
    let Some(name) = item.get(kind.name_key()).and_then(|name| name.text()) else {
        return Err(reject("", "no name"));
    };
    match kind {
        Kind::Tool | Kind::Prompt if !call::is_name(&name) => {
            Err(reject(&name, "a name outside A-Z a-z 0-9 _ . - / or longer than 128"))
        }
        Kind::Tool if !has_sound_headers(item) => Err(reject(&name, "a broken `x-mcp-header`")),
        Kind::Resource => uri::canonical(&name).ok_or_else(|| reject(&name, "no absolute URI")),
        Kind::Tool | Kind::Prompt | Kind::Template => Ok(name.into_owned()),
    }
}

fn has_sound_headers(tool: Node<'_, '_>) -> bool {
    // Few tools have any: only those are worth a tree.
    let annotated = tool.get("inputSchema").filter(|schema| schema.raw().contains("x-mcp-header"));
    annotated.is_none_or(|schema| headers::param_headers(&schema.to_value()).is_some())
}

/// The items of a list result, from a document that is indexed in full.
pub(crate) fn items<'d, 'a>(
    document: &'d Document<'a>,
    kind: Kind,
) -> Result<(Node<'d, 'a>, Node<'d, 'a>), Fault> {
    let result = document.root().get("result").filter(|result| result.kind() == json::Kind::Object);
    let result = result.ok_or_else(|| Fault::upstream("a list without a result"))?;
    let items = result.get(kind.items_key()).filter(|items| items.kind() == json::Kind::Array);
    let items = items.ok_or_else(|| Fault::upstream("a list result without items"))?;
    if items.children().any(|item| item.kind() != json::Kind::Object) {
        return Err(Fault::upstream("a list item that is no object"));
    }
    Ok((result, items))
}

/// Reads the result of a list request: `body` is the whole JSON-RPC response.
///
/// Of two items with the same name on the page, neither is offered. Whoever joins pages calls
/// [`set_twins_aside`] on the whole.
///
/// # Errors
/// [`Fault`] with reason `upstream.invalid` where it is no such result.
pub fn read_page(body: &[u8], kind: Kind, limits: JsonLimits) -> Result<Page, Fault> {
    let document = Document::strict(body, limits).map_err(Fault::from_upstream)?;
    let (result, items) = items(&document, kind)?;
    let mut page = Page {
        next_cursor: result.get("nextCursor").and_then(|c| c.text()).map(|c| c.into_owned()),
        ..Page::default()
    };
    for item in items.children() {
        match name_of(item, kind) {
            Ok(name) => {
                let value = item.to_value();
                let digest = json::digest(&value);
                page.definitions.push(Definition { kind, name, digest, value });
            }
            Err(rejected) => page.rejected.push(rejected),
        }
    }
    page.rejected.extend(set_twins_aside(&mut page.definitions));
    Ok(page)
}

/// Takes out every definition whose kind and name another one shares.
pub fn set_twins_aside(definitions: &mut Vec<Definition>) -> Vec<Rejected> {
    let mut count: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    for definition in definitions.iter() {
        *count.entry((definition.kind, definition.name.clone())).or_default() += 1;
    }
    count.retain(|_, times| *times > 1);
    if count.is_empty() {
        return Vec::new();
    }
    definitions.retain(|d| !count.contains_key(&(d.kind, d.name.clone())));
    let why = "a name that stands more than once";
    count.into_keys().map(|(_, name)| Rejected { name, why }).collect()
}

/// Digest of the instructions that a server gives on `initialize` or `server/discover`; of the
/// empty text where it gives none.
pub fn instructions_digest(instructions: &str) -> Digest {
    json::digest(&Value::String(instructions.to_owned()))
}
