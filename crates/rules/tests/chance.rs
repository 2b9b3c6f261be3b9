//! What is drawn by chance is seldom found: numbers, codes and hashes of which answers of machines are full,
//! with no word of persons around. One number in ten passes a checksum, so that a checksum alone is no
//! finding.
//!
//! Every format is drawn some hundred times, from a fixed seed, in sentences and under keys that name
//! nothing. The rates are printed by format and class.
#![cfg(test)]

use std::{collections::BTreeMap, fmt::Write as _};

use lockgate_rules::mask::{Detectors, Text};

/// So often each format is drawn.
const DRAWS: u32 = 1200;
/// At most this share of the draws of one format may give a finding.
const RATE_MAX: f64 = 0.005;
/// At most this share of all draws.
const RATE_ALL_MAX: f64 = 0.001;

/// What stands around a draw in a text; `{}` is the draw.
const SENTENCES: &[&str] = &[
    "{}",
    "Processed {} today.",
    "The result was {}, as before.",
    "see ({}) for details",
    "level=info msg=\"done\" value={} took=3ms",
    "- {}\n- none",
];
/// Keys that name nothing of a person.
const KEYS: &[&str] =
    &["id", "order_id", "count", "version", "sku", "trace_id", "commit", "value", "result", "data"];

/// Formats with a rate of their own, since what they hold by chance is a finding: of all numbers of sixteen
/// digits, one in forty is one that the great card brands could give.
const TELLING: &[(&str, f64)] = &[("sixteen digits", 0.04), ("four fours", 0.04)];

