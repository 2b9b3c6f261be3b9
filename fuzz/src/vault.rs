//! A sealed text, as it comes from a database that anybody may have written to.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use lockgate_vault::Sealed;

/// Holds for the input as a stored text, and for the stored text of the input.
pub fn holds(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input) {
        check(text);
    }
    check(&BASE64_STANDARD_NO_PAD.encode(input));
}

/// What is read has one form only.
fn check(text: &str) {
    if let Ok(sealed) = Sealed::parse(text) {
        assert_eq!(sealed.to_text(), text);
        assert!(Sealed::parse(&sealed.to_text()).is_ok_and(|again| again == sealed));
    }
}
