//! `lockgate revoke person|client|…`: what is revoked, and for how long.

use lockgate_gateway::{clock, snapshot::issuer_names};
use lockgate_model::{ConnectionName, Digest, REVOCATION_REASON_MAX_BYTES, Revoked, Timestamp};
use serde_json::json;

use crate::{
    config::{ConfigArgs, Loaded, suggestion},
    failure::{Exit, Failure, Outcome},
    moment, offline,
    registered::load_all,
    revoked,
    terminal::{Terminal, inert},
};

/// Why, and for how long
#[derive(Debug, clap::Args)]
pub(super) struct Terms {
    #[command(flatten)]
    config: ConfigArgs,
    /// Why; it is on the record, and whoever lists revocations reads it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// For how long from now, as in `30m` or `2h`; until it is lifted where absent
    #[arg(long = "for", value_name = "TIME", value_parser = moment::length_ms)]
    for_ms: Option<u64>,
    /// Until this moment, as in `2026-12-31T00:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment::instant, conflicts_with = "for_ms")]
    until: Option<Timestamp>,
    /// Only tokens issued up to now: whoever signs in again is let in
    #[arg(long)]
    old_tokens: bool,
    /// Only tokens issued up to this moment
    #[arg(long, value_name = "TIME", value_parser = moment::instant, conflicts_with = "old_tokens")]
    issued_until: Option<Timestamp>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// By issuer and name
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate revoke person corp/dana --reason 'contract ended'\n  \
    lockgate revoke group corp/contractors --for 2h --reason 'incident 42' --yes")]
pub(crate) struct Named {
    /// The issuer's short name in the configuration, a slash, and the name as the token has it
    #[arg(value_name = "ISSUER/NAME")]
    name: String,
    #[command(flatten)]
    terms: Terms,
}

/// By digest
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate revoke token 5e88…e2a9 --reason 'seen in a log'\n  \
    lockgate revoke token 5e88…e2a9 --for 24h --reason 'seen in a log'")]
pub(crate) struct Token {
    /// SHA-256 of the token's header and claims, in hex, as `journal show --json` has it
    #[arg(value_name = "DIGEST", value_parser = digest)]
    digest: Digest,
    #[command(flatten)]
    terms: Terms,
}

/// By the id that the record gives it
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate revoke session s4f0c… --reason 'looks wrong'\n  \
    lockgate who-is-in --json")]
pub(crate) struct Session {
    /// Its id, as `lockgate who-is-in` shows it
    #[arg(value_name = "SESSION")]
    id: String,
    #[command(flatten)]
    terms: Terms,
}

/// By its name
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate revoke connection staff --for 1h --reason 'the server was broken into'\n  \
    lockgate revoke connection staff --reason 'the server was broken into' --yes")]
pub(crate) struct Connection {
    /// The connection
    #[arg(value_name = "NAME", value_parser = ConnectionName::new)]
    name: ConnectionName,
    #[command(flatten)]
    terms: Terms,
}

/// All of them
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate revoke everyone --old-tokens --reason 'the signing key was seen' --yes\n  \
    lockgate revoke everyone --issuer corp --issued-until 2026-12-01T08:00:00Z --reason 'breach'")]
pub(crate) struct Everyone {
    /// Only everybody of this issuer
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    #[command(flatten)]
    terms: Terms,
}

impl Named {
    pub(super) fn run(&self, kind: &str, terminal: Terminal) -> Outcome {
        let loaded = load_all(&self.terms.config)?;
        let target = Revoked::of(kind, &self.name).map_err(Failure::usage_text)?;
        self.terms.carry_out(&loaded, target, terminal)
    }
}

impl Token {
    pub(super) fn run(&self, terminal: Terminal) -> Outcome {
        let loaded = load_all(&self.terms.config)?;
        self.terms.carry_out(&loaded, Revoked::Token(self.digest), terminal)
    }
}

impl Session {
    pub(super) fn run(&self, terminal: Terminal) -> Outcome {
        let loaded = load_all(&self.terms.config)?;
        self.terms.carry_out(&loaded, Revoked::Session(self.id.clone()), terminal)
    }
}

impl Connection {
    pub(super) fn run(&self, terminal: Terminal) -> Outcome {
        let loaded = load_all(&self.terms.config)?;
        offline::connection(&loaded, self.name.as_str())?;
        self.terms.carry_out(&loaded, Revoked::Connection(self.name.clone()), terminal)
    }
}

impl Everyone {
    pub(super) fn run(&self, terminal: Terminal) -> Outcome {
        let loaded = load_all(&self.terms.config)?;
        let target = Revoked::Everyone { issuer: self.issuer.clone() };
        self.terms.carry_out(&loaded, target, terminal)
    }
}

impl Terms {
    fn carry_out(&self, loaded: &Loaded, target: Revoked, terminal: Terminal) -> Outcome {
        if let Some(issuer) = target.issuer() {
            known_issuer(loaded, issuer)?;
        }
        let shown = inert(&target.to_string());
        // What is about one caller is done at once; it can be lifted as quickly.
        let many =
            matches!(target, Revoked::Everyone { .. } | Revoked::Group(_) | Revoked::Connection(_));
        if many && !self.yes && !terminal.confirm(&format!("Put out {shown}?"))? {
            return Ok(Exit::No);
        }
        let now = clock::now();
        let issued_until = self.issued_until.or_else(|| self.old_tokens.then_some(now));
        let length = self.for_ms.map(|ms| now.plus_millis(i64::try_from(ms).unwrap_or(i64::MAX)));
        let until = self.until.or(length);
        if until.is_some_and(|until| until <= now) {
            return Err(Failure::usage_text("it would be over already"));
        }
        let revocation = revoked::by_local_user(target, self.reason.clone(), issued_until, until)?;
        revoked::make(loaded, &revocation)?;
        if terminal.json {
            terminal.json(&revocation)?;
        } else {
            terminal.data(format_args!("{}  {shown} is out", revocation.id));
            let hint = format!("hint: `lockgate revoke lift {}` lets it in again", revocation.id);
            terminal.talk(format_args!("in force within a second on every gateway\n{hint}"));
        }
        Ok(Exit::Ok)
    }
}

/// A slip in the name would leave everybody in.
fn known_issuer(loaded: &Loaded, issuer: &str) -> Result<(), Failure> {
    let known = issuer_names(&loaded.gateway);
    if known.iter().any(|name| name == issuer) {
        return Ok(());
    }
    let help = suggestion(issuer, &known);
    let shown = json!(issuer);
    Err(Failure::usage_text(format_args!("there is no issuer named {shown}; {help}")))
}

fn digest(text: &str) -> Result<Digest, String> {
    Digest::from_hex(text).ok_or_else(|| "a digest is 64 digits of 0-9 and a-f".to_owned())
}

pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.trim().len() {
        1..=REVOCATION_REASON_MAX_BYTES => Ok(text.trim().to_owned()),
        _ => Err(format!("say why, in at most {REVOCATION_REASON_MAX_BYTES} bytes")),
    }
}
