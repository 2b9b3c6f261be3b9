//! What a person on the machine does to the recording, the vault, the connections or somebody's access, or
//! looks at, put on the record: by this process where no gateway runs, else by the gateway, which finds the order in a
//! folder of the data folder. A server is tested by the gateway in the same way.
//!
//! Whoever can write there owns the recording anyway; the folder is its owner's alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_gateway::{clock, gateway::Gateway};
use lockgate_model::{ConnectionName, Event};
use lockgate_store::journal::{Journal, JournalFault};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    config::Loaded,
    failure::Failure,
    offline,
    place::{create_private_folder, write_private},
    probe::{self, Report, TEST_MAX},
};

/// How often the gateway looks for orders.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The ends of the names of orders: an event to be put on the record, and a connection to be tested…
const ORDER: &str = "order";
const TEST: &str = "test";
/// … and of one that is being tested.
const TAKEN: &str = "taken";
/// Tests at a time; others wait.
const TESTS_MAX: usize = 4;
/// How long an order may take.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// An order that was left behind for this long is nobody's any more.
const STALE: Duration = Duration::from_secs(300);

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

/// In whose name something is changed, and how that is put on the record before.
pub(crate) struct Author {
    /// As records name them.
    pub(crate) by: String,
    record: Box<dyn Fn(Event) -> Result<(), Failure>>,
}

impl Author {
    /// Whoever runs this process.
    pub(crate) fn local(loaded: &Loaded) -> Self {
        let loaded = loaded.clone();
        Self { by: local_user(), record: Box::new(move |event| carry_out(&loaded, event)) }
    }

    /// Somebody who asks the running gateway, whose journal this is. Made within its runtime, and used on
    /// a thread that may wait.
    pub(crate) fn at(by: String, journal: Arc<Journal>) -> Self {
        let runtime = tokio::runtime::Handle::current();
        let put =
            move |event| runtime.block_on(record(&journal, event)).map_err(Failure::unreachable);
        Self { by, record: Box::new(put) }
    }

    /// Puts `event` on the record, durably.
    ///
    /// # Errors
    /// Where the journal can't be written.
    pub(crate) fn record(&self, event: Event) -> Result<(), Failure> {
        (self.record)(event)
    }

    /// Puts a change on the record, durably; then makes it, and gives how that went. Where it failed, the
    /// record says so too, in the event that `failed` makes of it.
    ///
    /// # Errors
    /// Where it can't be recorded; then nothing was made.
    pub(crate) fn change<T, E>(
        &self,
        change: Event,
        failed: impl FnOnce(&E) -> Event,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Result<T, E>, Failure> {
        self.record(change)?;
        // The failure itself is what the caller must learn.
        Ok(make().inspect_err(|fault| drop(self.record(failed(fault)))))
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

/// Has the gateway that runs on the data folder test the server of a connection.
///
/// # Errors
/// Where it does not take the order, or has no such connection.
pub(crate) fn have_tested(loaded: &Loaded, name: &ConnectionName) -> Result<Report, Failure> {
    let text = name.as_str().as_bytes();
    let answer = leave(&loaded.settings.data, TEST, text, TEST_MAX + WAIT_MAX)?;
    let report: Result<Report, String> = serde_json::from_str(&answer).map_err(Failure::bug)?;
    report.map_err(Failure::no)
}

fn hand_over(data: &Path, event: &Event) -> Result<(), Failure> {
    let text = serde_json::to_vec(event).map_err(Failure::bug)?;
    let answer = leave(data, ORDER, &text, WAIT_MAX)?;
    if answer.is_empty() { Ok(()) } else { Err(Failure::unreachable(answer)) }
}

/// Leaves an order of this kind for the gateway, and waits for its answer.
fn leave(data: &Path, kind: &str, text: &[u8], wait_max: Duration) -> Result<String, Failure> {
    let failed =
        |error: io::Error| Failure::unreachable(format_args!("can't leave an order: {error}"));
    let folder = folder(data);
    create_private_folder(&folder).map_err(failed)?;
    let id = clock::random_id().map_err(Failure::unreachable)?;
    let (draft, order, done) =
        (folder.join(&id), folder.join(format!("{id}.{kind}")), folder.join(format!("{id}.done")));
    write_private(&draft, text).and_then(|()| fs::rename(&draft, &order)).map_err(failed)?;
    let began = Instant::now();
    while began.elapsed() < wait_max {
        if let Ok(answer) = fs::read_to_string(&done) {
            // It is the gateway's word that counts, not the file.
            let _ = fs::remove_file(&done);
            return Ok(answer);
        }
        std::thread::sleep(LOOK_EVERY / 4);
    }
    let _ = fs::remove_file(&order);
    Err(Failure::unreachable("the running gateway did not take the order"))
}

/// The gateway's side: takes orders until it is dropped.
pub(crate) async fn take_orders(gateway: Arc<Gateway>, data: PathBuf) {
    let mut tests = JoinSet::new();
    loop {
        sleep(LOOK_EVERY).await;
        for order in waiting(&folder(data.as_path()), ORDER) {
            let answer = match take(&gateway.ground.journal, &order).await {
                Ok(()) => String::new(),
                Err(why) => why,
            };
            answered(&order, &answer);
        }
        // A test takes its time, which no other order should wait for.
        while tests.try_join_next().is_some() {}
        for order in waiting(&folder(data.as_path()), TEST) {
            let taken = order.with_extension(TAKEN);
            if tests.len() < TESTS_MAX && fs::rename(&order, &taken).is_ok() {
                let (gateway, data) = (Arc::clone(&gateway), data.clone());
                tests.spawn(async move {
                    let report = tested(&gateway, &data, &taken).await;
                    let answer = serde_json::to_string(&report).unwrap_or_default();
                    answered(&taken, &answer);
                });
            }
        }
    }
}

async fn tested(gateway: &Gateway, data: &Path, order: &Path) -> Result<Report, String> {
    let name = fs::read_to_string(order).map_err(|error| error.to_string())?;
    let name = ConnectionName::new(&name).map_err(|fault| fault.to_string())?;
    let snapshot = gateway.snapshot();
    let settings = &snapshot.blueprint.settings;
    if snapshot.connection(&name).is_none() {
        return Err(format!("the running gateway does not serve `{name}`; its log says why"));
    }
    let (journal, vault) = (&gateway.ground.journal, Arc::clone(&gateway.ground.vault));
    Ok(probe::test(settings, &name, data, journal, vault).await)
}

/// Leaves the answer to an order, and takes the order away.
fn answered(order: &Path, answer: &str) {
    let done = order.with_extension("done");
    let left = done.with_extension("answer");
    let written = write_private(&left, answer.as_bytes());
    let written = written.and_then(|()| fs::rename(&left, &done));
    if let Err(error) = written.and_then(|()| fs::remove_file(order)) {
        tracing::error!(%error, order = %order.display(), "an order can't be answered");
    }
}

async fn take(journal: &Journal, order: &Path) -> Result<(), String> {
    let bytes = fs::read(order).map_err(|error| error.to_string())?;
    match serde_json::from_slice(&bytes) {
        Ok(
            event @ (Event::Viewed(_)
            | Event::Kept(_)
            | Event::Vault(_)
            | Event::Connections(_)
            | Event::Revocations(_)),
        ) => record(journal, event).await.map_err(|fault| fault.to_string()),
        _ => Err("it is no order".to_owned()),
    }
}

fn waiting(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut orders = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        let extension = path.extension().unwrap_or_default();
        if extension == kind {
            orders.push(path);
        } else if extension != ORDER
            && extension != TEST
            && age(&path).is_some_and(|age| age > STALE)
        {
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
