//! The client certificate that an upstream asks for in TLS: read from its places, checked, read again
//! while calls go on. A certificate that can't be shown is a refusal; there is no connection without it.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use lockgate_model::{ConnectionName, Reason, Refusal};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::{
    clock,
    egress::{self, Client, EgressRules, Identity, IdentityFault},
    settings::CertificateSettings,
    vault::Vault,
};

/// It is read again this often; a change of it takes effect within this time.
const FRESH: Duration = Duration::from_secs(5);

/// What dials an upstream with a client certificate. A new certificate gets a pool of its own, so that
/// no connection outlives the one that it was made with.
pub(super) struct Certified {
    connection: ConnectionName,
    settings: CertificateSettings,
    rules: EgressRules,
    vault: Arc<Vault>,
    known: tokio::sync::Mutex<Option<Known>>,
    /// Why it could not be used last; `None` where it could.
    refused: std::sync::Mutex<Option<Refusal>>,
}

struct Known {
    read: Instant,
    digest: [u8; 32],
    identity: Identity,
    client: Client,
}

impl Certified {
    pub(super) fn new(
        connection: ConnectionName,
        settings: CertificateSettings,
        rules: EgressRules,
        vault: Arc<Vault>,
    ) -> Self {
        let (known, refused) = (tokio::sync::Mutex::default(), std::sync::Mutex::default());
        Self { connection, settings, rules, vault, known, refused }
    }

    /// A client that shows the certificate.
    ///
    /// # Errors
    /// [`Reason::CredentialCertificateExpired`], [`Reason::CredentialCertificateMismatch`], and what
    /// [`crate::secret::SecretRef::fetch`] gives.
    pub(super) async fn client(&self) -> Result<Client, Refusal> {
        let client = self.current().await;
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) =
            client.as_ref().err().cloned();
        client
    }

    /// What [`Self::client`] said last.
    ///
    /// # Errors
    /// As [`Self::client`].
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        refused.map_or(Ok(()), Err)
    }

    async fn current(&self) -> Result<Client, Refusal> {
        let mut known = self.known.lock().await;
        let current = match known.take() {
            Some(fresh) if fresh.read.elapsed() < FRESH => fresh,
            before => self.read(before).await?,
        };
        if !current.identity.is_valid(clock::now()) {
            let detail =
                format!("the certificate at `{}` is not valid now", self.settings.certificate);
            return Err(Refusal::new(Reason::CredentialCertificateExpired, detail));
        }
        let client = current.client.clone();
        *known = Some(current);
        Ok(client)
    }

    /// The same again where nothing changed.
    async fn read(&self, before: Option<Known>) -> Result<Known, Refusal> {
        let CertificateSettings { certificate, key } = &self.settings;
        let read = Instant::now();
        let chain = certificate.fetch(&self.vault, &self.connection).await?;
        let secret = key.fetch(&self.vault, &self.connection).await?;
        let mut digest = Sha256::new();
        for part in [&chain, &secret] {
            digest.update(part.expose().len().to_be_bytes());
            digest.update(part.expose());
        }
        let digest = digest.finalize().into();
        if let Some(same) = before.filter(|before| before.digest == digest) {
            return Ok(Known { read, ..same });
        }
        let identity = Identity::read(&chain, &secret).map_err(|fault| match fault {
            IdentityFault::Mismatch => {
                let detail =
                    format!("the key at `{key}` is not of the certificate at `{certificate}`");
                Refusal::new(Reason::CredentialCertificateMismatch, detail)
            }
            IdentityFault::Certificate => {
                Refusal::new(Reason::CredentialUnavailable, format!("`{certificate}`: {fault}"))
            }
            IdentityFault::Key => {
                Refusal::new(Reason::CredentialUnavailable, format!("`{key}`: {fault}"))
            }
        })?;
        let client = egress::client_as(&self.rules, &identity)
            .map_err(|fault| Refusal::new(Reason::CredentialUnavailable, fault.to_string()))?;
        Ok(Known { read, digest, identity, client })
    }
}
