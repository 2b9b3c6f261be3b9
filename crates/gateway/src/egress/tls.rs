//! TLS towards servers: rustls with aws-lc, certificates always checked. There is no setting that
//! turns the check off.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::EgressFault;

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
