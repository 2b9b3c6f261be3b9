//! The headers that carry a receiver's credential. No `Debug`, `Serialize` or `Clone`.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers for every request to one receiver, resolved.
#[derive(Default)]
pub struct Headers(HeaderMap);

/// Why a header can't be sent. Names the header, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't be sent as a header")]
pub struct SecretFault(String);

impl Headers {
    /// Adds one.
    ///
    /// # Errors
    /// [`SecretFault`] where name or value has characters that no header may have, or the name is
    /// one that the delivery sets itself.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), SecretFault> {
        let fault = || SecretFault(name.escape_default().to_string());
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault())?;
        let own =
            ["content-type", "content-length", "host", "idempotency-key", "transfer-encoding"];
        if own.contains(&header.as_str()) {
            return Err(fault());
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| fault())?;
        value.set_sensitive(true);
        self.0.insert(header, value);
        Ok(())
    }

    /// For the one place that sends them.
    pub(super) fn expose(&self) -> &HeaderMap {
        &self.0
    }
}
