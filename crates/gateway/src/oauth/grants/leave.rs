//! The end of a grant whose user lost their access for good: nobody uses it any more, and nobody may find
//! it. Of several gateways one ends it.

use lockgate_model::{Person, Reason, Refusal, VaultChange};

use super::{Grant, Grants, named, renew::CLAIM_MS};
use crate::clock;

impl Grants {
    /// Ends this user's grant in the name of who took their access away: on the record, here, and then at
    /// the authorization server where it has a place for that (RFC 7009). Gives whether there is none now;
    /// else another gateway is at it, and it is to be tried again.
    ///
    /// # Errors
    /// As [`Grants::disconnect`]: where it goes on, it is to be tried again.
    pub async fn end(&self, person: &Person, by: &str) -> Result<bool, Refusal> {
        let (vault, holder) = (&self.0.server.vault, self.0.holder(person));
        let grant = match vault.grant(&holder).await {
            Ok(None) => return Ok(true),
            Ok(Some(kept)) => Grant::read(&kept).ok(),
            Err(refusal) if refusal.reason == Reason::CredentialUnreachable => return Err(refusal),
            // What does not open any more is of use to nobody.
            Err(_) => None,
        };
        let (version, now) = (vault.grant_version(&holder).await?, clock::now());
        let until = now.plus_millis(CLAIM_MS);
        if !vault.claim_grant(&holder, version, &self.0.run, now, until).await? {
            return Ok(false);
        }
        let (connection, user) = (self.0.server.connection.to_string(), named(person));
        self.0.on_record(by, VaultChange::Disconnect { connection, user }).await?;
        vault.remove_grant(&holder, version, clock::now()).await?;
        self.0.forget(person);
        if let Some(grant) = grant
            && let Err(refusal) = self.revoke(&grant).await
        {
            tracing::warn!(%refusal, "a server could not be told that a grant is over");
        }
        Ok(true)
    }
}
