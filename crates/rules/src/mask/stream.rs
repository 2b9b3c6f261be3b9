//! Server-sent events (WHATWG HTML, 9.2), masked one by one.
//!
//! An event leaves when it is complete and was looked at, so that no cut of the stream into chunks
//! changes what comes out. A notification waits for what comes after it ([`super::held`]). Line ends, names
//! of fields and the order of lines stay as they came. What is not data is looked at as well: names, ids,
//! comments and fields that nobody knows.

use std::{borrow::Cow, ops::Range};

use memchr::{memchr, memchr2};

use super::{
    MaskFault, Masked, Masker,
    held::{self, Held},
    mask_json, mask_text,
    render::{Issued, Report},
    utf8,
};

const BOM: &str = "\u{FEFF}";

/// A stream that is masked as it comes: bytes in, whole masked events out.
pub struct Stream<'m> {
    masker: Masker<'m>,
    event_max_bytes: usize,
    /// Bytes of the event that is not complete yet.
    raw: Vec<u8>,
    /// Where its last, unfinished line starts.
    line: usize,
    /// Up to where that line is known to hold no line end.
    seen: usize,
    held: Held,
}

/// What came out of a part of a stream.
#[derive(Debug, Default)]
pub struct Passed {
    /// The masked events.
    pub bytes: Vec<u8>,
    /// What was found; spans are bytes of its event.
    pub reports: Vec<Report>,
    /// Tokens that stand for values in it.
    pub issued: Vec<Issued>,
}

/// A line of an event.
struct Line {
    /// Name and value, without the line end.
    whole: Range<usize>,
    /// What follows the colon and one space; the whole line where there is no colon.
    value: Range<usize>,
    /// Where the next line begins.
    next: usize,
    data: bool,
}

impl<'m> Stream<'m> {
    /// A stream that refuses events of more than `event_max_bytes`, framing included.
    pub fn new(masker: Masker<'m>, event_max_bytes: usize) -> Self {
        let held = Held::default();
        Self { masker, event_max_bytes, raw: Vec::new(), line: 0, seen: 0, held }
    }

    /// Takes further bytes, and gives the events that they complete.
    ///
    /// # Errors
    /// [`MaskFault`]: nothing further may leave, and the stream is of no use any more. Events before the
    /// fault have been appended.
    pub fn push(&mut self, bytes: &[u8], passed: &mut Passed) -> Result<(), MaskFault> {
        self.raw.extend_from_slice(bytes);
        self.cut(false, passed)
    }

    /// Lets go the notifications that wait for the next event, for a caller who waits for them. What goes on
    /// in the next is masked there, and its beginning has left.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn release(&mut self, passed: &mut Passed) -> Result<(), MaskFault> {
        pass_held(&self.masker, &mut self.held, true, passed)
    }

    /// Takes the end of the stream. An event that never ended, which clients are to drop, leaves masked
    /// where it can be read, and not at all where it was cut.
    ///
    /// # Errors
    /// As [`Self::push`], for the events that did end.
    pub fn finish(mut self, passed: &mut Passed) -> Result<(), MaskFault> {
        self.cut(true, passed)?;
        self.release(passed)?;
        let rest = std::mem::take(&mut self.raw);
        let _dropped = self.pass(&rest, passed);
        self.release(passed)
    }

    fn cut(&mut self, ended: bool, passed: &mut Passed) -> Result<(), MaskFault> {
        let mut start = 0;
        let mut result = Ok(());
        while let Some(end) = self.event_end(start, ended) {
            let raw = std::mem::take(&mut self.raw);
            result = self.pass(raw.get(start..end).unwrap_or_default(), passed);
            self.raw = raw;
            start = end;
            if result.is_err() {
                break;
            }
        }
        self.raw.drain(..start);
        self.line -= start;
        self.seen -= start;
        result.and_then(|()| self.check_size(self.raw.len())).or_else(|fault| {
            self.release(passed)?;
            Err(fault)
        })
    }

    fn pass(&mut self, event: &[u8], passed: &mut Passed) -> Result<(), MaskFault> {
        self.check_size(event.len())?;
        let message = utf8(event).ok().and_then(|text| message(text, &lines(text)));
        let is_other = message.is_some();
        if let Some(message) = message
            && let Some(short) = held::notification(&message)
        {
            self.held.push(event, message.into_owned(), short);
            return pass_held(&self.masker, &mut self.held, false, passed);
        }
        self.release(passed)?;
        if is_other {
            self.held = Held::default();
        }
        passed.take(mask_event(&self.masker, event)?);
        Ok(())
    }

    const fn check_size(&self, bytes: usize) -> Result<(), MaskFault> {
        if bytes <= self.event_max_bytes {
            return Ok(());
        }
        Err(MaskFault::EventTooLarge { max: self.event_max_bytes })
    }

    /// Where the event that begins at `start` ends, with its blank line.
    fn event_end(&mut self, start: usize, ended: bool) -> Option<usize> {
        loop {
            let Some(found) = memchr2(b'\r', b'\n', self.raw.get(self.seen..)?) else {
                self.seen = self.raw.len();
                return None;
            };
            let end = self.seen + found;
            let after = match (self.raw.get(end), self.raw.get(end + 1)) {
                (Some(b'\r'), Some(b'\n')) => end + 2,
                (Some(b'\r'), None) if !ended => {
                    // A LF would still belong to this line.
                    self.seen = end;
                    return None;
                }
                _ => end + 1,
            };
            let mark = if start == self.line && self.line == 0 { BOM.len() } else { 0 };
            let is_marked = self.raw.starts_with(BOM.as_bytes());
            let blank = self.line == end || is_marked && self.line + mark == end;
            (self.line, self.seen) = (after, after);
            if blank {
                return Some(after);
            }
        }
    }
}

