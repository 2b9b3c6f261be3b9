//! One session whose recording is large: it is checked and read through in bounded memory.
//! `LOCKGATE_BIG_SESSION_MB` says how large (64 by default).

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{gateway::binary, memory::weigh, rig::json_reply, room::Room, say, wire::Wire};
use serde_json::json;

use crate::crash::next;

/// What a reader may hold at one time, in bytes.
const MEMORY_MAX_BYTES: u64 = 300 << 20;
/// One answer, in bytes.
const ANSWER_BYTES: usize = 1 << 20;
/// A new token after this many calls: one lives for minutes, and a large session takes longer.
const TOKEN_CALLS: u64 = 100;

#[test]
fn a_big_session_is_read_in_bounded_memory() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let megabytes: u64 = number("LOCKGATE_BIG_SESSION_MB").unwrap_or(64);
    let mut room = Room::start().unwrap();
    let begun = Instant::now();
    record(&room, megabytes << 20).unwrap();
    // Signed and closed, so that everything counts.
    room.gateway.signal(rustix::process::Signal::TERM).unwrap();
    room.gateway.wait_end(Duration::from_secs(60)).unwrap();
    say(&format!("big session: {megabytes} MB recorded in {:?}", begun.elapsed()));
    for (name, arguments) in [
        ("verify", &["journal", "verify", "--folder"][..]),
        ("show", &["journal", "show", "--json", "--folder"][..]),
    ] {
        let mut command = Command::new(binary().unwrap());
        command.args(arguments).arg(room.gateway.data());
        let said = room.gateway.folder().join("said");
        let ran = weigh(command, &said, Duration::from_secs(60 + megabytes)).unwrap();
        let written = std::fs::metadata(&said).unwrap().len();
        say(&format!(
            "big session: `journal {name}` held at most {} MB, {:?}, {written} bytes of output",
            ran.memory_max_bytes >> 20,
            ran.took,
        ));
        assert_eq!(ran.code, 0, "{name}");
        assert!(ran.memory_max_bytes > 1 << 20, "{name}: its memory was not seen");
        assert!(ran.memory_max_bytes < MEMORY_MAX_BYTES, "{name}: {}", ran.memory_max_bytes);
        assert!(name != "show" || written > megabytes << 20, "{name}: not everything is shown");
    }
}

/// Calls of one client until their answers have this many bytes together.
fn record(room: &Room, bytes: u64) -> anyhow::Result<()> {
    let mut random = 1;
    // Not the same twice, and hard to compress: every byte of it must go to the disk and back.
    let filler: String =
        (0..ANSWER_BYTES / 16).map(|_| format!("{:016x}", next(&mut random))).collect();
    room.upstream.act(
        "any",
        std::sync::Arc::new(move |_, message, socket| {
            let at = message["params"]["arguments"]["at"].as_u64().unwrap_or(0);
            let shift = usize::try_from(at).unwrap_or(0) % filler.len();
            let text = format!("{at} {}{}", &filler[shift..], &filler[..shift]);
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": {
                "resultType": "complete", "content": [{ "type": "text", "text": text }] } });
            json_reply(socket, 200, &[], &answer.to_string())
        }),
    );
    let mut alice = room.alice()?;
    let mut wire = Wire::open(alice.address)?;
    for at in 0..bytes / ANSWER_BYTES as u64 {
        if at.is_multiple_of(TOKEN_CALLS) {
            alice = room.alice()?;
        }
        wire.send(&alice.call("any", json!({ "at": at * 7919 })).bytes());
        let reply = wire.reply()?;
        ensure!(reply.status == 200 && reply.body.len() > ANSWER_BYTES, "{}", reply.status);
    }
    Ok(())
}
