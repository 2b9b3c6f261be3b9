//! W3C Trace Context (Recommendation 2021-11-23): the `traceparent` value.
//!
//! Never draws ids: they are passed in.

#[cfg(test)]
mod tests;

use std::fmt;

/// A `traceparent` of version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never zero.
    pub trace: u128,
    /// The parent span; never zero.
    pub span: u64,
    /// The flags; bit 0 says that it is sampled.
    pub flags: u8,
}

impl TraceParent {
    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`, and the same prefix of later versions (§3.2.4);
    /// `None` for anything else, as the standard asks.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let trace = hex(parts.next()?, 32)?;
        let span = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        let more = parts.next().is_some();
        let known = version != 0xFF && (version > 0 || !more);
        (known && trace != 0 && span != 0).then_some(Self { trace, span, flags })
    }

    /// The same trace with another parent span, for the message that the gateway sends on.
    #[must_use]
    pub const fn with_span(self, span: u64) -> Self {
        Self { span, ..self }
    }
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let lower = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    let fits = text.len() == digits && text.bytes().all(lower);
    fits.then(|| u128::from_str_radix(text, 16).ok())?
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}
