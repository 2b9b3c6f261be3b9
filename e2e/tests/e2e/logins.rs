//! T47: logins to the pages at a real provider. What comes back from it opens a session once, in the
//! browser that began it, and only as the provider said it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    say,
    tools::{run, script},
    wire::{Reply, Request},
};
use url::Url;

use crate::pages::House;

const WAIT: Duration = Duration::from_secs(30);
const BEGUN: &str = "lockgate_login";
const SESSION: &str = "lockgate_session";

/// A login that was begun, and what the provider sent the browser back with.
struct Begun {
    /// The cookie that binds it.
    cookie: String,
    back: Url,
}

#[test]
fn t47_what_comes_back_opens_one_session() {
    let house = House::start().unwrap();
    house.opens(&house.begin().unwrap()).unwrap();
    type Spoil = fn(&House, Begun) -> anyhow::Result<Begun>;
    let cases: [(&str, Spoil); 15] = [
        ("no state", |_, begun| begun.with("state", None)),
        ("an empty state", |_, begun| begun.with("state", Some(""))),
        ("a guessed state", |_, begun| begun.with("state", Some("guess"))),
        ("another login's state", |house, begun| {
            let other = house.begin()?;
            begun.with("state", Some(&other.value("state")?))
        }),
        ("a state that was used", |house, begun| {
            house.opens(&begun)?;
            Ok(begun)
        }),
        ("no cookie", |_, begun| Ok(Begun { cookie: String::new(), ..begun })),
        ("another browser's cookie", |house, begun| {
            Ok(Begun { cookie: house.begin()?.cookie, ..begun })
        }),
        ("a code that was used", |house, begun| {
            house.opens(&begun)?;
            let again = house.begin()?;
            again.with("code", Some(&begun.value("code")?))
        }),
        // The verifier that goes with it is another one.
        ("another login's code", |house, begun| {
            let other = house.begin()?;
            begun.with("code", Some(&other.value("code")?))
        }),
        ("no code", |_, begun| begun.with("code", None)),
        ("a guessed code", |_, begun| begun.with("code", Some("guess"))),
        ("an error", |_, begun| begun.with("error", Some("access_denied"))),
        ("another issuer", |_, begun| begun.with("iss", Some("https://evil.example"))),
        ("no issuer, of a provider that names itself", |_, begun| begun.with("iss", None)),
        ("two states", |_, mut begun| {
            begun.back.query_pairs_mut().append_pair("state", "x");
            Ok(begun)
        }),
    ];
    let mut failed = Vec::new();
    for (case, spoil) in cases {
        let spoiled = house.begin().and_then(|begun| spoil(&house, begun));
        if let Err(fault) = spoiled.and_then(|begun| house.refuses(&begun)) {
            failed.push(format!("{case}: {fault:#}"));
        }
    }
    say(&format!("T47: {} cases of logins, {} failed", cases.len(), failed.len()));
    assert!(failed.is_empty(), "{failed:#?}");
}

impl Begun {
    fn value(&self, name: &str) -> anyhow::Result<String> {
        let mut pairs = self.back.query_pairs();
        let found = pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        found.with_context(|| format!("no `{name}` in {}", self.back))
    }

    fn with(mut self, name: &str, value: Option<&str>) -> anyhow::Result<Self> {
        let others: Vec<(String, String)> = self.back.query_pairs().into_owned().collect();
        let mut pairs = self.back.query_pairs_mut();
        pairs.clear().extend_pairs(others.iter().filter(|(key, _)| key != name));
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
        drop(pairs);
        Ok(self)
    }
}

impl House {
    /// A browser of its own begins a login and goes through it at the provider.
    fn begin(&self) -> anyhow::Result<Begun> {
        let reply = self.page(&self.get("/login"))?;
        let asked = reply.header("location").context("nobody is asked")?;
        ensure!(asked.contains("code_challenge_method=S256"), "{asked}");
        let folder = tempfile::tempdir()?;
        let mut command = script("person.mjs")?;
        let callback = format!("http://{}/login/callback", self.api);
        command.arg("walk").arg(folder.path().join("jar")).args([asked, &callback, "auditor"]);
        let said = run(command, WAIT)?.text;
        let back = Url::parse(said.trim()).with_context(|| said.clone())?;
        Ok(Begun { cookie: cookie(&reply, BEGUN).context("no cookie")?, back })
    }

    fn come_back(&self, begun: &Begun) -> anyhow::Result<Reply> {
        let target = format!("{}?{}", begun.back.path(), begun.back.query().unwrap_or_default());
        let request: Request = self.get(&target);
        self.page(&request.header("Cookie", &format!("{BEGUN}={}", begun.cookie)))
    }

    /// The session that it opens is one.
    fn opens(&self, begun: &Begun) -> anyhow::Result<()> {
        let reply = self.come_back(begun)?;
        ensure!(reply.status == 303, "{} {}", reply.status, reply.text());
        let session = cookie(&reply, SESSION).context("no session")?;
        let page = self.get("/approvals").header("Cookie", &format!("{SESSION}={session}"));
        let page = self.page(&page)?;
        ensure!(page.status == 200, "{} {}", page.status, page.text());
        Ok(())
    }

    fn refuses(&self, begun: &Begun) -> anyhow::Result<()> {
        let reply = self.come_back(begun)?;
        ensure!((400..500).contains(&reply.status), "{} {}", reply.status, reply.text());
        ensure!(cookie(&reply, SESSION).is_none(), "a session is opened");
        Ok(())
    }
}

fn cookie(reply: &Reply, name: &str) -> Option<String> {
    let lines = reply.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie"));
    let mut values = lines.filter_map(|(_, line)| {
        let (key, rest) = line.split_once('=')?;
        let value = rest.split(';').next()?;
        (key == name && !value.is_empty()).then(|| value.to_owned())
    });
    values.next()
}
