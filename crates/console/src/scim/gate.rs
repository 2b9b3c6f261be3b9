//! Who may provision: whoever shows the token to which the issuer's configuration refers. A wrong token and
//! an issuer whom nobody provisions are told alike.

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, StatusCode, header};
use lockgate_model::{Reason, Refusal};
use lockgate_store::directory::Directory;

use super::fault::Fault;
use crate::{brake::Brake, console::Console, gate, serve::Line};

/// How the issuer of a short name is provisioned, where it is by whoever shows a token.
pub type Admits = Box<dyn Fn(&str, &str) -> Option<Provisioned> + Send + Sync>;

/// What the process around the console knows of provisioning.
pub struct Provisioner {
    /// Where people and groups are kept; `None` while that can't be had.
    pub store: Box<dyn Fn() -> Option<Arc<Directory>> + Send + Sync>,
    /// Who is let in. It must take as long whatever token is shown.
    pub admits: Admits,
}

/// How one issuer's people and groups are provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// The issuer's short name.
    pub issuer: String,
    /// What of a person is the subject in tokens.
    pub user: Named,
    /// What of a group is its name in tokens.
    pub group: Named,
}

/// What names somebody in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// `userName`, or `displayName` of a group.
    Label,
    /// `externalId`.
    ExternalId,
}

impl Provisioned {
    /// As it stands in the record.
    pub(super) fn author(&self) -> String {
        format!("scim:{}", self.issuer)
    }
}

/// Lets a request in.
pub(super) async fn admit(
    console: &Console,
    brake: &Brake,
    issuer: &str,
    headers: &HeaderMap,
    line: Option<&Line>,
) -> Result<Provisioned, Fault> {
    let refusal = match bearer(headers) {
        Some(token) => match (console.edge.provisioner.admits)(issuer, token) {
            Some(provisioned) => return Ok(provisioned),
            None => Refusal::new(Reason::TokenIssuer, "no issuer is provisioned with this token"),
        },
        None => Refusal::new(Reason::TokenMissing, "there is no bearer token"),
    };
    if brake.is_too_much(Instant::now()) {
        let detail = "too many requests show no good token";
        return Err(Fault::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    gate::refused(console, "SCIM", &refusal, line.map(|line| line.peer)).await;
    Err(Fault::new(StatusCode::UNAUTHORIZED, "the token is not accepted"))
}

/// The token of the one `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let fits = scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty();
    fits.then_some(token)
}
