//! What a sealed credential costs: sealed, opened, fetched from memory and from the database; and what
//! 100,000 of them cost in memory and at the start.
//!
//! `cargo xtask bench vault`. Not part of the tests.
#![expect(clippy::print_stdout, reason = "figures belong on the terminal")]
#![expect(clippy::unwrap_used, reason = "a bench that fails has no figures")]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_gateway::{
    provider::Providers,
    secret::SecretRef,
    vault::{KeyPlace, KeyPlaces, Vault},
};
use lockgate_model::{ConnectionName, SecretName, Timestamp};
use lockgate_store::{
    db::DbPlace,
    secrets::{NewSecret, Secrets},
};
use lockgate_vault::{About, KeySource, Keyring, Purpose, Sealed, Secret};
use tempfile::TempDir;

const ROUNDS: u32 = 20_000;
const MANY: u32 = 100_000;
/// As long as a signed token.
const VALUE_BYTES: usize = 1_000;

fn main() {
    // Not in memory, which a temporary folder may be.
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let source = KeySource::File(folder.path().join("vault.key"));
    let keys = source.read_or_create().unwrap();
    let value = Secret::of_text("x".repeat(VALUE_BYTES)).unwrap();
    in_memory(&keys, &value);
    let place = DbPlace::Sqlite(folder.path().join("vault.sqlite"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(fill(&place, &keys, &value));
    runtime.block_on(fetched(&place, &source));
}

fn in_memory(keys: &Keyring, value: &Secret) {
    let about = about("one");
    let sealed = keys.seal(keys.newest(), &about, value).unwrap();
    let text = sealed.to_text();
    println!("{VALUE_BYTES} bytes sealed are {} in the database", text.len());
    each("seal", ROUNDS, || drop(black_box(keys.seal(keys.newest(), &about, value).unwrap())));
    each("parse and open", ROUNDS, || {
        drop(black_box(keys.open(&about, &Sealed::parse(&text).unwrap()).unwrap()));
    });
    each("wrap anew", ROUNDS, || drop(black_box(keys.rewrap(&sealed, keys.newest()).unwrap())));
}

async fn fill(place: &DbPlace, keys: &Keyring, value: &Secret) {
    let secrets = Secrets::open(place).await.unwrap();
    let begun = Instant::now();
    for number in 0..MANY {
        let name = name(number);
        let sealed = keys.seal(keys.newest(), &about(name.as_str()), value).unwrap();
        let new = NewSecret {
            name: name.as_str(),
            version: 1,
            connection: None,
            sealing_key: &keys.newest().to_string(),
            sealed: &sealed.to_text(),
            description: "",
            author: "local:bench",
            now: Timestamp::from_millis(0),
        };
        secrets.put(&new).await.unwrap();
    }
    shown("set, durably", begun.elapsed(), MANY);
    secrets.close().await;
}

async fn fetched(place: &DbPlace, source: &KeySource) {
    let (before, begun) = (resident_bytes(), Instant::now());
    let vault = Vault::default();
    let secrets = Arc::new(Secrets::open(place).await.unwrap());
    let places = KeyPlaces::new(vec![KeyPlace::Here(source.clone())], Providers::default());
    vault.open(Arc::clone(&secrets), places, source.read().unwrap());
    let connection = ConnectionName::new("staff").unwrap();
    drop(vault.fetch(&connection, &sealed(0)).await.unwrap());
    println!("start with {MANY} secrets, to the first fetched: {:.1} ms", ms(begun.elapsed()));
    let begun = Instant::now();
    for number in 0..ROUNDS {
        drop(black_box(vault.fetch(&connection, &sealed(1 + number)).await.unwrap()));
    }
    shown("fetch, from the database", begun.elapsed(), ROUNDS);
    println!("memory more after that: {} KiB", resident_bytes().saturating_sub(before) / 1024);
    drop(vault.fetch(&connection, &sealed(0)).await.unwrap());
    let first = sealed(0);
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        drop(black_box(vault.fetch(&connection, &first).await.unwrap()));
    }
    shown("fetch, known", begun.elapsed(), ROUNDS);
}

fn each(what: &str, rounds: u32, mut work: impl FnMut()) {
    let begun = Instant::now();
    for _ in 0..rounds {
        work();
    }
    shown(what, begun.elapsed(), rounds);
}

fn shown(what: &str, took: Duration, rounds: u32) {
    println!("{what:<26} {:>9.2} µs each", ms(took) * 1e3 / f64::from(rounds));
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

fn about(name: &str) -> About<'_> {
    About { purpose: Purpose::Credential, connection: None, name, version: 1 }
}

fn name(number: u32) -> SecretName {
    SecretName::new(&format!("secret-{number:06}")).unwrap()
}

fn sealed(number: u32) -> SecretRef {
    SecretRef::Sealed(name(number))
}

/// The process's memory.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
