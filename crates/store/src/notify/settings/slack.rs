//! The configuration of Slack.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use aws_lc_rs::hmac;
use lockgate_model::Person;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::deliver::{DeliverFault, Headers, HttpSettings, Reference, SecretFault};

/// Slack's own.
const API: &str = "https://slack.com/api/";
/// Fewest characters of a signing secret; Slack gives 32.
const SIGNING_MIN_CHARS: usize = 32;

/// A Slack channel in which questions are asked, with buttons. Needs an app of the workspace with
/// the scope `chat:write`, whose interactivity URL is `/slack/actions` of the admin API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlackSettings {
    /// Its name in `/readyz`, metrics and the log: 1 to 63 of `a-z`, `0-9` and `-`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: lockgate_model::ConnectionName,
    /// Id of the workspace, as in `T0123ABCD`: people of others may write in a shared channel.
    pub team: String,
    /// Id of the channel, as in `C0123ABCD`: a name can be given to another channel.
    pub channel: String,
    /// The app's bot token, by reference: it begins with `xoxb-`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token: Reference,
    /// The app's signing secret, by reference.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub signing_secret: Reference,
    /// Whose clicks count: ids of members, as in `U0123ABCD`, with the identity that each has, as
    /// `issuer/subject`. In which groups they are, their login to the pages says.
    #[serde(default)]
    pub people: BTreeMap<String, PersonName>,
    /// Where the Web API is, if not at `https://slack.com/api/`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub api: Option<Url>,
    /// Allows `http:` there, for a proxy on the same machine.
    #[serde(default)]
    pub allow_cleartext: bool,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// Somebody as an issuer knows them, written `issuer/subject`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct PersonName(pub Person);

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nobody: write the issuer's name, a slash, and the subject: `corp/ann`")]
pub struct PersonFault(String);

/// What an app of Slack is known by, resolved. No `Serialize` or `Clone`.
pub struct SlackSecrets {
    pub(in crate::notify) token: Headers,
    pub(in crate::notify) key: hmac::Key,
}

/// What is wrong with a secret. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlackSecretFault {
    /// The token.
    #[error("its bot token does not begin with `xoxb-`")]
    Token,
    /// The signing secret.
    #[error("its signing secret is shorter than {SIGNING_MIN_CHARS} characters")]
    Signing,
    /// The token has characters that no header may have.
    #[error(transparent)]
    Header(#[from] SecretFault),
}

impl SlackSecrets {
    /// Reads both.
    ///
    /// # Errors
    /// [`SlackSecretFault`]
    pub fn parse(token: &str, signing: &str) -> Result<Self, SlackSecretFault> {
        let (token, signing) = (token.trim(), signing.trim());
        if !token.starts_with("xoxb-") {
            return Err(SlackSecretFault::Token);
        }
        if signing.len() < SIGNING_MIN_CHARS {
            return Err(SlackSecretFault::Signing);
        }
        let mut headers = Headers::default();
        headers.add("authorization", &format!("Bearer {token}"))?;
        Ok(Self { token: headers, key: hmac::Key::new(hmac::HMAC_SHA256, signing.as_bytes()) })
    }
}

impl fmt::Debug for SlackSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlackSecrets")
    }
}

impl SlackSettings {
    /// The Web API, below which its methods stand.
    pub(in crate::notify) fn receiver(&self) -> Result<HttpSettings, DeliverFault> {
        let fault = |error: url::ParseError| DeliverFault::Setting {
            what: API.to_owned(),
            why: error.to_string(),
        };
        let mut url = self.api.clone().map_or_else(|| Url::parse(API).map_err(fault), Ok)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(HttpSettings {
            url,
            allow_cleartext: self.allow_cleartext,
            headers: BTreeMap::new(),
            ca: self.ca.clone(),
        })
    }

    /// What in it is no id of Slack's: the setting, its value, and the kind of id that was expected.
    pub fn wrong_id(&self) -> Option<(&'static str, &str, &'static str)> {
        let fits = |id: &str, kinds: &[char]| {
            id.starts_with(kinds)
                && (2..=32).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        if !fits(&self.team, &['T']) {
            return Some(("team", &self.team, "a workspace's id, as in `T0123ABCD`"));
        }
        if !fits(&self.channel, &['C', 'G']) {
            return Some(("channel", &self.channel, "a channel's id, as in `C0123ABCD`"));
        }
        let wrong = self.people.keys().find(|id| !fits(id, &['U', 'W']))?;
        Some(("people", wrong, "a member's id, as in `U0123ABCD`"))
    }
}

impl TryFrom<String> for PersonName {
    type Error = PersonFault;

    /// Splits at the first slash, as no issuer's name has one; a subject may.
    fn try_from(text: String) -> Result<Self, PersonFault> {
        match text.split_once('/') {
            Some((issuer, subject)) if !issuer.is_empty() && !subject.is_empty() => {
                Ok(Self(Person { issuer: issuer.to_owned(), subject: subject.to_owned() }))
            }
            _ => Err(PersonFault(text)),
        }
    }
}

impl From<PersonName> for String {
    fn from(PersonName(person): PersonName) -> Self {
        format!("{}/{}", person.issuer, person.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(change: &str) -> Result<SlackSettings, serde_json::Error> {
        serde_json::from_str(&format!(
            r#"{{"name":"ops","team":"T1","channel":"C1","token":"env:A","signing_secret":"env:B",{change}}}"#
        ))
    }

    #[test]
    fn settings_read_as_written_and_refuse_the_rest() {
        let good = read(r#""people":{"U1":"corp/a/b"}"#).unwrap();
        assert_eq!(good.people["U1"].0.subject, "a/b");
        assert_eq!(good.receiver().unwrap().url.as_str(), "https://slack.com/api/");
        assert_eq!(good.wrong_id(), None);
        assert!(read(r#""people":{"ann":"corp/ann"}"#).unwrap().wrong_id().is_some());
        for bad in [r#""people":{"U1":"ann"}"#, r#""people":{"U1":"/ann"}"#, r#""tokn":"x""#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_whole_and_not_quoted() {
        let signing = "8f742231b10e8888abcd99yyyzzz85a5";
        assert!(SlackSecrets::parse("xoxb-1-hunter2\n", signing).is_ok());
        for (token, signing) in
            [("xoxp-hunter2", signing), ("xoxb-hunter2", "hunter2"), ("xoxb-hunter2\n2", signing)]
        {
            let fault = SlackSecrets::parse(token, signing).unwrap_err().to_string();
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }
}
