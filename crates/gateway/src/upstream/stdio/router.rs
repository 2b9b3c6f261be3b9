//! Which answer each message of a child belongs to. A response goes to the request that waits for
//! it, progress to the request that asked for it, and the rest by whether the child is one
//! client's own or shared. Of a shared child, nothing is delivered that does not name its
//! recipient: a guess could show one client what was meant for another.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use lockgate_mcp::{
    json::JsonLimits,
    message::{self, Body, Message, Notification, Outcome, Response},
};
use lockgate_model::{Reason, Refusal, RequestId};

use super::{
    queue::{Arrival, Outlet},
    remap::{Original, subscription},
};
use crate::pin::Stale;

/// Messages kept for a client that has no stream open; the oldest go first.
const STRAY_MAX: usize = 64;
const STRAY_MAX_BYTES: usize = 1024 * 1024;

/// The open exchanges of one child.
pub(super) struct Router {
    limits: JsonLimits,
    stale: Stale,
    table: Mutex<Table>,
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routed {
    /// Somebody gets it.
    Delivered,
    /// A message that nobody waits for.
    Dropped,
    /// No message at all.
    Garbage,
}

/// One request on its way.
pub(super) struct Exchange {
    /// Where its answer goes.
    pub(super) outlet: Outlet,
    /// The progress token, as the child knows it.
    pub(super) token: Option<RequestId>,
    /// How to undo the change of ids; absent where none was made.
    pub(super) original: Option<Original>,
    /// Whether it is `subscriptions/listen`.
    pub(super) listens: bool,
}

#[derive(Default)]
struct Table {
    exchanges: HashMap<RequestId, (u64, Exchange)>,
    opened: u64,
    get: Option<Outlet>,
    stray: VecDeque<Bytes>,
    closed: Option<Refusal>,
}

impl Router {
    pub(super) fn new(limits: JsonLimits, stale: Stale) -> Self {
        Self { limits, stale, table: Mutex::default() }
    }

    /// Opens an exchange under the id that the child sees; the number closes it again.
    ///
    /// # Errors
    /// [`Reason::RpcInvalid`] where the id is in use, or the reason why the child is gone.
    pub(super) fn open(&self, id: RequestId, exchange: Exchange) -> Result<u64, Refusal> {
        let mut table = self.table();
        if let Some(refusal) = &table.closed {
            return Err(refusal.clone());
        }
        if table.exchanges.contains_key(&id) {
            return Err(Refusal::new(Reason::RpcInvalid, "a request with this id is still open"));
        }
        table.opened += 1;
        let number = table.opened;
        table.exchanges.insert(id, (number, exchange));
        Ok(number)
    }

    /// The number of the exchange that is open under this id.
    pub(super) fn number(&self, id: &RequestId) -> Option<u64> {
        self.table().exchanges.get(id).map(|(number, _)| *number)
    }

    /// Ends an exchange without a response, where it is still open.
    pub(super) fn fail(&self, id: &RequestId, number: u64, refusal: Refusal) {
        let mut table = self.table();
        if table.exchanges.get(id).is_some_and(|(opened, _)| *opened == number)
            && let Some((_, exchange)) = table.exchanges.remove(id)
        {
            exchange.outlet.push(Arrival::Failed(refusal));
        }
    }

    /// Gives an exchange up; whether its response was still outstanding.
    pub(super) fn forget(&self, id: &RequestId, number: u64) -> bool {
        let mut table = self.table();
        let open = table.exchanges.get(id).is_some_and(|(opened, _)| *opened == number);
        if open {
            table.exchanges.remove(id);
        }
        open
    }

    /// Makes `outlet` the stream of messages that belong to no request. One that was open before
    /// ends: its client has usually lost it without telling.
    pub(super) fn listen(&self, outlet: Outlet) {
        let mut table = self.table();
        if table.closed.is_some() {
            return;
        }
        for message in std::mem::take(&mut table.stray) {
            outlet.push(Arrival::Message(message));
        }
        table.get = Some(outlet);
    }

