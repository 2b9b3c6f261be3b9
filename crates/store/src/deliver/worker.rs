//! One sink at work: read, send, wait for acceptance, move the place.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{sync::watch, task::spawn_blocking, time::sleep};

use crate::journal::{Elsewhere, Keys};

use super::{
    DeliverFault,
    backoff::Backoff,
    feed::{Batch, Feed, parts},
    http::Http,
    message::Message,
    place::{Place, PlaceFile},
    secret::Headers,
    settings::{Receiver, SinkSettings},
    sink::Sink,
    syslog::Syslog,
};

/// How often the journal is asked for something new.
const POLL: Duration = Duration::from_millis(500);

/// How a sink is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkState {
    /// The last record whose messages were accepted.
    pub sent_seq: u64,
    /// The first record that it still needs: nothing from here on may be removed without loss.
    pub needs_seq: u64,
    /// Why it is not getting on, in one sentence; `None` while it is.
    pub failing: Option<Arc<str>>,
    /// It was refused for good and waits for the operator.
    pub stopped: bool,
}

/// One sink. Run it in a task of its own, and drop that task to end it: what was not accepted is
/// sent again next time.
pub struct Delivery {
    name: String,
    feed: Feed,
    sink: Sink,
    place: PlaceFile,
    state: watch::Sender<SinkState>,
}

impl Delivery {
    /// A sink over the journal in `journal`, read with `keys`, whose place is kept in `places`. `node` is this
    /// gateway's name; `headers` are the resolved ones of an HTTP receiver. Dials nothing yet.
    ///
    /// # Errors
    /// [`DeliverFault::Setting`], [`DeliverFault::Place`] and [`DeliverFault::Io`].
    pub fn new(
        settings: &SinkSettings,
        headers: Headers,
        node: &str,
        journal: &Path,
        keys: &Keys,
        elsewhere: Option<&Elsewhere>,
        places: &Path,
    ) -> Result<Self, DeliverFault> {
        let sink = match &settings.to {
            Receiver::Syslog(to) => Sink::Syslog(Box::new(Syslog::new(to, node)?)),
            Receiver::Http(to) => Sink::Http(Box::new(Http::new(to, headers)?)),
        };
        let file = PlaceFile::new(places, settings.name.as_str())?;
        let place = file.load()?;
        let max = settings.message_max_bytes as usize;
        let feed = Feed::new(
            journal.to_owned(),
            keys.clone(),
            elsewhere.cloned(),
            settings.payload,
            max,
            place,
        );
        let state = watch::Sender::new(SinkState {
            sent_seq: place.sent_seq,
            needs_seq: place.read_from_seq,
            ..SinkState::default()
        });
        Ok(Self { name: settings.name.to_string(), feed, sink, place: file, state })
    }

    /// How it is doing, for readiness and metrics.
    pub fn state(&self) -> watch::Receiver<SinkState> {
        self.state.subscribe()
    }

    /// Delivers until it is refused for good. Never fails otherwise: it says why it waits.
    pub async fn run(self) {
        let Self { name, mut feed, sink, place, state } = self;
        let mut backoff = Backoff::new();
        loop {
            // Files are read on a thread that may block.
            let read = spawn_blocking(move || {
                let batch = feed.batch();
                (feed, batch)
            });
            let Ok((returned, batch)) = read.await else { return };
            feed = returned;
            match batch {
                Ok(Some(batch)) => {
                    if deliver(&name, &sink, &batch, &state).await.is_err() {
                        return;
                    }
                    keep(&name, &place, batch.then, &state).await;
                    backoff.reset();
                }
                Ok(None) => sleep(POLL).await,
                Err(fault) => {
                    failing(&name, &state, &fault);
                    sleep(backoff.next()).await;
                }
            }
        }
    }
}

/// Sends a batch until all of it was accepted.
///
/// # Errors
/// Where it never will be.
async fn deliver(
    name: &str,
    sink: &Sink,
    batch: &Batch,
    state: &watch::Sender<SinkState>,
) -> Result<(), ()> {
    for part in parts(&batch.messages) {
        send(name, sink, part, state).await?;
    }
    Ok(())
}

async fn send(
    name: &str,
    sink: &Sink,
    part: &[Message],
    state: &watch::Sender<SinkState>,
) -> Result<(), ()> {
    let mut backoff = Backoff::new();
    loop {
        match sink.send(part).await {
            Ok(()) => return Ok(()),
            Err(fault @ DeliverFault::Never(_)) => {
                tracing::error!(sink = name, %fault, "delivery stopped; mend it and restart");
                state.send_modify(|state| {
                    state.failing = Some(fault.to_string().into());
                    state.stopped = true;
                });
                return Err(());
            }
            Err(fault) => {
                failing(name, state, &fault);
                sleep(backoff.next().max(fault.wait())).await;
            }
        }
    }
}

/// Moves the place; until that succeeds, nothing more is sent.
async fn keep(name: &str, file: &PlaceFile, place: Place, state: &watch::Sender<SinkState>) {
    let mut backoff = Backoff::new();
    loop {
        let file = file.clone();
        match spawn_blocking(move || file.save(place)).await {
            Ok(Ok(())) => break,
            Ok(Err(fault)) => failing(name, state, &fault),
            // The process is ending.
            Err(_) => return,
        }
        sleep(backoff.next()).await;
    }
    let was = state.send_replace(SinkState {
        sent_seq: place.sent_seq,
        needs_seq: place.read_from_seq,
        ..SinkState::default()
    });
    if was.failing.is_some() {
        tracing::info!(sink = name, "delivery goes on");
    }
}

/// Says it once, when it begins or changes.
pub(super) fn failing(name: &str, state: &watch::Sender<SinkState>, fault: &DeliverFault) {
    let words: Arc<str> = fault.to_string().into();
    state.send_if_modified(|state| {
        let news = state.failing.as_ref() != Some(&words);
        if news {
            tracing::warn!(sink = name, %fault, "delivery waits");
            state.failing = Some(words);
        }
        news
    });
}
