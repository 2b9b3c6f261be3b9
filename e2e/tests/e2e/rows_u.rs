//! Class U, as far as there are pages: forms that are not one's own, sessions, cookies, and where a
//! login leads. The rows on a console with replay are not built.

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    rows::Rows,
    wire::{Reply, Request},
};
use serde_json::{Value, json};

use crate::pages::House;

/// Somebody who is logged in, as their browser is.
struct Browser {
    cookie: String,
    form_token: String,
}

struct Class {
    rows: Rows,
    house: House,
    /// The page of a call that waits.
    page: String,
    digest: String,
}

#[test]
fn class_u() {
    let house = House::start().unwrap();
    let told = house.call(&json!({ "x": "<b>1</b>" })).unwrap();
    let id = told.split("/approvals/").nth(1).unwrap().get(..33).unwrap();
    let page = format!("/approvals/{id}");
    let mut class = Class { rows: Rows::new("U"), house, page, digest: String::new() };
    let browser = class.fixation();
    class.foreign_forms(&browser);
    class.headers(&browser);
    class.cookies();
    class.redirects();
    class.errors(&browser);
    class.logout(&browser);
    class.rows.finish();
}

impl Class {
    /// Logs in with a cookie in the browser that somebody else planted.
    fn fixation(&mut self) -> Browser {
        let seen = self.house.enter("auditor", "/approvals").unwrap();
        let cookies = seen["cookies"].as_array().unwrap();
        let session = cookies.iter().find(|one| one["name"] == "lockgate_session").unwrap();
        let value = session["value"].as_str().unwrap();
        self.rows.row(10, "a planted session becomes nobody's", differs(value, "planted"));
        let planted = self.get("/approvals", Some("lockgate_session=planted"));
        self.rows.row(10, "a planted session opens nothing", status(planted, 303));
        self.rows.row(11, "flags", flags(session));
        let cookie = format!("lockgate_session={value}");
        let shown = self.get(&self.page, Some(&cookie)).unwrap().text();
        let field = |name: &str| {
            let from = shown.split(&format!("name=\"{name}\" value=\"")).nth(1);
            from.and_then(|rest| rest.split('"').next()).unwrap().to_owned()
        };
        self.digest = field("digest");
        let escaped = shown.contains("&#60;b&#62;1") || shown.contains("&lt;b&gt;1");
        self.rows.row(18, "markup in arguments", truth(escaped && !shown.contains("<b>1")));
        Browser { cookie, form_token: field("token") }
    }

    /// U8: nothing but a form of one's own session answers.
    fn foreign_forms(&mut self, browser: &Browser) {
        let api = format!("http://{}", self.house.api);
        let form = format!("verdict=approve&token={}&digest={}", browser.form_token, self.digest);
        let without = format!("verdict=approve&digest={}", self.digest);
        let guessed = format!("{without}&token=guess");
        let json = json!({ "verdict": "approve", "token": "", "digest": self.digest }).to_string();
        for (case, body, headers, answer) in [
            ("no token", &without, &[][..], 403),
            ("another token", &guessed, &[], 403),
            ("another origin", &form, &[("Origin", "https://evil.example")], 403),
            ("an origin that hides", &form, &[("Origin", "null")], 403),
            ("the same host, another port", &form, &[("Origin", "http://127.0.0.1:1")], 403),
            ("another site", &form, &[("Sec-Fetch-Site", "cross-site")], 403),
            ("a sibling site", &form, &[("Sec-Fetch-Site", "same-site")], 403),
            ("JSON as text", &json, &[("Content-Type", "text/plain")], 400),
        ] {
            let reply = self.post(&self.page, Some(&browser.cookie), body, headers);
            self.rows.row(8, case, status(reply, answer));
        }
        let read = format!("{}?{form}&_method=POST", self.page);
        let over = self.house.get(&read).header("X-HTTP-Method-Override", "POST");
        let reply = self.house.page(&over.header("Cookie", &browser.cookie));
        self.rows.row(8, "a method that is another's", status(reply, 200));
        let reply = self.post("/logout", Some(&browser.cookie), "", &[]);
        self.rows.row(8, "logged out by another site", status(reply, 403));
        let reply = self.post(&self.page, None, &form, &[("Origin", &api)]);
        self.rows.row(8, "a form without its session", status(reply, 401));
        let waits = self.get(&self.page, Some(&browser.cookie)).map(|reply| reply.text());
        let waits = waits.and_then(|text| truth(text.contains("state pending")));
        self.rows.row(8, "nothing was answered", waits);
    }

    fn headers(&mut self, browser: &Browser) {
        for (path, cookie) in [
            (&*self.page, Some(&*browser.cookie)),
            ("/approvals", Some(&*browser.cookie)),
            ("/approvals", None),
            ("/login/callback", None),
        ] {
            let reply = self.get(path, cookie).unwrap();
            let said = |name: &str| reply.header(name).unwrap_or_default().to_owned();
            let policy = said("content-security-policy");
            let framed = policy.contains("frame-ancestors 'none'");
            self.rows.row(9, path, truth(framed && said("x-frame-options") == "DENY"));
            let strict = policy.starts_with("default-src 'none'") && !policy.contains("unsafe");
            self.rows.row(14, path, truth(strict && !policy.contains("script-src")));
            self.rows.row(
                14,
                &format!("{path} holds no script"),
                truth(!reply.text().contains("<script")),
            );
            self.rows.row(15, path, truth(said("cache-control") == "no-store"));
        }
    }

