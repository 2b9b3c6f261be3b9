//! A stand-in for HashiCorp Vault and OpenBao: their HTTP API as published, for the calls that the
//! gateway makes. Sessions really end, transit keys really encrypt.

mod engines;

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    net::TcpStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use engines::Transit;
use serde_json::{Map, Value, json};

use super::{Heard, Next, Server};

/// The AppRole's id.
pub const ROLE_ID: &str = "59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8";
/// Its secret id.
pub const SECRET_ID: &str = "canary-secretid-84896a0c-1347-aa90";
/// The token of a service account that may log in as `lockgate`.
pub const ACCOUNT: &str = "canary-account.eyJhbGciOiJSUzI1NiJ9.x";
/// How each token that is given begins.
pub const TOKEN: &str = "hvs.canary-session-";
/// The namespace that everything is in.
pub const NAMESPACE: &str = "team-a";

/// The stand-in. It can be taken away and put back; what it knows stays.
pub struct Bao {
    server: Option<Server>,
    port: u16,
    known: Arc<Mutex<Known>>,
}

/// What it knows, under the tests' control.
#[derive(Default)]
pub struct Known {
    /// Version 2 at `secret`: every version of each path; `None` was deleted.
    pub versions: BTreeMap<String, Vec<Option<Map<String, Value>>>>,
    /// Version 1 at `legacy`.
    pub legacy: BTreeMap<String, Map<String, Value>>,
    /// Paths that no session may read.
    pub denied: Vec<String>,
    /// How long a session lives without renewal, in seconds; for ever where 0.
    pub lease_s: u64,
    /// How long it lives at most, with renewals, in seconds.
    pub lease_max_s: u64,
    /// Whether nothing is answered, and connections stay open.
    pub silent: bool,
    /// A status that everything is answered with.
    pub instead: Option<u16>,
    /// The calls so far, as `METHOD path`.
    pub calls: Vec<String>,
    sessions: BTreeMap<String, Session>,
    logins: usize,
    transit: Transit,
}

#[derive(Clone, Copy)]
struct Session {
    begun: Instant,
    ends: Option<Instant>,
}

/// A status, and a body.
type Answer = (u16, Value);

impl Bao {
    /// Starts it, with sessions of an hour.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn start() -> io::Result<Self> {
        let known = Known { lease_s: 3_600, lease_max_s: 86_400, ..Known::default() };
        let known = Arc::new(Mutex::new(known));
        let server = serve(0, &known)?;
        Ok(Self { port: server.address().port(), server: Some(server), known })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Takes it away.
    pub fn stop(&mut self) {
        self.server = None;
        // Connections that stand are answered by nobody either.
        self.known().instead = Some(503);
    }

    /// Puts it back.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn back(&mut self) -> io::Result<()> {
        self.known().instead = None;
        self.server = Some(serve(self.port, &self.known)?);
        Ok(())
    }

    /// What it knows.
    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a field of a secret at `secret/PATH`, as its next version.
    pub fn put(&self, path: &str, field: &str, value: &str) {
        let fields = Map::from_iter([(field.to_owned(), json!(value))]);
        self.known().versions.entry(path.to_owned()).or_default().push(Some(fields));
    }

    /// Ends every session.
    pub fn revoke(&self) {
        self.known().sessions.clear();
    }

    /// A token for whoever logs in with one.
    ///
    /// # Errors
    /// Where none is given.
    pub fn token(&self) -> anyhow::Result<String> {
        let (_, answer) = self.known().session();
        let token = answer["auth"]["client_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| anyhow!("no token"))
    }

    /// How often somebody logged in.
    pub fn logins(&self) -> usize {
        self.known().logins
    }

    /// What was encrypted by the transit engine so far.
    pub fn encrypted(&self) -> Vec<Vec<u8>> {
        self.known().transit.texts.clone()
    }

    /// Makes a transit key, or its next version.
    ///
    /// # Errors
    /// Where there is no randomness.
    pub fn transit_key(&self, name: &str) -> anyhow::Result<()> {
        self.known().transit.key(name)
    }
}