/// Names of formats, and what they look like. `{d3}` is three digits, `{d3-5}` three to five; `D` does not
/// begin with zero; `u`, `l`, `a` are capital letters, small ones, and both with digits, `U`
/// capital ones with digits; `h` and `H` are
/// hexadecimal, `b` base64, `r` base32 of ULIDs; `{n99}` is a number up to 99, `{t}` a time of day, `{y}`
/// a day as `2026-01-31`, `{z}` the same without dashes; `{s}`, `{m}`, `{c}` seconds, milliseconds and
/// nanoseconds since 1970.
const FORMATS: &[(&str, &[&str])] = &[
    ("six to eight digits", &["{d6-8}"]),
    ("nine digits", &["{d9}"]),
    ("ten digits", &["{d10}"]),
    ("eleven digits", &["{d11}"]),
    ("twelve digits", &["{d12}"]),
    ("thirteen digits", &["{d13}"]),
    ("fourteen digits", &["{d14}"]),
    ("fifteen digits", &["{d15}"]),
    ("sixteen digits", &["{d16}"]),
    ("seventeen to nineteen digits", &["{d17-19}"]),
    ("long digits", &["{d20-40}"]),
    ("two groups", &["{d4} {d4}", "{d3} {d4}", "{d5} {d5}", "{d6} {d3}", "{d2} {d6}"]),
    ("two groups, dashed", &["{d4}-{d4}", "{d3}-{d4}", "{d5}-{d5}", "{d6}-{d3}", "{d2}-{d6}"]),
    ("two groups, dotted", &["{d4}.{d4}", "{d3}.{d3}", "{d5}.{d4}", "{d6}.{d3}", "{d8}.{d1}"]),
    ("two groups, slashed", &["{d4}/{d4}", "{d3}/{d5}", "{d5}/{d6}", "{d3}/{d7}", "{d2}/{d6}"]),
    ("three groups", &["{d3} {d3} {d3}", "{d2} {d4} {d3}", "{d4} {d3} {d2}", "{d4} {d4} {d3}"]),
    (
        "three groups, dashed",
        &["{d3}-{d3}-{d3}", "{d2}-{d4}-{d3}", "{d4}-{d3}-{d2}", "{d1}-{d4}-{d4}"],
    ),
    (
        "three groups, dotted",
        &["{d3}.{d3}.{d3}", "{d2}.{d4}.{d3}", "{d4}.{d3}.{d3}", "{d1}.{d4}.{d4}"],
    ),
    ("three fours", &["{d4} {d4} {d4}", "{d4}-{d4}-{d4}", "{d4}.{d4}.{d4}"]),
    ("four fours", &["{d4} {d4} {d4} {d4}", "{d4}-{d4}-{d4}-{d4}"]),
    ("fives and sixes", &["{d5}-{d5}-{d5}", "{d6}-{d6}", "{d5} {d6}", "{d6} {d5}", "{d6} {d6}"]),
    (
        "other groups",
        &[
            "{d6}-{d4}",
            "{d6} {d4}",
            "{d8}-{d1}",
            "{d9}-{d1}",
            "{d3} {d3} {d4}",
            "{d4} {d6}",
            "{d2} {d3} {d3}",
            "{d3} {d2} {d4}",
            "{d6}-{d5}",
            "{d3} {d4} {d4}",
            "{d3}-{d4}-{d4}",
            "{d4} {d3} {d3}",
            "{d4}-{d4}-{d1}",
            "{d2}-{d7}",
        ],
    ),
    (
        "numbers in a row",
        &["{n99} {n999} {n99} {n999}", "{n999}, {n999}, {n9999}", "{n9} {n9} {n9} {n9}"],
    ),
    ("decimals", &["{D1}.{d2-9}", "{D3}.{d2-4}", "-{D2}.{d6}", "{D6}.{d2}", "{D1}.{d3}e-{d2}"]),
    ("thousands", &["{D2},{d3},{d3}", "{D1}.{d3}.{d3}", "{D3} {d3} {d3}", "${D1},{d3}.{d2}"]),
    ("builds", &["{z}.{n99}", "build {z}.{n9}", "{z}-{d4}", "{z}{d6}", "{d4}.{d2}.{d2}.{n9}"]),
    (
        "versions",
        &[
            "version {n20}.{n20}.{n20}.{n20}",
            "v{n20}.{n99}.{n99}",
            "{n9}.{n99}.{n99}-rc.{n9}",
            "version {n99}.{n9}.{d4}.{d3}",
            "release {n20}.{n99}.{d5}",
        ],
    ),
    (
        "packages",
        &["lib{l4}-{n9}.{n99}.{n9}-{n9}build{n9}", "{l5}@{n9}.{n99}.{n9}", "{l6}=={n9}.{n9}.{n99}"],
    ),
    (
        "ranges",
        &["{d4}-{d4}", "20{d2}-20{d2}", "{d3}-{d3}", "{d4}..{d4}", "lines {D3}-{D3}", "{d5}–{d5}"],
    ),
    ("one letter and digits", &["{u1}{d7}", "{u1}{d8}", "{u1}{d9}", "{u1}{d10}", "{u1}{d12}"]),
    ("two letters and digits", &["{u2}{d6}", "{u2}{d7}", "{u2}{d8}", "{u2}{d9}", "{u2}-{d4}-{d4}"]),
    (
        "three letters and digits",
        &["{u3}{d6}", "{u3}{d7}", "{u3}-{d5}", "{u3}-{d3}-{d4}", "{u3}{d9}"],
    ),
    (
        "digits and letters",
        &["{d7}{u1}", "{d8}{u1}", "{d6}{u2}", "{d9}{u1}", "{d8}{u1}{d3}", "{d7}{u2}"],
    ),
    ("letters around digits", &["{u1}{d7}{u1}", "{u2}{d6}{u1}", "{u1}{d6}{u1}", "{u1}{d8}{u1}"]),
    (
        "part numbers",
        &["{u2}{d2}-{u1}{d3}-{d2}", "{d3}-{d5}-{u2}", "{u1}{d2}.{d3}.{d2}", "{u5}{d4}{u1}"],
    ),
    ("parts in small letters", &["{l2}{d6}{l1}", "{l1}{d9}", "{d8}{l1}", "{l3}{d6}"]),
    (
        "flights and rooms",
        &["{u2} {d3-4}", "{u2}{d3-4}", "{d3}{u1}", "Gate {u1}{n60}", "Boeing 7{d1}7-{d3}"],
    ),
    (
        "books",
        &["978-{d1}-{d2}-{d6}-{d1}", "978-{d1}-{d4}-{d4}-{d1}", "978{d10}", "{d1}-{d3}-{d5}-{d1}"],
    ),
    ("articles", &["{d4}-{d3}{d1}", "400{d10}", "{d1} {d5} {d5} {d1}", "DE-{d5}-{d4}"]),
    (
        "invoices",
        &["INV-2026-{d6}", "INV{d8}", "PO-{d7}", "RE2026/{d5}", "{u3}-20{d2}-{d4}", "#{d7}"],
    ),
    ("tickets", &["OPS-{d4}", "CVE-20{d2}-{d5}", "JIRA-{d5}", "INC{d7}", "RITM{d7}", "pull/{d4}"]),
    ("tracking", &["1Z{u3}{d3}{d10}", "{u2}{d9}{u2}", "{d4} {d4} {d4} {d4} {d4} {d2}", "JD{d18}"]),
    (
        "uuids",
        &[
            "{h8}-{h4}-4{h3}-a{h3}-{h12}",
            "{H8}-{H4}-4{H3}-B{H3}-{H12}",
            "{h32}",
            "urn:uuid:{h8}-{h4}-7{h3}-9{h3}-{h12}",
        ],
    ),
    (
        "git",
        &[
            "{h7}",
            "{h8}",
            "{h40}",
            "{h12}",
            "commit {h40}",
            "{h7}..{h7}",
            "index {h7}..{h7} 100644",
        ],
    ),
    (
        "digests",
        &["{h64}", "sha256:{h64}", "md5 {h32}", "{l5}/{l6}@sha256:{h64}", "{h96}", "{h128}"],
    ),
    (
        "integrity",
        &["sha512-{b86}==", "sha256-{b43}=", "sha384-{b64}", "\"integrity\": \"sha512-{b86}==\""],
    ),
    ("base64", &["{b40}", "{b64}", "{b22}==", "{b120}", "data:image/png;base64,{b200}"]),
    ("ulids", &["01{r24}", "01J{r23}", "{a21}", "{a12}", "{l25}", "{a27}"]),
    (
        "etags",
        &["\"{h32}\"", "W/\"{h16}\"", "\"{h32}-{n99}\"", "ETag: \"{h32}\"", "\"{h8}-{h12}\""],
    ),
    ("traces", &["{h16}", "{h32}", "00-{h32}-{h16}-01", "1-{h8}-{h24}", "{D19}", "{u2}{a10}"]),
    ("epochs", &["{s}", "{m}", "{c}", "{s}.{d6}", "@{s}", "{m}-{n9}", "at {s}"]),
    (
        "times",
        &["{y}T{t}Z", "{y}T{t}.{d3}Z", "{y} {t},{d3}", "{y}T{t}+02:00", "{t}.{d9}", "{z}T{d6}Z"],
    ),
    (
        "dates",
        &[
            "{y}",
            "{d2}/{d2}/20{d2}",
            "{d2}.{d2}.20{d2}",
            "{z}",
            "Jan {n28}, 2026",
            "{n28} May 2026",
        ],
    ),
    (
        "sizes",
        &["{D3}.{d1} MB", "{D9} bytes", "{D4}x{D4}", "{D7}B", "{D2}%", "{D3}ms", "{D6}/{D7}"],
    ),
    ("colours", &["#{h6}", "#{h8}", "rgb({n255}, {n255}, {n255})", "0x{h8}", "0x{H16}", "#{h3}"]),
    ("money", &["${D4}.{d2}", "EUR {D5}.{d2}", "{D3} {d3},{d2} zł", "1.{d3}.{d3},{d2}", "USD{D6}"]),
    (
        "pods",
        &[
            "{l5}-{h9}-{l5}",
            "{l4}-{l6}-{n9}",
            "ip-10-{n255}-{n255}-{n255}",
            "{l4}-{d10}-{l5}",
            "{l5}-{d8}",
        ],
    ),
    (
        "keys of stores",
        &[
            "s3://{l6}/{l4}/2026/{d2}/{d2}/{h32}.gz",
            "{l4}/{z}/part-{d5}-{h8}.parquet",
            "gs://{l5}/{h12}",
            "user:{d7}:cart",
        ],
    ),
    (
        "resource names",
        &[
            "arn:aws:s3:::{l6}-{d4}",
            "arn:aws:lambda:eu-west-1:{d12}:function:{l6}",
            "i-0{h16}",
            "vpc-{h8}",
            "ami-{h17}",
            "projects/{l5}-{d6}/topics/{l4}",
        ],
    ),
    (
        "cron lines",
        &["{n59} {n23} * * {n6} /usr/bin/{l5}", "*/{n30} * * * *", "{n59} {n23} {n28} {n12} *"],
    ),
    (
        "log lines",
        &[
            "{y}T{t}.{d3}Z INFO [{l5}] request {h16} took {n999}ms status=200 size={D5}",
            "{y} {t} [{d5}] WARN {l6}.{l5}: retry {n9} of 5, offset {D9}",
            "Jan {n28} {t} host1 {l5}[{d5}]: {D6} items, {D8} bytes, cursor {D10}",
            "E{d4} {t}.{d6} {D7} {l5}.go:{D3}] code={D3} seq={D8}",
            "GET /api/v1/{l5}/{D7} HTTP/1.1 200 {D4} {n999}",
        ],
    ),
    (
        "code",
        &[
            "let x = {D6};",
            "0x{H8}u32",
            "[{n255}, {n255}, {n255}, {n255}]",
            "x[{n999}] = {D5}",
            "const N: u64 = {D10};",
        ],
    ),
    (
        "tables",
        &[
            "{D5}\t{D7}\t{D4}.{d2}\t{D3}",
            "| {D6} | {D9} | {D3}.{d2} |",
            "{D4};{D8};{D5};{D10}",
            "{D6},{D10},{D3}",
        ],
    ),
    (
        "paths and urls",
        &[
            "/var/log/{l5}/{z}.log",
            "https://example.org/{l5}/{D8}",
            "https://example.org/?page={D3}&id={D10}",
            "C:\\{l5}\\{d8}.dat",
        ],
    ),
    (
        "serial numbers",
        &[
            "{u1}{d2}{u2}{d5}",
            "{d2}{u2}{d6}{u1}",
            "SN{d10}",
            "{U17}",
            "{U16}",
            "{u3}{d4}{u2}{d3}",
            "{d3}{u1}{d6}{u2}",
        ],
    ),
    (
        "hardware",
        &[
            "{h4}:{h4}",
            "0000:{h2}:{h2}.{n7}",
            "{h8}:{h8}",
            "sda{n9}",
            "{u2}-{d4}{u2}{d2}",
            "dm-{n9}",
        ],
    ),
    (
        "sports and time",
        &["{n9}:{n59}.{d2}", "{n9}-{n9}, {n9}-{n9}", "{n120}:{n99}", "{n59}:{t}", "{n3}:{n3}"],
    ),
];

