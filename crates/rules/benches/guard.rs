//! What the guard costs: a call without commands, a statement, a script, the worst texts that it still
//! reads, and a set of regular expressions over the same commands to compare with.
//!
//! `cargo xtask bench guard`. Not part of the tests.
#![expect(clippy::print_stdout, reason = "figures belong on the terminal")]
#![expect(clippy::unwrap_used, reason = "a bench that fails has no figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::{hint::black_box, time::Instant};

use lockgate_rules::guard::{Kind, Profile, inspect, inspect_text};
use regex::RegexSet;
use serde_json::json;

/// Time that each figure takes, in seconds.
const BUDGET_S: f64 = 0.5;
/// The largest text that is read, in bytes.
const LARGEST: usize = 256 * 1024;

const STATEMENT: &str = "SELECT u.id, u.name, o.total FROM users u JOIN orders o ON o.user_id = u.id WHERE o.created_at > \
    '2024-01-01' AND o.total > 100 AND u.status IN ('a', 'b') ORDER BY o.total DESC LIMIT 50";
const SCRIPT: &str = "set -euo pipefail\nfor f in src/*.txt; do\n  grep -n foo \"$f\" | sort | uniq -c > out/$f.log\ndone\n\
    cp -r a b && echo done\n# and so on\n";
const BATCH: &str = "INSERT INTO users (id, name, email) VALUES (1, 'bob', 'bob@example.com');\n\
    UPDATE users SET name = 'x' WHERE id = 5;\nSELECT * FROM orders WHERE id = 7;\n";

/// Patterns over the same commands, as such a set is usually written.
const PATTERNS: &[&str] = &[
    r"(?i)\bdrop\s+(table|database|schema|view|index|user|role)\b",
    r"(?i)\btruncate\s+(table\s+)?\w+",
    r"(?i)\bdelete\s+from\s+\w+\s*(;|$)",
    r"(?i)\bdelete\s+from\s+.*where\s+(1\s*=\s*1|true)",
    r"(?i)\bupdate\s+\w+\s+set\s+[^;]*$",
    r"(?i)\b(grant|revoke)\s+",
    r"(?i)\balter\s+(table|user|role|system)\b",
    r"(?i)\b(exec|execute)\s*\(",
    r"(?i)xp_cmdshell|sp_executesql|load_file|into\s+outfile",
    r"\brm\s+(-\w*[rf]\w*\s+)+",
    r"\bdd\s+.*of=/dev/",
    r"\bmkfs(\.\w+)?\b",
    r"\b(curl|wget)\b.*\|\s*(ba|z)?sh\b",
    r"\bchmod\s+(-R\s+)?777\b",
    r":\(\)\s*\{.*\};:",
    r"\b(shutdown|reboot|halt|poweroff)\b",
    r"\biptables\s+-F\b",
    r"\bkubectl\s+(delete|drain|scale)\b",
    r"\bhelm\s+(uninstall|delete)\b",
    r"\bterraform\s+(destroy|apply)\b",
    r"\bgit\s+push\s+.*(--force|-f)\b",
    r"\bgit\s+(reset\s+--hard|clean\s+-\w*f)",
    r"\baws\s+\w+\s+(delete|terminate)-",
    r"\bgcloud\s+.*\bdelete\b",
    r"\baz\s+.*\bdelete\b",
    r"\bdocker\s+(rm|rmi|system\s+prune|volume\s+rm)\b",
    r"(?i)\bflush(all|db)\b",
    r"\.(drop|dropDatabase|deleteMany)\s*\(",
    r"/dev/tcp/",
    r"base64\s+(-d|--decode)",
];

fn main() {
    let call = json!({"department": "engineering", "limit": 5, "name": "Alice Example", "since": "2024-01-01T00:00:00Z"});
    figure("call without commands", call.to_string().len(), || {
        inspect(&Profile::default(), &call).is_empty()
    });
    text("statement", STATEMENT, Kind::Sql);
    text("SQL, 20 KB", &BATCH.repeat(20_480 / BATCH.len()), Kind::Sql);
    text("script, 20 KB", &SCRIPT.repeat(20_480 / SCRIPT.len()), Kind::Shell);
    let set = RegexSet::new(PATTERNS).unwrap();
    for (name, sample) in [
        ("statement", STATEMENT.to_owned()),
        ("script, 20 KB", SCRIPT.repeat(20_480 / SCRIPT.len())),
    ] {
        figure(&format!("{name}, {} patterns", PATTERNS.len()), sample.len(), || {
            set.matches(&sample).matched_any()
        });
    }
    println!("\nthe worst of {} kinds of repeated text, {LARGEST} bytes:", WORST.len());
    let mut worst: Vec<(f64, &str)> =
        WORST.iter().map(|(piece, kind)| (worst(piece, *kind), *piece)).collect();
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (seconds, piece) in worst.iter().take(5) {
        println!("{:>10.1} ms  {piece:?}", seconds * 1e3);
    }
    let large = "x".repeat(1_000_000);
    figure("1 MB: a fact, not read", large.len(), || {
        inspect_text(&large, Kind::Sql, None).has("guard.limit")
    });
}

/// Texts that make scanners slow, with how they are read.
const WORST: &[(&str, Kind)] = &[
    ("(", Kind::Sql),
    ("SELECT (", Kind::Sql),
    ("/*", Kind::Sql),
    ("$a$", Kind::Sql),
    ("[a", Kind::Sql),
    (" OR a=1", Kind::Sql),
    ("DELETE FROM t WHERE a=1 ", Kind::Sql),
    ("EXEC('a');", Kind::Sql),
    ("WITH a AS (", Kind::Sql),
    ("DO $$ ", Kind::Sql),
    ("BEGIN ", Kind::Sql),
    ("a,", Kind::Sql),
    ("$(", Kind::Shell),
    ("`", Kind::Shell),
    ("{a,b}", Kind::Shell),
    ("$(echo a)", Kind::Shell),
    ("rm -rf / ", Kind::Shell),
    ("rm -rf /;", Kind::Shell),
    ("git push -f;", Kind::Shell),
    ("find . -exec rm {} \\; ", Kind::Shell),
    ("f(){ ", Kind::Shell),
    ("x=$x$x;", Kind::Shell),
    ("<<E\n", Kind::Shell),
    ("sudo ", Kind::Shell),
    ("echo a|base64 -d|", Kind::Shell),
    ("db.a.b(", Kind::Nosql),
    ("DELETE /a\n", Kind::Nosql),
    ("os.system('rm -rf /')\n", Kind::Code),
    ("run('a','b',", Kind::Code),
];

fn worst(piece: &str, kind: Kind) -> f64 {
    let text = piece.repeat(LARGEST / piece.len());
    let best = (0..3).map(|_| {
        let start = Instant::now();
        black_box(inspect_text(black_box(&text), kind, None));
        start.elapsed().as_secs_f64()
    });
    best.fold(f64::MAX, f64::min)
}

fn text(name: &str, text: &str, kind: Kind) {
    figure(name, text.len(), || inspect_text(text, kind, None).is_empty());
}

/// Runs it for a while and prints the median.
fn figure(name: &str, bytes: usize, mut run: impl FnMut() -> bool) {
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < BUDGET_S {
        let one = Instant::now();
        black_box(run());
        times.push(one.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!(
        "{name:<28} {bytes:>8} B {:>10.2} us {:>8.1} MB/s",
        median * 1e6,
        bytes as f64 / median / 1e6
    );
}
