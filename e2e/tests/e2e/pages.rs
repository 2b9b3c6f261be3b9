//! Reviewers with a real browser: a login at a real issuer, the page, and the answer, scripts off.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    issuer::Issuer,
    mcp::{Caller, LEGACY},
    prepare,
    rig::Upstream,
    room::{ADMIN, admin_api, wait_for_tools},
    say,
    tools::{run, script},
    wire::{Reply, Request, data_of, exchange},
};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(60);
pub(crate) const POLICIES: &str = r#"
permit (principal in Group::"idp/staff", action, resource);
@id("held") @approvers("idp/audit") @reason("looked at first")
forbid (principal, action == Action::"main/any", resource)
unless { context.approvals.contains(Group::"idp/audit") };
"#;

pub(crate) struct House {
    pub(crate) issuer: Issuer,
    pub(crate) gateway: Gateway,
    pub(crate) upstream: Upstream,
    pub(crate) api: SocketAddr,
    pub(crate) settings: Value,
    /// Of its secret.
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::start_with(|_| Ok(()))
    }

    /// With settings that were changed before the start.
    pub(crate) fn start_with(
        change: impl FnOnce(&mut Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        prepare::debian()?;
        let (api, upstream) = (free_address()?, Upstream::start()?);
        let origin = format!("http://{api}");
        let issuer = Issuer::start_for(Some(origin.clone()))?;
        let folder = tempfile::tempdir()?;
        let mut settings = json!({
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true }],
            "connections": [{ "name": "main", "issuers": ["idp"], "pins": "on_first_use",
                "upstream": { "http": { "url": upstream.url(), "allow_private": true } } }],
            "admin_api": admin_api(api, folder.path())?,
            "approvals": { "hold_max_ms": 200, "url": format!("{origin}/approvals") },
        });
        change(&mut settings)?;
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::start(&plan)?;
        let settings = plan.settings;
        let house = Self { issuer, gateway, upstream, api, settings, _folder: folder };
        wait_for_tools(&house.engineer()?)?;
        Ok(house)
    }

    fn engineer(&self) -> anyhow::Result<Caller> {
        self.caller("engineer")
    }

    /// Somebody with a fresh token.
    pub(crate) fn caller(&self, who: &str) -> anyhow::Result<Caller> {
        let token = self.issuer.token(who, &self.gateway.url("main"))?;
        Ok(self.gateway.caller("main", Some(&token)))
    }

    /// Calls the held tool; what its caller is told.
    pub(crate) fn call(&self, arguments: &Value) -> anyhow::Result<String> {
        Self::call_as(&self.engineer()?, arguments)
    }

    pub(crate) fn call_as(caller: &Caller, arguments: &Value) -> anyhow::Result<String> {
        let session = caller.initialize(LEGACY)?;
        let params = json!({ "name": "any", "arguments": arguments });
        let request = caller.legacy(Some(&session), &json!(1), "tools/call", params);
        let text = caller.send(&request)?.text();
        Ok(data_of(&text).pop().unwrap_or(text))
    }

    pub(crate) fn browse(&self, who: &str, verdict: &str) -> anyhow::Result<Value> {
        // To look at: a folder for pictures, in light and dark.
        self.browser(who, verdict, std::env::var_os("LOCKGATE_SCREENSHOTS"))
    }

    /// Logs somebody in who begins at `path`; what their browser has then.
    pub(crate) fn enter(&self, who: &str, path: &str) -> anyhow::Result<Value> {
        self.browser(who, "stay", Some(format!("http://{}{path}", self.api).into()))
    }

    fn browser(&self, who: &str, verdict: &str, last: Option<OsString>) -> anyhow::Result<Value> {
        let mut command = script("reviewer.mjs")?;
        command.args([&format!("http://{}", self.api), who, verdict]);
        command.args(last);
        let said = run(command, WAIT)?;
        let last = said.text.lines().last().unwrap_or_default();
        let seen: Value = serde_json::from_str(last).with_context(|| said.text.clone())?;
        ensure!(seen["fault"].is_null(), "{seen}");
        Ok(seen)
    }

    pub(crate) fn page(&self, request: &Request) -> anyhow::Result<Reply> {
        exchange(self.api, &request.bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        Request::new("GET", path, Vec::new()).header("Host", &self.api.to_string())
    }
}

