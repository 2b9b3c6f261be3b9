//! Two gateways on one PostgreSQL: what is registered by the one is served and refused by both.

use std::{fs, path::Path};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    postgres::Postgres,
    rig::{MintIssuer, Upstream},
    room::{POLICIES, Room, connection, issuer_settings},
    say,
};
use serde_json::json;

use super::{add, run, until};

#[test]
fn gateways_of_one_database_serve_the_same() {
    let postgres = Postgres::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("url");
    fs::write(&url, postgres.url()).unwrap();
    let (one, two) = (room("one", &url), room("two", &url));
    // Registered through the first, to the first one's upstream.
    add(&one, "extra", &[]).unwrap();
    let own_ms = until(&one, "extra", 200).unwrap();
    let other_ms = until(&two, "extra", 200).unwrap();
    run(&two, 0, &["connection", "remove", "extra", "--yes"]);
    until(&two, "extra", 404).unwrap();
    until(&one, "extra", 404).unwrap();
    say(&format!("connections: served after {own_ms} ms, by the other after {other_ms} ms more"));
}

fn room(node: &str, url: &Path) -> Room {
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    let settings = json!({
        "node": node,
        "recording": { "index": format!("file:{}", url.display()) },
        "issuers": [issuer_settings("idp", &issuer)],
        "connections": [connection("main", &upstream.url())],
    });
    let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
    let gateway = Gateway::start(&plan).unwrap();
    let records = gateway.records();
    Room { issuer, upstream, gateway, records, settings: plan.settings }
}
