//! What users let the gateway do for them, sealed and opened: the vault's side of a grant. Knows nothing
//! of authorization servers, and asks none.

use std::{future::Future, time::Duration};

use lockgate_model::{Refusal, Timestamp};
use lockgate_store::{
    db::DbFault,
    secrets::{GrantOf, NewGrant, SecretsFault},
};
use lockgate_vault::{About, Purpose, Secret};
use tokio::time::{Instant, timeout};

use super::{
    Vault,
    sealed::{ASK_MAX, Opened, unreachable},
};

/// A change that the database does not take is tried again for so long.
const PUT_MAX: Duration = Duration::from_secs(10);
/// With so long between two tries.
const PUT_EVERY: Duration = Duration::from_millis(250);

/// A grant as it was opened.
pub(crate) struct KeptGrant {
    /// Its version.
    pub(crate) version: u64,
    /// The text that was sealed.
    pub(crate) text: Secret,
    /// When it is to be renewed.
    pub(crate) renew_at: Timestamp,
    /// When its access token ends.
    pub(crate) ends: Timestamp,
    /// When the user gave it first.
    pub(crate) since: Timestamp,
}

/// A grant to be sealed.
pub(crate) struct Fresh<'a> {
    /// The text.
    pub(crate) text: &'a Secret,
    /// When it is to be renewed.
    pub(crate) renew_at: Timestamp,
    /// When its access token ends.
    pub(crate) ends: Timestamp,
}

/// Whose grant it is, and where it may be used.
pub(crate) struct Holder {
    /// The row.
    pub(crate) of: GrantOf,
    /// SHA-256 of where it may be used.
    pub(crate) place: String,
}

impl Vault {
    /// The grant of this holder, opened; `None` where there is none for this place.
    ///
    /// # Errors
    /// [`lockgate_model::Reason::CredentialUnreachable`] and [`lockgate_model::Reason::CredentialRefused`].
    pub(crate) async fn grant(&self, holder: &Holder) -> Result<Option<KeptGrant>, Refusal> {
        let opened = self.opened_for(holder)?;
        let row = asked(holder, opened.secrets.find_grant(&holder.of)).await?;
        let Some(row) = row.filter(|row| row.place == holder.place) else { return Ok(None) };
        let Some(sealed) = &row.sealed else { return Ok(None) };
        let name = holder.name();
        let text = opened.unseal(&holder.about(&name, row.version), sealed).await?;
        let (version, since) = (row.version, row.created);
        Ok(Some(KeptGrant { version, text, renew_at: row.renew_at, ends: row.ends, since }))
    }

    /// The newest version that a holder's grant has or had; 0 where there never was one.
    ///
    /// # Errors
    /// [`lockgate_model::Reason::CredentialUnreachable`]
    pub(crate) async fn grant_version(&self, holder: &Holder) -> Result<u64, Refusal> {
        let row = asked(holder, self.opened_for(holder)?.secrets.find_grant(&holder.of)).await?;
        Ok(row.map_or(0, |row| row.version))
    }

    /// Seals this version of a grant and puts it in the place of the one before; `false` where somebody
    /// else put that version or has claimed it. A database that is away is asked again for a while: what
    /// was given can't be had twice.
    ///
    /// # Errors
    /// [`lockgate_model::Reason::CredentialUnreachable`] and [`lockgate_model::Reason::CredentialRefused`]; then nothing was put, or it
    /// is not known whether it was.
    pub(crate) async fn put_grant(
        &self,
        holder: &Holder,
        version: u64,
        claimant: Option<&str>,
        fresh: &Fresh<'_>,
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        let (opened, begun, name) = (self.opened_for(holder)?, Instant::now(), holder.name());
        loop {
            let key = opened.sealing_key(&name).await?;
            let keys = opened.keys.load_full();
            let sealed = keys.seal(key, &holder.about(&name, version), fresh.text);
            let sealed = sealed.map_err(|fault| super::sealed::refused(&name, &fault))?.to_text();
            let new = NewGrant {
                of: &holder.of,
                place: &holder.place,
                version,
                claimant,
                sealing_key: &key.to_string(),
                sealed: &sealed,
                renew_at: fresh.renew_at,
                ends: fresh.ends,
                now,
            };
            let why = match timeout(ASK_MAX, opened.secrets.put_grant(&new)).await {
                Ok(Ok(())) => return Ok(true),
                Ok(Err(SecretsFault::Overtaken)) => return Ok(false),
                Ok(Err(fault)) => fault.to_string(),
                Err(_) => "the vault's database does not answer".to_owned(),
            };
            if begun.elapsed() >= PUT_MAX {
                return Err(unreachable(&name, why));
            }
            tokio::time::sleep(PUT_EVERY).await;
        }
    }

    /// Claims this version of a grant until then, to renew it. Gives whether nobody else has it.
    ///
    /// # Errors
    /// [`lockgate_model::Reason::CredentialUnreachable`]
    pub(crate) async fn claim_grant(
        &self,
        holder: &Holder,
        version: u64,
        claimant: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Refusal> {
        let secrets = &self.opened_for(holder)?.secrets;
        asked(holder, secrets.claim_grant(&holder.of, version, claimant, now, until)).await
    }

    /// Ends a claim under which nothing was changed.
    ///
    /// # Errors
    /// [`lockgate_model::Reason::CredentialUnreachable`]; the claim then ends by itself.
    pub(crate) async fn release_grant(
        &self,
        holder: &Holder,
        claimant: &str,
    ) -> Result<(), Refusal> {
        let secrets = &self.opened_for(holder)?.secrets;
        asked(holder, secrets.release_grant(&holder.of, claimant)).await
    }

    /// Removes this version of a grant. Gives whether it was there.
    ///
    /// # Errors
    /// [`lockgate_model::Reason::CredentialUnreachable`]
    pub(crate) async fn remove_grant(
        &self,
        holder: &Holder,
        version: u64,
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        let secrets = &self.opened_for(holder)?.secrets;
        asked(holder, secrets.remove_grant(&holder.of, version, now)).await
    }

    fn opened_for(&self, holder: &Holder) -> Result<&Opened, Refusal> {
        let opened = self.opened.get();
        opened.ok_or_else(|| unreachable(holder.name(), "the vault is not open yet"))
    }
}

impl Holder {
    /// How the sealed text is bound to its user and its place.
    fn name(&self) -> String {
        self.of.name_at(&self.place)
    }

    fn about<'a>(&'a self, name: &'a str, version: u64) -> About<'a> {
        let connection = Some(self.of.connection.as_str());
        About { purpose: Purpose::Grant, connection, name, version }
    }
}

async fn asked<T>(
    holder: &Holder,
    asking: impl Future<Output = Result<T, DbFault>>,
) -> Result<T, Refusal> {
    match timeout(ASK_MAX, asking).await {
        Ok(answered) => answered.map_err(|fault| unreachable(holder.name(), fault)),
        Err(_) => Err(unreachable(holder.name(), "the vault's database does not answer")),
    }
}
