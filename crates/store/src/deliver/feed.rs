//! Records in, batches of messages out, each with the place that its acceptance leads to.

use std::path::PathBuf;

use lockgate_model::Event;

use super::{DeliverFault, message::Message, place::Place, settings::Payload, source::Source};
use crate::{
    export::{Calls, event_of},
    journal::{Elsewhere, Keys},
};

/// A batch is closed when it has so many messages.
const BATCH_MAX: usize = 500;
/// Or so many bytes of text.
const BATCH_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Or when so many records were read for it, so that a place is kept now and then where most
/// records give no message.
const READ_MAX: usize = 10_000;

/// The messages of one sink.
#[derive(Debug)]
pub(super) struct Feed {
    source: Source,
    payload: Payload,
    message_max_bytes: usize,
    calls: Calls,
    place: Place,
}

/// What is sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// In order; there may be none.
    pub(super) messages: Vec<Message>,
    /// Where the sink stands once all of them were accepted.
    pub(super) then: Place,
}

impl Feed {
    pub(super) fn new(
        journal: PathBuf,
        keys: Keys,
        elsewhere: Option<Elsewhere>,
        payload: Payload,
        message_max_bytes: usize,
        place: Place,
    ) -> Self {
        let source = Source::new(journal, keys, elsewhere, place.read_from_seq.max(1));
        Self { source, payload, message_max_bytes, calls: Calls::new(), place }
    }

    /// The next batch; `None` where nothing new is on record. Reads files.
    pub(super) fn batch(&mut self) -> Result<Option<Batch>, DeliverFault> {
        let mut messages = Vec::new();
        let (mut read, mut bytes) = (0, 0);
        while read < READ_MAX && messages.len() < BATCH_MAX && bytes < BATCH_MAX_BYTES {
            let before = messages.len();
            match self.step(&mut messages) {
                Ok(true) => {}
                Ok(false) => break,
                // What was read before is still good; the fault comes again.
                Err(_) if read > 0 => break,
                Err(fault) => return Err(fault),
            }
            read += 1;
            bytes += messages.iter().skip(before).map(|message| message.text.len()).sum::<usize>();
        }
        Ok((read > 0).then_some(Batch { messages, then: self.place }))
    }

    /// Takes one record; false where there is none.
    fn step(&mut self, messages: &mut Vec<Message>) -> Result<bool, DeliverFault> {
        let Some(record) = self.source.next()? else { return Ok(false) };
        let event = event_of(&record);
        if self.payload.joins() {
            // An event of a later version is no call of this one.
            if let Ok(Some(event)) = event {
                let mut given = self.joined(&record, event)?;
                // Read again only to know the calls that were open: this was accepted before.
                if record.seq > self.place.sent_seq {
                    messages.append(&mut given);
                }
            }
        } else {
            let event = event.as_ref().ok().and_then(Option::as_ref);
            messages.push(Message::record(&record, event, self.message_max_bytes));
        }
        let next = record.seq + 1;
        self.place = Place {
            sent_seq: self.place.sent_seq.max(record.seq),
            read_from_seq: self.calls.oldest_seq().unwrap_or(next),
        };
        Ok(true)
    }

    fn joined(
        &mut self,
        record: &crate::journal::Record,
        event: Event,
    ) -> Result<Vec<Message>, DeliverFault> {
        if let Some(refusal) = Message::refusal(record, &event)? {
            return Ok(vec![refusal]);
        }
        let mut ended = Vec::new();
        self.calls.take(record, event, &mut ended);
        ended.iter().map(|call| Message::call(call, self.message_max_bytes)).collect()
    }
}

/// Cuts messages into parts that are no larger than a batch. One that is larger stands alone.
pub(super) fn parts(messages: &[Message]) -> Vec<&[Message]> {
    let (mut parts, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (index, message) in messages.iter().enumerate() {
        let full = index - begin >= BATCH_MAX || bytes + message.text.len() > BATCH_MAX_BYTES;
        if full && index > begin {
            parts.extend(messages.get(begin..index));
            (begin, bytes) = (index, 0);
        }
        bytes += message.text.len();
    }
    parts.extend(messages.get(begin..).filter(|rest| !rest.is_empty()));
    parts
}
