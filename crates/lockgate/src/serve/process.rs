//! What the process does to itself before it touches anything secret.

use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, setrlimit, umask},
};

/// Switches core dumps off, since memory holds tokens and credentials, and lets new files be read
/// by their owner only.
///
/// # Errors
/// Where the system refuses the limit.
pub(crate) fn harden() -> rustix::io::Result<()> {
    umask(Mode::RWXG | Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
}

/// Installs the one TLS crypto provider. A second call changes nothing.
pub(crate) fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
