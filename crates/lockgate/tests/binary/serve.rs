//! The service: readiness, reload, and its end. Calls through it are tested in `e2e`.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Child,
    time::{Duration, Instant},
};

use crate::folder::Folder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const POLICY: &str = r#"permit (principal, action == Action::"subscribe", resource);"#;

/// A running `lockgate serve`, killed when it is dropped.
struct Served {
    folder: Folder,
    child: Child,
    admin: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration; nothing listens where issuer and server should be.
fn config(listen: SocketAddr, admin: SocketAddr) -> String {
    format!(
        "public_url: http://{listen}\n\
         listen: {{ address: {listen} }}\n\
         admin: {{ address: {admin} }}\n\
         issuers: [{{ name: corp, issuer: 'http://127.0.0.1:59998', allow_private: true }}]\n\
         connections:\n\
         \x20 - name: staff\n\
         \x20   issuers: [corp]\n\
         \x20   upstream: {{ http: {{ url: 'http://127.0.0.1:59999/mcp', allow_private: true }} }}\n"
    )
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Served {
    fn start() -> Self {
        let folder = Folder::new();
        let (listen, admin) = (free(), free());
        folder.write("lockgate.yaml", &config(listen, admin));
        folder.write("policies/all.cedar", POLICY);
        let child = folder.command().arg("serve").spawn().unwrap();
        let served = Self { folder, child, admin };
        served.wait(|(status, _)| *status == 200);
        served
    }

    /// `GET` on the admin listener; status 0 where nobody answers.
    fn get(&self, path: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(self.admin) else { return (0, String::new()) };
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    fn ready(&self) -> (u16, Value) {
        let (status, body) = self.get("/readyz");
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    fn wait(&self, good: impl Fn(&(u16, Value)) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.ready();
            if good(&now) {
                return now.1;
            }
            assert!(begun.elapsed() < Duration::from_secs(15), "{now:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn wait_config(&self, state: &str) -> Value {
        self.wait(|(_, body)| part(body, "config")["state"] == state)
    }
}

fn part<'a>(body: &'a Value, name: &str) -> &'a Value {
    let parts = body["parts"].as_array().unwrap();
    parts.iter().find(|part| part["name"] == name).unwrap()
}

#[test]
fn readiness_names_every_part() {
    let served = Served::start();
    let (status, body) = served.ready();
    assert_eq!((status, &body["state"]), (200, &"degraded".into()), "{body}");
    for (name, state) in [
        ("gateway", "ok"),
        ("config", "ok"),
        ("journal", "ok"),
        ("issuer corp", "degraded"),
        ("connection staff", "degraded"),
    ] {
        assert_eq!(part(&body, name)["state"], state, "{name}: {body}");
    }
    assert_eq!(served.get("/healthz").0, 200);
    assert!(served.get("/metrics").1.ends_with("# EOF\n"));
    assert_eq!(served.get("/").0, 404);
}

#[test]
fn health_asks_the_running_gateway() {
    let mut served = Served::start();
    // Neither its issuer nor its server is there; it serves all the same, and says so.
    let said = served.folder.run(&["health"]);
    assert!(said.starts_with("exit 0\n--- stdout\ndegraded\n"), "{said}");
    assert!(said.contains("connection staff: degraded: "), "{said}");
    let output = served.folder.command().args(["health", "--json"]).output().unwrap();
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(part(&body, "gateway")["state"], "ok");

    // One that is gone does not answer; one that is there and does not serve says no.
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    assert_eq!(served.folder.exit(&["health"]), 3);
    let other = TcpListener::bind(served.admin).unwrap();
    let refusing = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        let body = r#"{"state":"failed","parts":[]}"#;
        let head = "HTTP/1.1 503 Service Unavailable\r\nconnection: close";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    assert_eq!(served.folder.exit(&["health"]), 1);
    refusing.join().unwrap();
}

#[test]
fn a_bad_file_keeps_the_old_version_and_is_loud() {
    let served = Served::start();
    for (file, bad, good, words) in [
        ("lockgate.yaml", "public_url: [", None, "lockgate.yaml:1"),
        ("policies/all.cedar", "permit (", Some(POLICY), "all.cedar:1"),
    ] {
        let good = good.map_or_else(|| served.folder.read(file), str::to_owned);
        served.folder.write(file, bad);
        served.wait_config("degraded");
        // The gateway says that it refused before the service says where the fault is.
        let pointed = |body: &Value| {
            part(body, "config")["detail"].as_str().is_some_and(|detail| detail.contains(words))
        };
        served.wait(|(_, body)| pointed(body));
        assert_eq!(served.ready().0, 200, "the version before serves on");
        served.folder.write(file, &good);
        served.wait_config("ok");
    }
    let record = served.folder.run(&["journal", "show"]);
    assert!(record.contains("refused: "), "{record}");
}

#[test]
fn a_signal_drains_and_ends_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut served = Served::start();
        kill_process(Pid::from_child(&served.child), signal).unwrap();
        assert_eq!(served.child.wait().unwrap().code(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_second_gateway_does_not_take_the_folder() {
    let served = Served::start();
    served.folder.write("other.yaml", &config(free(), free()));
    assert_eq!(served.folder.exit(&["serve", "--config", "other.yaml"]), 3);
    // Nor can another command speak for the server while the gateway runs.
    assert_eq!(served.folder.exit(&["pins", "accept", "staff", "--yes"]), 3);
}

#[test]
fn a_wrong_configuration_does_not_start() {
    let folder = Folder::new();
    folder.write("lockgate.yaml", &config(free(), free()));
    assert_eq!(folder.exit(&["serve"]), 2, "no policy folder");
    folder.write("policies/all.cedar", "permit (");
    assert_eq!(folder.exit(&["serve"]), 2, "no policy");
    let journal = folder.command().args(["journal", "show"]).output().unwrap();
    assert!(journal.stdout.is_empty(), "nothing was started");
}