    /// Whether anybody waits for something.
    pub(super) fn is_idle(&self) -> bool {
        let table = self.table();
        let listening = table.get.as_ref().is_some_and(|outlet| !outlet.is_abandoned());
        table.exchanges.is_empty() && !listening
    }

    /// Whether it takes no more exchanges.
    pub(super) fn is_closed(&self) -> bool {
        self.table().closed.is_some()
    }

    /// Ends every exchange; later ones are refused the same way.
    pub(super) fn close(&self, refusal: &Refusal) {
        let mut table = self.table();
        for (_, (_, exchange)) in table.exchanges.drain() {
            exchange.outlet.push(Arrival::Failed(refusal.clone()));
        }
        table.get = None;
        table.stray.clear();
        table.closed = Some(refusal.clone());
    }

    /// Delivers one line of a child that belongs to one session: nothing is rewritten.
    pub(super) fn route_own(&self, line: &Bytes) -> Routed {
        self.each(line, |text, message| match message {
            Message::Response(response) => self.respond(text, &response),
            Message::Notification(notice) if notice.method == PROGRESS => {
                self.progress(text, &notice)
            }
            Message::Notification(notice) => self.place(text, is_notice(&notice.method)),
            Message::Request(_) => self.place(text, false),
        })
    }

    /// Delivers one line of a shared child, under the ids that its recipient knows.
    pub(super) fn route_shared(&self, line: &Bytes) -> Routed {
        self.each(line, |text, message| match message {
            Message::Response(response) => self.respond(text, &response),
            Message::Notification(notice) if notice.method == PROGRESS => {
                self.progress(text, &notice)
            }
            Message::Notification(notice) if notice.method == CANCELLED => self.cancelled(&notice),
            Message::Notification(_) => self.notice(text),
            // This era knows no requests from the server.
            Message::Request(_) => Routed::Dropped,
        })
    }

