//! A server tried: reached as the gateway reaches it, greeted in both eras, and listed. What is wrong is
//! said in plain words.
//!
//! Every request is on record as the gateway's own; accepts nothing, and calls no tool.

mod words;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_gateway::{
    settings::{ConnectionSettings, EraSetting, GatewaySettings},
    snapshot::Connection,
    upstream::catalogue::{Catalogue, Lister},
    vault::Vault,
};
use lockgate_mcp::definition::Kind;
use lockgate_model::{ConnectionName, Era, Reason, Refusal};
use lockgate_rules::mask::{Detectors, Text};
use lockgate_store::journal::Journal;
use serde::{Deserialize, Serialize};

use crate::look;

/// Longest that a test takes, with both eras.
pub(crate) const TEST_MAX: Duration = Duration::from_secs(150);

/// What came of a test.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The connection.
    pub(crate) connection: String,
    /// Whether the gateway can serve it.
    pub(crate) good: bool,
    /// Each era that was tried.
    pub(crate) eras: Vec<Tried>,
    /// What is wrong and what to do, in a few sentences.
    pub(crate) wrong: Option<String>,
    /// What a program wrote to its standard error last, secrets masked.
    pub(crate) stderr: Vec<String>,
}

/// How a server fared in one era.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tried {
    /// `modern` or `legacy`.
    pub(crate) era: Era,
    /// How long it took to greet and to list it, in milliseconds.
    pub(crate) took_ms: u64,
    /// What it showed; `None` where it does not speak this era.
    pub(crate) shown: Option<Seen>,
    /// Why it does not.
    pub(crate) why: Option<String>,
}

/// What a server shows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The revision that was agreed on.
    pub(crate) revision: String,
    /// What it calls itself.
    pub(crate) server: String,
    /// Its version, as it says.
    pub(crate) version: String,
    /// How many tools it lists.
    pub(crate) tools: usize,
    /// How many prompts.
    pub(crate) prompts: usize,
}

/// Tries the server of one connection of `gateway`.
pub(crate) async fn test(
    gateway: &GatewaySettings,
    name: &ConnectionName,
    data: &Path,
    journal: &Arc<Journal>,
    vault: Arc<Vault>,
) -> Report {
    let connection = match look::alone(gateway, name, data, journal, vault) {
        Ok(connection) => connection,
        Err(failure) => {
            let (connection, wrong) = (name.to_string(), Some(failure.summary()));
            return Report { connection, good: false, eras: vec![], wrong, stderr: vec![] };
        }
    };
    let mut eras = Vec::new();
    let mut refusals = Vec::new();
    for (era, setting) in [(Era::Modern, EraSetting::Modern), (Era::Legacy, EraSetting::Legacy)] {
        let begun = Instant::now();
        let listed = lister(&connection, setting, journal).list().await;
        // A child of one era is of no use to the other.
        connection.upstream.shutdown().await;
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (shown, refusal) = match listed {
            Ok(catalogue) => (Some(Seen::of(&catalogue)), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let why = refusal.as_ref().map(ToString::to_string);
        eras.push(Tried { era, took_ms, shown, why });
        let pointless = refusal.as_ref().is_some_and(|refusal| !speaks_of_era(refusal));
        refusals.extend(refusal);
        if pointless {
            break;
        }
    }
    let settings = &connection.settings;
    let wrong = wrong(settings, &eras, &refusals);
    let stderr = match &wrong {
        Some(_) => masked(connection.upstream.last_words().await),
        None => Vec::new(),
    };
    Report { connection: name.to_string(), good: wrong.is_none(), eras, wrong, stderr }
}

impl Seen {
    fn of(catalogue: &Catalogue) -> Self {
        let count = |kind| catalogue.definitions.iter().filter(|one| one.kind == kind).count();
        Self {
            revision: catalogue.revision.clone(),
            server: catalogue.server.clone(),
            version: catalogue.server_version.clone(),
            tools: count(Kind::Tool),
            prompts: count(Kind::Prompt),
        }
    }
}

fn lister(connection: &Connection, era: EraSetting, journal: &Arc<Journal>) -> Lister {
    Lister::new(
        connection.name().clone(),
        Arc::clone(&connection.upstream),
        connection.credential.clone(),
        era,
        connection.limits,
        Arc::clone(journal),
    )
}

/// Whether the other era may fare better after this.
fn speaks_of_era(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason,
        Reason::UpstreamInvalid
            | Reason::UpstreamEnded
            | Reason::UpstreamTimeout
            | Reason::UpstreamTooLarge
    )
}

/// What is wrong; `None` where the gateway can serve it.
fn wrong(settings: &ConnectionSettings, eras: &[Tried], refusals: &[Refusal]) -> Option<String> {
    let spoken: Vec<Era> =
        eras.iter().filter(|tried| tried.shown.is_some()).map(|tried| tried.era).collect();
    if spoken.iter().any(|era| settings.era.admits(*era)) {
        return None;
    }
    if !spoken.is_empty() {
        return Some(
            "the server speaks only the era that `era` of the connection rules out; leave `era` out"
                .to_owned(),
        );
    }
    // The later try says more: servers of old times answer what is new to them with anything.
    refusals.last().map(|refusal| words::plain(settings, refusal))
}

/// Lines without what the detectors take for secrets. The child's own are gone already.
fn masked(lines: Vec<String>) -> Vec<String> {
    let detectors = Detectors::standard();
    let mask = |line: String| {
        let mut found = Vec::new();
        detectors.scan(Text { text: &line, key: None }, &mut found);
        let (mut shown, mut from) = (String::with_capacity(line.len()), 0);
        for finding in found.iter().filter(|one| one.class.is_in("secret")) {
            shown.push_str(line.get(from..finding.start).unwrap_or_default());
            shown.push_str("***");
            from = finding.end;
        }
        shown.push_str(line.get(from..).unwrap_or_default());
        shown
    };
    lines.into_iter().map(mask).collect()
}
