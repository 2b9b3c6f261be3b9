//! What the caller may not see is taken out of a message of the server, before it is recorded and
//! before any of it leaves. Policy says who sees which class; a message that can't be searched to its
//! end does not leave.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use lockgate_mcp::{outcome::HANDLES, sse};
use lockgate_model::{Action, Reason, Refusal};
use lockgate_rules::mask::{
    self as engine, Held, Issued, Known, KnownValue, MaskFault, MaskKey, Masked, Masker,
    NOTHING_KNOWN, Reveal, mask_json, mask_text,
};
use serde_json::Value;
use tokio::task::block_in_place;

use super::{judge::ask, outcome::OpenCall};
use crate::{
    clock,
    settings::{ConnectionSettings, OnFailure},
    snapshot::Snapshot,
    tokens,
};

/// From this size on, other calls on the thread do not wait for the search, in bytes.
const APART_BYTES: usize = 256 * 1024;

/// How often values of each class were masked.
pub type Counts = BTreeMap<String, u32>;

/// What a search found.
pub(super) struct Found {
    /// The message without it; `None` where it is as it came.
    pub(super) bytes: Option<Bytes>,
    /// How often each class was masked.
    pub(super) counts: Counts,
    issued: Vec<Issued>,
}

/// Whether anything is masked on the connection.
pub fn is_on(open: &OpenCall) -> bool {
    let snapshot = open.gateway.snapshot();
    !settings(&snapshot, open).masking.mask.is_empty()
}

/// Whether what an event says beside its message may be seen: comments, and fields that nobody reads.
pub fn is_quiet(open: &OpenCall, event: &sse::Event) -> bool {
    let beside = event.beside();
    if beside.is_empty() || !is_on(open) {
        return true;
    }
    let (view, known, reveal) = (View::of(open), &NOTHING_KNOWN, Reveal::nothing());
    mask_text(&view.masker(known, &reveal), &beside)
        .is_ok_and(|masked| owned(masked).counts.is_empty())
}

/// The message as the caller of `open` may see it.
///
/// # Errors
/// [`Reason::MaskFailed`]
pub async fn mask(open: &OpenCall, body: Bytes) -> Result<(Bytes, Counts), Refusal> {
    if !is_on(open) {
        return Ok((body, Counts::new()));
    }
    let known = known(known_in(open, &body).await?)?;
    let view = View::of(open);
    let work = || view.search(&known, &body);
    let found = if body.len() < APART_BYTES { work() } else { block_in_place(work) }?;
    Ok((found.bytes.unwrap_or(body), found.counts))
}

/// Notifications that were held as the caller may see them: those that need not wait, or `all`.
///
/// # Errors
/// [`Reason::MaskFailed`]
pub fn mask_held(
    open: &OpenCall,
    held: &mut Held,
    values: impl IntoIterator<Item = KnownValue>,
    all: bool,
) -> Result<Vec<(Bytes, Counts)>, Refusal> {
    let (view, known) = (View::of(open), known(values)?);
    let mut reveal = Reveal::nothing();
    if view.may_reveal() {
        let classes = held.classes(&view.masker(&known, &reveal)).map_err(failed)?;
        reveal = Reveal::classes(view.revealed(classes));
    }
    let masked = held.take(&view.masker(&known, &reveal), all).map_err(failed)?;
    let shown = masked.into_iter().map(|(_, masked)| {
        let mut found = owned(masked);
        view.note(&mut found);
        (found.bytes.unwrap_or_default(), found.counts)
    });
    Ok(shown.collect())
}

