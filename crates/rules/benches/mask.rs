//! What masking costs: the look at raw bytes, and the scan of every text of a document with its key. Over
//! megabytes of documents that differ, because a buffer that repeats is learned by the processor.
//!
//! `cargo bench -p lockgate-rules --bench mask`; with ` -- 'clean JSON'` only the figures of that name. Not part
//! of the tests.
#![expect(clippy::print_stdout, reason = "figures belong on the terminal")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::{fmt::Write as _, hint::black_box, time::Instant};

use lockgate_rules::mask::{
    Detectors, MaskKey, MaskSettings, Masker, Passed, Reveal, Stream, Text, mask_json,
};

/// How much text each figure goes over, in bytes.
const SIZE: usize = 4 * 1024 * 1024;
/// Times that each figure is taken; the best counts, since others share the machine.
const ROUNDS: usize = 15;

/// A document as its reader takes it apart.
#[derive(Default)]
struct Document {
    raw: String,
    /// Keys and texts, as spans of `raw`.
    leaves: Vec<(std::ops::Range<usize>, std::ops::Range<usize>)>,
}

/// Numbers by xorshift: the same documents in every run.
struct Lot(u64);

impl Lot {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: u64) -> u64 {
        self.draw() % most
    }
}

fn main() {
    let detectors = Detectors::standard();
    texts(&detectors);
    if is_left_out("scan") {
        return messages(&detectors);
    }
    for (name, document) in [
        ("rows, clean", rows(false)),
        ("rows, dirty", rows(true)),
        ("prose and logs, clean", prose()),
        ("source code", source()),
    ] {
        let bytes = document.raw.len();
        let mut found = Vec::new();
        let scan = best(|| {
            found.clear();
            for (key, text) in &document.leaves {
                let (key, text) = (document.raw.get(key.clone()), document.raw.get(text.clone()));
                detectors.scan(Text { text: text.unwrap_or_default(), key }, &mut found);
            }
            found.len()
        });
        let hits = found.len();
        let raw = document.raw.as_bytes();
        // As messages of 8 KiB: one that holds something is left at once.
        let look = best(|| raw.chunks(8192).filter(|part| detectors.may_hit(part)).count());
        let likely = raw.chunks(8192).filter(|part| detectors.may_hit(part)).count();
        let rate = |seconds: f64| bytes as f64 / seconds / 1e6;
        println!(
            "{name:<24} {:>5.1} MB {:>7} texts {hits:>6} hits: scan {:>6.0} MB/s, may_hit {:>6.0} MB/s ({likely} of {})",
            bytes as f64 / 1e6,
            document.leaves.len(),
            rate(scan),
            rate(look),
            raw.chunks(8192).count(),
        );
    }
    messages(&detectors);
    worst(&detectors);
}

/// A name, a key, and texts that differ.
type Kind<'k> = (&'k str, &'k str, &'k dyn Fn(u64) -> String);

