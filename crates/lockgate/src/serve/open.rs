//! From a configuration to a gateway: the policies read, the journal opened, the first Snapshot
//! built. Nothing is listened to or dialled here.

use std::sync::Arc;

use lockgate_gateway::{
    clock,
    gateway::Gateway,
    snapshot::{Blueprint, BuildFault},
    upstream::stdio::Launcher,
};
use lockgate_model::{ConnectionName, Event};
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
pub(super) fn open(loaded: &mut Loaded) -> Result<Arc<Gateway>, Failure> {
    let data = loaded.settings.data.clone();
    // Before the journal is touched, so that wrong policies leave no record of a start.
    if let Err(failure) = offline::compile(loaded)
        && !part_with_culprits(loaded)
    {
        return Err(failure);
    }
    let (journal, recovery) = offline::open_journal(loaded).map_err(Failure::unreachable)?;
    if recovery.torn_bytes > 0 {
        warn!(bytes = recovery.torn_bytes, "dropped a torn tail of the journal");
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let started = Event::Started { version, torn_bytes: recovery.torn_bytes };
    journal.append(clock::now(), &started).map_err(Failure::unreachable)?;
    let pins = offline::pins_folder(&data);
    // Made here, because it is watched.
    PinFolder::open(&pins).map_err(Failure::unreachable)?;
    let keys = Keys::open(&offline::keys_folder(&data)).map_err(Failure::unreachable)?;
    let journal = Arc::new(journal);
    let gateway = build(loaded, None, |blueprint| {
        let (journal, key) = (Arc::clone(&journal), MaskKey::new(keys.masking()));
        Gateway::open(blueprint, journal, pins.clone(), Launcher::this_program(), key)
    })?;
    for warning in &gateway.snapshot().warnings {
        warn!("{}", summary(warning));
    }
    Ok(gateway)
}

/// Makes something of what the files and the register say now. A registered connection that stands in the
/// way is left out, or, where it has one, takes part as it was `before`.
///
/// # Errors
/// Where the policies can't be read, or it is not for a registered connection that it can't be made.
pub(super) fn build<T>(
    loaded: &mut Loaded,
    before: Option<&Loaded>,
    make: impl Fn(Blueprint) -> Result<T, BuildFault>,
) -> Result<T, Failure> {
    loop {
        let policies = read_policies(&loaded.settings.policies).map_err(Failure::usage)?;
        let (settings, gone) = (loaded.gateway.clone(), loaded.gone.clone());
        let fault = match make(Blueprint { settings, policies, gone }) {
            Ok(made) => return Ok(made),
            Err(fault) => fault,
        };
        let mended = match &fault {
            BuildFault::Policies(_) => part_with_culprits(loaded),
            BuildFault::Upstream { connection, .. } | BuildFault::Connection { connection, .. } => {
                loaded.leave_out(connection, fault.to_string(), before)
            }
            BuildFault::Settings(_) | BuildFault::Issuers(_) => false,
        };
        if !mended {
            return Err(build_failure(fault));
        }
    }
}

/// Leaves out the registered connections with which the policies don't compile, each tried after those
/// before it. Gives whether it was for them.
fn part_with_culprits(loaded: &mut Loaded) -> bool {
    let compile_without = |loaded: &Loaded, names: &[ConnectionName]| {
        let mut part = loaded.clone();
        part.gateway.connections.retain(|one| !names.contains(&one.name));
        part.gone.extend_from_slice(names);
        offline::compile(&part)
    };
    let served = loaded.registered.iter().filter(|one| one.is_served());
    let mut waiting: Vec<ConnectionName> =
        served.filter_map(|one| ConnectionName::new(&one.row.name).ok()).collect();
    if waiting.is_empty() || compile_without(loaded, &waiting).is_err() {
        return false;
    }
    waiting.reverse();
    let mut found = false;
    while let Some(name) = waiting.pop() {
        if let Err(failure) = compile_without(loaded, &waiting) {
            let why = format!("the policies don't compile with it: {}", failure.summary());
            found |= loaded.leave_out(&name, why, None);
        }
    }
    found
}

/// In the words of the command line.
pub(crate) fn build_failure(fault: BuildFault) -> Failure {
    match fault {
        BuildFault::Policies(errors) => Failure::usage(errors),
        other => Failure::usage_text(other),
    }
}
