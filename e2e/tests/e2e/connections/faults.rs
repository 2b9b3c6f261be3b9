//! `connection test` against real servers and against everything that goes wrong with one: each is told
//! apart, in words that say what to do.

use std::{
    fs::Permissions,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use lockgate_e2e::{
    gateway::{CHILD_SECRET, Gateway, Plan},
    rig::{CREDENTIAL, MintIssuer, Next, Server, Upstream},
    room::{POLICIES, connection, issuer_settings},
    say, tools,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// One row: a connection, whether it can be served, and words that must be in the report.
type Row = (Value, bool, &'static [&'static str]);

/// Presents a certificate of its own making to whoever comes.
const SELF_SIGNED: &str = "\
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
while True:
    peer, _ = server.accept()
    try:
        context.wrap_socket(peer, server_side=True).close()
    except OSError:
        pass
";

/// Servers that are as they should be, and others.
struct Servers {
    folder: TempDir,
    both: Upstream,
    modern: Upstream,
    legacy: Upstream,
    page: Server,
    missing: Server,
    missing_json: Server,
    unauthorized: Server,
    forbidden: Server,
    moved: Server,
    /// Takes connections and says nothing.
    deaf: TcpListener,
    /// A port at which nothing listens.
    closed: SocketAddr,
    /// Speaks HTTP without TLS, and complains of everything else.
    blunt: SocketAddr,
    /// With a certificate that nobody vouches for, and its port.
    self_signed: (tools::Tool, String),
    /// A program that complains and ends.
    fails: PathBuf,
}

#[test]
fn what_is_wrong_is_said_in_plain_words() {
    let (issuer, servers) = (MintIssuer::start().unwrap(), Servers::start());
    let rows =
        [servers.good(), servers.unreachable(), servers.refusing(), servers.programs()].concat();
    let settings = json!({
        "issuers": [issuer_settings("idp", &issuer)],
        "connections": rows.iter().map(|(settings, ..)| settings).collect::<Vec<_>>(),
    });
    let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
    let gateway = Gateway::prepare(&plan).unwrap();
    let mut wrong = Vec::new();
    for (settings, good, words) in &rows {
        let name = settings["name"].as_str().unwrap();
        let (code, said) = gateway.command(&["connection", "test", name, "--json"]).unwrap();
        let told = words.iter().all(|word| said.contains(word));
        if code != i32::from(!good) || !told || leaks(&said) {
            wrong.push(format!("{name}: {code}, wanted {words:?}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let (_, plain) = gateway.command(&["connection", "test", "fails"]).unwrap();
    assert!(plain.contains("stderr: can't log in with ***") && !leaks(&plain), "{plain}");
    say(&format!("connections: {} servers and faults told apart", rows.len()));
}

impl Servers {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fails = folder.path().join("fails");
        std::fs::write(&fails, "#!/bin/sh\necho \"can't log in with $TOKEN\" >&2\nexit 3\n")
            .unwrap();
        std::fs::set_permissions(&fails, Permissions::from_mode(0o755)).unwrap();
        let (html, json) = ("text/html", "application/json");
        Self {
            both: Upstream::start().unwrap(),
            modern: Upstream::start_eras(true, false).unwrap(),
            legacy: Upstream::start_eras(false, true).unwrap(),
            page: answering("200 OK", html, "<html>Welcome</html>"),
            missing: answering("404 Not Found", html, "<html>No such page</html>"),
            missing_json: answering("404 Not Found", json, "{\"error\":\"no such page\"}"),
            unauthorized: answering("401 Unauthorized", json, "{}"),
            forbidden: answering("403 Forbidden", html, "no"),
            moved: answering("302 Found", html, "there"),
            deaf: TcpListener::bind("127.0.0.1:0").unwrap(),
            closed: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
            blunt: blunt(),
            self_signed: self_signed(folder.path()),
            fails,
            folder,
        }
    }

    fn good(&self) -> Vec<Row> {
        let mut only_modern = connection("only-modern", &self.legacy.url());
        only_modern["era"] = json!("modern");
        vec![
            (
                connection("both", &self.both.url()),
                true,
                &["\"modern\"", "\"legacy\"", "\"tools\": ", "\"server\": \""],
            ),
            (connection("modern", &self.modern.url()), true, &["2026-07-28"]),
            (connection("legacy", &self.legacy.url()), true, &["2025-11-25"]),
            (only_modern, false, &["the era that `era` of the connection rules out"]),
        ]
    }

    fn unreachable(&self) -> Vec<Row> {
        let mut slow =
            connection("slow", &format!("http://{}/mcp", self.deaf.local_addr().unwrap()));
        slow["limits"] = json!({ "answer_wait_max_ms": 300 });
        let mut inside = connection("inside", "https://localhost:8443/mcp");
        inside["upstream"]["http"]["allow_private"] = json!(false);
        let no_tls = format!("https://{}/mcp", self.blunt);
        let self_signed = format!("https://127.0.0.1:{}/mcp", self.self_signed.1);
        vec![
            (
                connection("refused", &format!("http://{}/mcp", self.closed)),
                false,
                &["nothing listens there", "is the server running"],
            ),
            (
                connection("name", "https://nothing.invalid/mcp"),
                false,
                &["no name server knows the host", "nothing.invalid"],
            ),
            (connection("no-tls", &no_tls), false, &["TLS failed"]),
            (connection("self-signed", &self_signed), false, &["TLS failed", "named with `ca`"]),
            (slow, false, &["took too long"]),
            (inside, false, &["may not connect there", "allow_private"]),
        ]
    }

    fn refusing(&self) -> Vec<Row> {
        let mut bare = connection("bare", &at(&self.unauthorized));
        bare["upstream"]["http"]["headers"] = json!({});
        let mut unsealed = connection("unsealed", &self.both.url());
        unsealed["upstream"]["http"]["headers"] = json!({ "Authorization": "sealed:nobody" });
        let mut unset = connection("unset", &self.both.url());
        unset["upstream"]["http"]["headers"] = json!({ "Authorization": "env:ROWS_NOTHING" });
        let no_endpoint = &["no MCP endpoint at this path", "404"];
        vec![
            (
                connection("unauthorized", &at(&self.unauthorized)),
                false,
                &["401", "`Authorization` from `env:ROWS_CREDENTIAL`"],
            ),
            (connection("forbidden", &at(&self.forbidden)), false, &["403", "ROWS_CREDENTIAL"]),
            (bare, false, &["401", "none is sent"]),
            (connection("page", &at(&self.page)), false, &["no MCP server", "a page for people"]),
            (connection("missing", &at(&self.missing)), false, no_endpoint),
            (connection("missing-json", &at(&self.missing_json)), false, no_endpoint),
            (connection("moved", &at(&self.moved)), false, &["redirect", "never followed"]),
            (unsealed, false, &["can't be had", "`lockgate secret set nobody`"]),
            (unset, false, &["can't be had", "env:ROWS_NOTHING"]),
        ]
    }

    fn programs(&self) -> Vec<Row> {
        let stdio = tools::beside("stdio-fixture").unwrap();
        let absent = self.folder.path().join("absent");
        vec![
            (child("child", &stdio), true, &["\"tools\": "]),
            (
                child("fails", &self.fails),
                false,
                &["ended before it answered", "can't log in with ***"],
            ),
            (child("absent", &absent), false, &["absent"]),
        ]
    }
}

fn at(server: &Server) -> String {
    format!("http://{}/mcp", server.address())
}

fn leaks(said: &str) -> bool {
    said.contains(CHILD_SECRET) || said.contains(CREDENTIAL.trim_start_matches("Bearer "))
}

fn child(name: &str, command: &Path) -> Value {
    json!({ "name": name, "issuers": ["idp"], "upstream": { "stdio": {
        "command": command, "env": { "TOKEN": "env:ROWS_CHILD_SECRET" } } } })
}

/// A server that gives everybody the same answer.
fn answering(status: &'static str, media: &'static str, body: &'static str) -> Server {
    let answer = move |socket: &mut TcpStream| {
        let length = body.len();
        write!(
            socket,
            "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nLocation: /there\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    Server::start(Arc::new(move |_, socket| answer(socket).map(|()| Next::Keep))).unwrap()
}

/// A server with a certificate that nobody vouches for, and its port.
fn self_signed(folder: &Path) -> (tools::Tool, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("ca.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", SELF_SIGNED]).arg(certificate).arg(key);
    tools::Tool::start(command).unwrap()
}

fn blunt() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    address
}
