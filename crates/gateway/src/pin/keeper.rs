//! The pins of one connection at work: listed when due, saved, recorded, and asked by the stages.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use lockgate_model::{ConnectionName, Digest, Event, Reason, Refusal};
use lockgate_store::{
    journal::Journal,
    pins::{InstructionsPin, PinFault, PinFolder, PinKind, Pins},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{PinBook, Stale, Standing, instructions};
use crate::{clock, settings::PinMode, upstream::catalogue::Lister};

/// Below the folder of the pins: what was last seen of each connection, for `lockgate pins` to
/// show and accept while the gateway runs.
pub const SEEN_FOLDER: &str = "seen";

/// Listings of one upstream are at least this far apart, however often it tells of changes (D5).
const LISTING_MIN: Duration = Duration::from_secs(1);

/// A client's list that differs from the last listing makes the next call look again at most this
/// often, so that a server that shows every client something else slows nobody down.
const DOUBT_MIN: Duration = Duration::from_secs(30);

/// The pins of one connection.
pub struct PinKeeper {
    connection: ConnectionName,
    lister: Lister,
    journal: Arc<Journal>,
    accepted: PinFolder,
    seen: PinFolder,
    stale: Stale,
    changed: Arc<Notify>,
    book: Mutex<PinBook>,
    /// The count of [`Stale`] that the last good listing holds for, plus one; 0 before the first.
    holds: AtomicU64,
    /// Counts the changes of what is accepted.
    generation: AtomicU64,
    listing: tokio::sync::Mutex<Listing>,
    doubted: Mutex<Option<Instant>>,
}

/// The last listing.
#[derive(Debug, Default)]
struct Listing {
    began: Option<Instant>,
    failed: Option<Refusal>,
}

impl PinKeeper {
    /// Reads what was accepted from `folder`. `changed` is notified whenever accepted definitions
    /// changed, because policies are compiled against them; `stale` is marked by whoever sees the
    /// upstream tell of a change.
    ///
    /// # Errors
    /// [`PinFault`] where the files can't be read; they are never taken for empty ones.
    pub fn open(
        mode: PinMode,
        folder: &Path,
        lister: Lister,
        journal: Arc<Journal>,
        stale: Stale,
        changed: Arc<Notify>,
    ) -> Result<Self, PinFault> {
        let accepted = PinFolder::open(folder)?;
        let seen = PinFolder::open(&folder.join(SEEN_FOLDER))?;
        let connection = lister.connection().clone();
        let book = PinBook::new(mode, accepted.load(&connection)?);
        Ok(Self {
            connection,
            lister,
            journal,
            accepted,
            seen,
            stale,
            changed,
            book: Mutex::new(book),
            holds: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            listing: tokio::sync::Mutex::default(),
            doubted: Mutex::default(),
        })
    }

    /// What is accepted; `None` where nothing ever was.
    pub fn accepted(&self) -> Option<Pins> {
        self.book().accepted().cloned()
    }

    /// Reads the accepted pins again, after someone else changed the file.
    ///
    /// # Errors
    /// [`PinFault`]; what was accepted before then still stands.
    pub fn reload(&self) -> Result<(), PinFault> {
        let accepted = self.accepted.load(&self.connection)?;
        self.book().accept(accepted);
        self.generation.fetch_add(1, SeqCst);
        Ok(())
    }

    /// How often what is accepted has changed; what was compiled at one count holds until it
    /// differs.
    pub fn generation(&self) -> u64 {
        self.generation.load(SeqCst)
    }

    /// The accepted definition under `name`, for a call of it. Lists the upstream first where
    /// nothing was seen since the start, or it told of a change.
    ///
    /// # Errors
    /// [`Reason::PinNew`], [`Reason::PinChanged`], [`Reason::TargetUnknown`],
    /// [`Reason::CatalogueMissing`] where the upstream can't be listed, or
    /// [`Reason::CredentialGrantMissing`] where no caller lets that be done yet.
    pub async fn check_call(
        self: &Arc<Self>,
        kind: PinKind,
        name: &str,
    ) -> Result<Digest, Refusal> {
        self.refresh().await?;
        match self.book().standing(kind, name) {
            Standing::Accepted(digest) => Ok(digest),
            Standing::New => Err(Refusal::new(Reason::PinNew, "nobody accepted this definition")),
            Standing::Changed => {
                Err(Refusal::new(Reason::PinChanged, "the definition is not the accepted one"))
            }
            Standing::Absent => {
                Err(Refusal::new(Reason::TargetUnknown, "the server lists nothing of this name"))
            }
        }
    }

    /// Whether one item of a list may be shown to a client. What may not be shown makes the next
    /// call look again.
    pub fn shows(&self, kind: PinKind, name: &str, digest: Digest) -> bool {
        let mut book = self.book();
        let before = book.standing(kind, name);
        let now = book.sight(kind, name, digest);
        drop(book);
        if now != before {
            self.doubt();
        }
        matches!(now, Standing::Accepted(_))
    }

    fn doubt(&self) {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        if doubted.is_none_or(|last| last.elapsed() >= DOUBT_MIN) {
            *doubted = Some(Instant::now());
            self.stale.mark();
        }
    }

    /// Whether a client may be given these instructions.
    pub fn admits_instructions(&self, digest: Option<Digest>) -> bool {
        let admits = self.book().admits_instructions(digest);
        if !admits {
            tracing::warn!(connection = %self.connection, "instructions withheld: not accepted");
        }
        admits
    }

    /// Lists the upstream where that is due. Of calls that come at once, one does it for all.
    ///
    /// # Errors
    /// [`Reason::CatalogueMissing`] where it can't be listed, or the result can't be kept.
    pub async fn refresh(self: &Arc<Self>) -> Result<(), Refusal> {
        if self.is_fresh() {
            return Ok(());
        }
        let arrived = Instant::now();
        let keeper = Arc::clone(self);
        // A task of its own, so that a caller who leaves does not undo it for the others.
        let flight = tokio::spawn(async move { keeper.list_if_due(arrived).await });
        flight.await.map_err(|_| Refusal::new(Reason::Internal, "the listing failed"))?
    }

    /// Whether the last listing still holds.
    pub fn is_fresh(&self) -> bool {
        self.holds.load(SeqCst) == self.stale.count() + 1
    }

    async fn list_if_due(&self, arrived: Instant) -> Result<(), Refusal> {
        let mut listing = self.listing.lock().await;
        if let Some(began) = listing.began {
            // One that began after the caller came is as good as his own; one that failed just
            // now would fail again.
            match &listing.failed {
                None if self.is_fresh() || began >= arrived => return Ok(()),
                Some(refusal) if began >= arrived || began.elapsed() < LISTING_MIN => {
                    return Err(refusal.clone());
                }
                _ => sleep_until(began + LISTING_MIN).await,
            }
        }
        listing.began = Some(Instant::now());
        let count = self.stale.count();
        let outcome = self.list().await;
        if outcome.as_ref().is_err_and(|refusal| refusal.reason == Reason::CredentialGrantMissing) {
            // The server was not asked, and the next caller may let it be.
            *listing = Listing::default();
            return outcome;
        }
        if outcome.is_ok() {
            self.holds.store(count + 1, SeqCst);
        }
        listing.failed = outcome.as_ref().err().cloned();
        outcome
    }

    async fn list(&self) -> Result<(), Refusal> {
        let catalogue = self.lister.list().await.map_err(|refusal| {
            if refusal.reason == Reason::CredentialGrantMissing {
                return refusal;
            }
            tracing::warn!(connection = %self.connection, %refusal, "upstream can't be listed");
            let detail = format!("the upstream can't be listed ({})", refusal.reason.code());
            Refusal::new(Reason::CatalogueMissing, detail)
        })?;
        self.take(&catalogue.pins())
    }

    /// Keeps and records what a listing showed.
    fn take(&self, seen: &Pins) -> Result<(), Refusal> {
        let findings = self.book().examine(seen);
        if let Some(pins) = &findings.accept {
            self.accepted.save(&self.connection, pins).map_err(|fault| {
                Refusal::new(Reason::CatalogueMissing, format!("pins can't be kept: {fault}"))
            })?;
        }
        // What was seen is for people to look at and accept, so it is never older than the last
        // listing; the pins hold without it.
        if let Err(fault) = self.seen.save(&self.connection, seen) {
            tracing::warn!(connection = %self.connection, %fault, "seen definitions not saved");
        }
        if let Some(summary) = findings.summary {
            tracing::warn!(connection = %self.connection, summary, "definitions");
            let connection = self.connection.to_string();
            self.journal
                .append(clock::now(), &Event::Pins { connection, summary })
                .map_err(|fault| Refusal::new(Reason::JournalUnavailable, fault.to_string()))?;
        }
        let mut book = self.book();
        book.observe(seen);
        if let Some(pins) = findings.accept {
            book.accept(Some(pins));
            self.generation.fetch_add(1, SeqCst);
            self.changed.notify_one();
        }
        Ok(())
    }

    /// A panic while the lock was held leaves at worst one entry unseen, which is refused.
    fn book(&self) -> MutexGuard<'_, PinBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What instructions are pinned as; empty text is none.
pub(crate) fn pin_instructions(text: &str) -> Option<InstructionsPin> {
    let digest = instructions::digest_of(text)?;
    Some(InstructionsPin { digest, text: text.to_owned() })
}
