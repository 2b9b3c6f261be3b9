//! How a user gives a grant, and takes it back: what the pages need. Where a browser is sent, what it
//! brings back, and who is told of an end. Who the user is, and whether they may, is decided before.

use http::StatusCode;
use lockgate_model::{Person, Reason, Refusal, Timestamp, VaultChange};
use url::Url;

use super::{Grant, Grants, named};
use crate::{
    clock,
    discovery::Metadata,
    oauth::{
        Located,
        client::Form,
        endpoint::{Endpoint, NotGiven, refusal},
    },
};

/// Somebody else may change the same grant at the same time this often.
const TRIES: usize = 3;
/// The scope without which some give no refresh token (OpenID Connect Core §11).
const OFFLINE: &str = "offline_access";

/// What a user is asked with.
pub struct Asked {
    /// Comes back with the code.
    pub state: String,
    /// `code_challenge`, by S256 (RFC 7636 §4.2).
    pub challenge: String,
    /// Where the browser is sent back to.
    pub redirect: String,
}

/// What a browser brings back.
pub struct Answered {
    /// The code.
    pub code: String,
    /// `code_verifier`.
    pub verifier: String,
    /// Where the browser was sent back to.
    pub redirect: String,
    /// Who says that they sent it (RFC 9207 §2).
    pub issuer: Option<String>,
}

