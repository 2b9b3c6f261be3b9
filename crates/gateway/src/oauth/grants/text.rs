//! A grant in memory, and as the text that is sealed.

use std::time::Duration;

use lockgate_model::{Reason, Refusal, Timestamp};
use lockgate_vault::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    oauth::{
        endpoint::{Endpoint, Given},
        held::span,
    },
    vault::{Fresh, KeptGrant},
};

/// What a user lets the gateway do at a server, as tokens.
pub struct Grant {
    /// Its version in the vault.
    pub(super) version: u64,
    /// The whole value of `Authorization`.
    pub authorization: Secret,
    /// What asks for the next token; without one the grant ends with its token.
    pub(super) refresh: Option<Secret>,
    /// Who gave it, and is asked for the next.
    pub(super) issuer: String,
    pub(super) renew_at: Timestamp,
    pub(super) ends: Timestamp,
    /// When the user gave it first.
    pub(super) since: Timestamp,
}

#[derive(Deserialize)]
struct Read {
    authorization: String,
    refresh: Option<String>,
    issuer: String,
}

#[derive(Serialize)]
struct Written<'a> {
    authorization: &'a str,
    refresh: Option<&'a str>,
    issuer: &'a str,
}

impl Grant {
    /// What was given at `asked`, as the version after `before`.
    ///
    /// # Errors
    /// [`Reason::CredentialIssuerInvalid`]
    pub(super) fn given(
        given: Given,
        endpoint: &Endpoint,
        asked: Timestamp,
        (version, since): (u64, Timestamp),
        before: Option<Secret>,
    ) -> Result<Self, Refusal> {
        let span = span(given.lifetime());
        let span = span.ok_or_else(|| endpoint.invalid("its token is over as soon as it is given"));
        let (renewed_after, ends_after) = span?;
        let authorization = endpoint.authorization(&given)?;
        let refresh = given.refresh_token.map(Secret::of_text).transpose();
        // The one before stays good where no other is given (RFC 6749 §6).
        let refresh =
            refresh.map_err(|_| endpoint.invalid("its refresh token is no text"))?.or(before);
        let issuer = endpoint.audience.clone();
        let after =
            |time: Duration| asked.plus_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let (renew_at, ends) = (after(renewed_after), after(ends_after));
        Ok(Self { version, authorization, refresh, issuer, renew_at, ends, since })
    }

    /// What was sealed.
    ///
    /// # Errors
    /// [`Reason::CredentialRefused`] where it is none of ours.
    pub(super) fn read(kept: &KeptGrant) -> Result<Self, Refusal> {
        let refused = || Refusal::new(Reason::CredentialRefused, "a grant does not have its form");
        let read: Read = serde_json::from_str(kept.text.expose()).map_err(|_| refused())?;
        let secret = |text| Secret::of_text(text).map_err(|_| refused());
        Ok(Self {
            version: kept.version,
            authorization: secret(read.authorization)?,
            refresh: read.refresh.map(secret).transpose()?,
            issuer: read.issuer,
            renew_at: kept.renew_at,
            ends: kept.ends,
            since: kept.since,
        })
    }

    /// As it is sealed.
    ///
    /// # Errors
    /// [`Reason::CredentialIssuerInvalid`] where it is longer than a secret may be.
    pub(super) fn text(&self) -> Result<Secret, Refusal> {
        let written = Written {
            authorization: self.authorization.expose(),
            refresh: self.refresh.as_ref().map(Secret::expose),
            issuer: &self.issuer,
        };
        let text = serde_json::to_string(&written).unwrap_or_default();
        Secret::of_text(text).map_err(|fault| {
            let detail = format!("{}: its tokens can't be sealed: {fault}", self.issuer);
            Refusal::new(Reason::CredentialIssuerInvalid, detail)
        })
    }

    /// With `text`, what is put into the vault.
    pub(super) const fn fresh<'a>(&self, text: &'a Secret) -> Fresh<'a> {
        Fresh { text, renew_at: self.renew_at, ends: self.ends }
    }

    /// Whether it is time to ask for the next token.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.renew_at && self.refresh.is_some()
    }
}
