//! What the types alone can't rule out: names that point nowhere, addresses that are not safe,
//! numbers out of range.
//!
//! Pure: looks at the settings and nothing else, so the same answer comes offline and in service.

mod channels;
mod credential;
mod introspection;
mod masking;
mod told;
mod vault;

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use http::HeaderName;
use lockgate_console::ApiSettings;
use lockgate_gateway::{
    egress::{EgressRules, check_url},
    settings::{
        ConnectionSettings, HttpSettings, IssuerSettings, ProxySettings, SandboxSettings,
        StdioSettings, UpstreamSettings,
    },
    token::{Profile, Rules, RulesFault},
};
use serde_json::Value;
use url::{Host, Url};

use super::{
    fault::suggestion,
    overlay,
    settings::{Settings, connection_url},
};

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Finding {
    /// The setting.
    pub(super) path: Vec<String>,
    /// What is wrong with it.
    pub(super) what: String,
    /// How to mend it.
    pub(super) help: String,
}

/// Collects findings below one section.
struct Section<'a> {
    path: Vec<String>,
    found: &'a mut Vec<Finding>,
}

impl Section<'_> {
    /// Notes a finding at `key`, which may be several joined by dots, unless `good`.
    fn check(&mut self, good: bool, key: &str, what: impl Into<String>, help: &str) {
        if !good {
            let keys: Vec<String> = key.split('.').map(str::to_owned).collect();
            let path = [self.path.as_slice(), &keys].concat();
            self.found.push(Finding { path, what: what.into(), help: help.to_owned() });
        }
    }
}

/// Everything that is wrong with `settings`; empty where they can be used.
pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    limits(settings, &mut found);
    let mut top = Section { path: Vec::new(), found: &mut found };
    if let Some(url) = &settings.public_url {
        place(url, "public_url", &mut top);
    }
    if let Some(proxies) = &settings.listen.proxies {
        trusted_proxies(proxies, &mut top);
    }
    let mut names = BTreeSet::new();
    for (index, issuer) in settings.issuers.iter().enumerate() {
        let path =
            vec!["issuers".to_owned(), step(&issuer.name, index, names.insert(&issuer.name))];
        check_issuer(issuer, index, settings, &mut Section { path, found: &mut found });
    }
    if let Some(api) = &settings.admin_api {
        admin_api(api, settings, &mut found);
    }
    channels::check(settings, &mut found);
    vault::check(settings, &mut found);
    masking::check(settings, &mut found);
    let mut names = BTreeSet::new();
    for (index, connection) in settings.connections.iter().enumerate() {
        let name = connection.name.as_str();
        let path = vec!["connections".to_owned(), step(name, index, names.insert(name))];
        check_connection(connection, index, settings, &mut Section { path, found: &mut found });
    }
    found
}

/// What is wrong with the last of the connections, or with having it, where all the others were checked.
pub(super) fn joined(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some((connection, others)) = settings.connections.split_last() else { return found };
    let path = vec!["connections".to_owned(), connection.name.to_string()];
    let tree = serde_json::to_value(connection).unwrap_or_default();
    zero_limits(&tree, &path, &mut found);
    let mut section = Section { path, found: &mut found };
    check_connection(connection, others.len(), settings, &mut section);
    if let Some(api) = &settings.admin_api {
        admin_api(api, settings, &mut found);
    }
    found
}