    fn each(&self, line: &Bytes, route: impl Fn(Bytes, Message<'_>) -> Routed) -> Routed {
        let messages = match message::parse_server(line, self.limits) {
            Ok(Body::One(message)) => {
                self.look_for_change(&message);
                return route(line.clone(), message);
            }
            Ok(Body::Batch(messages)) => messages,
            Err(_) => return Routed::Garbage,
        };
        let mut all = Routed::Dropped;
        for message in messages {
            self.look_for_change(&message);
            let text = line.slice_ref(message.raw().as_bytes());
            if route(text, message) == Routed::Delivered {
                all = Routed::Delivered;
            }
        }
        all
    }

    /// A child may tell of new definitions when nobody listens; the pins must know all the same.
    fn look_for_change(&self, message: &Message<'_>) {
        if matches!(message, Message::Notification(notice) if crate::pin::tells_of_change(&notice.method))
        {
            self.stale.mark();
        }
    }

    fn respond(&self, text: Bytes, response: &Response<'_>) -> Routed {
        let Some(id) = &response.id else { return Routed::Dropped };
        let Some((_, exchange)) = self.table().exchanges.remove(id) else { return Routed::Dropped };
        let text = match &exchange.original {
            None => text,
            Some(original) if exchange.listens => {
                match original.listen_response(&text, self.limits) {
                    Ok(text) => text,
                    Err(fault) => {
                        exchange.outlet.push(Arrival::Failed(fault.from_upstream().into()));
                        return Routed::Delivered;
                    }
                }
            }
            Some(original) => original.response(&text, response),
        };
        exchange.outlet.push(Arrival::Response { body: text, error: error_code(response) });
        Routed::Delivered
    }

    fn progress(&self, text: Bytes, notice: &Notification<'_>) -> Routed {
        let token = notice.params().and_then(|params| params.get("progressToken"));
        let Some(token) = token.and_then(message::id_of) else { return Routed::Dropped };
        let mut table = self.table();
        let asked = |(_, (_, exchange)): &(&RequestId, &(u64, Exchange))| {
            exchange.token.as_ref() == Some(&token)
        };
        let Some((id, (_, exchange))) = table.exchanges.iter().find(asked) else {
            return Routed::Dropped;
        };
        let text = match &exchange.original {
            Some(original) => original.progress(&text, notice),
            None => text,
        };
        let id = id.clone();
        table.deliver(&id, text)
    }

    /// A notification of a shared child: only a subscription tells whose it is.
    fn notice(&self, text: Bytes) -> Routed {
        // The tag lies deeper than answers are looked into otherwise.
        let Ok(Body::One(Message::Notification(notice))) =
            message::parse_client(&text, self.limits)
        else {
            return Routed::Dropped;
        };
        let tag = notice.params().and_then(subscription).and_then(message::id_of);
        let Some(id) = tag else { return Routed::Dropped };
        let mut table = self.table();
        let restored = match table.exchanges.get(&id) {
            Some((_, Exchange { listens: true, original: Some(original), .. })) => {
                original.notice(&text, &notice)
            }
            _ => return Routed::Dropped,
        };
        table.deliver(&id, restored)
    }

    /// The server gives a request up; there will be no response.
    fn cancelled(&self, notice: &Notification<'_>) -> Routed {
        let id = notice.params().and_then(|params| params.get("requestId"));
        let Some(id) = id.and_then(message::id_of) else { return Routed::Dropped };
        let Some((_, exchange)) = self.table().exchanges.remove(&id) else {
            return Routed::Dropped;
        };
        let refusal = Refusal::new(Reason::UpstreamEnded, "the server cancelled the request");
        exchange.outlet.push(Arrival::Failed(refusal));
        Routed::Delivered
    }

    /// A message of a session's own child that answers no request. What concerns the session goes
    /// to its GET stream; what a call may have caused, to the one call in flight. Without either
    /// it goes to the latest call, or waits for a GET stream.
    fn place(&self, text: Bytes, concerns_session: bool) -> Routed {
        let mut table = self.table();
        let listening = table.get.as_ref().is_some_and(|outlet| !outlet.is_abandoned());
        let latest = table.exchanges.iter().max_by_key(|(_, (number, _))| *number);
        let latest = latest.map(|(id, _)| id.clone());
        let one = table.exchanges.len() == 1 && !concerns_session;
        match latest {
            Some(id) if one || !listening => table.deliver(&id, text),
            _ if listening => table.deliver_to_get(text),
            _ => table.keep(text),
        }
    }

    /// A panic while the lock was held can't leave the table half changed: each change is one
    /// insertion or removal.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn deliver(&mut self, id: &RequestId, text: Bytes) -> Routed {
        let Some((_, exchange)) = self.exchanges.get(id) else { return Routed::Dropped };
        if !exchange.outlet.push(Arrival::Message(text)) {
            self.exchanges.remove(id);
        }
        Routed::Delivered
    }

    fn deliver_to_get(&mut self, text: Bytes) -> Routed {
        if let Some(outlet) = &self.get
            && !outlet.push(Arrival::Message(text))
        {
            self.get = None;
        }
        Routed::Delivered
    }

    fn keep(&mut self, text: Bytes) -> Routed {
        self.stray.push_back(text);
        let bytes = |stray: &VecDeque<Bytes>| stray.iter().map(Bytes::len).sum::<usize>();
        while self.stray.len() > STRAY_MAX || bytes(&self.stray) > STRAY_MAX_BYTES {
            self.stray.pop_front();
        }
        Routed::Delivered
    }
}

fn error_code(response: &Response<'_>) -> Option<i64> {
    let Some(Outcome::Error(error)) = response.outcome() else { return None };
    Some(error.get("code").and_then(|code| code.integer()).unwrap_or_default())
}

const PROGRESS: &str = "notifications/progress";
const CANCELLED: &str = "notifications/cancelled";

/// Whether a notification concerns the session rather than a call.
fn is_notice(method: &str) -> bool {
    method.ends_with("/list_changed") || method == "notifications/resources/updated"
}
