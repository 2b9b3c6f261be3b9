//! What waits between a child's reader and one client's answer: bounded in bytes, so that a client
//! that does not read costs a fixed amount and holds up nobody else.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use lockgate_model::{Reason, Refusal};
use tokio::sync::mpsc;

/// What even an empty message counts, so that the bytes bound the number as well.
const MESSAGE_MIN_BYTES: usize = 512;

/// One thing that reached an exchange.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A message that precedes the response.
    Message(Bytes),
    /// The response.
    Response {
        /// Its text.
        body: Bytes,
        /// The code, where it is an error.
        error: Option<i64>,
    },
    /// There will be no response.
    Failed(Refusal),
}

/// The reader's end. Clones feed the same queue.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    sender: mpsc::UnboundedSender<Arrival>,
    waiting: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The answer's end.
#[derive(Debug)]
pub(super) struct Inlet {
    receiver: mpsc::UnboundedReceiver<Arrival>,
    waiting: Arc<AtomicUsize>,
}

/// A queue that holds `max_bytes`, and any one message whatever its size.
pub(super) fn queue(max_bytes: usize) -> (Outlet, Inlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Outlet { sender, waiting: Arc::clone(&waiting), max_bytes }, Inlet { receiver, waiting })
}

fn cost(arrival: &Arrival) -> usize {
    match arrival {
        Arrival::Message(body) | Arrival::Response { body, .. } => body.len() + MESSAGE_MIN_BYTES,
        Arrival::Failed(_) => 0,
    }
}

impl Outlet {
    /// Hands one arrival over; whether it fitted. Where it didn't, the queue ends with a refusal
    /// instead, and nothing more should be handed over.
    pub(super) fn push(&self, arrival: Arrival) -> bool {
        let cost = cost(&arrival);
        let before = self.waiting.fetch_add(cost, Relaxed);
        let fits = cost == 0 || before == 0 || before + cost <= self.max_bytes;
        let arrival = if fits {
            arrival
        } else {
            self.waiting.fetch_sub(cost, Relaxed);
            let detail = "the client reads more slowly than the server writes";
            Arrival::Failed(Refusal::new(Reason::UpstreamTooLarge, detail))
        };
        // Nobody reads any more: the exchange is being given up already.
        drop(self.sender.send(arrival));
        fits
    }

    /// Whether nobody reads any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }
}

impl Inlet {
    /// The next arrival; `None` where no outlet is left.
    pub(super) async fn next(&mut self) -> Option<Arrival> {
        let arrival = self.receiver.recv().await?;
        self.waiting.fetch_sub(cost(&arrival), Relaxed);
        Some(arrival)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lockgate_model::Reason;

    use super::{Arrival, MESSAGE_MIN_BYTES, queue};

    #[tokio::test]
    async fn a_slow_reader_costs_a_fixed_amount() {
        let (outlet, mut inlet) = queue(2 * MESSAGE_MIN_BYTES + 10);
        let message = |bytes: usize| Arrival::Message(Bytes::from(vec![b'x'; bytes]));
        assert!(outlet.push(message(100_000)), "any one message fits");
        assert!(!outlet.push(message(1)));
        assert_eq!(inlet.next().await, Some(message(100_000)));
        let Some(Arrival::Failed(refusal)) = inlet.next().await else { panic!("cut") };
        assert_eq!(refusal.reason, Reason::UpstreamTooLarge);

        assert!(outlet.push(message(5)) && outlet.push(message(5)));
        assert!(!outlet.push(message(0)));
        drop(outlet);
        assert_eq!(inlet.next().await, Some(message(5)));
    }
}
