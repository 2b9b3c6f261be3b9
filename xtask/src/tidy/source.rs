//! A Rust file as the rules see it: its lines, and which of them are product.

use std::path::Path;

/// One file.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) lines: Vec<&'a str>,
    /// The lines before the tests, which stand last; none in a file that is all tests.
    pub(super) product_lines: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        let lines: Vec<_> = text.lines().collect();
        let product_lines = if is_test_file(path) { 0 } else { before_tests(&lines) };
        Self { path, lines, product_lines }
    }

    /// The product's lines that are no comments, each with its number from 1.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let lines = self.lines.iter().take(self.product_lines).enumerate();
        lines
            .map(|(index, line)| (index + 1, *line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Whether the whole file is tests: by its own name, or by a folder's.
fn is_test_file(path: &Path) -> bool {
    let tests = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs" || part == "e2e";
    path.iter().any(tests)
}

/// Inline tests begin with the attribute and a module that has a body.
fn before_tests(lines: &[&str]) -> usize {
    let begins = |pair: &[&str]| match pair {
        [attribute, module] => {
            *attribute == "#[cfg(test)]" && module.starts_with("mod ") && module.ends_with('{')
        }
        _ => false,
    };
    lines.windows(2).position(begins).unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn tests_are_no_product() {
        let text = "//! x\nmod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more {\n}\n";
        assert_eq!(Source::new("crates/a/src/lib.rs".as_ref(), text).product_lines, 4);
        assert_eq!(Source::new("crates/a/src/x/tests.rs".as_ref(), text).product_lines, 0);
        assert_eq!(Source::new("crates/a/tests/x/main.rs".as_ref(), text).product_lines, 0);
        let code: Vec<_> = Source::new("a.rs".as_ref(), text).code().collect();
        assert_eq!(code, [(2, "mod a;"), (3, "#[cfg(test)]"), (4, "mod tests;")]);
    }
}