impl Passed {
    fn take(&mut self, masked: Masked<'_>) {
        self.bytes.extend_from_slice(&masked.bytes);
        self.reports.extend(masked.reports);
        self.issued.extend(masked.issued);
    }
}

fn pass_held(
    masker: &Masker<'_>,
    held: &mut Held,
    all: bool,
    passed: &mut Passed,
) -> Result<(), MaskFault> {
    for (event, data) in held.take(masker, all)? {
        passed.take(assemble(masker, utf8(&event)?, Some(data))?);
    }
    Ok(())
}

/// Masks one event: everything up to and including its blank line, as it came. The data of a `message` is
/// JSON; that of other events is text.
///
/// # Errors
/// [`MaskFault`] where it was not read to its end; nothing of it may leave then.
pub fn mask_event<'t>(masker: &Masker<'_>, raw: &'t [u8]) -> Result<Masked<'t>, MaskFault> {
    assemble(masker, utf8(raw)?, None)
}

/// An event with its data masked, or to be masked.
fn assemble<'t>(
    masker: &Masker<'_>,
    text: &'t str,
    masked: Option<Masked<'_>>,
) -> Result<Masked<'t>, MaskFault> {
    let lines = lines(text);
    let mut masking = Masking { text, edits: Vec::new(), reports: Vec::new(), issued: Vec::new() };
    let data: Vec<&Line> = lines.iter().filter(|line| line.data).collect();
    match masked {
        Some(masked) => masking.data(&data, masked),
        None => {
            let joined = joined(text, &data);
            if !joined.trim_ascii().is_empty() {
                let mask = if is_message(text, &lines) { mask_json } else { mask_text };
                masking.data(&data, mask(masker, joined.as_bytes())?);
            }
        }
    }
    for line in lines.iter().filter(|line| !line.data && !line.whole.is_empty()) {
        let value = text.get(line.value.clone()).unwrap_or_default();
        let masked = mask_text(masker, value.as_bytes())?;
        if let Cow::Owned(bytes) = masked.bytes {
            masking.edits.push((line.value.clone(), Cow::Owned(bytes)));
        }
        let start = line.value.start;
        masking.keep(masked.reports, masked.issued, |at| start + at);
    }
    Ok(masking.done())
}

/// Whether the data of an event is a message.
fn is_message(text: &str, lines: &[Line]) -> bool {
    let named =
        |line: &&Line| text.get(line.whole.clone()).is_some_and(|it| it.starts_with("event:"));
    let name = lines.iter().rev().find(named).and_then(|line| text.get(line.value.clone()));
    name.is_none_or(|name| matches!(name, "" | "message"))
}

