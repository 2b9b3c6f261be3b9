//! Puts the credential for the service on a cleared call. The client's own never goes further than here,
//! where it may be exchanged for another, and that one never comes back: it lives between here and the
//! upstream's socket.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use lockgate_mcp::headers;
use lockgate_model::{ConnectionName, Identity, Person, Reason, Refusal, Timestamp};
use lockgate_store::journal::Journal;

use super::{clear::Right, outcome::OpenCall, parse::Part, resolve::Caller, respond::Stop};
use crate::{
    clearance::Clearance,
    egress::EgressFault,
    oauth::{Grants, TokenSource},
    secret::{Secret, SecretRef},
    settings::{TokenGrant, UpstreamSettings},
    upstream::{Outgoing, Verb},
    vault::Vault,
};

/// A call as it will leave.
pub struct Armed {
    /// What must be recorded of its end.
    pub open: OpenCall,
    /// The right to send it.
    pub clearance: Clearance,
    /// What is sent.
    pub outgoing: Outgoing,
}

/// The credential of one upstream: headers, and a token. Clones share the one secret, and its renewal.
#[derive(Clone)]
pub struct Credential(Arc<Inner>);

struct Inner {
    connection: ConnectionName,
    vault: Arc<Vault>,
    held: ArcSwap<Held>,
    /// Where its token comes from, where it has one.
    source: Option<Source>,
    /// Why it could not be had last; `None` where it could.
    refused: Mutex<Option<Refusal>>,
}

/// Who gives a token.
enum Source {
    /// The authorization server, to the gateway: one for all callers, or one for each.
    Own(TokenSource),
    /// Each caller, who let the gateway act for them.
    Callers(Grants),
}

type Held = Result<Vec<(HeaderName, Value)>, Refusal>;

/// What a header gets.
enum Value {
    /// Read when the settings were.
    Read(Secret),
    /// Fetched through the vault at each use.
    Fetched(SecretRef),
}

/// For whom something is sent to an upstream.
#[derive(Clone, Copy)]
pub enum Whose<'a> {
    /// For the gateway itself.
    Gateway,
    /// For the gateway, about what this person began: with their grant, where callers have any.
    Person(&'a Person),
    /// For a caller.
    Caller(&'a Caller),
}

/// Dresses the call for its upstream.
///
/// # Errors
/// As [`Credential::arm`].
pub async fn arm(right: Right) -> Result<Armed, Stop> {
    let Right { open, clearance } = right;
    let item = &open.item;
    let mut headers = headers::toward_upstream(&open.caller.headers, item.call.era);
    let whose = Whose::Caller(&open.caller);
    if let Err(refusal) = open.caller.connection.credential.arm(&mut headers, whose).await {
        return Err(open.refuse(refusal));
    }
    let outgoing = Outgoing {
        era: item.call.era,
        verb: match item.part {
            Part::Request | Part::Notification | Part::Response => Verb::Post,
            Part::Listen => Verb::Get,
            Part::End => Verb::Delete,
        },
        headers,
        body: item.body.clone(),
        session: item.session.as_ref().map(|session| session.key.clone()),
    };
    Ok(Armed { open, clearance, outgoing })
}

impl<'a> Whose<'a> {
    /// For the gateway, on behalf of somebody or of nobody.
    pub fn of(person: Option<&'a Person>) -> Self {
        person.map_or(Self::Gateway, Self::Person)
    }

    fn caller(self) -> Option<&'a Caller> {
        match self {
            Self::Caller(caller) => Some(caller),
            Self::Gateway | Self::Person(_) => None,
        }
    }

    fn person(self) -> Option<Person> {
        match self {
            Self::Gateway => None,
            Self::Person(person) => Some(person.clone()),
            Self::Caller(caller) => Some(caller.person()),
        }
    }
}

impl Credential {
    /// Reads the credential of an HTTP upstream from its places outside the vault; a child process
    /// gets its own through its environment. What can't be read is refused at each call, so that one
    /// missing secret stops one connection only.
    ///
    /// # Errors
    /// As [`TokenSource::new`].
    pub fn of(
        connection: ConnectionName,
        upstream: &UpstreamSettings,
        vault: Arc<Vault>,
        journal: &Arc<Journal>,
    ) -> Result<Self, EgressFault> {
        let source = match upstream {
            UpstreamSettings::Http(http) => http.credential.as_ref().map(|credential| {
                let (connection, vault) = (connection.clone(), Arc::clone(&vault));
                match credential.grant {
                    TokenGrant::ClientCredentials | TokenGrant::TokenExchange => {
                        TokenSource::new(connection, credential, http, vault).map(Source::Own)
                    }
                    TokenGrant::AuthorizationCode => {
                        let journal = Arc::clone(journal);
                        let grants = Grants::new(connection, credential, http, vault, journal);
                        grants.map(Source::Callers)
                    }
                }
            }),
            UpstreamSettings::Stdio(_) => None,
        };
        let source = source.transpose()?;
        let (held, refused) = (ArcSwap::from_pointee(read(upstream)), Mutex::default());
        Ok(Self(Arc::new(Inner { connection, vault, held, source, refused })))
    }

    /// The same credential, read again from its places.
    #[must_use]
    pub fn renewed(&self, upstream: &UpstreamSettings) -> Self {
        self.0.held.store(Arc::new(read(upstream)));
        self.clone()
    }

