//! A file that can't be read in one sitting is two files. The length of functions is clippy's
//! (`too-many-lines-threshold`).

use super::{Finding, source::Source};

/// Most lines of product in one file.
const LINES_MAX: usize = 600;

pub(super) fn check(source: &Source<'_>) -> Option<Finding> {
    let lines = source.product_lines;
    (lines > LINES_MAX).then(|| {
        let message = format!("the file has {lines} lines besides its tests; at most {LINES_MAX}");
        Finding::new(source.path, lines, message)
    })
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, Source, check};

    #[test]
    fn long_files_are_found() {
        let line = "x\n";
        for (lines, found) in [(LINES_MAX, false), (LINES_MAX + 1, true)] {
            let text =
                line.repeat(lines) + "#[cfg(test)]\nmod tests {\n" + &line.repeat(900) + "}\n";
            assert_eq!(check(&Source::new("a.rs".as_ref(), &text)).is_some(), found);
        }
    }
}
