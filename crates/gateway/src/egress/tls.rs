//! TLS towards servers: rustls with aws-lc, certificates always checked. There is no setting that
//! turns the check off.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use lockgate_model::Timestamp;
use lockgate_vault::Secret;
use rustls::{
    ClientConfig, InconsistentKeys, RootCertStore,
    client::ResolvesClientCert,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::EgressFault;

/// A certificate with its key, by which the gateway shows itself.
pub struct Identity {
    shown: Arc<SingleCertAndKey>,
    /// The first and the last moment at which it is valid.
    valid: [Timestamp; 2],
}

/// Why a certificate and a key are no [`Identity`]. Quotes nothing of them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// No certificate to be read.
    #[error("there is no certificate in PEM")]
    Certificate,
    /// No private key to be read, or of a kind that nothing here signs with.
    #[error("there is no private key in PEM (PKCS #8, PKCS #1 or SEC 1) that can be used")]
    Key,
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate")]
    Mismatch,
}

/// The system's authorities, read once: there are many, and every client shares them.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(system);

/// TLS 1.2 and 1.3, trusting the authorities in `ca` alone, or those of the system.
pub(super) fn config(ca: Option<&Path>) -> Result<ClientConfig, EgressFault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| EgressFault::Authorities(error.to_string()))?
        .with_root_certificates(authorities(ca)?)
        .with_no_client_auth();
    Ok(config)
}

fn authorities(ca: Option<&Path>) -> Result<Arc<RootCertStore>, EgressFault> {
    let Some(path) = ca else { return Ok(Arc::clone(&SYSTEM)) };
    let fault = |error: &dyn std::fmt::Display| {
        EgressFault::Authorities(format!("{}: {error}", path.display()))
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| fault(&e))? {
        store.add(certificate.map_err(|e| fault(&e))?).map_err(|e| fault(&e))?;
    }
    if store.is_empty() {
        Err(fault(&"there is no certificate in it"))
    } else {
        Ok(Arc::new(store))
    }
}

/// A system without authorities is one where nothing is dialled with TLS, which is fine for a
/// gateway whose upstreams are all private or stdio: a warning, no fault.
fn system() -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        tracing::warn!("the system has no certificate authorities: https will fail");
    }
    Arc::new(store)
}

impl Identity {
    /// Reads a certificate chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    /// [`IdentityFault`]
    pub fn read(certificate: &Secret, key: &Secret) -> Result<Self, IdentityFault> {
        let chain = CertificateDer::pem_slice_iter(certificate.expose().as_bytes());
        let chain: Vec<_> =
            chain.collect::<Result<_, _>>().map_err(|_| IdentityFault::Certificate)?;
        let leaf = chain.first().ok_or(IdentityFault::Certificate)?;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| IdentityFault::Certificate)?;
        let valid = [leaf.validity().not_before, leaf.validity().not_after];
        let valid = valid.map(|time| Timestamp::from_seconds(time.timestamp()));
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
        let key = key.map_err(|_| IdentityFault::Key)?;
        let provider = aws_lc_rs::default_provider();
        let shown = match CertifiedKey::from_der(chain, key, &provider) {
            Ok(shown) => shown,
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(IdentityFault::Mismatch);
            }
            Err(_) => return Err(IdentityFault::Key),
        };
        Ok(Self { shown: Arc::new(SingleCertAndKey::from(shown)), valid })
    }

    /// Whether it is valid at this moment, to the second.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        let [from, to] = self.valid;
        from <= now && now <= to.plus_millis(999)
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        Arc::clone(&self.shown) as Arc<dyn ResolvesClientCert>
    }
}
