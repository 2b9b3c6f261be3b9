//! A real proxy in front of the gateway: HAProxy says whose request it is, and nobody else can.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use anyhow::Context as _;
use lockgate_e2e::{
    gateway::free_address,
    prepare,
    room::{POLICIES, Room},
    wire::{Request, Wire},
};
use lockgate_model::{Event, Reason, Verdict};
use serde_json::json;

/// From where the proxy calls, and nobody else.
const PROXY: &str = "127.0.0.8";
/// From where callers may come.
const OFFICE: &str = "127.0.0.9";
const INSIDE: &str = r#"
@id("office")
forbid (principal, action == Action::"main/echo", resource)
unless { context.peer.isInRange(ip("127.0.0.9/32")) };
"#;

/// A gateway behind HAProxy.
struct House {
    room: Room,
    proxy: SocketAddr,
    _haproxy: Killed,
    _folder: tempfile::TempDir,
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl House {
    fn start(source: &str, server: &str, frontend: &str) -> anyhow::Result<Self> {
        prepare::debian()?;
        let room = Room::start_with(|plan, _, _| {
            plan.settings["listen"]["proxies"] = json!({ "addresses": [PROXY], "source": source });
            plan.policies = format!("{POLICIES}{INSIDE}");
        })?;
        let (proxy, folder) = (free_address()?, tempfile::tempdir()?);
        let file = folder.path().join("haproxy.cfg");
        let backend = room.gateway.address;
        fs::write(
            &file,
            format!(
                "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
                 frontend f\n  bind {proxy}\n  {frontend}\n  default_backend b\n\
                 backend b\n  server s {backend} source {PROXY} {server}\n"
            ),
        )?;
        let haproxy = Command::new("haproxy").arg("-f").arg(&file).arg("-db").spawn();
        let haproxy = Killed(haproxy.context("haproxy does not start")?);
        for _ in 0..100 {
            if Wire::open(proxy).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { room, proxy, _haproxy: haproxy, _folder: folder })
    }

    fn call(&self) -> Request {
        self.room.alice().unwrap().call("echo", json!({ "text": "hello" }))
    }

    /// Sends `bytes` to `to` from an address: whether they got in, and who was on record as their sender;
    /// with the reason where that is what was refused.
    fn send(&mut self, from: &str, to: SocketAddr, bytes: &[u8]) -> (bool, String) {
        self.room.forget().unwrap();
        let mut wire = Wire::open_from(from, to).unwrap();
        wire.send(bytes);
        let reply = wire.reply();
        // What is refused need not be on the disk before its answer is out.
        for _ in 0..40 {
            let events = self.room.records.fresh().unwrap();
            let sender = events.iter().find_map(|event| match event {
                Event::Intent(intent) => {
                    let allowed = matches!(intent.verdict, Verdict::Allow { .. });
                    let answer = reply.as_ref().unwrap().json().unwrap();
                    assert_eq!(allowed, answer["result"].is_object());
                    Some((allowed, intent.peer.clone()))
                }
                Event::Refused(refused) => {
                    assert_eq!(reply.as_ref().unwrap().status, 400);
                    Some((false, format!("{} {}", refused.peer, refused.reason.code())))
                }
                _ => None,
            });
            if let Some(sender) = sender {
                return sender;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        (false, format!("closed, {} bytes", reply.map_or(0, |it| it.body.len())))
    }
}

#[test]
fn a_header_of_the_proxy_says_whose_request_it_is() {
    let mut house = House::start("x-forwarded-for", "", "option forwardfor").unwrap();
    let (gateway, proxy, call) = (house.room.gateway.address, house.proxy, house.call());
    let plain = call.bytes();
    let invented = |address: &str| call.clone().header("X-Forwarded-For", address).bytes();
    for (what, from, to, bytes, expected) in [
        ("from the office", OFFICE, proxy, plain.clone(), (true, OFFICE)),
        ("from elsewhere", "127.0.0.1", proxy, plain.clone(), (false, "127.0.0.1")),
        ("who invents it", "127.0.0.1", proxy, invented(OFFICE), (false, "127.0.0.1")),
        ("who invents nonsense", OFFICE, proxy, invented("unknown, x"), (true, OFFICE)),
        ("around the proxy", "127.0.0.1", gateway, invented(OFFICE), (false, "127.0.0.1")),
        ("around it, from the office", OFFICE, gateway, invented("10.0.0.1"), (true, OFFICE)),
        ("the proxy for itself", PROXY, gateway, plain.clone(), (false, PROXY)),
        (
            "the proxy in riddles",
            PROXY,
            gateway,
            invented("unknown"),
            (false, "127.0.0.8 http.proxy_unclear"),
        ),
    ] {
        let found = house.send(from, to, &bytes);
        assert_eq!((found.0, &*found.1), expected, "{what}");
    }
    assert_eq!(Reason::ProxyUnclear.code(), "http.proxy_unclear");
}

#[test]
fn a_proxy_says_it_before_the_first_byte() {
    let mut house = House::start("proxy-protocol", "send-proxy-v2", "").unwrap();
    let (gateway, proxy, call) = (house.room.gateway.address, house.proxy, house.call());
    let plain = call.bytes();
    let invented = call.clone().header("X-Forwarded-For", OFFICE).bytes();
    // `PROXY TCP4 127.0.0.9`, as somebody else would say it.
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x09\x7f\0\0\x01\x12\x67\x1f\x90";
    let told = [&head[..], &plain].concat();
    for (what, from, to, bytes, expected) in [
        ("from the office", OFFICE, proxy, plain.clone(), (true, OFFICE)),
        ("from elsewhere", "127.0.0.1", proxy, plain.clone(), (false, "127.0.0.1")),
        ("who invents a header", "127.0.0.1", proxy, invented.clone(), (false, "127.0.0.1")),
        ("around the proxy", OFFICE, gateway, plain.clone(), (true, OFFICE)),
        ("around it, with a header", "127.0.0.1", gateway, invented, (false, "127.0.0.1")),
        ("the proxy by hand", PROXY, gateway, told.clone(), (true, OFFICE)),
        ("somebody as the proxy", "127.0.0.1", gateway, told, (false, "127.0.0.1 http.malformed")),
        ("the proxy without a word", PROXY, gateway, plain.clone(), (false, "closed, 0 bytes")),
    ] {
        let found = house.send(from, to, &bytes);
        assert_eq!((found.0, &*found.1), expected, "{what}");
    }
}