/// What one text costs, from message to masked message, beside one that is left at a glance.
fn texts(detectors: &Detectors) {
    let (settings, reveal, key) =
        (MaskSettings::default(), Reveal::nothing(), MaskKey::new([7; 32]));
    let masker = Masker { paths: false, ..Masker::new(detectors, &settings, &key, &reveal) };
    let kinds: [Kind<'_>; 13] = [
        ("left", "title", &|n| format!("Fix the size of widget {} in the main view", n % 5000)),
        ("mail", "email", &|n| format!("user{}@example.com", n % 99_999)),
        ("note", "note", &|n| {
            format!("Call +1 415 555 {:04} about card 4111 1111 1111 1111", n % 10_000)
        }),
        ("password", "password", &|n| format!("hunter{}", n % 9999)),
        ("ssn", "ssn", &|n| format!("{:03}-{:02}-{:04}", 100 + n % 500, 1 + n % 98, 1 + n % 9998)),
        ("prose", "note", &|n| format!("Call about card {} of the list = 4 @ night", n % 10_000)),
        ("host id", "id", &|a| format!("{}-{}-{}", a % 9973, a % 89, a % 99_991)),
        ("host a", "a", &|a| format!("4111 1111 {:04} {:04} 1.2.{}.", a % 9999, a % 7919, a % 256)),
        ("host b", "b", &|a| format!("AKIA{:X} sk-{:x} @x{} a@ ://", a, a >> 8, a % 77)),
        ("host c", "c", &|a| format!("eyJ{:x}.eyJ password: the token={} key", a, a % 10)),
        ("host d", "d", &|a| format!("%4{} &#x4{}; =3{} {:032X}", a % 10, a % 9, a % 8, a)),
        ("host e", "e", &|a| format!("UGFzcyB0aGUg{:x}c2FsdCBwbGVhc2U", a)),
        ("empty", "e", &|_| String::new()),
    ];
    for (name, key, text) in kinds {
        if is_left_out(&format!("texts {name}")) {
            continue;
        }
        let mut lot = Lot(23);
        let items: Vec<String> =
            (0..20_000).map(|_| format!("{{\"{key}\":\"{}\"}}", text(lot.draw()))).collect();
        let message = format!("[{}]", items.join(","));
        let hits = mask_json(&masker, message.as_bytes()).map_or(0, |it| it.reports.len());
        let seconds =
            best(|| mask_json(&masker, message.as_bytes()).map_or(0, |it| it.reports.len()));
        println!(
            "{name:<10} {:>5} bytes {hits:>6} hits: {:>7.1} ns, {:>5.0} MB/s",
            message.len() / 20_000,
            seconds * 1e9 / 20_000.0,
            message.len() as f64 / seconds / 1e6
        );
    }
}

/// Whole messages of three sizes, and streams of them, from bytes to masked bytes.
fn messages(detectors: &Detectors) {
    let (settings, reveal, key) =
        (MaskSettings::default(), Reveal::nothing(), MaskKey::new([7; 32]));
    let (settings, reveal, key) = (&settings, &reveal, &key);
    // As on the way of a call.
    let masker = Masker { paths: false, ..Masker::new(detectors, settings, key, reveal) };
    println!("\nmessages, read, masked and put together again; peak memory beside the message:");
    for (name, document) in [("clean", rows(false)), ("dirty", rows(true)), ("hostile", hostile())]
    {
        for size in [8 * 1024, 256 * 1024, SIZE] {
            let messages = document.messages(size);
            let hits = |message: &String| {
                mask_json(&masker, message.as_bytes()).map_or(0, |masked| masked.reports.len())
            };
            figures(&format!("{name} JSON"), size, &messages, &hits);
        }
        let events: Vec<String> =
            document.messages(8 * 1024).iter().map(|it| format!("data: {it}\n\n")).collect();
        let hits = |event: &String| {
            let (mut stream, mut passed) = (Stream::new(masker, SIZE), Passed::default());
            // As a socket gives them.
            let chunks = event.as_bytes().chunks(1400);
            let whole = chunks.into_iter().all(|chunk| stream.push(chunk, &mut passed).is_ok());
            if whole { passed.reports.len() } else { 0 }
        };
        figures(&format!("{name} SSE"), 8 * 1024, &events, &hits);
    }
}

/// Whether the command line names other figures.
fn is_left_out(name: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|word| !word.starts_with("--")).peekable();
    named.peek().is_some() && !named.any(|word| name.contains(&word))
}

fn figures(name: &str, size: usize, messages: &[String], mask: &dyn Fn(&String) -> usize) {
    if is_left_out(name) {
        return;
    }
    let before = memory();
    // First of all: what is let go is not given back, so that later only more than before would show.
    let largest = messages.first().filter(|message| message.len() > 1 << 20);
    let peak = largest.zip(before).map(|(message, before)| {
        black_box(mask(message));
        memory().map_or(0.0, |after| after.1.saturating_sub(before.0) as f64 / message.len() as f64)
    });
    let bytes: usize = messages.iter().map(String::len).sum();
    let hits: usize = messages.iter().map(mask).sum();
    let seconds = best(|| messages.iter().map(mask).sum());
    let p99 = || {
        let mut times: Vec<f64> = messages
            .iter()
            .map(|message| {
                let start = Instant::now();
                black_box(mask(message));
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() * 99 / 100).copied().unwrap_or_default()
    };
    // In the calmest round.
    let p99 = (0..ROUNDS).map(|_| p99()).fold(f64::MAX, f64::min);
    println!(
        "{name:<13} {:>5} KB {:>4} messages {hits:>6} hits: {:>6.0} MB/s, {:>8.1} us a message, p99 {:>8.1}{}",
        size / 1024,
        messages.len(),
        bytes as f64 / seconds / 1e6,
        seconds * 1e6 / messages.len() as f64,
        p99 * 1e6,
        peak.map_or(String::new(), |peak| format!(", peak {peak:.1} x")),
    );
}

/// Memory of this process in bytes, now and at most since the last time (proc(5), Linux only).
fn memory() -> Option<(usize, usize)> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<usize>().ok()
    };
    let now = (field("VmRSS:")? * 1024, field("VmHWM:")? * 1024);
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(now)
}