/// The message of an event.
fn message<'t>(text: &'t str, lines: &[Line]) -> Option<Cow<'t, str>> {
    let data: Vec<&Line> = lines.iter().filter(|line| line.data).collect();
    (!data.is_empty() && is_message(text, lines)).then(|| joined(text, &data))
}

/// The data of an event (WHATWG HTML, 9.2.6).
fn joined<'t>(text: &'t str, data: &[&Line]) -> Cow<'t, str> {
    let value = |line: &&Line| text.get(line.value.clone()).unwrap_or_default();
    match data {
        [line] => Cow::Borrowed(value(line)),
        _ => Cow::Owned(data.iter().map(value).collect::<Vec<_>>().join("\n")),
    }
}

/// An event as it is put together again.
struct Masking<'t> {
    text: &'t str,
    edits: Vec<(Range<usize>, Cow<'t, [u8]>)>,
    reports: Vec<Report>,
    issued: Vec<Issued>,
}

impl<'t> Masking<'t> {
    /// Puts masked data into its lines.
    fn data(&mut self, data: &[&Line], masked: Masked<'_>) {
        let mut starts = Vec::with_capacity(data.len());
        let mut start = 0;
        for line in data {
            starts.push((start, line.value.start));
            start += line.value.len() + 1;
        }
        self.keep(masked.reports, masked.issued, |at| {
            let before = starts.partition_point(|(start, _)| *start <= at).saturating_sub(1);
            starts.get(before).map_or(at, |(start, source)| source + at - start)
        });
        if let Cow::Owned(bytes) = masked.bytes {
            // No replacement has a line end, so that there are as many lines at most.
            let mut new = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
            for line in data {
                self.edits.push(match new.next() {
                    Some(value) => (line.value.clone(), Cow::Owned(value)),
                    None => (line.whole.start..line.next, Cow::Borrowed(&[][..])),
                });
            }
        }
    }

    /// Keeps what was found in a part of the event, with its place in the event.
    fn keep(&mut self, reports: Vec<Report>, issued: Vec<Issued>, place: impl Fn(usize) -> usize) {
        let placed = reports.into_iter().map(|report| {
            let span = place(report.span.start)..place(report.span.end.saturating_sub(1)) + 1;
            Report { span, ..report }
        });
        self.reports.extend(placed);
        self.issued.extend(issued);
    }

    fn done(mut self) -> Masked<'t> {
        let raw = self.text.as_bytes();
        self.reports.sort_by_key(|report| report.span.start);
        if self.edits.is_empty() {
            let Self { reports, issued, .. } = self;
            return Masked { bytes: Cow::Borrowed(raw), reports, issued };
        }
        self.edits.sort_by_key(|(span, _)| span.start);
        let mut out = Vec::with_capacity(raw.len());
        let mut at = 0;
        for (span, instead) in &self.edits {
            out.extend_from_slice(raw.get(at..span.start).unwrap_or_default());
            out.extend_from_slice(instead);
            at = span.end;
        }
        out.extend_from_slice(raw.get(at..).unwrap_or_default());
        Masked { bytes: Cow::Owned(out), reports: self.reports, issued: self.issued }
    }
}

/// The lines of an event, the blank one included. A byte order mark belongs to none.
fn lines(text: &str) -> Vec<Line> {
    let bytes = text.as_bytes();
    let mut lines = Vec::new();
    let mut start = if text.starts_with(BOM) { BOM.len() } else { 0 };
    while start < bytes.len() {
        let rest = bytes.get(start..).unwrap_or_default();
        let end = start + memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let next = match bytes.get(end..).unwrap_or_default() {
            [b'\r', b'\n', ..] => end + 2,
            [] => end,
            _ => end + 1,
        };
        let content = bytes.get(start..end).unwrap_or_default();
        let (name, value) = match memchr(b':', content) {
            Some(colon) => {
                let space = usize::from(content.get(colon + 1) == Some(&b' '));
                (content.get(..colon), start + colon + 1 + space)
            }
            None => (Some(content), if content == b"data" { end } else { start }),
        };
        let data = name == Some(b"data");
        lines.push(Line { whole: start..end, value: value..end, next, data });
        start = next;
    }
    lines
}
