//! Access taken away and given back, as commands and the admin API do it: on the record first, then in the
//! store, from which every gateway learns of it within a second.

use lockgate_gateway::clock;
use lockgate_model::{
    Event, KeptRevocation, Revocation, RevocationsChange, RevocationsEvent, Revoked, Timestamp,
};
use lockgate_store::{
    db::DbPlace,
    revocations::{Revocations, RevocationsFault},
};

use crate::{
    config::Loaded,
    failure::Failure,
    offline,
    orders::{self, Author},
    serve::runtime,
};

/// A new revocation by whoever runs this process.
///
/// # Errors
/// Where the system gives no randomness.
pub(crate) fn by_local_user(
    target: Revoked,
    reason: String,
    issued_until: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Revocation, Failure> {
    let id = clock::random_id().map_err(Failure::unreachable)?;
    Ok(Revocation {
        id: format!("r{id}"),
        target,
        issued_until,
        reason,
        by: orders::local_user(),
        at: clock::now(),
        until,
    })
}

/// Puts a revocation on the record, and makes it.
///
/// # Errors
/// Where it can't be recorded, and where it can't be made.
pub(crate) fn make(loaded: &Loaded, revocation: &Revocation) -> Result<(), Failure> {
    let change = RevocationsChange::Revoked(vec![revocation.clone()]);
    carry_out(loaded, change, async |store, _| {
        store.make(std::slice::from_ref(revocation), clock::now()).await.map(drop)
    })
}

/// Puts on the record that a revocation is lifted, and lifts it.
///
/// # Errors
/// Where there is none with this id, and as [`make`].
pub(crate) fn lift(loaded: &Loaded, id: &str, reason: &str) -> Result<(), Failure> {
    if ask(loaded, async |store| store.get(id).await)?.is_none() {
        return Err(Failure::no(RevocationsFault::Unknown(id.to_owned())));
    }
    let change = RevocationsChange::Lifted { id: id.to_owned(), reason: reason.to_owned() };
    carry_out(loaded, change, async |store, by| store.lift(id, by, clock::now()).await)
}

/// The newest revocations: those that stand at a moment, or all.
///
/// # Errors
/// Where they can't be read.
pub(crate) fn list(
    loaded: &Loaded,
    standing_at: Option<Timestamp>,
) -> Result<Vec<KeptRevocation>, Failure> {
    ask(loaded, async |store| store.list(standing_at).await)
}

/// Asks the store; nothing is revoked where it would be in a file that is not there.
fn ask<T: Default>(
    loaded: &Loaded,
    what: impl AsyncFnOnce(&Revocations) -> Result<T, RevocationsFault>,
) -> Result<T, Failure> {
    let place = offline::revocations_place(loaded)?;
    if matches!(&place, DbPlace::Sqlite(file) if !file.exists()) {
        return Ok(T::default());
    }
    runtime()?.block_on(async {
        let store = Revocations::open(&place).await.map_err(Failure::unreachable)?;
        let answer = what(&store).await.map_err(Failure::unreachable);
        store.close().await;
        answer
    })
}

/// Does it in the name of whoever runs this process.
fn carry_out(
    loaded: &Loaded,
    change: RevocationsChange,
    make: impl AsyncFnOnce(&Revocations, &str) -> Result<(), RevocationsFault>,
) -> Result<(), Failure> {
    let author = Author::local(loaded);
    let event = |change| Event::Revocations(RevocationsEvent { by: author.by.clone(), change });
    let (place, runtime) = (offline::revocations_place(loaded)?, runtime()?);
    // Opened first: what can't be made should not be on record as if it were.
    let store = runtime.block_on(Revocations::open(&place)).map_err(Failure::unreachable)?;
    let failed =
        |fault: &RevocationsFault| event(RevocationsChange::Failed { why: fault.to_string() });
    let made = author.change(event(change), failed, || {
        runtime.block_on(async {
            let made = make(&store, &author.by).await;
            store.close().await;
            made
        })
    })?;
    made.map_err(|fault| Failure::unreachable(format_args!("nothing was changed: {fault}")))
}