fn serve(port: u16, known: &Arc<Mutex<Known>>) -> io::Result<Server> {
    let known = Arc::clone(known);
    let handler = move |heard: &Heard, socket: &mut TcpStream| {
        while known.lock().unwrap_or_else(PoisonError::into_inner).silent {
            std::thread::sleep(Duration::from_millis(50));
        }
        let (status, body) = known.lock().unwrap_or_else(PoisonError::into_inner).answer(heard);
        let body = body.to_string();
        write!(
            socket,
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        Ok(Next::Keep)
    };
    Server::start_on(port, Arc::new(handler))
}

impl Known {
    fn answer(&mut self, heard: &Heard) -> Answer {
        let path = heard.target.strip_prefix("/v1/").unwrap_or_default().to_owned();
        self.calls.push(format!("{} {path}", heard.method));
        if let Some(status) = self.instead {
            return (status, json!({ "errors": ["Vault is sealed"] }));
        }
        // Each of these is needed by some server or agent that people run.
        if heard.header("x-vault-request") != Some("true")
            || heard.header("x-vault-namespace") != Some(NAMESPACE)
        {
            return (404, json!({ "errors": ["no handler for route"] }));
        }
        let body: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
        match (&*heard.method, &*path) {
            ("POST", "auth/approle/login") => {
                match body == json!({ "role_id": ROLE_ID, "secret_id": SECRET_ID }) {
                    true => self.log_in(),
                    false => (400, json!({ "errors": ["invalid role or secret ID"] })),
                }
            }
            ("POST", "auth/kubernetes/login") => {
                match body == json!({ "role": "lockgate", "jwt": ACCOUNT }) {
                    true => self.log_in(),
                    false => denied(),
                }
            }
            _ => self.within(heard, &path, &body),
        }
    }

    /// What needs a session that lives.
    fn within(&mut self, heard: &Heard, path: &str, body: &Value) -> Answer {
        let token = heard.header("x-vault-token").unwrap_or_default().to_owned();
        let session = self.sessions.get(&token).copied();
        let lives = |session: &Session| session.ends.is_none_or(|ends| Instant::now() < ends);
        let Some(session) = session.filter(lives) else { return denied() };
        if self.denied.iter().any(|denied| denied == path) {
            return denied();
        }
        match (&*heard.method, path) {
            ("GET", "auth/token/lookup-self") => {
                let left = session.ends.map_or(0, |ends| (ends - Instant::now()).as_secs());
                (200, json!({ "data": { "id": token, "ttl": left, "renewable": left > 0 } }))
            }
            ("POST", "auth/token/renew-self") => self.renew(token, session),
            ("GET", _) => self.read(path),
            ("POST", _) => self.transit.answer(path, body),
            _ => (405, json!({ "errors": ["unsupported operation"] })),
        }
    }

    fn log_in(&mut self) -> Answer {
        self.logins += 1;
        self.session()
    }

    fn session(&mut self) -> Answer {
        let token = format!("{TOKEN}{}", self.sessions.len() + self.calls.len());
        let begun = Instant::now();
        let lease = (self.lease_s > 0).then(|| Duration::from_secs(self.lease_s));
        self.sessions.insert(token.clone(), Session { begun, ends: lease.map(|all| begun + all) });
        (200, auth(&token, self.lease_s))
    }

    /// From now on, but never past its longest life.
    fn renew(&mut self, token: String, session: Session) -> Answer {
        let now = Instant::now();
        let most = session.begun + Duration::from_secs(self.lease_max_s);
        let ends = (now + Duration::from_secs(self.lease_s)).min(most);
        let answer = auth(&token, (ends - now).as_secs());
        self.sessions.insert(token, Session { ends: Some(ends), ..session });
        (200, answer)
    }

    fn read(&self, path: &str) -> Answer {
        if let Some(path) = path.strip_prefix("legacy/") {
            return self.legacy.get(path).map_or_else(nothing, |fields| {
                (200, json!({ "lease_duration": 2_764_800, "data": fields }))
            });
        }
        let versions = path.strip_prefix("secret/data/").and_then(|path| self.versions.get(path));
        let Some(versions) = versions else { return nothing() };
        let metadata = json!({ "version": versions.len(), "destroyed": false });
        match versions.last() {
            Some(Some(fields)) => {
                (200, json!({ "data": { "data": fields, "metadata": metadata } }))
            }
            _ => (404, json!({ "data": { "data": null, "metadata": metadata } })),
        }
    }
}

fn auth(token: &str, lease_s: u64) -> Value {
    json!({ "request_id": "1", "data": null, "auth": { "client_token": token, "accessor": "a",
        "policies": ["default", "lockgate"], "lease_duration": lease_s, "renewable": lease_s > 0 } })
}

fn denied() -> Answer {
    (403, json!({ "errors": ["permission denied"] }))
}

fn nothing() -> Answer {
    (404, json!({ "errors": [] }))
}
