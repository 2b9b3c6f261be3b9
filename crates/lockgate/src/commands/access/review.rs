//! `lockgate access review`: standing access that deserves a look, by the policies and the recording:
//! what ends soon, what nobody has used, and who gets in by more than one path.
//!
//! Changes nothing, and decides nothing.

use std::collections::BTreeMap;

use lockgate_gateway::{clock, settings::IssuerSettings};
use lockgate_model::{Digest, Group, Identity, Timestamp, TokenFacts};
use lockgate_rules::policy::{Path, Policies, Standing};
use lockgate_store::index::{PolicyUse, Seen};
use serde_json::{Value, json};

use crate::{
    config::Loaded,
    failure::{Exit, Failure, Outcome},
    moment, offline,
    place::Place,
    registered::load_all,
    terminal::{Style, Terminal, inert},
};

/// List access that ends soon, that nobody uses, or that somebody has more than once
///
/// Uses are counted in the recording, as far back as it goes. A permit whose every call was held for
/// approval counts as unused: of these, the policies that held them are on record. Who gets in by
/// more than one path is said of those who had a session lately, with the groups that they had then;
/// conditions of policies are not looked at.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate access review\n  \
    lockgate access review --within 14d --unused 90d --json")]
pub(crate) struct Review {
    #[command(flatten)]
    place: Place,
    /// How far to look ahead for permits that end, as in `14d`
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = crate::moment::length_ms)]
    within: u64,
    /// For how long a permit was not used, and how far back identities are looked for
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = crate::moment::length_ms)]
    unused: u64,
}

/// One identity that gets in to one connection by several paths.
struct Double<'a> {
    who: &'a Seen,
    connection: String,
    paths: Vec<Path>,
}

/// Answers.
pub(super) fn run(review: &Review, terminal: Terminal) -> Outcome {
    let loaded = load_all(&review.place.config)?;
    let policies = offline::compile(&loaded)?.policies;
    let now = clock::now();
    let before = |millis: u64| now.plus_millis(-i64::try_from(millis).unwrap_or(i64::MAX));
    let since = before(review.unused);
    let place = review.place.open()?;
    let (uses, seen) = place.ask(async |index| {
        let uses = index.policy_uses().await.map_err(Failure::unreachable)?;
        let seen = index.seen(since).await.map_err(Failure::unreachable)?;
        Ok((uses, seen))
    })?;
    let standing = policies.standing();
    let soon = now.plus_millis(i64::try_from(review.within).unwrap_or(i64::MAX));
    let ending: Vec<_> =
        standing.iter().filter(|one| one.until.is_some_and(|until| until <= soon)).collect();
    let idle = |one: &&Standing| {
        let ended = one.until.is_some_and(|until| until <= now);
        one.recorded && !ended && uses.get(&one.id).is_none_or(|used| used.last < since)
    };
    let unused: Vec<_> = standing.iter().filter(idle).collect();
    let double = doubles(&policies, &loaded, &seen, now);
    if terminal.json {
        terminal.json(&as_json(&ending, &unused, &uses, &double))?;
    } else {
        as_text(&ending, &unused, &uses, &double, now, terminal);
    }
    Ok(Exit::Ok)
}

fn doubles<'a>(
    policies: &Policies,
    loaded: &Loaded,
    seen: &'a [Seen],
    now: Timestamp,
) -> Vec<Double<'a>> {
    let mut found = Vec::new();
    for who in seen {
        let identity = identity(who, loaded, now);
        for connection in &loaded.gateway.connections {
            let paths = policies.paths(&identity, &connection.name, now);
            if paths.len() > 1 {
                found.push(Double { who, connection: connection.name.to_string(), paths });
            }
        }
    }
    found
}

/// As far as the recording knows somebody: enough for scopes of policies, not for conditions.
fn identity(who: &Seen, loaded: &Loaded, now: Timestamp) -> Identity {
    let configured = loaded.gateway.issuers.iter().find(|one| one.name == who.issuer);
    Identity {
        issuer: who.issuer.clone(),
        kind: configured.map(IssuerSettings::kind).unwrap_or_default(),
        subject: who.subject.clone(),
        client: None,
        groups: who.groups.iter().filter_map(|text| Group::parse(text)).collect(),
        claims: BTreeMap::new(),
        token: TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: None,
            expires_at: now,
            refused_from: now,
        },
    }
}

fn as_json(
    ending: &[&Standing],
    unused: &[&Standing],
    uses: &BTreeMap<String, PolicyUse>,
    double: &[Double<'_>],
) -> Value {
    let standing = |one: &&Standing| {
        json!({ "policy": one.id, "file": one.file, "line": one.line, "owner": one.owner,
            "reason": one.reason, "until": one.until.map(moment::text),
            "calls": uses.get(&one.id).map_or(0, |used| used.calls),
            "last": uses.get(&one.id).map(|used| moment::text(used.last)) })
    };
    let path = |path: &Path| json!({ "through": path.through, "policies": path.policies });
    let doubled = |one: &Double<'_>| {
        json!({ "issuer": one.who.issuer, "subject": one.who.subject,
            "connection": one.connection, "paths": one.paths.iter().map(path).collect::<Vec<_>>() })
    };
    json!({
        "ending": ending.iter().map(standing).collect::<Vec<_>>(),
        "unused": unused.iter().map(standing).collect::<Vec<_>>(),
        "more_than_one_path": double.iter().map(doubled).collect::<Vec<_>>(),
    })
}

fn as_text(
    ending: &[&Standing],
    unused: &[&Standing],
    uses: &BTreeMap<String, PolicyUse>,
    double: &[Double<'_>],
    now: Timestamp,
    terminal: Terminal,
) {
    for one in ending {
        let until = one.until.unwrap_or(now);
        let (style, word) =
            if until <= now { (Style::Bad, "ended") } else { (Style::Good, "ends ") };
        let word = terminal.styled(style, word);
        terminal.data(format_args!("{word}   {}  {}", moment::text(until), place(one, terminal)));
    }
    for one in unused {
        let last = uses.get(&one.id).map_or_else(|| "never".to_owned(), |u| moment::text(u.last));
        terminal.data(format_args!("unused  {last:<24}  {}", place(one, terminal)));
    }
    for Double { who, connection, paths } in double {
        let who = inert(&format!("{}/{}", who.issuer, who.subject));
        let paths: Vec<String> = paths
            .iter()
            .map(|path| format!("{} ({})", path.through, path.policies.join(", ")))
            .collect();
        terminal.data(format_args!("double  {who} on {connection}: {}", inert(&paths.join("; "))));
    }
    if ending.is_empty() && unused.is_empty() && double.is_empty() {
        terminal.talk("nothing to look at");
    }
}

/// Which permit, where it stands, and whom to ask.
fn place(one: &Standing, terminal: Terminal) -> String {
    let owner = one.owner.as_ref().map(|owner| format!(", owner {}", inert(owner)));
    let reason = one.reason.as_ref().map(|reason| format!(": {}", inert(reason)));
    let (owner, reason) = (owner.unwrap_or_default(), reason.unwrap_or_default());
    let place = format!("({}:{}{owner}{reason})", one.file, one.line);
    format!("{}  {}", inert(&one.id), terminal.styled(Style::Dim, &place))
}
