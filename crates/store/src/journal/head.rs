//! Signed tree heads: what the recording was at one moment, in a form that others can keep.
//!
//! A head is a C2SP checkpoint (tlog-checkpoint) in a C2SP signed note: origin, number of records,
//! root of the tree, and an Ed25519 signature (RFC 8032). Whoever keeps one outside of the data folder
//! can tell later that a tail was cut off or an old folder was put in place.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use lockgate_model::Digest;

use super::{Frontier, Keys};

/// The note's algorithm byte for Ed25519.
const ED25519_ID: u8 = 1;
/// What a note begins with; the node's name follows.
const ORIGIN: &str = "lockgate/";
/// Longest note that is read, in bytes.
const NOTE_MAX_BYTES: usize = 64 * 1024;

/// Size and root of the tree at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The node whose recording it is.
    pub node: String,
    /// Number of records.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
}

/// A head with the text that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// What was signed.
    pub head: Head,
    /// The signed note, with its line feeds.
    pub note: String,
}

/// A public key with its name, in the form of signed notes: `name+hash+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

/// Why a text is no head of this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    /// The text has another form.
    #[error("it is no signed tree head")]
    Malformed,
    /// It carries no signature of this key.
    #[error("it is not signed by this key")]
    Unsigned,
    /// The signature of this key does not fit the text.
    #[error("its signature is wrong")]
    Signature,
    /// The text is no verifier key.
    #[error("a verifier key has the form name+hash+key, as `lockgate journal key` prints it")]
    Key,
}

impl SignedHead {
    /// Signs the state of `tree`.
    pub(super) fn sign(node: &str, tree: &Frontier, keys: &Keys) -> Self {
        let head = Head { node: node.to_owned(), size: tree.size(), root: tree.root() };
        let text = head.text();
        let name = name(node);
        let public = VerifierKey::of(node, keys);
        let mut signature = public.id.to_vec();
        signature.extend_from_slice(keys.signing().sign(text.as_bytes()).as_ref());
        let note = format!("{text}\n\u{2014} {name} {}\n", BASE64.encode(signature));
        Self { head, note }
    }

    /// Reads a note and checks that `key` signed it.
    ///
    /// # Errors
    /// [`HeadFault`]
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, HeadFault> {
        let (text, signatures) = split(note)?;
        let head = Head::parse(text)?;
        let mut found = Err(HeadFault::Unsigned);
        for line in signatures.lines() {
            let mut words = line.strip_prefix("\u{2014} ").ok_or(HeadFault::Malformed)?.split(' ');
            let (Some(name), Some(signature), None) = (words.next(), words.next(), words.next())
            else {
                return Err(HeadFault::Malformed);
            };
            let bytes = BASE64.decode(signature).map_err(|_| HeadFault::Malformed)?;
            let (id, signature) = bytes.split_first_chunk().ok_or(HeadFault::Malformed)?;
            if name == key.name && *id == key.id {
                found = UnparsedPublicKey::new(&ED25519, key.key)
                    .verify(text.as_bytes(), signature)
                    .map_err(|_| HeadFault::Signature);
                break;
            }
        }
        found.map(|()| Self { head, note: note.to_owned() })
    }

    /// As [`SignedHead::verify`], whatever the node was called when it signed: the key is what is
    /// trusted, and a host may get another name.
    pub(super) fn verify_renamed(note: &str, key: &VerifierKey) -> Result<Self, HeadFault> {
        let name = name(&Head::parse(split(note)?.0)?.node);
        let id = id(&name, &key.key);
        Self::verify(note, &VerifierKey { name, id, key: key.key })
    }
}

/// The notes in a file of heads, one after the other or with empty lines between them.
pub(super) fn notes(text: &str) -> Notes<'_> {
    Notes { rest: text }
}

/// Goes through a file of heads.
#[derive(Clone, Debug)]
pub(super) struct Notes<'a> {
    /// What was not read; after the last note, what is none.
    pub(super) rest: &'a str,
}