/// The values that are known to stand in a message: what the connection's recognisers find in it, and what
/// its call put in place of tokens.
///
/// # Errors
/// [`Reason::MaskFailed`] where a recogniser can't be asked and that is not to pass.
pub async fn known_in(open: &OpenCall, body: &[u8]) -> Result<Vec<KnownValue>, Refusal> {
    let (snapshot, item) = (open.gateway.snapshot(), &open.item);
    let settings = settings(&snapshot, open);
    let mut values = item.put_back.clone();
    // Lists hold definitions, which people looked at one by one; the detectors do for them.
    if settings.recognisers.is_empty() || item.call.action == Action::Protocol {
        return Ok(values);
    }
    let texts = engine::texts(body).map_err(failed)?;
    for name in &settings.recognisers {
        let found = snapshot.recognisers.iter().find(|one| one.settings.name == *name);
        let missing = || Refusal::new(Reason::MaskFailed, "a recogniser is not configured");
        let recogniser = found.ok_or_else(missing)?;
        match recogniser.look(&texts).await {
            Ok(found) => values.extend(found),
            Err(fault) if recogniser.settings.on_failure == OnFailure::Pass => {
                tracing::warn!(recogniser = name, %fault, "an answer passes without it");
            }
            Err(fault) => {
                let why = format!("recogniser `{name}`: {fault}");
                return Err(Refusal::new(Reason::MaskFailed, why));
            }
        }
    }
    Ok(values)
}

fn known(values: impl IntoIterator<Item = KnownValue>) -> Result<Known, Refusal> {
    let too_much = || Refusal::new(Reason::MaskFailed, "a recogniser found too much");
    Known::new(values).ok_or_else(too_much)
}

/// The newest version decides, however old the stream is.
fn settings<'s>(snapshot: &'s Snapshot, open: &'s OpenCall) -> &'s ConnectionSettings {
    let connection = snapshot.connection(open.caller.connection.name());
    &connection.unwrap_or(&open.caller.connection).settings
}

/// What one caller may see, by the newest version.
struct View<'a> {
    open: &'a OpenCall,
    snapshot: Arc<Snapshot>,
    key: MaskKey,
}

impl<'a> View<'a> {
    fn of(open: &'a OpenCall) -> Self {
        let (gateway, caller) = (&open.gateway, &open.caller);
        let key = tokens::key(&gateway.mask_key, &caller.identity, caller.connection.name());
        Self { open, snapshot: gateway.snapshot(), key }
    }

    fn masker<'m>(&'m self, known: &'m Known, reveal: &'m Reveal) -> Masker<'m> {
        let settings = &settings(&self.snapshot, self.open).masking;
        let masker = Masker::new(&self.snapshot.detectors, settings, &self.key, reveal);
        Masker { handles: HANDLES, known, paths: false, ..masker }
    }

    fn search(&self, known: &Known, body: &[u8]) -> Result<Found, Refusal> {
        let look = |reveal: &Reveal| mask_json(&self.masker(known, reveal), body).map(owned);
        let mut found = look(&Reveal::nothing()).map_err(failed)?;
        if !found.counts.is_empty() && self.may_reveal() {
            let shown = self.revealed(found.counts.keys().cloned());
            if !shown.is_empty() {
                found = look(&Reveal::classes(shown)).map_err(failed)?;
            }
        }
        self.note(&mut found);
        Ok(found)
    }

    fn may_reveal(&self) -> bool {
        let caller = &self.open.caller;
        self.snapshot.policies.may_reveal(&caller.identity, caller.connection.name())
    }

    /// The classes of these that policy shows to the caller.
    fn revealed(&self, classes: impl IntoIterator<Item = String>) -> Vec<String> {
        let target = self.open.item.call.action.target();
        let shows = |class: &String| {
            let action = Action::Reveal { class: class.clone(), target: target.to_owned() };
            ask(&self.snapshot, &self.open.caller, &action, &Value::Null).is_allow()
        };
        classes.into_iter().filter(shows).collect()
    }

    /// Keeps what tokens stand for, before the caller has them.
    fn note(&self, found: &mut Found) {
        let (tokens, caller) = (&self.open.gateway.tokens, &self.open.caller);
        let issued = std::mem::take(&mut found.issued);
        tokens.note(&caller.identity, caller.connection.name(), issued, clock::now());
    }
}

pub(super) fn failed(fault: MaskFault) -> Refusal {
    Refusal::new(Reason::MaskFailed, fault.to_string())
}

pub(super) fn owned(masked: Masked<'_>) -> Found {
    let mut counts = Counts::new();
    for report in masked.reports.iter().filter(|report| report.masked) {
        match counts.get_mut(report.class.name()) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(counts.insert(report.class.to_string(), 1)),
        }
    }
    let bytes = match masked.bytes {
        Cow::Borrowed(_) => None,
        Cow::Owned(bytes) => Some(bytes.into()),
    };
    Found { bytes, counts, issued: masked.issued }
}
