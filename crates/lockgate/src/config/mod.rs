//! Configuration: `lockgate.yaml`, the policies beside it, `LOCKGATE_…` variables and flags, and the
//! registered connections, once somebody has read them.
//!
//! A flag wins over a variable, a variable over the file, the file over the default. Reads files
//! and is handed the environment; opens no socket and resolves no secret.

mod documents;
mod fault;
mod load;
mod located;
mod origin;
mod overlay;
mod paths;
mod policies;
mod registered;
mod settings;
mod validate;

pub(crate) use documents::read_documents;
pub(crate) use fault::{ConfigFault, suggestion, without_types};
pub(crate) use load::{ConfigArgs, Loaded, load};
pub(crate) use origin::Entry;
pub(crate) use overlay::leaves;
pub(crate) use paths::local_paths;
pub(crate) use policies::read_policies;
pub(crate) use registered::{Registered, Standing, literal_secrets, sparse};
pub(crate) use settings::{LogFormat, LogLevel, LogSettings, Settings, connection_url};

/// How YAML is read: keys once, no merge keys, `yes` and `no` as text, and no snippet in the
/// error, because ours says more.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}
