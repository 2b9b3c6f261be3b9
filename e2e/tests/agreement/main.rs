//! Whatever Lockgate accepts, serde_json, CPython and Node read as the same tree.
//!
//! Bodies are generated from a seed: valid messages in every spelling, hostile ones, and near
//! misses. `LOCKGATE_AGREEMENT_BODIES` sets how many, `LOCKGATE_AGREEMENT_SEED` which.

#![cfg(test)]

mod generate;
mod readers;

use std::{env, fmt::Write as _};

use anyhow::{Context as _, ensure};
use lockgate_mcp::{json::JsonLimits, message::parse_client};
use serde_json::Value;

use generate::Generator;
use readers::Reader;

/// Bodies that go to the readers at once.
const BATCH: u64 = 5_000;

#[test]
fn every_accepted_body_is_read_as_the_same_tree() -> anyhow::Result<()> {
    let bodies = number("LOCKGATE_AGREEMENT_BODIES")?.unwrap_or(100_000);
    let seed = number("LOCKGATE_AGREEMENT_SEED")?.unwrap_or(0x10C6_6A7E);
    println!("seed {seed}");
    let mut generator = Generator::new(seed);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/agreement");
    let mut readers = [
        Reader::start("CPython", "python3", &format!("{folder}/reader.py"))?,
        Reader::start("Node", "node", &format!("{folder}/reader.mjs"))?,
    ];
    let (mut accepted, mut disagreements) = (0, 0);
    for start in (0..bodies).step_by(usize::try_from(BATCH)?) {
        let batch: Vec<_> = (start..bodies.min(start + BATCH)).map(|_| generator.body()).collect();
        let batch: Vec<_> = batch.into_iter().filter(|body| is_accepted(body)).collect();
        accepted += batch.len();
        let ours = batch.iter().map(|body| our_reading(body)).collect::<Vec<_>>();
        let mut compare = |reader: &str, theirs: &[String]| {
            for ((body, ours), theirs) in batch.iter().zip(&ours).zip(theirs) {
                if ours != theirs {
                    disagreements += 1;
                    println!("{reader}: {}\n ours {ours}\n theirs {theirs}", body.escape_ascii());
                }
            }
        };
        compare("serde_json", &batch.iter().map(|body| serde_reading(body)).collect::<Vec<_>>());
        for reader in &mut readers {
            let theirs = reader.read(&batch)?;
            compare(reader.name, &theirs);
        }
    }
    println!("bodies {bodies} accepted {accepted} disagreements {disagreements}");
    ensure!(disagreements == 0, "readers disagree");
    ensure!(accepted as u64 * 5 > bodies, "too few bodies were accepted to prove anything");
    Ok(())
}

fn number(name: &str) -> anyhow::Result<Option<u64>> {
    let Ok(text) = env::var(name) else { return Ok(None) };
    text.parse().map(Some).with_context(|| format!("{name} is no number"))
}

fn is_accepted(body: &[u8]) -> bool {
    parse_client(body, JsonLimits::default()).is_ok()
}

/// The normal form of what Lockgate decides on.
fn our_reading(body: &[u8]) -> String {
    let document = lockgate_mcp::json::Document::strict(body, JsonLimits::default());
    document.map_or("!".to_owned(), |document| normal(&document.root().to_value()))
}

fn serde_reading(body: &[u8]) -> String {
    serde_json::from_slice(body).map_or("!".to_owned(), |value| normal(&value))
}

/// One text for one tree: texts and sorted keys in hexadecimal, numbers as the bits of a double.
fn normal(value: &Value) -> String {
    match value {
        Value::Null => "n".to_owned(),
        Value::Bool(true) => "t".to_owned(),
        Value::Bool(false) => "f".to_owned(),
        Value::Number(number) => {
            format!("#{:016x}", number.as_f64().unwrap_or(f64::NAN).to_bits())
        }
        Value::String(text) => format!("\"{}", hex(text.as_bytes())),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(normal).collect::<Vec<_>>().join(","))
        }
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}:{}", hex(key.as_bytes()), normal(value))
            };
            let mut members: Vec<_> = members.iter().map(member).collect();
            members.sort_unstable_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
            format!("{{{}}}", members.join(","))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