/// Rows of which every text is a candidate of many detectors, and none is a value.
fn hostile() -> Document {
    let (mut document, mut lot) = (Document::default(), Lot(17));
    while document.raw.len() < SIZE {
        let a = lot.draw();
        document.raw.push('{');
        document.leaf("id", &format!("{}-{}-{}", a % 9973, a % 89, a % 99_991));
        document.leaf("a", &format!("4111 1111 {:04} {:04} 1.2.{}.", a % 9999, a % 7919, a % 256));
        document.leaf("b", &format!("AKIA{:X} sk-{:x} @x{} a@ ://", a, a >> 8, a % 77));
        document.leaf("c", &format!("eyJ{:x}.eyJ password: the token={} key", a, a % 10));
        document.leaf("d", &format!("%4{} &#x4{}; =3{} {:032X}", a % 10, a % 9, a % 8, a));
        document.leaf("e", &format!("UGFzcyB0aGUg{:x}c2FsdCBwbGVhc2U", a));
        document.raw.push('}');
    }
    document
}

/// Texts that make detectors work in vain.
fn worst(detectors: &Detectors) {
    const PIECES: &[&str] = &[
        "a@",
        "@",
        "1 ",
        "1-",
        "4111 ",
        "1.",
        "::",
        "a:",
        "password:",
        "password=",
        "eyJ",
        "eyJa.",
        "-----BEGIN PRIVATE KEY-----",
        "AKIA",
        "sk-",
        "ghp_",
        "bearer ",
        "password ",
        "://",
        "a://b:",
        "$2b$",
        "8Q~",
        "GB82 ",
        "name,ssn\n",
        "|a|b|\n",
        "(",
        "+1 ",
        "0x",
        "card 4111 1111 1111 1112 ",
        "ssn 123-45-6789 ",
        "x1y2z3a4b5c6d7e8 ",
        "\"password\":\"",
        "http://a:b@c ",
        "11:22:33:44:55:66 ",
    ];
    println!("\nthe slowest of {} kinds of repeated text, 1 MB:", PIECES.len());
    let mut rates: Vec<(f64, &str)> = PIECES
        .iter()
        .map(|piece| {
            let text = piece.repeat(1_000_000 / piece.len());
            let mut found = Vec::new();
            let start = Instant::now();
            detectors.scan(Text { text: black_box(&text), key: None }, &mut found);
            black_box(&found);
            (text.len() as f64 / start.elapsed().as_secs_f64() / 1e6, *piece)
        })
        .collect();
    rates.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (rate, piece) in rates.iter().take(8) {
        println!("{rate:>8.1} MB/s  {piece:?}");
    }
}

