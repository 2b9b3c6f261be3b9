//! Every target on its seeds and on mutations of them, the same ones each time: short enough for
//! every change, on any toolchain. `LOCKGATE_FUZZ_INPUTS` sets how many mutations a target gets, and
//! `LOCKGATE_FUZZ_TARGETS` how the names of the targets begin.

use std::{fs, panic, path::Path, time::Instant};

use lockgate_fuzz::{TARGETS, Target};

const INPUTS: u64 = 20_000;
/// Mutated inputs don't grow beyond this, in bytes.
const LENGTH_MAX: usize = 4096;

#[test]
fn every_target_holds_on_mutated_inputs() {
    let inputs = std::env::var("LOCKGATE_FUZZ_INPUTS").ok().and_then(|text| text.parse().ok());
    let inputs = inputs.unwrap_or(INPUTS);
    let named = std::env::var("LOCKGATE_FUZZ_TARGETS").unwrap_or_default();
    for target in TARGETS.iter().filter(|target| target.name.starts_with(&named)) {
        let seeds = seeds(target.name);
        let start = Instant::now();
        seeds.iter().for_each(|seed| check(target, seed));
        for number in 0..inputs {
            check(target, &mutated(&seeds, number));
        }
        let (name, ran) = (target.name, seeds.len() as u64 + inputs);
        println!("{name}: {ran} inputs, 0 crashes, {:.1} s", start.elapsed().as_secs_f64());
    }
}

/// Runs a target, and shows the input where it fails.
fn check(target: &Target, input: &[u8]) {
    if let Err(fault) = panic::catch_unwind(|| (target.holds)(input)) {
        let name = target.name;
        println!("{name} fails on: \"{}\"", input.escape_ascii());
        panic::resume_unwind(fault);
    }
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no seeds for {name}");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Input `number`: a seed with one to eight changes.
fn mutated(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        change(&mut input, seeds, &mut random);
    }
    input.truncate(LENGTH_MAX);
    input
}

/// What tends to matter to the parsers.
const TOKENS: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"1e400",
    b"-0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\xEF\xBB\xBF",
    b"\xFF",
    b".",
    b"=",
    b"%2e",
    b"\"method\":",
];

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(6) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.below(256) as u8,
        2 => {
            let end = input.len().min(at + random.below(16));
            input.drain(at..end);
        }
        3 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            let to = other.len().min(from + random.below(64));
            input.splice(at..at, other[from..to].iter().copied());
        }
        4 => {
            let end = input.len().min(at + random.below(32));
            let part = input[at..end].to_vec();
            input.splice(at..at, part);
        }
        _ => {
            let token = TOKENS[random.below(TOKENS.len())];
            input.splice(at..at, token.iter().copied());
        }
    }
}

/// xorshift64*: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }
}
