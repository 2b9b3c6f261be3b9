//! Only `mcp` spells JSON-RPC. The demo's own server and the bench speak it from outside.

use std::path::Path;

use super::{Finding, source::Source};

const SPEAKERS: [&str; 4] = ["crates/mcp", "crates/lockgate/src/demo", "xtask", "fuzz"];

pub(super) fn check(source: &Source<'_>) -> Vec<Finding> {
    if SPEAKERS.iter().any(|speaker| source.path.starts_with(Path::new(speaker))) {
        return Vec::new();
    }
    source
        .code()
        .filter(|(_, line)| line.contains("jsonrpc"))
        .map(|(number, _)| {
            Finding::new(source.path, number, "JSON-RPC is spelled in crates/mcp alone")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Source, check};

    #[test]
    fn the_protocol_is_found_outside_its_room() {
        let text = "//! x\n// jsonrpc\nlet a = r#\"{\"jsonrpc\":\"2.0\"}\"#;\n";
        for (path, found) in [
            ("crates/gateway/src/a.rs", 1),
            ("crates/gateway/tests/a.rs", 0),
            ("crates/gateway/src/a/tests.rs", 0),
            ("crates/mcp/src/a.rs", 0),
            ("crates/lockgate/src/demo/server.rs", 0),
            ("e2e/src/a.rs", 0),
        ] {
            assert_eq!(check(&Source::new(path.as_ref(), text)).len(), found, "{path}");
        }
    }
}