fn best(mut run: impl FnMut() -> usize) -> f64 {
    let once = |_| {
        let start = Instant::now();
        black_box(run());
        start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(once).fold(f64::MAX, f64::min)
}

impl Document {
    /// Its rows as JSON messages of about this size.
    fn messages(&self, size: usize) -> Vec<String> {
        let mut messages = Vec::new();
        let mut message = String::new();
        for row in self.leaves.chunk_by(|_, next| self.raw.get(next.0.clone()) != Some("id")) {
            message.push_str(if message.is_empty() { "{\"rows\":[" } else { "," });
            for (nth, (key, text)) in row.iter().enumerate() {
                let [key, text] = [key, text].map(|span| self.raw.get(span.clone()));
                let open = if nth == 0 { '{' } else { ',' };
                let (key, text) = (key.unwrap_or_default(), text.unwrap_or_default());
                let _ = write!(message, "{open}\"{key}\":\"{text}\"");
            }
            message.push('}');
            if message.len() > size - 500 {
                message.push_str("]}");
                messages.push(std::mem::take(&mut message));
            }
        }
        if !message.is_empty() {
            messages.push(message + "]}");
        }
        messages
    }

    fn leaf(&mut self, key: &str, text: &str) {
        let at = self.raw.len();
        let _ = write!(self.raw, "\"{key}\":\"{text}\",");
        let text_at = at + key.len() + 4;
        self.leaves.push((at + 1..at + 1 + key.len(), text_at..text_at + text.len()));
    }
}

/// Rows of a table, with a UUID, a hash, a URL and a day each; in dirty ones every fourth holds values.
fn rows(dirty: bool) -> Document {
    let (mut document, mut lot) = (Document::default(), Lot(7));
    let mut row = 0;
    while document.raw.len() < SIZE {
        row += 1;
        let (a, b) = (lot.draw(), lot.draw());
        document.raw.push('{');
        document.leaf(
            "id",
            &format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                a >> 32,
                a & 0xffff,
                b & 0xfff,
                b >> 52,
                b >> 8 & 0xffff_ffff_ffff
            ),
        );
        document.leaf("commit", &format!("{a:016x}{b:016x}{:08x}", a >> 7 & 0xffff_ffff));
        document.leaf(
            "url",
            &format!("https://example.com/projects/{}/items/{}", b % 997, a % 100_003),
        );
        document.leaf(
            "created_at",
            &format!(
                "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                10 + a % 15,
                1 + b % 12,
                1 + a % 28,
                b % 24,
                a % 60,
                b % 60
            ),
        );
        document.leaf(
            "status",
            ["open", "closed", "in progress", "waiting"]
                .get(lot.below(4) as usize)
                .unwrap_or(&"open"),
        );
        document.leaf(
            "title",
            &format!(
                "Fix the {} of widget {} in the main view",
                ["size", "color", "margin"].get(lot.below(3) as usize).unwrap_or(&"size"),
                a % 5000
            ),
        );
        document.leaf("amount", &format!("{}.{:02}", a % 10_000, b % 100));
        if dirty && row % 4 == 0 {
            document.leaf("email", &format!("user{}@example.com", a % 99_999));
            document.leaf(
                "note",
                &format!("Call +1 415 555 {:04} about card 4111 1111 1111 1111", b % 10_000),
            );
            document.leaf("password", &format!("hunter{}", b % 9999));
            document.leaf(
                "ssn",
                &format!("{:03}-{:02}-{:04}", 100 + a % 500, 1 + b % 98, 1 + a % 9998),
            );
        }
        document.raw.push('}');
    }
    document
}

/// Paragraphs and lines of logs.
fn prose() -> Document {
    const WORDS: &[&str] = &[
        "the", "server", "returns", "a", "list", "of", "projects", "which", "are", "sorted", "by",
        "date", "and", "each", "has", "name", "owner", "with", "some", "notes", "about", "state",
        "key", "value", "token", "limits", "for", "users", "in", "all",
    ];
    let (mut document, mut lot) = (Document::default(), Lot(11));
    while document.raw.len() < SIZE {
        let mut text = String::new();
        for _ in 0..40 {
            text.push_str(WORDS.get(lot.below(WORDS.len() as u64) as usize).unwrap_or(&"word"));
            text.push(' ');
        }
        let _ = write!(
            text,
            "2024-03-{:02} 12:{:02}:01 INFO handled {} rows in {} ms.",
            1 + lot.below(28),
            lot.below(60),
            lot.below(9999),
            lot.below(999)
        );
        document.leaf("text", &text);
    }
    document
}

/// This file, varied.
fn source() -> Document {
    let (mut document, mut lot) = (Document::default(), Lot(13));
    let lines: Vec<&str> = include_str!("mask.rs").lines().collect();
    while document.raw.len() < SIZE {
        let from = lot.below(lines.len() as u64 - 1) as usize;
        let many = 1 + lot.below(40) as usize;
        let part: Vec<&str> = lines.iter().skip(from).take(many).copied().collect();
        document.leaf("text", &part.join("\n"));
    }
    document
}
