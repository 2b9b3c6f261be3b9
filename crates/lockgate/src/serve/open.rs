//! From a configuration to a gateway: the policies read, the journal opened, the first Snapshot
//! built. Nothing is listened to or dialled here.

use std::sync::Arc;

use lockgate_gateway::{
    clock,
    gateway::Gateway,
    snapshot::{Blueprint, BuildFault},
    upstream::stdio::Launcher,
};
use lockgate_model::Event;
use lockgate_rules::mask::MaskKey;
use lockgate_store::{journal::Keys, pins::PinFolder};
use tracing::warn;

use crate::{
    config::{Loaded, read_policies},
    failure::{Failure, summary},
    offline,
};

/// Opens the journal, puts the start on the record, and builds the first Snapshot.
///
/// # Errors
/// Where the policies are wrong, or the data folder can't be used.
pub(super) fn open(loaded: &Loaded) -> Result<Arc<Gateway>, Failure> {
    let data = &loaded.settings.data;
    // Before the journal is touched, so that wrong policies leave no record of a start.
    offline::compile(loaded)?;
    let blueprint = blueprint(loaded)?;
    let (journal, recovery) = offline::open_journal(loaded).map_err(Failure::unreachable)?;
    if recovery.torn_bytes > 0 {
        warn!(bytes = recovery.torn_bytes, "dropped a torn tail of the journal");
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let started = Event::Started { version, torn_bytes: recovery.torn_bytes };
    journal.append(clock::now(), &started).map_err(Failure::unreachable)?;
    let pins = offline::pins_folder(data);
    // Made here, because it is watched.
    PinFolder::open(&pins).map_err(Failure::unreachable)?;
    let keys = Keys::open(&offline::keys_folder(data)).map_err(Failure::unreachable)?;
    let (journal, key) = (Arc::new(journal), MaskKey::new(keys.masking()));
    let gateway = Gateway::open(blueprint, journal, pins, Launcher::this_program(), key)
        .map_err(build_failure)?;
    for warning in &gateway.snapshot().warnings {
        warn!("{}", summary(warning));
    }
    Ok(gateway)
}

/// What the files say now.
///
/// # Errors
/// Where the policies can't be read.
pub(super) fn blueprint(loaded: &Loaded) -> Result<Blueprint, Failure> {
    let policies = read_policies(&loaded.settings.policies).map_err(Failure::usage)?;
    Ok(Blueprint { settings: loaded.gateway.clone(), policies })
}

/// In the words of the command line.
pub(crate) fn build_failure(fault: BuildFault) -> Failure {
    match fault {
        BuildFault::Policies(errors) => Failure::usage(errors),
        other => Failure::usage_text(other),
    }
}