    fn cookies(&mut self) {
        let reply = self.get("/login", None).unwrap();
        let set = reply.header("set-cookie").unwrap_or_default().to_owned();
        let kept = ["HttpOnly", "SameSite=Lax", "Path=/"].iter().all(|flag| set.contains(flag));
        self.rows.row(11, "of a login", truth(kept && !set.contains("Domain")));
        // What stands in a URL is for everybody who reads a log.
        let place = reply.header("location").unwrap_or_default().to_owned();
        let binding = set.split(['=', ';']).nth(1).unwrap_or_default();
        let secret = place.contains(binding) || place.contains("pages-secret");
        self.rows.row(14, "no secret in a URL", truth(!binding.is_empty() && !secret));
    }

    /// U12: the lines themselves are tried in the console's own tests.
    fn redirects(&mut self) {
        for next in
            ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2Fapprovals%2F%2Fevil.example"]
        {
            // The browser waits until it stands on `/approvals` of this host.
            let seen = self.house.enter("auditor", &format!("/login?next={next}"));
            self.rows.row(12, next, seen.map(drop));
        }
        let seen = self.house.enter("auditor", "/login?next=%2Fapprovals");
        self.rows.twin(12, "a page of one's own", seen.map(drop));
    }

    fn errors(&mut self, browser: &Browser) {
        for path in ["/approvals/%3Cb%3Ehere", "/login/callback?state=%3Cb%3Ehere&code=%3Cb%3Ehere"]
        {
            let reply = self.get(path, Some(&browser.cookie)).unwrap();
            let quiet = reply.status >= 400
                && !reply.text().contains("here<")
                && !reply.text().contains("<b>");
            self.rows.row(18, path, truth(quiet));
        }
    }

    fn logout(&mut self, browser: &Browser) {
        let reply = self.get("/approvals", Some(&browser.cookie));
        self.rows.twin(13, "before", status(reply, 200));
        let form = format!("token={}", browser.form_token);
        let reply = self.get(&self.page, Some(&format!("other=x; {}", browser.cookie)));
        self.rows.twin(10, "one's own session", status(reply, 200));
        let api = format!("http://{}", self.house.api);
        let own = [("Origin", &*api), ("Sec-Fetch-Site", "same-origin")];
        let no = format!("verdict=reject&reason=no&{form}&digest={}", self.digest);
        let reply = self.post(&self.page, Some(&browser.cookie), &no, &own);
        self.rows.twin(8, "an answer of one's own", status(reply, 303));
        let reply = self.post("/logout", Some(&browser.cookie), &form, &own);
        self.rows.twin(8, "a form of one's own", status(reply, 200));
        let answer = format!("verdict=approve&{form}&digest={}", self.digest);
        let reply = self.post(&self.page, Some(&browser.cookie), &answer, &own);
        self.rows.row(13, "the old cookie answers nothing", status(reply, 401));
        let reply = self.get(&self.page, Some(&browser.cookie));
        self.rows.row(13, "the old cookie shows nothing", status(reply, 303));
    }

    fn get(&self, path: &str, cookie: Option<&str>) -> anyhow::Result<Reply> {
        let request = self.house.get(path);
        self.house.page(&match cookie {
            Some(cookie) => request.header("Cookie", cookie),
            None => request,
        })
    }

    fn post(
        &self,
        path: &str,
        cookie: Option<&str>,
        body: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Reply> {
        let mut request = Request::new("POST", path, body.as_bytes().to_vec())
            .header("Host", &self.house.api.to_string());
        if !headers.iter().any(|(name, _)| *name == "Content-Type") {
            request = request.header("Content-Type", "application/x-www-form-urlencoded");
        }
        for (name, value) in cookie.map(|cookie| ("Cookie", cookie)).iter().chain(headers) {
            request = request.header(name, value);
        }
        self.house.page(&request)
    }
}

fn flags(cookie: &Value) -> anyhow::Result<()> {
    ensure!(cookie["httpOnly"] == true && cookie["sameSite"] == "Lax", "{cookie}");
    let domain = cookie["domain"].as_str().context("a domain")?;
    ensure!(domain == "127.0.0.1", "{cookie}");
    Ok(())
}

fn differs(one: &str, other: &str) -> anyhow::Result<()> {
    ensure!(one != other && one.len() >= 32, "{one}");
    Ok(())
}

fn truth(good: bool) -> anyhow::Result<()> {
    ensure!(good, "it is not so");
    Ok(())
}

fn status(reply: anyhow::Result<Reply>, expected: u16) -> anyhow::Result<()> {
    let reply = reply?;
    ensure!(reply.status == expected, "{}: {}", reply.status, reply.text());
    Ok(())
}