#[test]
fn a_reviewer_answers_with_a_browser_and_the_retry_goes_through_once() {
    let house = House::start().unwrap();
    let arguments = json!({ "table": "orders", "note": "<b>approved</b> \u{202e}x" });
    let told = house.call(&arguments).unwrap();
    assert!(told.contains(&format!("http://{}/approvals/a", house.api)), "{told}");
    let seen = house.browse("auditor", "approve").unwrap();
    let pages: Vec<&str> =
        seen["pages"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(pages[0].contains("main/any") && pages[0].contains("yours to decide"), "{}", pages[0]);
    let shown = pages.iter().find(|page| page.contains("Arguments, all")).unwrap();
    for part in [
        "idp/engineer",
        "looked at first",
        "Takes anything",
        "s before the call",
        "<b>approved</b>",
        "U+202E",
        "invisible",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(pages.iter().any(|page| page.contains("approved") && page.contains("Can be used")));
    for cookie in seen["cookies"].as_array().unwrap() {
        assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Lax")));
    }
    assert!(pages.last().unwrap().contains("You are logged out"), "{pages:?}");
    house.upstream.take_all();
    let answered = house.call(&arguments).unwrap();
    assert!(!answered.contains("approval."), "{answered}");
    assert_eq!(house.upstream.take_seen().len(), 1);
    assert!(house.call(&arguments).unwrap().contains("approval.pending"), "a second retry asks");

    // Somebody with no part in it sees nothing; the one who is asked may say no.
    let seen = house.browse("operator", "approve");
    assert!(seen.is_err(), "there is nothing to click: {seen:?}");
    house.browse("auditor", "reject").unwrap();
    let told = house.call(&arguments).unwrap();
    assert!(told.contains("not by the browser"), "{told}");
    say("pages: approved, used once, and rejected, by a browser without scripts");
}

#[test]
fn a12_a_page_changes_nothing_by_itself() {
    let house = House::start().unwrap();
    let told = house.call(&json!({ "x": 1 })).unwrap();
    let id = told.split("/approvals/").nth(1).unwrap().get(..33).unwrap().to_owned();
    let path = format!("/approvals/{id}");
    // Without a session, a look leads to the login and an answer to nothing.
    let reply = house.page(&house.get(&path)).unwrap();
    let place = reply.header("location").unwrap();
    assert_eq!((reply.status, place), (303, &*format!("/login?next=%2Fapprovals%2F{id}")));
    let form = |body: &str| {
        Request::new("POST", &path, body.as_bytes().to_vec())
            .header("Host", &house.api.to_string())
            .header("Content-Type", "application/x-www-form-urlencoded")
    };
    let yes = "verdict=approve&read=yes&token=x&digest=";
    for request in [
        form(yes),
        form(yes).header("Cookie", "lockgate_session=guess"),
        form(yes).header("Origin", "https://evil.example"),
    ] {
        let reply = house.page(&request).unwrap();
        assert_eq!(reply.status, 401, "{}", reply.text());
    }
    // A login that was not begun here, or is finished twice, opens nothing.
    for query in ["", "?code=x", "?code=x&state=y", "?error=denied&state=y"] {
        let reply = house.page(&house.get(&format!("/login/callback{query}"))).unwrap();
        assert!(reply.status >= 400 && reply.header("set-cookie").is_none(), "{query}");
    }
    // It leads to no other place.
    let reply = house.page(&house.get("/login?next=https://evil.example/")).unwrap();
    let place = reply.header("location").unwrap();
    assert!(place.starts_with(&house.issuer.url()) && place.contains("code_challenge="), "{place}");
    for header in ["content-security-policy", "x-frame-options", "referrer-policy"] {
        assert!(reply.header(header).is_some(), "{header}");
    }
    // The API takes no cookie, the pages no bearer token.
    let token = house.issuer.token("auditor", ADMIN).unwrap();
    let bearer = house.get(&path).header("Authorization", &format!("Bearer {token}"));
    assert_eq!(house.page(&bearer).unwrap().status, 303);
    assert!(house.call(&json!({ "x": 1 })).unwrap().contains("approval.pending"));
}