#[test]
fn what_is_drawn_by_chance_is_seldom_found() {
    let detectors = Detectors::standard();
    let mut lot = Lot(0x9e37_79b9_7f4a_7c15);
    let (mut table, mut faults, mut all) = (String::new(), Vec::new(), (0u32, 0u32));
    for (name, templates) in FORMATS {
        let mut classes: BTreeMap<String, u32> = BTreeMap::new();
        let (mut hits, mut sample) = (0, Vec::new());
        for draw in 0..DRAWS {
            let value = lot.fill(templates[draw as usize % templates.len()]);
            let found = look(&detectors, draw as usize / templates.len(), &value);
            hits += u32::from(!found.is_empty());
            if !found.is_empty() && sample.len() < 5 {
                sample.push(value);
            }
            found.into_iter().for_each(|class| *classes.entry(class).or_default() += 1);
        }
        let rate = f64::from(hits) / f64::from(DRAWS);
        let most =
            TELLING.iter().find(|(telling, _)| telling == name).map_or(RATE_MAX, |one| one.1);
        if most == RATE_MAX {
            all = (all.0 + hits, all.1 + DRAWS);
        }
        let _ = writeln!(table, "{:>6.2} % {name}: {classes:?} {sample:?}", rate * 100.0);
        if rate > most {
            faults.push(format!("{name}: {rate:.4}, such as {sample:?}"));
        }
    }
    let rate = f64::from(all.0) / f64::from(all.1);
    println!("{table}{:>6.3} % of all others", rate * 100.0);
    assert!(faults.is_empty(), "found too often:\n{}", faults.join("\n"));
    assert!(rate <= RATE_ALL_MAX, "{rate:.5} of all draws were found");
}