impl<'a> Iterator for Notes<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start_matches('\n');
        // A note holds one empty line, before its signatures.
        let blank = self.rest.find("\n\n")? + 2;
        let mut end = blank;
        for line in self.rest.get(blank..)?.split_inclusive('\n') {
            if !line.starts_with('\u{2014}') || !line.ends_with('\n') {
                break;
            }
            end += line.len();
        }
        let (note, behind) = self.rest.split_at_checked(end).filter(|_| end > blank)?;
        self.rest = behind;
        Some(note)
    }
}

/// Whether this may be the beginning of a note, the rest of which was not written.
pub(super) fn may_be_torn(rest: &[u8]) -> bool {
    let origin = ORIGIN.as_bytes();
    origin.starts_with(rest) || rest.starts_with(origin)
}

impl Head {
    /// The checkpoint's text, without the empty line behind it.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", name(&self.node), self.size, BASE64.encode(self.root.as_bytes()))
    }

    fn parse(text: &str) -> Result<Self, HeadFault> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(HeadFault::Malformed);
        };
        let node = origin.strip_prefix(ORIGIN).ok_or(HeadFault::Malformed)?.to_owned();
        let root = BASE64.decode(root).map_err(|_| HeadFault::Malformed)?;
        let root = root.try_into().map(Digest::from_bytes).map_err(|_| HeadFault::Malformed)?;
        let head = Self { node, size: size.parse().map_err(|_| HeadFault::Malformed)?, root };
        // One spelling only: `+7`, `007` and other base64 are other texts.
        (head.text() == text).then_some(head).ok_or(HeadFault::Malformed)
    }
}

impl VerifierKey {
    /// The public half of the key that signs `node`'s heads.
    pub fn of(node: &str, keys: &Keys) -> Self {
        let mut key = [0; 32];
        key.copy_from_slice(keys.signing().public_key().as_ref());
        let name = name(node);
        Self { id: id(&name, &key), name, key }
    }

    /// From its text.
    ///
    /// # Errors
    /// [`HeadFault::Key`]
    pub fn parse(text: &str) -> Result<Self, HeadFault> {
        let mut words = text.trim().splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (words.next(), words.next(), words.next()) else {
            return Err(HeadFault::Key);
        };
        let bytes = BASE64.decode(key).map_err(|_| HeadFault::Key)?;
        let key: [u8; 32] = match bytes.split_first() {
            Some((&ED25519_ID, key)) => key.try_into().map_err(|_| HeadFault::Key)?,
            _ => return Err(HeadFault::Key),
        };
        let id = id(name, &key);
        let parsed = Self { name: name.to_owned(), id, key };
        (u32::from_str_radix(hash, 16) == Ok(u32::from_be_bytes(id)) && hash.len() == 8)
            .then_some(parsed)
            .ok_or(HeadFault::Key)
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut key = vec![ED25519_ID];
        key.extend_from_slice(&self.key);
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), BASE64.encode(key))
    }
}

fn name(node: &str) -> String {
    format!("{ORIGIN}{node}")
}

/// The key's id: the first four bytes of SHA-256 over name, line feed, algorithm and key.
fn id(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let mut bytes = name.as_bytes().to_vec();
    bytes.extend_from_slice(&[b'\n', ED25519_ID]);
    bytes.extend_from_slice(key);
    let mut id = [0; 4];
    id.iter_mut().zip(digest(&SHA256, &bytes).as_ref()).for_each(|(to, from)| *to = *from);
    id
}

/// The signed text and the signatures of a note.
fn split(note: &str) -> Result<(&str, &str), HeadFault> {
    if note.len() > NOTE_MAX_BYTES || !note.ends_with('\n') {
        return Err(HeadFault::Malformed);
    }
    let at = note.rfind("\n\n").ok_or(HeadFault::Malformed)?;
    let (text, signatures) = note.split_at_checked(at + 1).ok_or(HeadFault::Malformed)?;
    Ok((text, signatures.strip_prefix('\n').ok_or(HeadFault::Malformed)?))
}

#[cfg(test)]
mod tests;
