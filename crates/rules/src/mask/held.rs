//! Notifications of one stream whose texts may go on in the next: held until that is known.
//!
//! A server may send a text in pieces, one notification each, and a value may be cut between two. So a
//! notification waits for the event after it, and is looked at together with it: strings at the same place
//! in both are put together as neighbours are. Where the next one is as short as a part of a value, both
//! wait for one more. Everything else, answers above all, waits for nothing and lets go what waits.

use std::collections::{BTreeSet, VecDeque};

use super::{
    MaskFault, Masked, Masker,
    desk::{Desk, Scope},
    json::{Lexer, Token},
    render, walk,
};

/// Notifications that wait at most: a value over three events is seen as one.
const WAITING_MAX: usize = 2;
/// Notifications before the newest that are looked at with it, whether they wait or not.
const BEFORE_MAX: usize = 3;
/// Longer ones do not wait, in bytes.
const LENGTH_MAX: usize = 64 * 1024;
/// A string up to this length may be the middle of a value, in bytes.
const MIDDLE_MAX: usize = 48;

/// The newest notifications of a stream.
#[derive(Default)]
pub struct Held(VecDeque<Event>);

struct Event {
    raw: Vec<u8>,
    message: String,
    /// Whether all its strings are short.
    short: bool,
    sent: bool,
}

/// What may be held: whether all strings of a message are short; `None` where it is no notification.
pub fn notification(message: &str) -> Option<bool> {
    if message.len() > LENGTH_MAX {
        return None;
    }
    let mut lexer = Lexer::one(message);
    let (mut depth, mut is_notification, mut longest) = (0, false, 0);
    while let Some(token) = lexer.next().ok()? {
        match token {
            Token::Open { .. } => depth += 1,
            Token::Close => depth -= 1,
            Token::Key(quoted) if depth == 1 => match quoted.span.of(message) {
                "id" => return None,
                key => is_notification |= key == "method",
            },
            Token::Text(quoted) if depth > 1 => longest = longest.max(quoted.span.length()),
            _ => {}
        }
    }
    is_notification.then_some(longest <= MIDDLE_MAX)
}

impl Held {
    /// Takes a notification with its event.
    pub fn push(&mut self, raw: &[u8], message: String, short: bool) {
        self.0.push_back(Event { raw: raw.to_vec(), message, short, sent: false });
    }

    /// The events that need not wait any longer, each with its masked message; all of them once the stream
    /// goes on with something else.
    ///
    /// # Errors
    /// [`MaskFault`] where they were not read to their end.
    pub fn take(
        &mut self,
        masker: &Masker<'_>,
        all: bool,
    ) -> Result<Vec<(Vec<u8>, Masked<'static>)>, MaskFault> {
        let middle = self.0.iter().rev().take_while(|event| event.short).count();
        let waiting = if all { 0 } else { (middle + 1).min(WAITING_MAX) };
        let mut due = self.0.len().saturating_sub(waiting);
        let mut out = Vec::new();
        if self.0.iter().take(due).any(|event| !event.sent) {
            let masked = self.masked(masker)?;
            for (event, masked) in self.0.iter_mut().zip(masked).take(due) {
                if !event.sent {
                    out.push((std::mem::take(&mut event.raw), masked));
                    event.sent = true;
                }
            }
        }
        while due > 0 && self.0.len() > BEFORE_MAX {
            self.0.pop_front();
            due -= 1;
        }
        Ok(out)
    }

    /// The classes of what is masked in them, for who has to be asked about each.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn classes(&self, masker: &Masker<'_>) -> Result<BTreeSet<String>, MaskFault> {
        let all = self.masked(masker)?;
        let reports = all.iter().flat_map(|masked| &masked.reports);
        let masked = reports.filter(|report| report.masked);
        Ok(masked.map(|report| report.class.to_string()).collect())
    }

    /// Every message, masked as one of a sequence.
    fn masked(&self, masker: &Masker<'_>) -> Result<Vec<Masked<'static>>, MaskFault> {
        let messages: Vec<&str> = self.0.iter().map(|event| &*event.message).collect();
        let text = messages.join("\n");
        let mut desk = Desk::new(masker, text.len());
        walk::walk(&mut desk, &text, true, &Scope::outermost())?;
        let mut start = 0;
        let parts = messages.iter().map(|message| {
            let end = start + message.len();
            let mut part = desk.beside();
            part.hits =
                desk.hits.extract_if(.., |hit| (start..end).contains(&hit.span.start)).collect();
            for hit in &mut part.hits {
                hit.span = hit.span.start - start..hit.span.end - start;
            }
            start = end + 1;
            render::render(part, message).owned()
        });
        Ok(parts.collect())
    }
}
