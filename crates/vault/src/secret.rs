//! The value of a secret in memory.

use std::io::{self, Read};

use zeroize::Zeroizing;

/// The longest secret, in bytes.
pub const SECRET_MAX_BYTES: usize = 64 * 1024;

/// The text of a secret, for the one place that sends or seals it. No `Debug`, `Serialize` or `Clone`,
/// so that no log, answer or record can take one by accident; wiped when it is dropped.
pub struct Secret(Zeroizing<String>);

/// Why some bytes are no secret. Quotes nothing of them.
#[derive(Debug, thiserror::Error)]
pub enum SecretFault {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// Longer than [`SECRET_MAX_BYTES`].
    #[error("it is longer than {SECRET_MAX_BYTES} bytes")]
    TooLong,
    /// Not UTF-8, or with a NUL, which neither a header nor a variable carries.
    #[error("it is no text")]
    NoText,
    /// It can't be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Secret {
    /// Takes a text; one line break at its end is not part of the secret.
    ///
    /// # Errors
    /// [`SecretFault`]
    pub fn of_text(text: String) -> Result<Self, SecretFault> {
        let mut text = Zeroizing::new(text);
        for end in ['\n', '\r'] {
            if text.ends_with(end) {
                text.pop();
            }
        }
        Self::exactly(text)
    }

    /// As [`Secret::of_text`], of a text that is the secret to its last byte.
    pub(crate) fn exactly(text: Zeroizing<String>) -> Result<Self, SecretFault> {
        match text.len() {
            0 => Err(SecretFault::Empty),
            1..=SECRET_MAX_BYTES if !text.contains('\0') => Ok(Self(text)),
            1..=SECRET_MAX_BYTES => Err(SecretFault::NoText),
            _ => Err(SecretFault::TooLong),
        }
    }

    /// Reads all that `from` has; one line break at its end is not part of the secret.
    ///
    /// # Errors
    /// [`SecretFault`]
    pub fn read(from: impl Read) -> Result<Self, SecretFault> {
        // Room for all of it at once: a text that grows leaves copies of itself behind.
        let most = SECRET_MAX_BYTES + 3;
        let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
        from.take(most as u64).read_to_end(&mut bytes)?;
        let text = str::from_utf8(&bytes).map_err(|_| SecretFault::NoText)?;
        Self::of_text(text.to_owned())
    }

    /// The secret itself. Call it only where it leaves for the upstream, or is sealed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{SECRET_MAX_BYTES, Secret, SecretFault};

    #[test]
    fn one_line_break_is_not_part_of_a_secret() {
        for (written, read) in [
            ("s3cret", "s3cret"),
            ("s3cret\n", "s3cret"),
            ("s3cret\r\n", "s3cret"),
            ("a\n\n", "a\n"),
        ] {
            assert_eq!(Secret::read(written.as_bytes()).unwrap().expose(), read);
            assert_eq!(Secret::of_text(written.to_owned()).unwrap().expose(), read);
        }
    }

    #[test]
    fn what_can_not_be_a_secret_is_refused() {
        let fault = |bytes: &[u8]| Secret::read(bytes).err().unwrap();
        assert!(matches!(fault(b""), SecretFault::Empty));
        assert!(matches!(fault(b"\r\n"), SecretFault::Empty));
        assert!(matches!(fault(b"a\0b"), SecretFault::NoText));
        assert!(matches!(fault(b"\xff"), SecretFault::NoText));
        let long = "x".repeat(SECRET_MAX_BYTES);
        assert_eq!(Secret::read(format!("{long}\n").as_bytes()).unwrap().expose(), long);
        assert!(matches!(fault(format!("{long}x").as_bytes()), SecretFault::TooLong));
        assert!(matches!(fault("x".repeat(1 << 20).as_bytes()), SecretFault::TooLong));
    }
}
