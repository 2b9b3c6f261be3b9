//! Identity providers tell of logouts and disabled accounts: the person's stream ends, however long the
//! token is good, and only where the issuer's own key signed it.

use std::{net::SocketAddr, thread, time::Duration};

use lockgate_e2e::{
    gateway::free_address,
    rig::{Key, MintIssuer, now_s, stream::endless},
    room::Room,
    wire::{Reply, Request, data_of, exchange, expect_status},
};
use lockgate_model::{Event, RevocationsEvent};
use serde_json::{Value, json};

use super::{EFFECT, lift, person};

const RECEIVER: &str = "lockgate-events";
const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

#[test]
fn what_the_issuer_tells_ends_access() {
    let api = free_address().unwrap();
    let room = Room::start_with(|plan, _, _| {
        plan.settings["issuers"][0]["events"] = json!({ "audiences": [RECEIVER] });
        plan.settings["admin_api"] = json!({ "address": api.to_string(), "issuers": ["idp"],
            "audience": "https://lockgate.test/admin" });
    })
    .unwrap();
    let (alice, bob) = (room.alice().unwrap(), person(&room, "bob"));
    room.upstream.act("echo", endless());
    let mut stream = alice.open(&alice.followed(7, "echo")).unwrap();
    expect_status(&stream.head().unwrap(), 200).unwrap();

    let statement = |jti: &str, who: &str, kind: &str| {
        json!({ "iss": room.issuer.url(), "aud": RECEIVER, "iat": now_s(), "jti": jti, "sub": who,
            "events": { kind: {} } })
    };
    let own = room.issuer.key("rsa").unwrap().clone();
    // The API comes up behind the data path.
    while lockgate_e2e::wire::Wire::open(api).is_err() {
        thread::sleep(Duration::from_millis(50));
    }
    let forged = signed(&Key::rsa().unwrap(), "secevent+jwt", &statement("1", "alice", DISABLED));
    let mut other = statement("1", "alice", DISABLED);
    other["aud"] = json!("somebody-else");
    let access_token = alice.token.clone().unwrap();
    for wrong in [forged, signed(&own, "secevent+jwt", &other), access_token] {
        let reply = push(api, &wrong);
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
    // A logout ends what there is; whoever logs in again is let in.
    let token = signed(&own, "logout+jwt", &statement("2", "alice", LOGOUT));
    expect_status(&told(api, &token), 200).unwrap();
    let last = data_of(&stream.stream_until(|_| false).unwrap()).pop().unwrap();
    assert!(last.contains(r#""code":1401"#), "{last}");
    room.upstream.behave();
    let status = |caller: &lockgate_e2e::mcp::Caller| {
        caller.send(&caller.call("echo", json!({}))).unwrap().status
    };
    assert_eq!((status(&alice), status(&bob)), (401, 200));
    thread::sleep(EFFECT);
    let again = room.alice().unwrap();
    assert_eq!(status(&again), 200, "a new token after the logout");

    // A disabled account is out, whatever token comes, until people lift it.
    let disabled = signed(&own, "secevent+jwt", &statement("3", "alice", DISABLED));
    expect_status(&push(api, &disabled), 202).unwrap();
    expect_status(&push(api, &disabled), 202).unwrap();
    thread::sleep(EFFECT);
    assert_eq!((status(&again), status(&room.alice().unwrap()), status(&bob)), (401, 401, 200));
    let (_, listed) = room.gateway.command(&["revoke", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let standing: Vec<&Value> = listed.as_array().unwrap().iter().collect();
    let by = |one: &&&Value| one["reason"] == "account disabled at the issuer";
    let one = standing.iter().find(by).unwrap();
    lift(&room, one["id"].as_str().unwrap());
    assert_eq!(status(&room.alice().unwrap()), 200);
    let events = room.gateway.records().all().unwrap();
    let told = events.iter().filter(
        |event| matches!(event, Event::Revocations(RevocationsEvent { by, .. }) if by == "idp:idp"),
    );
    assert_eq!(told.count(), 3, "each telling is on record, the second as well");
}

fn signed(key: &Key, typ: &str, statement: &Value) -> String {
    let head = json!({ "alg": key.algorithm(), "typ": typ, "kid": "rsa" });
    MintIssuer::sign(key, head.to_string(), statement.to_string()).unwrap()
}

fn push(api: SocketAddr, statement: &str) -> Reply {
    let request = Request::new("POST", "/events", statement.as_bytes())
        .header("Host", &api.to_string())
        .header("Content-Type", "application/secevent+jwt");
    exchange(api, &request.bytes()).unwrap()
}

fn told(api: SocketAddr, token: &str) -> Reply {
    let request = Request::new("POST", "/events/logout", format!("logout_token={token}"))
        .header("Host", &api.to_string())
        .header("Content-Type", "application/x-www-form-urlencoded");
    exchange(api, &request.bytes()).unwrap()
}
