//! Puts the service's own credential on a cleared call. The client's never comes this far, and this
//! one never comes back: it lives between here and the upstream's socket.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue};
use lockgate_mcp::headers;
use lockgate_model::{Reason, Refusal};

use super::{clear::Right, outcome::OpenCall, parse::Part, respond::Stop};
use crate::{
    clearance::Clearance,
    secret::Secret,
    settings::UpstreamSettings,
    upstream::{Outgoing, Verb},
};

/// A call as it will leave.
pub struct Armed {
    /// What must be recorded of its end.
    pub open: OpenCall,
    /// The right to send it.
    pub clearance: Clearance,
    /// What is sent.
    pub outgoing: Outgoing,
}

/// The credential headers of one upstream. Clones share the one secret, and its renewal.
#[derive(Clone)]
pub struct Credential(Arc<ArcSwap<Held>>);

type Held = Result<Vec<(HeaderName, Secret)>, Refusal>;

/// Dresses the call for its upstream.
///
/// # Errors
/// [`Reason::CredentialUnavailable`]
pub fn arm(right: Right) -> Result<Armed, Stop> {
    let Right { open, clearance } = right;
    let item = &open.item;
    let mut headers = headers::toward_upstream(&open.caller.headers, item.call.era);
    if let Err(refusal) = open.caller.connection.credential.arm(&mut headers) {
        return Err(open.refuse(refusal));
    }
    let outgoing = Outgoing {
        era: item.call.era,
        verb: match item.part {
            Part::Request | Part::Notification | Part::Response => Verb::Post,
            Part::Listen => Verb::Get,
            Part::End => Verb::Delete,
        },
        headers,
        body: item.body.clone(),
        session: item.session.as_ref().map(|session| session.key.clone()),
    };
    Ok(Armed { open, clearance, outgoing })
}

impl Credential {
    /// Reads the credential of an HTTP upstream from its places; a child process gets its own
    /// through its environment. What can't be read is refused at each call, so that one missing
    /// secret stops one connection only.
    pub fn of(upstream: &UpstreamSettings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(read(upstream))))
    }

    /// The same credential, read again from its places.
    #[must_use]
    pub fn renewed(&self, upstream: &UpstreamSettings) -> Self {
        self.0.store(Arc::new(read(upstream)));
        self.clone()
    }

    /// Puts the credential into the headers of a message to the upstream.
    ///
    /// # Errors
    /// [`Reason::CredentialUnavailable`]
    pub fn arm(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        for (name, secret) in self.0.load().as_ref().as_ref().map_err(Refusal::clone)? {
            headers.insert(name.clone(), value(secret)?);
        }
        Ok(())
    }

    /// Why calls are refused at this stage, where they are.
    ///
    /// # Errors
    /// [`Reason::CredentialUnavailable`]
    pub fn check(&self) -> Result<(), Refusal> {
        self.0.load().as_ref().as_ref().map(|_| ()).map_err(Refusal::clone)
    }
}

fn read(upstream: &UpstreamSettings) -> Held {
    let UpstreamSettings::Http(http) = upstream else { return Ok(Vec::new()) };
    let headers = http.headers.iter().map(|(name, place)| {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| unavailable("a credential header's name is no header name"))?;
        let secret = place.resolve()?;
        value(&secret)?;
        Ok((name, secret))
    });
    headers.collect()
}

fn value(secret: &Secret) -> Result<HeaderValue, Refusal> {
    let mut value = HeaderValue::from_str(secret.expose())
        .map_err(|_| unavailable("a credential holds bytes that no header carries"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unavailable(detail: &'static str) -> Refusal {
    Refusal::new(Reason::CredentialUnavailable, detail)
}
