//! The configuration of mail.

use std::{fmt, net::IpAddr, path::PathBuf};

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    client::{FORBIDDEN, Reach},
    deliver::Reference,
};

/// Most people that one channel writes to.
const TO_MAX: usize = 50;

/// People who get a mail for every question, with a link to the page on which it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MailSettings {
    /// Its name in `/readyz`, metrics and the log: 1 to 63 of `a-z`, `0-9` and `-`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: lockgate_model::ConnectionName,
    /// The server that takes mail for sending (RFC 6409): `smtps://HOST:465` with TLS from the first
    /// byte (RFC 8314), or `smtp://HOST:587`, which must then offer STARTTLS. Prefer the
    /// first.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub server: Url,
    /// Whom it is from: `lockgate@example.com`, or `Lockgate <lockgate@example.com>`.
    pub from: MailboxText,
    /// Whom it is to; everybody is in every mail.
    pub to: Vec<MailboxText>,
    /// The name by which the server knows the sender.
    #[serde(default)]
    pub user: Option<String>,
    /// And the password, by reference.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub password: Option<Reference>,
    /// Sends over `smtp:` without TLS, and without a password, for a server on the same machine or in
    /// a network of its own.
    #[serde(default)]
    pub allow_cleartext: bool,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A mailbox (RFC 5322 §3.4): an address, with a name where one is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct MailboxText(Mailbox);

/// Why a text is no mailbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mailbox: write `ann@example.com`, or `Ann <ann@example.com>`")]
pub struct MailboxFault(String);

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::notify) struct Smtp {
    /// A name, or an address without brackets.
    pub(in crate::notify) host: String,
    pub(in crate::notify) port: u16,
    /// Whether TLS begins with the first byte.
    pub(in crate::notify) wrapped: bool,
}

impl MailSettings {
    /// What in it can't be used: the setting, and why not.
    pub fn refusal(&self) -> Option<(&'static str, &'static str)> {
        if let Err(why) = self.smtp() {
            return Some(("server", why));
        }
        if !(1..=TO_MAX).contains(&self.to.len()) {
            return Some(("to", "it names nobody, or more than 50"));
        }
        if self.user.is_some() != self.password.is_some() {
            return Some(("user", "`user` and `password` belong together"));
        }
        let clear = self.allow_cleartext && self.server.scheme() == "smtp";
        (clear && self.password.is_some())
            .then_some(("allow_cleartext", "the password would be sent without encryption"))
    }

    pub(in crate::notify) fn smtp(&self) -> Result<Smtp, &'static str> {
        let url = &self.server;
        let (wrapped, port) = match url.scheme() {
            "smtps" => (true, 465),
            "smtp" => (false, 587),
            _ => return Err("it begins neither with `smtps:` nor with `smtp:`"),
        };
        let bare = matches!(url.path(), "" | "/") && url.query().is_none();
        if !bare || url.fragment().is_some() {
            return Err("it is more than scheme, host and port");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it carries user information");
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err("it has no host");
        }
        let address = host.parse::<IpAddr>().ok();
        if address.is_some_and(|address| !Reach::Servers.admits(address)) {
            return Err(FORBIDDEN);
        }
        Ok(Smtp { host: host.to_owned(), port: url.port().unwrap_or(port), wrapped })
    }
}

impl MailboxText {
    pub(in crate::notify) fn mailbox(&self) -> Mailbox {
        self.0.clone()
    }
}

impl TryFrom<String> for MailboxText {
    type Error = MailboxFault;

    fn try_from(text: String) -> Result<Self, MailboxFault> {
        // A line end would begin another header.
        let plain = !text.chars().any(char::is_control);
        match text.parse() {
            Ok(mailbox) if plain => Ok(Self(mailbox)),
            _ => Err(MailboxFault(text)),
        }
    }
}

impl From<MailboxText> for String {
    fn from(text: MailboxText) -> Self {
        text.to_string()
    }
}

impl fmt::Display for MailboxText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MailSettings, MailboxText};

    fn read(change: Value) -> Result<MailSettings, serde_json::Error> {
        let mut settings = json!({ "name": "ops", "server": "smtps://mail.example.com",
            "from": "Lockgate <lockgate@example.com>", "to": ["ann@example.com"] });
        for (key, value) in change.as_object().unwrap() {
            settings[key] = value.clone();
        }
        serde_json::from_value(settings)
    }

    #[test]
    fn servers_are_reached_encrypted_and_nowhere_else() {
        let smtp = |server: &str| read(json!({ "server": server })).unwrap().smtp();
        for (server, host, port, wrapped) in [
            ("smtps://mail.example.com", "mail.example.com", 465, true),
            ("smtp://mail.example.com/", "mail.example.com", 587, false),
            ("smtp://10.0.0.1:25", "10.0.0.1", 25, false),
            ("smtps://[::1]:1465", "::1", 1465, true),
        ] {
            let found = smtp(server).unwrap();
            assert_eq!((&*found.host, found.port, found.wrapped), (host, port, wrapped));
        }
        for server in [
            "https://mail.example.com",
            "smtp://ann:secret@mail.example.com",
            "smtp://mail.example.com/x",
            "smtp://mail.example.com?tls=none",
            "smtp://169.254.169.254:25",
            "smtps://[fe80::1]",
            "smtp:mail",
        ] {
            assert!(smtp(server).is_err(), "{server}");
        }
    }

    #[test]
    fn what_would_harm_is_refused() {
        assert_eq!(read(json!({})).unwrap().refusal(), None);
        let password = json!({ "user": "u", "password": "env:P" });
        assert_eq!(read(password).unwrap().refusal(), None);
        for (change, key) in [
            (json!({ "to": [] }), "to"),
            (json!({ "user": "u" }), "user"),
            (json!({ "password": "env:P" }), "user"),
            (
                json!({ "server": "smtp://a", "allow_cleartext": true, "user": "u", "password": "env:P" }),
                "allow_cleartext",
            ),
        ] {
            assert_eq!(read(change.clone()).unwrap().refusal().unwrap().0, key, "{change}");
        }
        assert!(read(json!({ "password": "hunter2" })).is_err());
    }

    #[test]
    fn a_mailbox_has_no_second_line() {
        for good in ["ann@example.com", "Ann <ann@example.com>", "\"Ann, Dr\" <ann@example.com>"] {
            assert!(MailboxText::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ann",
            "ann@example.com\r\nBcc: eve@example.com",
            "Ann\n <ann@example.com>",
            "Ann\r\n <ann@example.com>",
            "Ann\t<ann@example.com>",
            "\"Ann\u{1b}\" <ann@example.com>",
            "\"Ann\r\nBcc: eve@example.com\" <ann@example.com>",
            "ann@example.com, eve@example.com",
        ] {
            assert!(MailboxText::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
