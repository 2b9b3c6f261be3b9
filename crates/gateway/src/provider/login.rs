//! The session at the server: logged in where there is none, renewed ahead of its end, made anew where
//! it was ended. One login at a time, however many wait for it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use tokio::{sync::Mutex, time::Instant};

use super::{
    LoginSettings, ProviderFault,
    server::{Server, parse_data},
    wire::{json, parse},
};

/// A session that is younger than this is not why something was refused.
const YOUNG: Duration = Duration::from_secs(5);
/// After a login that failed, those who wait for one are told so for this time.
const FAILED: Duration = Duration::from_secs(1);

/// How to log in, and the session that came of it.
pub(super) struct Login {
    settings: LoginSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    failed: Option<(Instant, ProviderFault)>,
}

/// A session. No `Debug`: its token opens what the gateway may read.
#[derive(Clone)]
pub(super) struct Session {
    token: Token,
    begun: Instant,
    /// How long it lives without renewal; for ever where `None`.
    lease: Option<Duration>,
    /// How long it lived when it was new.
    first_lease: Option<Duration>,
    renewable: bool,
}

/// A header that is not shown.
#[derive(Clone, PartialEq, Eq)]
struct Token(HeaderValue);

#[derive(Deserialize)]
struct Answer {
    auth: Auth,
}

/// What a login and a renewal give.
#[derive(Deserialize)]
struct Auth {
    client_token: Token,
    lease_duration: u64,
    renewable: bool,
}

/// What a token says of itself.
#[derive(Deserialize)]
struct Itself {
    ttl: u64,
    renewable: bool,
}

#[derive(Serialize)]
struct WithRole<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Serialize)]
struct WithToken<'a> {
    role: &'a str,
    jwt: &'a str,
}

impl Login {
    pub(super) fn new(settings: LoginSettings) -> Self {
        Self { settings, state: Mutex::default() }
    }

    /// The session; a new one where there is none that lives.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub(super) async fn session(&self, server: &Server) -> Result<Session, ProviderFault> {
        let mut state = self.state.lock().await;
        self.prolong(server, &mut state).await;
        match state.session.as_ref().filter(|session| session.lives()) {
            Some(session) => Ok(session.clone()),
            None => self.anew(server, &mut state).await,
        }
    }

    /// A newer session than one within which something was refused; `None` where that one is too young
    /// for a login to change anything.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub(super) async fn instead_of(
        &self,
        server: &Server,
        refused: &Session,
    ) -> Result<Option<Session>, ProviderFault> {
        let mut state = self.state.lock().await;
        match &state.session {
            Some(session) if session.token != refused.token => Ok(Some(session.clone())),
            Some(session) if session.begun.elapsed() < YOUNG => Ok(None),
            _ => self.anew(server, &mut state).await.map(Some),
        }
    }

    /// Keeps the session alive while nobody needs it.
    pub(super) async fn tend(&self, server: &Server) {
        self.prolong(server, &mut *self.state.lock().await).await;
    }

    /// Renews what has lived for two thirds of its time. One that can't be renewed any more, or not for
    /// long, is followed by a new one while it still lives.
    async fn prolong(&self, server: &Server, state: &mut State) {
        let Some(session) = state.session.as_ref().filter(|session| session.is_due()) else {
            return;
        };
        let renewed = match session.renewable && session.lives() {
            true => session.renewed(server).await,
            false => None,
        };
        match renewed {
            Some(session) => state.session = Some(session),
            // What fails now is tried again while the session lives, and after.
            None => drop(self.anew(server, state).await),
        }
    }

    async fn anew(&self, server: &Server, state: &mut State) -> Result<Session, ProviderFault> {
        if let Some((_, fault)) = state.failed.as_ref().filter(|(at, _)| at.elapsed() < FAILED) {
            return Err(fault.clone());
        }
        match self.log_in(server).await {
            Ok(session) => {
                *state = State { session: Some(session.clone()), failed: None };
                Ok(session)
            }
            Err(fault) => {
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    async fn log_in(&self, server: &Server) -> Result<Session, ProviderFault> {
        let begun = Instant::now();
        let secret = self.settings.secret().resolve();
        let secret = secret.map_err(|refusal| {
            ProviderFault::Unreachable(format!("nobody can log in: {}", refusal.detail))
        })?;
        let secret = secret.expose();
        let (path, body) = match &self.settings {
            LoginSettings::Token(_) => return Session::of_token(server, secret, begun).await,
            LoginSettings::AppRole(role) => {
                let body = WithRole { role_id: &role.role_id, secret_id: secret };
                (format!("auth/{}/login", role.mount), json(&body)?)
            }
            LoginSettings::Kubernetes(role) => {
                let body = WithToken { role: &role.role, jwt: secret };
                (format!("auth/{}/login", role.mount), json(&body)?)
            }
        };
        let answer = server.call(&Method::POST, &path, None, body).await.map_err(at_login)?;
        Ok(Session::of(parse::<Answer>(&answer)?.auth, begun, None))
    }
}

impl Session {
    fn of(auth: Auth, begun: Instant, first: Option<Duration>) -> Self {
        let lease = lease(auth.lease_duration);
        let renewable = auth.renewable;
        Self { token: auth.client_token, begun, lease, first_lease: first.or(lease), renewable }
    }

    /// Of a token that somebody else got.
    async fn of_token(server: &Server, token: &str, begun: Instant) -> Result<Self, ProviderFault> {
        let token = Token::of(token)
            .ok_or_else(|| ProviderFault::Refused("the token is no header's value".to_owned()))?;
        let mut session = Self { token, begun, lease: None, first_lease: None, renewable: false };
        let path = "auth/token/lookup-self";
        let answer = server.call(&Method::GET, path, Some(&session), Bytes::new()).await;
        let itself: Itself = parse_data(&answer.map_err(at_login)?)?;
        session.lease = lease(itself.ttl);
        session.first_lease = session.lease;
        session.renewable = itself.renewable;
        Ok(session)
    }

    /// `None` where the server does not renew it, or not for half as long as it lived when it was new.
    async fn renewed(&self, server: &Server) -> Option<Self> {
        let begun = Instant::now();
        let path = "auth/token/renew-self";
        let answer = server.call(&Method::POST, path, Some(self), Bytes::new()).await.ok()?;
        let session = Self::of(parse::<Answer>(&answer).ok()?.auth, begun, self.first_lease);
        let long = session.lease.zip(self.first_lease).is_none_or(|(now, first)| now * 2 >= first);
        long.then_some(session)
    }

    /// For the header of a call.
    pub(super) const fn token(&self) -> &HeaderValue {
        &self.token.0
    }

    fn lives(&self) -> bool {
        self.lease.is_none_or(|lease| self.begun.elapsed() < lease)
    }

    fn is_due(&self) -> bool {
        self.lease.is_some_and(|lease| self.begun.elapsed() * 3 >= lease * 2)
    }
}

impl Token {
    fn of(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::of(&text).ok_or_else(|| D::Error::custom("no token"))
    }
}

/// 0 is a token that never ends by itself.
fn lease(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// That nothing is there is a matter of who logs in how.
fn at_login(fault: ProviderFault) -> ProviderFault {
    match fault {
        ProviderFault::Missing(why) | ProviderFault::Refused(why) => {
            ProviderFault::Refused(format!("nobody can log in: {why}"))
        }
        ProviderFault::Unreachable(why) => {
            ProviderFault::Unreachable(format!("nobody can log in: {why}"))
        }
    }
}
