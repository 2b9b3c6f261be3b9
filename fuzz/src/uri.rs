//! A resource's URI as policy compares it.

use lockgate_mcp::uri::canonical;

/// A canonical URI is its own canonical URI.
pub fn holds(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Some(once) = canonical(text) {
        assert_eq!(canonical(&once), Some(once));
    }
}
