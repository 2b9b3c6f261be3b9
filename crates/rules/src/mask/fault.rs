//! Why a message could not be masked. The caller makes a refusal of it: what was not read to its end
//! does not leave.

/// Why masking gave up. Offsets are bytes of the text that was given in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaskFault {
    /// Not UTF-8 (RFC 3629), so that two readers may see two texts.
    #[error("not UTF-8 at byte {at}")]
    Encoding {
        /// Where the first wrong byte is.
        at: usize,
    },
    /// Not JSON (RFC 8259).
    #[error("not JSON at byte {at}: {what}")]
    Json {
        /// Where reading stopped.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Nested deeper than [`super::DEPTH_MAX`].
    #[error("nested deeper than {} at byte {at}", super::DEPTH_MAX)]
    Depth {
        /// Where the level too many begins.
        at: usize,
    },
    /// Texts within texts add up to more than may be read for one message.
    #[error("encoded texts within it add up to more than may be read")]
    Budget,
    /// An event of a stream is longer than the caller takes.
    #[error("an event of more than {max} bytes")]
    EventTooLarge {
        /// The limit in bytes.
        max: usize,
    },
}
