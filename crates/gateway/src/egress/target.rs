//! Which URLs may be dialled at all, before any name is resolved. A URL that two readers could take
//! for two hosts is refused rather than put right. Never resolves a name.

use std::net::IpAddr;

use url::{Host, Url};

use super::{AddressClass, EgressFault, EgressRules};

/// Reads a URL that the gateway is to dial: a setting, or a `jwks_uri` from discovery.
///
/// # Errors
/// [`EgressFault::Url`] with what is wrong; [`EgressFault::Address`] for an address literal that
/// `rules` don't allow.
pub fn check_url(text: &str, rules: &EgressRules) -> Result<Url, EgressFault> {
    let fault = |why| EgressFault::Url { url: shown(text), why };
    if !text.bytes().all(|c| c.is_ascii_graphic() && c != b'\\') {
        return Err(fault("only visible ASCII without backslashes may stand in it"));
    }
    let url = Url::parse(text).map_err(|_| fault("it is no absolute URL"))?;
    match url.scheme() {
        "https" => {}
        "http" if rules.allow_private => {}
        "http" => return Err(fault("use https, or allow private addresses for it")),
        _ => return Err(fault("only https and http are dialled")),
    }
    if url.fragment().is_some() {
        return Err(fault("it has a fragment"));
    }
    check_authority(text, &url).map_err(fault)?;
    if !port_allowed(url.port_or_known_default()) {
        return Err(fault("of the ports below 1024, only 80 and 443 are dialled"));
    }
    if let Some(address) = literal(&url) {
        rules.admit(address, url.scheme() == "https")?;
    }
    Ok(url)
}

/// The URL for a message, without the parts in which people put passwords.
fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    text.rsplit('@').next().unwrap_or_default().escape_default().to_string()
}

/// Whether a server may listen on `port`: below 1024 live services that a crafted HTTP request
/// could steer.
pub(super) fn port_allowed(port: Option<u16>) -> bool {
    matches!(port, Some(80 | 443 | 1024..))
}

/// The host must be written as it is read: `127.1`, `0x7f.1`, `2130706433` and the like all parse.
fn check_authority(text: &str, url: &Url) -> Result<(), &'static str> {
    let (_, rest) = text.split_once("://").ok_or("it has no host")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("it carries user information");
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    let read = url.host_str().unwrap_or_default();
    if host.is_empty() || !host.eq_ignore_ascii_case(read) {
        return Err("its host is not written in the usual form");
    }
    if host.ends_with('.') {
        return Err("its host ends with a dot");
    }
    Ok(())
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
    }
}

impl EgressRules {
    /// Lets `address` pass or not. Without TLS, only private addresses pass: nothing goes over the
    /// internet in the clear.
    pub(super) fn admit(&self, address: IpAddr, tls: bool) -> Result<(), EgressFault> {
        let admitted = match AddressClass::of(address) {
            AddressClass::Public => tls,
            AddressClass::Private => self.allow_private,
            AddressClass::Forbidden => false,
        };
        if admitted { Ok(()) } else { Err(EgressFault::Address(address)) }
    }
}
