//! Contradictions in the settings that no later step would notice.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::BuildFault;
use crate::settings::GatewaySettings;

/// Looks for them.
///
/// # Errors
/// [`BuildFault::Settings`]
pub(super) fn check(settings: &GatewaySettings) -> Result<(), BuildFault> {
    let fault = |text: String| Err(BuildFault::Settings(text));
    let loopback = settings.listen.address.ip().is_loopback() && is_loopback(&settings.public_url);
    let mut seen = BTreeSet::new();
    for one in &settings.connections {
        let name = &one.name;
        if !seen.insert(name) {
            return fault(format!("connection `{name}` stands twice"));
        }
        if !is_plain_path(&one.path()) {
            return fault(format!(
                "connection `{name}`: `path` must be plain, like `/c/{name}/mcp`"
            ));
        }
        if let Some(unknown) =
            one.issuers.iter().find(|issuer| settings.issuers.iter().all(|i| i.name != **issuer))
        {
            return fault(format!("connection `{name}`: no issuer is named `{unknown}`"));
        }
        if let Some(unknown) = one
            .recognisers
            .iter()
            .find(|name| settings.recognisers.iter().all(|known| known.name != **name))
        {
            return fault(format!("connection `{name}`: no recogniser is named `{unknown}`"));
        }
        if one.development_anonymous && !loopback {
            return fault(format!(
                "connection `{name}`: `development_anonymous` needs a loopback address and URL"
            ));
        }
        if one.issuers.is_empty() && !one.development_anonymous {
            return fault(format!("connection `{name}`: no issuer, so that nobody could call it"));
        }
    }
    Ok(())
}

/// Segments of unreserved characters (RFC 3986 §2.3) that no reader normalises.
fn is_plain_path(path: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~');
    path.strip_prefix('/').is_some_and(|rest| {
        rest.split('/')
            .all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain))
    })
}

/// Whether a URL's host is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
