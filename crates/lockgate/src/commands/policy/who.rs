//! The identity about which `lockgate policy explain` asks: from flags, or from a token that nobody
//! verified.
//!
//! Nothing here may reach a decision about a real call.

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use lockgate_gateway::{
    settings::IssuerSettings,
    snapshot::issuer_names,
    token::{Jws, Rules},
};
use lockgate_model::{ClaimValue, Digest, Group, Identity, Timestamp, TokenFacts};
use serde_json::Value;

use crate::{
    config::{Loaded, suggestion},
    failure::Failure,
    terminal::Terminal,
};

/// How long the assumed token lives, in seconds.
const ASSUMED_LIFETIME_S: i64 = 300;

/// Who asks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who asks")]
pub(super) struct Who {
    /// Short name of the issuer; the only configured one where absent
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// The token's subject
    #[arg(long, value_name = "TEXT", required_unless_present = "token")]
    subject: Option<String>,
    /// A group, by the name in the token; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// The OAuth client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// A claim as name=value, where the value is JSON or plain text; may be repeated
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// Take all of this from a token in a file, without verifying it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "groups", "client", "claims"])]
    token: Option<PathBuf>,
    /// Address of the caller
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(super) peer: IpAddr,
}

impl Who {
    /// The identity, taken on trust.
    ///
    /// # Errors
    /// Where the flags or the token describe none of a configured issuer.
    pub(super) fn identity(
        &self,
        loaded: &Loaded,
        now: Timestamp,
        terminal: Terminal,
    ) -> Result<Identity, Failure> {
        if let Some(file) = &self.token {
            terminal.talk("WARNING: the token is NOT verified; its claims are taken as they stand");
            return unverified(file, loaded);
        }
        let issuer = issuer_name(self, loaded)?;
        let configured = loaded.gateway.issuers.iter().find(|one| one.name == issuer);
        let group = |name: &String| Group { issuer: issuer.clone(), name: name.clone() };
        Ok(Identity {
            kind: configured.map(IssuerSettings::kind).unwrap_or_default(),
            subject: self.subject.clone().unwrap_or_default(),
            client: self.client.clone(),
            groups: self.groups.iter().map(group).collect(),
            claims: claims(&self.claims)?,
            token: TokenFacts {
                id: Digest::from_bytes([0; 32]),
                jti: None,
                issued_at: Some(now),
                expires_at: now.plus_millis(ASSUMED_LIFETIME_S * 1000),
                refused_from: now.plus_millis(ASSUMED_LIFETIME_S * 1000),
            },
            issuer,
        })
    }
}

/// The issuer that was named, or the only one there is.
fn issuer_name(who: &Who, loaded: &Loaded) -> Result<String, Failure> {
    let known = issuer_names(&loaded.gateway);
    match (&who.issuer, known.as_slice()) {
        (Some(name), _) if known.contains(name) => Ok(name.clone()),
        (Some(name), _) => {
            let help = suggestion(name, &known);
            Err(Failure::usage_text(format!("there is no issuer named `{name}`; {help}")))
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Failure::usage_text(format!("name the --issuer, one of {known:?}"))),
    }
}

fn claims(given: &[String]) -> Result<BTreeMap<String, ClaimValue>, Failure> {
    let one = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::usage_text(format!("`--claim {text}` has no value; write name=value"))
        })?;
        Ok((name.to_owned(), claim_value(value)))
    };
    given.iter().map(one).collect()
}

/// JSON where it is some, else the text itself.
fn claim_value(text: &str) -> ClaimValue {
    let words = |items: &[Value]| {
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    };
    let known = match serde_json::from_str::<Value>(text) {
        Ok(Value::Bool(flag)) => Some(ClaimValue::Flag(flag)),
        Ok(Value::Number(number)) => number.as_i64().map(ClaimValue::Number),
        Ok(Value::String(text)) => Some(ClaimValue::Text(text)),
        Ok(Value::Array(items)) => words(&items).map(ClaimValue::List),
        _ => None,
    };
    known.unwrap_or_else(|| ClaimValue::Text(text.to_owned()))
}

/// The identity that a token claims, read as in service but for its signature.
fn unverified(file: &Path, loaded: &Loaded) -> Result<Identity, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage_text(format!("the token in `{}`: {why}", file.display()))
    };
    let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let max_bytes = usize::try_from(loaded.gateway.limits.token_max_bytes).unwrap_or(usize::MAX);
    let jws = Jws::read(text.trim().as_bytes(), max_bytes).map_err(|refusal| wrong(&refusal))?;
    let iss = jws.iss().map_err(|refusal| wrong(&refusal))?;
    let issuer = loaded.gateway.issuers.iter().find(|issuer| issuer.issuer == iss);
    let issuer = issuer.ok_or_else(|| wrong(&format_args!("no issuer `{iss}` is configured")))?;
    let rules = Rules::new(issuer.clone()).map_err(|fault| wrong(&fault))?;
    rules.claimed(&jws).map_err(|refusal| wrong(&refusal))
}
