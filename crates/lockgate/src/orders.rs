//! What a person on the machine does to the recording or the vault, or looks at, put on the record: by
//! this process where no gateway runs, else by the gateway, which finds the order in a folder of the
//! data folder.
//!
//! Whoever can write there owns the recording anyway; the folder is its owner's alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_gateway::clock;
use lockgate_model::Event;
use lockgate_store::journal::{Journal, JournalFault};
use tokio::time::sleep;

use crate::{
    config::Loaded,
    failure::Failure,
    offline,
    place::{create_private_folder, write_private},
};

/// How often the gateway looks for orders.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long an order may take.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// An order that was left behind for this long is nobody's any more.
const STALE: Duration = Duration::from_secs(60);

/// Puts `event` on the record, durably, and does what it says.
///
/// # Errors
/// Where the journal can't be written, or what it says may not be done now.
pub(crate) fn carry_out(loaded: &Loaded, event: Event) -> Result<(), Failure> {
    match offline::open_journal(loaded) {
        Ok((journal, _)) => {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.map_err(Failure::unreachable)?;
            runtime.block_on(record(&journal, event)).map_err(Failure::unreachable)
        }
        Err(JournalFault::Locked { .. }) => hand_over(&loaded.settings.data, &event),
        Err(fault) => Err(Failure::unreachable(fault)),
    }
}

/// Who this process runs for, as records name it.
pub(crate) fn local_user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    format!("local:{}", name.unwrap_or_else(|| uid.to_string()))
}

async fn record(journal: &Journal, event: Event) -> Result<(), JournalFault> {
    let now = clock::now();
    match event {
        Event::Kept(kept) => journal.keep(now, kept).await.map(drop),
        event => journal.synced(journal.append(now, &event)?).await,
    }
}

/// Leaves the order for the gateway, and waits for its answer.
fn hand_over(data: &Path, event: &Event) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::unreachable(format_args!("can't leave an order: {error}"));
    let folder = folder(data);
    create_private_folder(&folder).map_err(failed)?;
    let id = clock::random_id().map_err(Failure::unreachable)?;
    let (draft, order, done) =
        (folder.join(&id), folder.join(format!("{id}.order")), folder.join(format!("{id}.done")));
    let text = serde_json::to_vec(event).map_err(Failure::bug)?;
    write_private(&draft, &text).and_then(|()| fs::rename(&draft, &order)).map_err(failed)?;
    let began = Instant::now();
    while began.elapsed() < WAIT_MAX {
        if let Ok(answer) = fs::read_to_string(&done) {
            // It is the gateway's word that counts, not the file.
            let _ = fs::remove_file(&done);
            return if answer.is_empty() { Ok(()) } else { Err(Failure::unreachable(answer)) };
        }
        std::thread::sleep(LOOK_EVERY / 4);
    }
    let _ = fs::remove_file(&order);
    Err(Failure::unreachable("the running gateway did not take the order"))
}

/// The gateway's side: takes orders until it is dropped.
pub(crate) async fn take_orders(journal: Arc<Journal>, data: PathBuf) {
    loop {
        sleep(LOOK_EVERY).await;
        for order in waiting(&folder(data.as_path())) {
            let answer = match take(&journal, &order).await {
                Ok(()) => String::new(),
                Err(why) => why,
            };
            let done = order.with_extension("done");
            let left = done.with_extension("answer");
            let written = write_private(&left, answer.as_bytes());
            let written = written.and_then(|()| fs::rename(&left, &done));
            if let Err(error) = written.and_then(|()| fs::remove_file(&order)) {
                tracing::error!(%error, order = %order.display(), "an order can't be answered");
            }
        }
    }
}

async fn take(journal: &Journal, order: &Path) -> Result<(), String> {
    let bytes = fs::read(order).map_err(|error| error.to_string())?;
    match serde_json::from_slice(&bytes) {
        Ok(
            event @ (Event::Viewed(_) | Event::Kept(_) | Event::Vault(_) | Event::Connections(_)),
        ) => record(journal, event).await.map_err(|fault| fault.to_string()),
        _ => Err("it is no order".to_owned()),
    }
}

fn waiting(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut orders = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "order") {
            orders.push(path);
        } else if age(&path).is_some_and(|age| age > STALE) {
            // An answer that nobody fetched.
            let _ = fs::remove_file(&path);
        }
    }
    orders.sort();
    orders
}

fn age(path: &Path) -> Option<Duration> {
    fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()
}

fn folder(data: &Path) -> PathBuf {
    data.join("orders")
}
