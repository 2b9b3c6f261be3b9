//! Certificate and key of the listening socket, from PEM files.

use std::{path::Path, sync::Arc};

use lockgate_gateway::settings::TlsSettings;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{config::Loaded, failure::Failure};

/// What the listener offers: TLS 1.2 and 1.3 with HTTP/1.1, or `None` for plain TCP.
///
/// # Errors
/// Where a file can't be read, or certificate and key don't belong together.
pub(super) fn offered(loaded: &Loaded) -> Result<Option<Arc<ServerConfig>>, Failure> {
    loaded.gateway.listen.tls.as_ref().map(config).transpose()
}

fn config(settings: &TlsSettings) -> Result<Arc<ServerConfig>, Failure> {
    let TlsSettings { certificate, key } = settings;
    let wrong = |file: &Path, why: &dyn std::fmt::Display| {
        Failure::usage_text(format_args!("listen.tls: `{}`: {why}", file.display()))
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
        .map_err(|error| wrong(certificate, &error))?
        .collect();
    let chain = chain.map_err(|error| wrong(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| wrong(certificate, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
