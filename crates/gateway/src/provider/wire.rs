//! One call to somebody who keeps secrets, bounded in time and size, by whatever protocol.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use lockgate_vault::Secret;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::ProviderFault;
use crate::{body, egress::Client};

/// Each call must be answered within this time.
pub(super) const CALL_MAX: Duration = Duration::from_secs(3);
/// Where it can't be reached, nobody else tries within this time.
const AWAY: Duration = Duration::from_secs(1);
/// A connection must stand within this time.
pub(super) const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// An answer is at most this long, in bytes: what a key-value engine keeps under one path.
const ANSWER_MAX_BYTES: usize = 2 * 1024 * 1024;
/// The longest text that a key is wrapped as, in bytes; ours come to some hundred.
const WRAPPED_MAX_BYTES: usize = 8 * 1024;

/// The way there.
pub(super) struct Wire {
    client: Client,
    /// Since when it can't be reached, and why.
    away: Mutex<Option<(Instant, ProviderFault)>>,
}

/// Borrowed from the answer, so that no field but the wanted one is copied.
pub(super) type Fields<'a> = HashMap<String, &'a RawValue>;

/// What an answer means, by its status and its body; an error where it is no success.
pub(super) type Judge = fn(StatusCode, &[u8]) -> Result<(), ProviderFault>;

impl Wire {
    pub(super) fn new(client: Client) -> Self {
        Self { client, away: Mutex::default() }
    }

    /// Asks, and gives the answer where that is a success. Who waited behind a call that nobody answered
    /// is not kept waiting once more.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub(super) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        judge: Judge,
    ) -> Result<Bytes, ProviderFault> {
        let away = || self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let known = away().clone().filter(|(since, _)| since.elapsed() < AWAY);
        if let Some((_, fault)) = known {
            return Err(fault);
        }
        let answered = self.send(request, judge).await;
        *away() = match &answered {
            Err(fault @ ProviderFault::Unreachable(_)) => Some((Instant::now(), fault.clone())),
            _ => None,
        };
        answered
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        judge: Judge,
    ) -> Result<Bytes, ProviderFault> {
        let answered = async {
            let answer = self.client.send(request).await;
            let answer = answer.map_err(|refusal| unusable(&refusal.detail))?;
            let status = answer.status();
            let read = body::read(answer.into_body(), ANSWER_MAX_BYTES).await;
            // What is no success is that also where its body can't be read.
            judge(status, read.as_deref().unwrap_or_default())?;
            read.map_err(|_| unusable("its answer broke off, or is too long"))
        };
        let late = |_| unusable(&format!("no answer within {} s", CALL_MAX.as_secs()));
        timeout(CALL_MAX, answered).await.map_err(late)?
    }
}

/// A body of JSON.
///
/// # Errors
/// [`ProviderFault::Unreachable`], which does not happen to our own types.
pub(super) fn json(value: &impl Serialize) -> Result<Bytes, ProviderFault> {
    let bytes = serde_json::to_vec(value).map(Zeroizing::new);
    // Wiped when the last part of it was sent.
    bytes.map(Bytes::from_owner).map_err(|_| unusable("it can't be asked that"))
}

/// Reads an answer.
///
/// # Errors
/// [`ProviderFault::Unreachable`]: something else answers there.
pub(super) fn parse<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, ProviderFault> {
    // The library's words may quote what it read.
    serde_json::from_slice(answer).map_err(|_| unusable("its answer is not of the known form"))
}

/// The text of one field.
///
/// # Errors
/// [`ProviderFault::Missing`]
pub(super) fn field(fields: &Fields<'_>, name: &str) -> Result<Secret, ProviderFault> {
    let missing = |what: &str| ProviderFault::Missing(what.to_owned());
    let field = fields.get(name).ok_or_else(|| missing("it has no such field"))?;
    secret(field).ok_or_else(|| missing("the field is no text, or none that is sent"))
}

/// A text in an answer; `None` where it is none, or none that is sent anywhere.
pub(super) fn secret(text: &RawValue) -> Option<Secret> {
    Secret::of_text(serde_json::from_str(text.get()).ok()?).ok()
}

/// A key as it was wrapped.
///
/// # Errors
/// [`ProviderFault::Unreachable`]: something else answers there.
pub(super) fn wrapped(text: String) -> Result<String, ProviderFault> {
    let fits = (1..=WRAPPED_MAX_BYTES).contains(&text.len());
    fits.then_some(text).ok_or_else(|| unusable("what it wrapped is not of the known form"))
}

pub(super) fn unusable(why: &str) -> ProviderFault {
    ProviderFault::Unreachable(why.to_owned())
}
