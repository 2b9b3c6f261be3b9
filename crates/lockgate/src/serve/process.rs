//! What the process does to itself before it touches anything secret.

use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};

use crate::failure::Failure;

/// Switches core dumps off, since memory holds tokens and credentials, and other processes' looks
/// into it, since a handler that the system pipes dumps to ignores the limit. Lets new files be read
/// by their owner only, and installs the one TLS crypto provider. A second call changes nothing.
///
/// # Errors
/// Where the system refuses either.
pub(crate) fn prepare() -> Result<(), Failure> {
    umask(Mode::RWXG | Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| Failure::unreachable(format_args!("core dumps stay on: {error}")))?;
    // An error says that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Ok(())
}
