//! A silenced lint says why, and dies when it is no longer needed: `expect` with a reason.

use super::{Finding, source::Source};

pub(super) fn check(source: &Source<'_>) -> Vec<Finding> {
    // In two parts, so that this file does not find itself.
    let needles = [concat!("#[", "allow("), concat!("#![", "allow(")];
    let lines = source.lines.iter().enumerate();
    lines
        .filter(|(_, line)| needles.iter().any(|needle| line.contains(needle)))
        .map(|(index, _)| {
            Finding::new(source.path, index + 1, "use `#[expect(…, reason = \"…\")]`, not `allow`")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Source, check};

    #[test]
    fn silenced_lints_are_found_in_tests_too() {
        let text =
            concat!("//! x\n#[", "allow(dead_code)]\n#[expect(dead_code, reason = \"x\")]\n");
        let findings = check(&Source::new("crates/a/tests/x.rs".as_ref(), text));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
    }
}