    /// Puts the credential into the headers of a message to the upstream: a caller's, or the gateway's own.
    ///
    /// # Errors
    /// [`Reason::CredentialUnavailable`], and as [`Vault::fetch`], [`TokenSource::token`] and
    /// [`Grants::of`].
    pub async fn arm(&self, headers: &mut HeaderMap, whose: Whose<'_>) -> Result<(), Refusal> {
        let held = self.0.held.load_full();
        let armed = self.put(&held, headers, whose).await;
        if !armed.as_ref().is_err_and(is_of_caller) {
            *self.0.refused.lock().unwrap_or_else(PoisonError::into_inner) = armed.clone().err();
        }
        armed
    }

    /// Puts another credential into the headers of a message that the upstream answered with 401; `false`
    /// where there is no other. Headers that are configured stay what they are.
    ///
    /// # Errors
    /// As [`Self::arm`].
    pub async fn arm_again(
        &self,
        headers: &mut HeaderMap,
        whose: Whose<'_>,
    ) -> Result<bool, Refusal> {
        let (Some(source), Some(sent)) = (&self.0.source, headers.get(AUTHORIZATION)) else {
            return Ok(false);
        };
        let another = match (source, whose.person()) {
            (Source::Own(source), _) => source.reject(whose.caller(), sent.as_bytes()),
            (Source::Callers(grants), Some(person)) => grants.reject(&person, sent.as_bytes()),
            (Source::Callers(_), None) => false,
        };
        if !another {
            return Ok(false);
        }
        self.arm(headers, whose).await.map(|()| true)
    }

    /// Whether the gateway may look at the server itself: where that takes a caller's grant, one must have
    /// called with theirs.
    ///
    /// # Errors
    /// As [`Grants::of_latest`].
    pub async fn lets_look(&self) -> Result<(), Refusal> {
        match self.grants() {
            Some(grants) => grants.of_latest().await.map(drop),
            None => Ok(()),
        }
    }

    /// The grants of its callers, where it is made of these.
    pub fn grants(&self) -> Option<&Grants> {
        match &self.0.source {
            Some(Source::Callers(grants)) => Some(grants),
            Some(Source::Own(_)) | None => None,
        }
    }

    /// When a user gave the account that is used for them, where each has their own.
    ///
    /// # Errors
    /// As [`Grants::given`].
    pub async fn given(&self, identity: &Identity) -> Result<Option<Timestamp>, Refusal> {
        match self.grants() {
            Some(grants) => grants.given(&identity.person()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether [`Self::arm_again`] may have another one.
    pub fn is_renewable(&self) -> bool {
        self.0.source.is_some()
    }

    async fn put(
        &self,
        held: &Held,
        headers: &mut HeaderMap,
        whose: Whose<'_>,
    ) -> Result<(), Refusal> {
        for (name, secret) in held.as_ref().map_err(Refusal::clone)? {
            let value = match secret {
                Value::Read(secret) => value(secret)?,
                Value::Fetched(place) => {
                    value(&*self.0.vault.fetch(&self.0.connection, place).await?)?
                }
            };
            headers.insert(name.clone(), value);
        }
        let authorization = match (&self.0.source, whose.person()) {
            (None, _) => return Ok(()),
            (Some(Source::Own(source)), _) => {
                value(&source.token(whose.caller()).await?.authorization)?
            }
            (Some(Source::Callers(grants)), Some(person)) => {
                value(&grants.of(&person).await?.authorization)?
            }
            (Some(Source::Callers(grants)), None) => {
                value(&grants.of_latest().await?.authorization)?
            }
        };
        headers.insert(AUTHORIZATION, authorization);
        Ok(())
    }

    /// Why calls are refused at this stage, where they are; of the vault and the authorization server,
    /// what they said last.
    ///
    /// # Errors
    /// As [`Self::arm`].
    pub fn check(&self) -> Result<(), Refusal> {
        self.0.held.load().as_ref().as_ref().map_err(Refusal::clone)?;
        let refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        refused.map_or(Ok(()), Err)
    }
}

/// What one caller may not have, or has not done yet, is no trouble of the connection.
fn is_of_caller(refusal: &Refusal) -> bool {
    use Reason as R;
    matches!(
        refusal.reason,
        R::CredentialExchangeRefused | R::CredentialGrantMissing | R::TokenExpired
    )
}

fn read(upstream: &UpstreamSettings) -> Held {
    let UpstreamSettings::Http(http) = upstream else { return Ok(Vec::new()) };
    let headers = http.headers.iter().map(|(name, place)| {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| unavailable("a credential header's name is no header name"))?;
        if !place.is_local() {
            return Ok((name, Value::Fetched(place.clone())));
        }
        let secret = place.resolve()?;
        value(&secret)?;
        Ok((name, Value::Read(secret)))
    });
    headers.collect()
}

fn value(secret: &Secret) -> Result<HeaderValue, Refusal> {
    let mut value = HeaderValue::from_str(secret.expose())
        .map_err(|_| unavailable("a credential holds bytes that no header carries"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unavailable(detail: &'static str) -> Refusal {
    Refusal::new(Reason::CredentialUnavailable, detail)
}
