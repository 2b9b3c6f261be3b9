//! Proxies in front of the gateway, and how they say whose request it is.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Proxies whose word on a caller's address is taken. Nobody's is, where these settings are absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProxySettings {
    /// Their addresses, each as it is or a network: `10.0.0.7`, `10.1.0.0/16`, `fd00::/8`.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub addresses: Vec<Network>,
    /// How they say it.
    pub source: ProxySource,
}

/// Where a proxy says whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ProxySource {
    /// At the beginning of each connection, in the PROXY protocol's version 2.
    ProxyProtocol,
    /// In `X-Forwarded-For`, to which each proxy adds.
    XForwardedFor,
    /// In `Forwarded` (RFC 7239), to which each proxy adds.
    Forwarded,
    /// In `X-Real-IP`, which the one proxy sets.
    XRealIp,
}

/// An address or a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl ProxySettings {
    /// Whether this address is one of them.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|network| network.0.contains(&address.to_canonical()))
    }
}

impl Network {
    /// Whether it is every address there is.
    pub fn is_everybody(&self) -> bool {
        self.0.prefix_len() == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().or_else(address);
        let none = || format!("`{text}` is no address and no network, such as 10.0.0.0/8");
        network.map(|network| Self(network.trunc())).ok_or_else(none)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
