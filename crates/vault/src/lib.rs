//! Secrets sealed under keys that live elsewhere than the sealed texts: what the gateway keeps for its
//! upstreams, so that neither the database nor the keys alone give anything away.
//!
//! Each secret has a data key of its own, and that one is wrapped under a key of the [`Keyring`], which
//! a [`KeySource`] reads from a file or a variable, or somebody outside unwraps as [`VaultKey`]s. [`About`] says what a secret is for, and a text that
//! was sealed for anything else does not open. [`stream`] seals something long under a passphrase. This is the only room that sees key bytes; it stores no
//! sealed text, and decides nothing.

mod about;
mod cipher;
mod fault;
mod keyring;
mod keys;
mod sealed;
mod secret;
pub mod stream;

pub use about::{About, Purpose};
pub use fault::{KeyFault, VaultFault};
pub use keyring::Keyring;
pub use keys::{KeyId, KeySource, VaultKey};
pub use sealed::Sealed;
pub use secret::{SECRET_MAX_BYTES, Secret, SecretFault};