/// The classes found in one draw: in a sentence at first, under a key at last, by turns.
fn look(detectors: &Detectors, turn: usize, value: &str) -> Vec<String> {
    let choice = turn % (SENTENCES.len() + KEYS.len());
    let (text, key) = match SENTENCES.get(choice) {
        Some(sentence) => (sentence.replace("{}", value), None),
        None => (value.to_owned(), KEYS.get(choice - SENTENCES.len()).copied()),
    };
    let mut found = Vec::new();
    detectors.scan(Text { text: &text, key }, &mut found);
    found.into_iter().map(|one| one.class.name().to_owned()).collect()
}

/// Numbers by xorshift: the same in every run.
struct Lot(u64);

impl Lot {
    /// A number below `most`.
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }

    /// A template with its fields drawn.
    fn fill(&mut self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once('{') {
            let (field, behind) = behind.split_once('}').unwrap();
            filled += before;
            self.field(field, &mut filled);
            rest = behind;
        }
        filled + rest
    }

    fn field(&mut self, field: &str, filled: &mut String) {
        let (kind, size) = field.split_at(1);
        let (least, most) = size.split_once('-').unwrap_or((size, size));
        let (least, most) = (least.parse().unwrap_or(0u64), most.parse().unwrap_or(0u64));
        let _ = match kind {
            "n" => write!(filled, "{}", self.below(most + 1)),
            "s" => write!(filled, "{}", self.seconds()),
            "m" => write!(filled, "{}{:03}", self.seconds(), self.below(1000)),
            "c" => write!(filled, "{}{:09}", self.seconds(), self.below(1_000_000_000)),
            "t" => {
                let (hour, minute, second) = (self.below(24), self.below(60), self.below(60));
                write!(filled, "{hour:02}:{minute:02}:{second:02}")
            }
            "y" | "z" => {
                let gap = if kind == "y" { "-" } else { "" };
                let (year, month, day) = (self.below(15), self.below(12), self.below(28));
                write!(filled, "{}{gap}{:02}{gap}{:02}", 2015 + year, month + 1, day + 1)
            }
            _ => {
                let length = least + self.below(most - least + 1);
                filled.extend((0..length).map(|place| self.letter(kind, place)));
                Ok(())
            }
        };
    }

    /// Seconds since 1970, from 2014 to 2033.
    fn seconds(&mut self) -> u64 {
        1_400_000_000 + self.below(600_000_000)
    }

    fn letter(&mut self, kind: &str, place: u64) -> char {
        let alphabet: &[u8] = match kind {
            "D" if place == 0 => b"123456789",
            "d" | "D" => b"0123456789",
            "u" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "l" => b"abcdefghijklmnopqrstuvwxyz",
            "U" => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "h" => b"0123456789abcdef",
            "H" => b"0123456789ABCDEF",
            "r" => b"0123456789ABCDEFGHJKMNPQRSTVWXYZ",
            "b" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            _ => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        };
        let at = self.below(alphabet.len() as u64);
        alphabet[at as usize].into()
    }
}