/// The admin API must be opened by tokens that were meant for it.
fn admin_api(api: &ApiSettings, settings: &Settings, found: &mut Vec<Finding>) {
    let mut section = Section { path: vec!["admin_api".to_owned()], found };
    section.check(
        !api.issuers.is_empty(),
        "issuers",
        "nobody can open the admin API: `issuers` is empty",
        "name an issuer whose tokens open it",
    );
    for name in &api.issuers {
        let known = settings.issuers.iter().any(|issuer| issuer.name == *name);
        let what = format!("there is no issuer `{name}`");
        section.check(known, "issuers", what, "name one that stands under `issuers`");
    }
    introspection::check_trust(&api.issuers, settings, &mut section);
    let gateway = settings.gateway();
    let shared = settings.connections.iter().any(|connection| {
        let own = gateway.as_ref().map(|gateway| connection_url(gateway, connection));
        connection.audiences.contains(&api.audience)
            || own.is_some_and(|url| url.as_str() == api.audience)
    });
    let issuers = settings.issuers.iter().filter(|issuer| api.issuers.contains(&issuer.name));
    let shared =
        shared || issuers.flat_map(|issuer| &issuer.audiences).any(|one| *one == api.audience);
    section.check(
        !shared && !api.audience.is_empty(),
        "audience",
        "a token for a server would open the recording of it",
        "give the admin API an audience of its own, such as https://admin.example.com",
    );
    if let Some(login) = &api.login {
        let path = vec!["admin_api".to_owned(), "login".to_owned()];
        let mut section = Section { path, found };
        section.check(
            api.issuers.contains(&login.issuer),
            "issuer",
            format!("tokens of `{}` don't open the admin API", login.issuer),
            "name one that stands under `admin_api.issuers`",
        );
        place(&login.url, "url", &mut section);
    }
}

/// What is allowed but deserves a look.
pub(super) fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    if settings.connections.is_empty() {
        warnings.push("no connections are configured; nothing is served".to_owned());
    }
    if !settings.admin.address.ip().is_loopback() {
        let address = settings.admin.address;
        warnings.push(format!("the admin listener at {address} has no authentication"));
    }
    for connection in settings.connections.iter().filter(|c| c.development_anonymous) {
        let name = &connection.name;
        warnings.push(format!("connection `{name}` lets ANYONE in without a token"));
    }
    warnings
}

/// An item goes by its name; the second of the same name goes by its index, to be pointed at.
fn step(name: &str, index: usize, first: bool) -> String {
    if first { name.to_owned() } else { index.to_string() }
}

fn limits(settings: &Settings, found: &mut Vec<Finding>) {
    zero_limits(&overlay::tree_of(settings).unwrap_or_default(), &[], found);
}

/// Looks for limits of 0 in `tree`, which stands at `root`.
fn zero_limits(tree: &Value, root: &[String], found: &mut Vec<Finding>) {
    for (below, value) in overlay::leaves(tree) {
        let path = [root, &below].concat();
        if path.iter().any(|step| step == "limits" || step == "approvals")
            && value.as_u64() == Some(0)
        {
            let what = format!("the limit `{}` is 0", path.join("."));
            let help = "every limit is at least 1; leave it out for the default".to_owned();
            found.push(Finding { path, what, help });
        }
    }
}

/// Whoever is believed could come from anywhere.
fn trusted_proxies(proxies: &ProxySettings, at: &mut Section<'_>) {
    at.check(
        !proxies.addresses.is_empty(),
        "listen.proxies.addresses",
        "it is empty, so that nobody is believed",
        "name the proxies, or leave `listen.proxies` out",
    );
    let everybody = proxies.addresses.iter().find(|network| network.is_everybody());
    at.check(
        everybody.is_none(),
        "listen.proxies.addresses",
        "everybody could say that they come from anywhere",
        "name the proxies alone",
    );
}

/// A place that people and clients reach over a network with their secrets: an origin, encrypted.
fn place(url: &Url, key: &str, at: &mut Section<'_>) {
    let origin_only = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    at.check(
        origin_only && url.host().is_some() && url.username().is_empty(),
        key,
        format!("`{url}` is more than scheme, host and port"),
        "write it without a path: `https://mcp.example.com`",
    );
    at.check(
        url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)),
        key,
        "clients would send their tokens without encryption",
        "use `https:`; `http:` is for loopback only",
    );
}

