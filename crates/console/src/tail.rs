//! Following the recording: what is there, then what comes, as server-sent events.
//!
//! Nothing is queued: each event is read from the journal's files when the client has room for it.
//! As there is one sequence from the first record to the next one, history meets the present
//! without a gap and without a repetition.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    time::Duration,
};

use axum::response::{IntoResponse, Response, Sse, sse};
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use lockgate_model::{ConnectionName, Event};
use tokio::time::sleep;

use crate::{
    look::Look,
    problem::{Code, Problem},
    query::Seq,
    recording::{Place, Shown, Wanted},
    stretch::Stretch,
};

/// How soon a new record is seen.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A comment is sent when nothing else was for this time.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Sessions whose connection is remembered while one connection is followed.
const SESSIONS_MAX: usize = 10_000;

/// What is followed.
pub(crate) enum Followed {
    /// Everything.
    All,
    /// One session, until it is closed.
    Session(String, Stretch),
    /// What concerns one connection.
    Connection(Sessions),
}

/// Which sessions are on the followed connection.
pub(crate) struct Sessions {
    connection: ConnectionName,
    known: HashMap<String, bool>,
}

/// The sequence number after which to go on: `Last-Event-ID` (sent on reconnecting) before `after`.
///
/// # Errors
/// [`Code::QueryInvalid`] where the header is no sequence number.
pub(crate) fn resume_after(headers: &HeaderMap, after: Option<Seq>) -> Result<u64, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(after.map_or(0, |seq| seq.0)) };
    let seq = id.to_str().ok().and_then(Seq::parse);
    seq.map(|seq| seq.0)
        .ok_or_else(|| Problem::new(Code::QueryInvalid, "Last-Event-ID is no sequence number"))
}

/// Streams what is `followed` after the record `after`.
pub(crate) fn stream(look: Look, followed: Followed, after: u64) -> Response {
    let (until, last) = (look.caller().standing().clone(), look.caller().standing().clone());
    let tail = Tail::new(look, followed, after);
    let events = stream::unfold(tail, Tail::next).take_until(async move { until.gone().await });
    let end = stream::once(async move {
        let why = if last.holds() { "closed" } else { "token" };
        sse::Event::default().event("end").data(format!("{{\"why\":\"{why}\"}}"))
    });
    let events = events.chain(end).map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(sse::KeepAlive::new().interval(HEARTBEAT)).into_response()
}

struct Tail {
    look: Look,
    followed: Followed,
    wanted: Wanted,
    /// `None` once it is over.
    place: Option<Place>,
    /// Read, not yet asked for.
    ready: VecDeque<Shown>,
}

impl Tail {
    fn new(look: Look, followed: Followed, after: u64) -> Self {
        let first = after.saturating_add(1);
        let (first, session) = match &followed {
            Followed::Session(session, stretch) => (stretch.begin(first), Some(session.clone())),
            Followed::All | Followed::Connection(_) => (first, None),
        };
        let read_events = !matches!(followed, Followed::All);
        let wanted = Wanted { session, read_events, ..Wanted::default() };
        let place = Some(look.recording().at(first));
        Self { look, followed, wanted, place, ready: VecDeque::new() }
    }

    async fn next(mut self) -> Option<(sse::Event, Self)> {
        loop {
            while let Some(shown) = self.ready.pop_front() {
                match self.followed.admits(&self.look, &shown).await {
                    Ok(true) => return Some((self.event(shown), self)),
                    Ok(false) => {}
                    Err(problem) => return Some((self.fail(&problem), self)),
                }
            }
            let place = self.place.take()?;
            let (mut place, piece) = place.piece(self.wanted.clone()).await;
            let piece = match piece {
                Ok(piece) => piece,
                Err(fault) => return Some((self.fail(&fault.into()), self)),
            };
            if let Followed::Session(_, stretch) = &self.followed {
                place = stretch.skip(place, &self.look);
            }
            self.place = Some(place);
            self.ready = piece.records.into();
            if self.ready.is_empty() && piece.at_end {
                sleep(LOOK_EVERY).await;
            }
        }
    }

    fn event(&mut self, shown: Shown) -> sse::Event {
        let closes = matches!(shown.event, Some(Event::Closed { .. }));
        if closes && matches!(self.followed, Followed::Session(..)) {
            self.place = None;
        }
        sse::Event::default().event("record").id(shown.seq.to_string()).data(shown.line)
    }

    /// Tells that it can't go on, and ends it.
    fn fail(&mut self, problem: &Problem) -> sse::Event {
        self.ready.clear();
        self.place = None;
        let event = sse::Event::default().event("problem");
        event.json_data(problem.body()).unwrap_or_default()
    }
}

impl Followed {
    async fn admits(&mut self, look: &Look, shown: &Shown) -> Result<bool, Problem> {
        match self {
            Self::All | Self::Session(..) => Ok(true),
            Self::Connection(sessions) => match &shown.event {
                Some(event) => sessions.admit(look, shown.seq, event).await,
                None => Ok(false),
            },
        }
    }
}

impl Sessions {
    pub(crate) fn on(connection: ConnectionName) -> Self {
        Self { connection, known: HashMap::new() }
    }

    async fn admit(&mut self, look: &Look, seq: u64, event: &Event) -> Result<bool, Problem> {
        let named = match event {
            Event::Opened(opened) => {
                let ours = *opened.connection == *self.connection.as_str();
                self.remember(&opened.session, ours);
                return Ok(ours);
            }
            Event::Intent(intent) => Some(&intent.connection),
            Event::Refused(refused) => refused.connection.as_ref(),
            Event::Pins { connection, .. } => Some(connection),
            _ => None,
        };
        match (named, event.session()) {
            (Some(connection), _) => Ok(**connection == *self.connection.as_str()),
            (None, None) => Ok(false),
            (None, Some(session)) => match self.known.get(session) {
                Some(ours) => Ok(*ours),
                None => self.ask(look, seq, session).await,
            },
        }
    }

    /// Asks the index, which knows every session that was opened before the record `seq` once it
    /// has come that far.
    async fn ask(&mut self, look: &Look, seq: u64, session: &str) -> Result<bool, Problem> {
        loop {
            let applied = look.index().applied(look.node()).await?;
            if let Some(row) = look.index().session(session).await? {
                let ours = *row.connection == *self.connection.as_str();
                self.remember(session, ours);
                return Ok(ours);
            }
            if applied >= seq {
                return Ok(false);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn remember(&mut self, session: &str, ours: bool) {
        if self.known.len() >= SESSIONS_MAX {
            self.known.clear();
        }
        self.known.insert(session.to_owned(), ours);
    }
}
