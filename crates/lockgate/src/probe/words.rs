//! What a failed test means and what to do about it, in plain words. Quotes references, never credentials.

use lockgate_gateway::{
    secret::SecretRef,
    settings::{ConnectionSettings, UpstreamSettings},
};
use lockgate_model::{Reason, Refusal};

/// Explains a refusal of the gateway's own look at a server.
pub(super) fn plain(settings: &ConnectionSettings, refusal: &Refusal) -> String {
    let detail = &refusal.detail;
    match refusal.reason {
        Reason::CredentialMissing
        | Reason::CredentialUnavailable
        | Reason::CredentialUnreachable
        | Reason::CredentialRefused => credential(settings, detail),
        Reason::CredentialGrantMissing => {
            "its users connect their own accounts, and none who did has called since the gateway \
             started: connect one on the page `/connect`, call it, and test again"
                .to_owned()
        }
        Reason::EgressDenied => format!(
            "the gateway may not connect there: {detail}; `allow_private: true` allows private and \
             loopback addresses"
        ),
        Reason::UpstreamUnauthorized => unauthorized(settings, detail),
        Reason::ChildUnavailable => format!(
            "the program did not run: {detail}; try its command by hand, as the gateway's user and \
             with the connection's variables alone"
        ),
        _ => match &settings.upstream {
            UpstreamSettings::Http(http) => over_http(http.url.as_str(), refusal),
            UpstreamSettings::Stdio(_) => of_program(refusal),
        },
    }
}

fn over_http(url: &str, refusal: &Refusal) -> String {
    let detail = &*refusal.detail;
    let has = |words: &str| detail.contains(words);
    match refusal.reason {
        Reason::UpstreamUnreachable if has("can't be resolved") => {
            format!("no name server knows the host: {detail}; look for a slip in `{url}`")
        }
        Reason::UpstreamUnreachable if has("refused") => {
            format!(
                "nothing listens there: {detail}; is the server running, and is the port right?"
            )
        }
        Reason::UpstreamUnreachable if is_tls(detail) => format!(
            "TLS failed: {detail}; a private authority is named with `ca`, and a server without TLS \
             has a URL with `http:`"
        ),
        Reason::UpstreamUnreachable => format!("there was no connection: {detail}"),
        Reason::UpstreamTimeout => format!(
            "the server took too long: {detail}; is something between the gateway and it dropping \
             packets?"
        ),
        Reason::UpstreamInvalid if has("status 404") || has("status 405") => format!(
            "the server has no MCP endpoint at this path ({detail}); many have it at `/mcp`: look at \
             `{url}`"
        ),
        Reason::UpstreamInvalid if has("redirect") => {
            format!("{detail}, which is never followed; name the place that it points to")
        }
        Reason::UpstreamInvalid if has("neither JSON nor") => format!(
            "what answers there is no MCP server: {detail}, but perhaps a page for people; look at \
             `{url}`"
        ),
        Reason::UpstreamInvalid => format!("what answers there speaks no MCP: {detail}"),
        _ => refusal.to_string(),
    }
}

fn of_program(refusal: &Refusal) -> String {
    let detail = &refusal.detail;
    match refusal.reason {
        Reason::UpstreamEnded => format!(
            "the program ended before it answered ({detail}); what it wrote to its standard error \
             says more"
        ),
        Reason::UpstreamTimeout => format!(
            "the program runs and does not answer: {detail}; does it speak MCP over its standard \
             input and output?"
        ),
        Reason::UpstreamInvalid => format!("the program speaks no MCP: {detail}"),
        _ => refusal.to_string(),
    }
}

fn is_tls(detail: &str) -> bool {
    let detail = detail.to_ascii_lowercase();
    ["certificate", "tls", "handshake", "corrupt message", "fatal alert"]
        .iter()
        .any(|word| detail.contains(word))
}

fn credential(settings: &ConnectionSettings, detail: &str) -> String {
    let elsewhere = references(settings).into_iter().find_map(|(_, reference)| match reference {
        SecretRef::Sealed(name) => {
            Some(format!("`lockgate secret set {name}` puts it into the vault"))
        }
        SecretRef::Kept(_) => {
            Some(format!("`{reference}` must be there, and `vault.server` lead to who keeps it"))
        }
        SecretRef::Aws(_) => Some(format!(
            "`{reference}` must be there, and `vault.aws` be an account that may read it"
        )),
        SecretRef::Env(_) | SecretRef::File(_) => None,
    });
    let next = elsewhere
        .unwrap_or_else(|| "the variable or file must be there where the gateway runs".to_owned());
    format!("the credential can't be had: {detail}; {next}")
}

fn unauthorized(settings: &ConnectionSettings, detail: &str) -> String {
    let sent: Vec<String> = references(settings)
        .into_iter()
        .map(|(name, reference)| format!("`{name}` from `{reference}`"))
        .collect();
    if sent.is_empty() {
        return format!("{detail}; none is sent: name one under `headers`");
    }
    format!(
        "{detail}; it was sent {}. Is it the whole header, as in `Bearer …`, still good, and for this \
         server?",
        sent.join(", ")
    )
}

/// The credentials of a connection, by header or variable.
fn references(settings: &ConnectionSettings) -> Vec<(&String, &SecretRef)> {
    match &settings.upstream {
        UpstreamSettings::Http(http) => http.headers.iter().collect(),
        UpstreamSettings::Stdio(stdio) => stdio.env.iter().collect(),
    }
}