fn check_issuer(issuer: &IssuerSettings, index: usize, all: &Settings, at: &mut Section<'_>) {
    let name = &issuer.name;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    at.check(
        fits && name.len() <= 63 && name != "development",
        "name",
        format!("`{name}` can't be an issuer's short name"),
        "use 1 to 63 of A-Z, a-z, 0-9 and -; `development` is taken",
    );
    let twice = all.issuers.iter().take(index).any(|other| other.name == *name);
    at.check(!twice, "name", format!("two issuers are named `{name}`"), "rename one of them");
    let twin = all.issuers.iter().take(index).any(|other| other.issuer == issuer.issuer);
    at.check(!twin, "issuer", "two issuers have the same `iss`", "keep one of them");
    match &issuer.jwks_url {
        Some(url) => check_dialled(url.as_str(), "jwks_url", issuer.allow_private, at),
        None => check_dialled(&issuer.issuer, "issuer", issuer.allow_private, at),
    }
    introspection::check(issuer, at);
    told::check(issuer, all, at);
    if let Err(fault) = Rules::new(issuer.clone()) {
        let key = match &fault {
            RulesFault::Algorithms => "algorithms",
            RulesFault::TokenTypes => "token_types",
            RulesFault::Leeway(_) => "leeway_s",
            RulesFault::Pointer(_) => "groups_claim",
            RulesFault::Require(_) => "require",
            RulesFault::Unpinned(_) => "profile",
        };
        let help = match fault {
            RulesFault::Unpinned(profile) => how_to_pin(profile),
            RulesFault::Require(_) => {
                "name each claim with the values that are accepted".to_owned()
            }
            _ => "leave it out for the default".to_owned(),
        };
        at.check(false, key, fault.to_string(), &help);
    }
}

fn how_to_pin(profile: Profile) -> String {
    let sets: Vec<String> = profile.pins().iter().map(|set| set.join(" and ")).collect();
    match sets.as_slice() {
        [] => "name the services under `clients`".to_owned(),
        _ => format!("pin {} under `require`", sets.join(", or ")),
    }
}

/// Only what the gateway would dial in service passes here.
fn check_dialled(url: &str, key: &str, allow_private: bool, at: &mut Section<'_>) {
    let rules = EgressRules { allow_private, ca: None, connect_wait_max: Duration::ZERO };
    if let Err(fault) = check_url(url, &rules) {
        let help = "`allow_private: true` beside it allows `http:` and private addresses";
        at.check(false, key, fault.to_string(), help);
    }
}

fn check_connection(
    connection: &ConnectionSettings,
    index: usize,
    all: &Settings,
    at: &mut Section<'_>,
) {
    let earlier = || all.connections.iter().take(index);
    let name = &connection.name;
    let twice = earlier().any(|other| other.name == *name);
    at.check(!twice, "name", format!("two connections are named `{name}`"), "rename one of them");
    check_path(connection, at);
    let path = connection.path();
    let taken = !twice && earlier().any(|other| other.path() == path);
    at.check(!taken, "path", format!("two connections answer at `{path}`"), "change one path");
    let known: Vec<&str> = all.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    for issuer in &connection.issuers {
        if !known.contains(&issuer.as_str()) {
            let what = format!("there is no issuer named `{issuer}`");
            at.check(false, "issuers", what, &suggestion(issuer, &known));
        }
    }
    at.check(
        !connection.issuers.is_empty() || connection.development_anonymous,
        "issuers",
        format!("no issuer vouches for the callers of `{name}`"),
        "name at least one of `issuers`",
    );
    introspection::check_trust(&connection.issuers, all, at);
    check_anonymous(connection, all, at);
    masking::connection(connection, all, at);
    vault::connection(connection, all, at);
    if let (Some(own), Some(_)) = (&connection.public_url, &connection.path) {
        let same = own.path() == path;
        at.check(same, "public_url", "its path is not `path`", "give both the same path");
    }
    match &connection.upstream {
        UpstreamSettings::Http(http) => check_http(http, all, at),
        UpstreamSettings::Stdio(stdio) => check_stdio(stdio, at),
    }
}