impl Grants {
    /// The URL at which the authorization server asks the user (RFC 6749 §4.1.1).
    ///
    /// # Errors
    /// A `credential.*` reason.
    pub async fn authorize(&self, asked: &Asked) -> Result<Url, Refusal> {
        let server = &self.0.server;
        let Located { endpoint, resource, scopes, metadata } = server.locate().await?;
        if metadata.as_ref().is_some_and(|metadata| !metadata.takes_s256) {
            return Err(endpoint.invalid("its metadata does not say that it takes PKCE by S256"));
        }
        let scopes = self.scopes(scopes, metadata.as_ref());
        let found = metadata.and_then(|metadata| metadata.authorization_endpoint);
        let mut url = match (&server.settings.authorization_endpoint, found) {
            (Some(url), _) => url.clone(),
            (None, Some(found)) => {
                server.issuer.check(&found).map_err(|fault| refusal(fault.into()))?
            }
            (None, None) => {
                return Err(endpoint.invalid("its metadata has no `authorization_endpoint`"));
            }
        };
        let mut form: Form = vec![
            ("response_type", "code".to_owned()),
            ("client_id", server.settings.client_id.clone()),
            ("redirect_uri", asked.redirect.clone()),
            ("state", asked.state.clone()),
            ("code_challenge", asked.challenge.clone()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        if scopes.iter().any(|scope| scope == OFFLINE) {
            // Without it that scope is left out.
            form.push(("prompt", "consent".to_owned()));
        }
        server.wish(&mut form, &scopes, resource);
        url.query_pairs_mut().extend_pairs(form);
        Ok(url)
    }

    /// What users are asked for: what is configured, else what the server itself wants tokens for, and
    /// that they can be renewed where that has to be asked for.
    fn scopes(&self, mut wanted: Vec<String>, metadata: Option<&Metadata>) -> Vec<String> {
        let configured = &self.0.server.settings.scopes;
        if !configured.is_empty() {
            return configured.clone();
        }
        let is_known = |scopes: &[String]| scopes.iter().any(|scope| scope == OFFLINE);
        let offers = metadata.is_some_and(|metadata| is_known(&metadata.scopes));
        // Alone it would take the place of what is given where nothing is asked for.
        if offers && !wanted.is_empty() && !is_known(&wanted) {
            wanted.push(OFFLINE.to_owned());
        }
        wanted
    }

    /// Takes the code for a grant of this user, which is on the record before it is in the vault.
    ///
    /// # Errors
    /// A `credential.*` reason, or [`Reason::JournalUnavailable`]; then the user has given none.
    pub async fn take(&self, person: &Person, answered: Answered) -> Result<(), Refusal> {
        let server = &self.0.server;
        let Located { endpoint, resource, metadata, .. } = server.locate().await?;
        let names_itself = metadata.is_some_and(|metadata| metadata.names_itself);
        check_sender(&endpoint, names_itself, answered.issuer.as_deref())?;
        let mut form: Form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", answered.code),
            ("redirect_uri", answered.redirect),
            ("code_verifier", answered.verifier),
        ];
        if server.settings.resource {
            form.push(("resource", resource));
        }
        let (secret, asked) = (server.secret().await?, clock::now());
        let given = endpoint.give(&server.issuer, &server.client(secret.as_deref()), form).await;
        let given = given.map_err(|NotGiven { refusal, .. }| refusal)?;
        let grant = Grant::given(given, &endpoint, asked, (1, asked), None)?;
        let (connection, user) = (server.connection.to_string(), named(person));
        self.0.on_record(&user, VaultChange::Connect { connection, user: user.clone() }).await?;
        let put = self.put(person, &grant).await;
        if let Err(refusal) = &put {
            let why = refusal.to_string();
            drop(self.0.on_record(&user, VaultChange::Failed { why }).await);
        }
        self.0.forget(person);
        put
    }

    async fn put(&self, person: &Person, grant: &Grant) -> Result<(), Refusal> {
        let (vault, holder, text) = (&self.0.server.vault, self.0.holder(person), grant.text()?);
        for _ in 0..TRIES {
            let version = vault.grant_version(&holder).await? + 1;
            let now = clock::now();
            if vault.put_grant(&holder, version, None, &grant.fresh(&text), now).await? {
                return Ok(());
            }
        }
        Err(Refusal::new(Reason::CredentialUnreachable, "the grant is changed all the time"))
    }

    /// Since when this user has had a grant; `None` where they have none.
    ///
    /// # Errors
    /// [`Reason::CredentialUnreachable`] and [`Reason::CredentialRefused`].
    pub async fn since(&self, person: &Person) -> Result<Option<Timestamp>, Refusal> {
        let kept = self.0.server.vault.grant(&self.0.holder(person)).await?;
        Ok(kept.map(|kept| kept.since))
    }

    /// Ends this user's grant here, on the record first, and then at the authorization server where it
    /// has a place for that (RFC 7009).
    ///
    /// # Errors
    /// [`Reason::JournalUnavailable`] and [`Reason::CredentialUnreachable`]: it goes on. Another
    /// `credential.*` reason: it is over here, and the server could not be told.
    pub async fn disconnect(&self, person: &Person) -> Result<(), Refusal> {
        let (vault, holder) = (&self.0.server.vault, self.0.holder(person));
        let (connection, user) = (self.0.server.connection.to_string(), named(person));
        // Also one that does not open any more.
        let grant =
            vault.grant(&holder).await.and_then(|kept| kept.as_ref().map(Grant::read).transpose());
        self.0.on_record(&user, VaultChange::Disconnect { connection, user: user.clone() }).await?;
        for _ in 0..TRIES {
            let version = vault.grant_version(&holder).await?;
            if version == 0 || vault.remove_grant(&holder, version, clock::now()).await? {
                break;
            }
        }
        self.0.forget(person);
        match grant {
            Ok(Some(grant)) => self.revoke(&grant).await,
            Ok(None) | Err(_) => Ok(()),
        }
    }

    pub(super) async fn revoke(&self, grant: &Grant) -> Result<(), Refusal> {
        let server = &self.0.server;
        let Located { mut endpoint, metadata, .. } = server.locate().await?;
        let found = metadata.and_then(|metadata| metadata.revocation_endpoint);
        let Some(found) = found.filter(|_| endpoint.audience == grant.issuer) else {
            return Ok(());
        };
        endpoint.url = server.issuer.check(&found).map_err(|fault| refusal(fault.into()))?;
        let access = grant.authorization.expose().trim_start_matches("Bearer ");
        let (token, hint) = match &grant.refresh {
            Some(refresh) => (refresh.expose(), "refresh_token"),
            None => (access, "access_token"),
        };
        let form: Form = vec![("token", token.to_owned()), ("token_type_hint", hint.to_owned())];
        let secret = server.secret().await?;
        let request = endpoint.request(&server.client(secret.as_deref()), form)?;
        let (status, _) = server.issuer.ask(&endpoint.url, request).await.map_err(refusal)?;
        if status == StatusCode::OK { Ok(()) } else { Err(endpoint.invalid(status.as_str())) }
    }
}

/// Whether the code comes from the authorization server that was asked (RFC 9207 §2.4).
fn check_sender(
    endpoint: &Endpoint,
    names_itself: bool,
    sender: Option<&str>,
) -> Result<(), Refusal> {
    let good = match sender {
        Some(sender) => sender == endpoint.audience,
        None => !names_itself,
    };
    if good { Ok(()) } else { Err(endpoint.invalid("the browser brought another one's answer")) }
}
