//! Row A16: requests that pretend to come from Slack. What a good one leads to stands in `notices`.

use std::net::SocketAddr;

use anyhow::ensure;
use lockgate_e2e::{
    rig::{
        now_s,
        slack::{SIGNING, click, form, post, sign},
    },
    rows::Rows,
    wire::{Request, exchange},
};

/// Enters every case; the gateway's admin API is at `api`.
pub(crate) fn a16(rows: &mut Rows, api: SocketAddr) {
    let now = now_s();
    let body = || form(&click("U0NOBODY", "open", ""));
    let status = |time: &str, signature: &str, body: &str, status: u16| -> anyhow::Result<()> {
        let reply = post(api, time, signature, body)?;
        ensure!(reply.status == status, "{}: {}", reply.status, reply.text());
        Ok(())
    };
    let at = now.to_string();
    for (case, time, signature) in [
        ("forged", &at, sign(&"x".repeat(32), &at, &body())),
        ("no signature", &at, String::new()),
        ("another scheme", &at, sign(SIGNING, &at, &body()).replace("v0=", "v1=")),
        ("in capitals", &at, sign(SIGNING, &at, &body()).to_uppercase().replace("V0", "v0")),
        ("no time", &String::new(), sign(SIGNING, "", &body())),
        ("a time that is none", &"now".to_owned(), sign(SIGNING, "now", &body())),
    ] {
        // Bodies differ by a number: the one that was signed is another.
        rows.row(16, case, status(time, &signature, &body(), 401));
    }
    let one = body();
    for (case, seconds, expected) in
        [("an old time", -301, 401), ("a time to come", 310, 401), ("long ago", -86_400, 401)]
    {
        let time = (now + seconds).to_string();
        let signature = sign(SIGNING, &time, &one);
        rows.row(16, case, status(&time, &signature, &one, expected));
    }
    for (case, signed, sent) in [
        ("another body", one.clone(), body()),
        ("an appended body", one.clone(), format!("{one}&payload=x")),
        ("an empty body", one.clone(), String::new()),
    ] {
        rows.row(16, case, status(&at, &sign(SIGNING, &at, &signed), &sent, 401));
    }
    let good = sign(SIGNING, &at, &one);
    rows.twin(16, "as Slack sends it", status(&at, &good, &one, 200));
    rows.row(16, "replayed", status(&at, &good, &one, 401));
    for (case, seconds) in [("almost old", -290), ("a clock that is ahead", 290)] {
        let (time, body) = ((now + seconds).to_string(), body());
        let signature = sign(SIGNING, &time, &body);
        rows.twin(16, case, status(&time, &signature, &body, 200));
        rows.row(16, &format!("{case}, replayed"), status(&time, &signature, &body, 401));
    }
    rows.row(16, "two signatures", twice(api));
    let long = format!("{}{}", form(&click("U1", "open", "")), "x".repeat(200_000));
    rows.row(16, "a long body", status(&at, &sign(SIGNING, &at, &long), &long, 413));
    let odd = "payload=%7B%7D";
    rows.row(16, "signed, and no click", status(&at, &sign(SIGNING, &at, odd), odd, 400));
}

/// Of two signatures none counts.
fn twice(api: SocketAddr) -> anyhow::Result<()> {
    let (time, body) = (now_s().to_string(), form(&click("U1", "open", "")));
    let signature = sign(SIGNING, &time, &body);
    let request = Request::new("POST", "/slack/actions", body.into_bytes())
        .header("Host", &api.to_string())
        .header("X-Slack-Request-Timestamp", &time)
        .header("X-Slack-Signature", &signature)
        .header("X-Slack-Signature", &signature);
    let reply = exchange(api, &request.bytes())?;
    ensure!(reply.status == 401, "{}: {}", reply.status, reply.text());
    Ok(())
}
