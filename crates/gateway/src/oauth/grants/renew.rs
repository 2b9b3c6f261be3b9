//! The next token of a grant: asked for by the one process that has claimed the grant, and in the vault
//! before anybody uses it.
//!
//! A process that dies between the authorization server's answer and the vault has used up a refresh
//! token whose successor nobody knows. Where the server gives a new one each time, the next try is
//! answered with `invalid_grant`, and the user consents anew; where it does not, the old one still works.

use std::time::Duration;

use lockgate_model::{Person, Reason, Refusal, VaultChange};
use lockgate_vault::Secret;
use tokio::time::{Instant, sleep, timeout};

use super::{Grant, Inner, named};
use crate::{
    clock,
    oauth::{Located, client::Form, endpoint::NotGiven, slot::WAIT_MAX},
    vault::Holder,
};

/// A claim ends by itself after this time: longer than the answer and the vault may take together.
pub(super) const CLAIM_MS: i64 = 40_000;
/// How often it is looked whether another process is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What there is.
pub(super) enum Found {
    /// A grant to be used.
    Good(Grant),
    /// One that could not be renewed yet, and has not ended.
    Serves(Grant, Refusal),
    /// None, or none any more.
    Missing,
}

enum Renewed {
    Done(Grant),
    /// Somebody else is at it, or was.
    Elsewhere,
    /// The server has ended it.
    Over,
}

impl Inner {
    /// The grant as it is in the vault, renewed where that is due, or where the upstream refused the
    /// token of this version.
    pub(super) async fn current(
        &self,
        person: &Person,
        rejected: Option<u64>,
    ) -> Result<Found, Refusal> {
        let (holder, begun) = (self.holder(person), Instant::now());
        loop {
            let Some(kept) = self.server.vault.grant(&holder).await? else {
                return Ok(Found::Missing);
            };
            let (grant, now) = (Grant::read(&kept)?, clock::now());
            let serves = rejected != Some(grant.version) && now < grant.ends;
            if serves && !grant.is_due(now) {
                return Ok(Found::Good(grant));
            }
            let Some(refresh) = &grant.refresh else { return Ok(Found::Missing) };
            let late = || {
                let detail = format!("no other gateway renewed it within {} s", WAIT_MAX.as_secs());
                Refusal::new(Reason::CredentialIssuerUnreachable, detail)
            };
            match self.renew(&holder, person, &grant, refresh).await {
                Ok(Renewed::Done(grant)) => return Ok(Found::Good(grant)),
                Ok(Renewed::Over) => return Ok(Found::Missing),
                Ok(Renewed::Elsewhere) if serves => return Ok(Found::Serves(grant, late())),
                Ok(Renewed::Elsewhere) if begun.elapsed() < WAIT_MAX => sleep(LOOK_EVERY).await,
                Ok(Renewed::Elsewhere) => return Err(late()),
                Err(refusal) if serves => return Ok(Found::Serves(grant, refusal)),
                Err(refusal) => return Err(refusal),
            }
        }
    }

    async fn renew(
        &self,
        holder: &Holder,
        person: &Person,
        grant: &Grant,
        refresh: &Secret,
    ) -> Result<Renewed, Refusal> {
        let (vault, version, now) = (&self.server.vault, grant.version, clock::now());
        let until = now.plus_millis(CLAIM_MS);
        if !vault.claim_grant(holder, version, &self.run, now, until).await? {
            return Ok(Renewed::Elsewhere);
        }
        let late = |_| {
            let detail = format!("no token within {} s", WAIT_MAX.as_secs());
            NotGiven::from(Refusal::new(Reason::CredentialIssuerUnreachable, detail))
        };
        let asked = timeout(WAIT_MAX, self.next(grant, refresh)).await.map_err(late);
        match asked.and_then(|asked| asked) {
            Ok(next) => {
                let (text, run, now) = (next.text()?, Some(&*self.run), clock::now());
                let put =
                    vault.put_grant(holder, next.version, run, &next.fresh(&text), now).await?;
                Ok(if put { Renewed::Done(next) } else { Renewed::Elsewhere })
            }
            Err(NotGiven { code: Some(code), .. }) if code == "invalid_grant" => {
                let (connection, user) = (self.server.connection.to_string(), named(person));
                self.on_record("gateway", VaultChange::Disconnect { connection, user }).await?;
                vault.remove_grant(holder, version, clock::now()).await?;
                Ok(Renewed::Over)
            }
            Err(NotGiven { refusal, .. }) => {
                // What can't be released ends by itself.
                drop(vault.release_grant(holder, &self.run).await);
                Err(refusal)
            }
        }
    }

    /// RFC 6749 §6.
    async fn next(&self, grant: &Grant, refresh: &Secret) -> Result<Grant, NotGiven> {
        let server = &self.server;
        let Located { endpoint, resource, .. } = server.locate().await?;
        if endpoint.audience != grant.issuer {
            // The server's own metadata must not say who is shown what another one gave.
            let detail =
                format!("{}: another authorization server gave the grant", endpoint.audience);
            let refusal = Refusal::new(Reason::CredentialIssuerRefused, detail);
            return Err(NotGiven { refusal, code: Some("invalid_grant".to_owned()) });
        }
        let mut form: Form = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", refresh.expose().to_owned()),
        ];
        if server.settings.resource {
            form.push(("resource", resource));
        }
        let (secret, asked) = (server.secret().await?, clock::now());
        let given = endpoint.give(&server.issuer, &server.client(secret.as_deref()), form).await?;
        let before = Secret::of_text(refresh.expose().to_owned()).ok();
        let next = (grant.version + 1, grant.since);
        Ok(Grant::given(given, &endpoint, asked, next, before)?)
    }
}
