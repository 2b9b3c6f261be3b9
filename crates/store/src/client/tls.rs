//! TLS towards servers: rustls with aws-lc, certificates always checked. There is no setting that
//! turns the check off.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// TLS 1.2 and 1.3, trusting the authorities in `ca` alone, or those of the system.
///
/// # Errors
/// What is wrong with the authorities.
pub(crate) fn config(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities(ca)?)
        .with_no_client_auth();
    Ok(config)
}

fn authorities(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(path) = ca else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(store);
    };
    let fault = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| fault(&e))? {
        store.add(certificate.map_err(|e| fault(&e))?).map_err(|e| fault(&e))?;
    }
    if store.is_empty() { Err(fault(&"there is no certificate in it")) } else { Ok(store) }
}