fn check_path(connection: &ConnectionSettings, at: &mut Section<'_>) {
    let path = connection.path();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let clean = path.starts_with('/')
        && path.bytes().all(plain)
        && path.split('/').skip(1).all(|part| !part.is_empty() && part != "." && part != "..");
    at.check(
        clean && !path.starts_with("/.well-known"),
        "path",
        format!("`{path}` can't be a connection's path"),
        "write it as `/c/name/mcp`: plain segments, no end slash, not below /.well-known",
    );
}

/// Without tokens only this machine may come in, whatever a header claims.
fn check_anonymous(connection: &ConnectionSettings, all: &Settings, at: &mut Section<'_>) {
    let local = all.listen.address.ip().is_loopback()
        && all.public_url.as_ref().is_none_or(is_loopback)
        && connection.public_url.as_ref().is_none_or(is_loopback);
    at.check(
        local || !connection.development_anonymous,
        "development_anonymous",
        "this would let anyone in from the network without a token",
        "listen on 127.0.0.1 and use a loopback public_url, or take it out",
    );
    at.check(
        !connection.development_anonymous || !credential::exchanges(&connection.upstream),
        "development_anonymous",
        "whoever comes without a token has none to exchange for the server's",
        "take it out, or get the server's token by another `grant`",
    );
}

fn check_http(http: &HttpSettings, all: &Settings, at: &mut Section<'_>) {
    check_dialled(http.url.as_str(), "upstream.http.url", http.allow_private, at);
    for name in http.headers.keys() {
        let good = HeaderName::from_bytes(name.as_bytes()).is_ok();
        at.check(
            good,
            "upstream.http.headers",
            format!("`{name}` is no header name"),
            "see RFC 9110 §5.1",
        );
    }
    credential::check(http, all, at);
}

fn check_stdio(stdio: &StdioSettings, at: &mut Section<'_>) {
    at.check(
        stdio.command.is_absolute(),
        "upstream.stdio.command",
        format!("the command `{}` is no absolute path", stdio.command.display()),
        "write the whole path: it is never looked up in PATH",
    );
    check_sandbox(&stdio.sandbox, at);
}

fn check_sandbox(sandbox: &SandboxSettings, at: &mut Section<'_>) {
    let files = sandbox.files.iter();
    let files = files.flat_map(|files| files.read.iter().chain(&files.write));
    let named = files.map(|path| ("files", path)).chain(sandbox.home.iter().map(|it| ("home", it)));
    for (key, path) in named {
        at.check(
            path.is_absolute(),
            &format!("upstream.stdio.sandbox.{key}"),
            format!("`{}` is no absolute path", path.display()),
            "write the whole path",
        );
    }
    at.check(
        sandbox.user != Some(0) && sandbox.group != Some(0),
        "upstream.stdio.sandbox.user",
        "root is no user of a server's own",
        "give it a user id that nothing else on the machine has, such as 48001",
    );
    at.check(
        sandbox.group.is_none() || sandbox.user.is_some(),
        "upstream.stdio.sandbox.group",
        "there is a `group`, and no `user`",
        "name the `user` as well",
    );
    let numbers = [
        ("memory_max_mib", sandbox.memory_max_mib, 64),
        ("open_files_max", sandbox.open_files_max, 16),
        ("processes_max", sandbox.processes_max.unwrap_or(u32::MAX), 1),
        ("cpu_max_s", sandbox.cpu_max_s.unwrap_or(u32::MAX), 1),
    ];
    for (key, number, least) in numbers {
        at.check(
            number >= least,
            &format!("upstream.stdio.sandbox.{key}"),
            format!("no server starts with {key} {number}"),
            &format!("{least} is the least; leave it out for the default"),
        );
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}
