//! Every file says first what it is for.

use super::{Finding, source::Source};

pub(super) fn check(source: &Source<'_>) -> Option<Finding> {
    let documented = source
        .lines
        .first()
        .and_then(|line| line.strip_prefix("//! "))
        .is_some_and(|text| text.split_whitespace().count() >= 3);
    (!documented).then(|| {
        Finding::new(source.path, 1, "the file does not begin with `//!` and what it is for")
    })
}

#[cfg(test)]
mod tests {
    use super::{Source, check};

    #[test]
    fn files_without_a_word_are_found() {
        for (text, found) in [
            ("//! What it is for.\n", false),
            ("", true),
            ("//! placeholder\n", true),
            ("use std::fs;\n//! What it is for.\n", true),
        ] {
            assert_eq!(check(&Source::new("a.rs".as_ref(), text)).is_some(), found, "{text}");
        }
    }
}
