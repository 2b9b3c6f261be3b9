//! The configuration of what is sent elsewhere. Holds no secret, only references to them.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use url::Url;

/// What is sent elsewhere while it is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeliverySettings {
    /// Receivers of the recording, each with its own place in it.
    pub sinks: Vec<SinkSettings>,
    /// Receivers of the journal's signed tree heads. Keep one where nobody who can change the
    /// journal can change it too: then a cut or rolled-back journal shows.
    pub heads: Vec<HeadSettings>,
}

/// One receiver of the recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SinkSettings {
    /// The handle under which its place in the recording is kept: 1 to 63 of `a-z`, `0-9` and `-`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: lockgate_model::ConnectionName,
    /// What it receives.
    #[serde(default)]
    pub payload: Payload,
    /// Where it is.
    pub to: Receiver,
    /// A longer message is sent without its bodies, and says so. In bytes.
    #[serde(default = "SinkSettings::default_message_max_bytes")]
    pub message_max_bytes: u32,
}

/// What a receiver receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Payload {
    /// Every record, as it stands in the recording.
    #[default]
    Records,
    /// One OCSF event for each call, when it has ended, and for each refusal.
    Ocsf,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Receiver {
    /// A syslog server (RFC 5424).
    Syslog(SyslogSettings),
    /// A web server that takes JSON lines by POST.
    Http(HttpSettings),
}

/// One receiver of signed tree heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum HeadSettings {
    /// A file to which each head is appended.
    File(PathBuf),
    /// A syslog server (RFC 5424).
    Syslog(SyslogSettings),
    /// A web server that takes JSON lines by POST.
    Http(HttpSettings),
}

/// A syslog server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SyslogSettings {
    /// `host:port`.
    pub address: String,
    /// How it is reached.
    #[serde(default)]
    pub transport: Transport,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Facility number, 0 to 23 (RFC 5424, table 1); 13 is the audit log.
    #[serde(default = "SyslogSettings::default_facility")]
    pub facility: u8,
}

/// How a syslog server is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Transport {
    /// TLS over TCP with octet counting (RFC 5425).
    #[default]
    Tls,
    /// TCP with octet counting (RFC 6587), in the clear.
    Tcp,
    /// UDP (RFC 5426), in the clear. Datagrams get lost, and nobody learns of it.
    Udp,
}

/// A web server that takes JSON lines by POST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HttpSettings {
    /// Where batches are posted.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// Allows `http:`, for a receiver on the same machine or in a network of its own.
    #[serde(default)]
    pub allow_cleartext: bool,
    /// Headers sent with every batch: the receiver's credential, by reference.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
    pub headers: BTreeMap<String, Reference>,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// The place of a secret, as a text that begins with `env:` or `file:`. Whoever wires the sinks
/// resolves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Reference(String);

impl Reference {
    /// Takes a reference; `None` for anything else, which may be a secret in the wrong place.
    pub fn parse(text: &str) -> Option<Self> {
        let place = ["env:", "file:/"].into_iter().find_map(|kind| text.strip_prefix(kind));
        place.filter(|place| !place.is_empty()).map(|_| Self(text.to_owned()))
    }

    /// As written in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is not quoted back: it may be the secret itself.
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| {
            D::Error::custom("a secret is named by reference: `env:NAME` or `file:/absolute/path`")
        })
    }
}

impl SinkSettings {
    const fn default_message_max_bytes() -> u32 {
        256 * 1024
    }
}

impl SyslogSettings {
    const fn default_facility() -> u8 {
        13
    }

    /// A server on this address, in the clear.
    pub fn tcp(address: SocketAddr) -> Self {
        Self {
            address: address.to_string(),
            transport: Transport::Tcp,
            ca: None,
            facility: Self::default_facility(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DeliverySettings, Payload, Receiver, Transport};

    fn read(json: &str) -> Result<DeliverySettings, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_the_safe_choice() {
        let settings = read(
            r#"{"sinks":[{"name":"siem","to":{"syslog":{"address":"siem.example:6514"}}}],
                "heads":[{"file":"/srv/heads"}]}"#,
        )
        .unwrap();
        let sink = &settings.sinks[0];
        assert_eq!((sink.payload, sink.message_max_bytes), (Payload::Records, 262_144));
        let Receiver::Syslog(syslog) = &sink.to else { panic!("{sink:?}") };
        assert_eq!((syslog.transport, syslog.facility), (Transport::Tls, 13));
    }

    #[test]
    fn secrets_stand_elsewhere_and_are_not_quoted_back() {
        let with = |value: &str| {
            read(&format!(
                r#"{{"sinks":[{{"name":"siem","to":{{"http":{{"url":"https://siem.example/in",
                    "headers":{{"authorization":"{value}"}}}}}}}}]}}"#
            ))
        };
        for good in ["env:SIEM_TOKEN", "file:/run/secrets/siem"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["Bearer hunter2", "env:", "file:relative", "file:/", ""] {
            let fault = with(bad).unwrap_err();
            assert!(fault.contains("by reference") && !fault.contains("hunter2"), "{bad}: {fault}");
        }
        assert!(read(r#"{"sink":[]}"#).is_err());
    }
}
