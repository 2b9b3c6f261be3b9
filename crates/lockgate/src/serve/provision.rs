//! Who may provision people and groups: whoever shows the token to which the issuer's configuration in force
//! refers.

use std::sync::Arc;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Digest, SHA256, digest},
};
use lockgate_console::scim::{Named, Provisioned, Provisioner};
use lockgate_gateway::{
    gateway::Gateway,
    settings::{IssuerSettings, ScimGroupName, ScimSettings, ScimSubject},
};

use super::revoke::Watched;

/// A token that is shorter could be guessed.
const TOKEN_MIN_BYTES: usize = 32;

/// What the admin API knows of provisioning.
pub(super) fn provisioner(gateway: &Arc<Gateway>, watched: &Watched) -> Provisioner {
    let (gateway, watched) = (Arc::clone(gateway), watched.clone());
    Provisioner {
        store: Box::new(move || watched.directory()),
        admits: Box::new(move |issuer, token| {
            let snapshot = gateway.snapshot();
            let mut issuers = snapshot.blueprint.settings.issuers.iter();
            let settings = issuers.find(|one| one.name == issuer);
            admits(settings, token)
        }),
    }
}

/// Digests are compared, so that the time that it takes says nothing of the token.
fn admits(settings: Option<&IssuerSettings>, token: &str) -> Option<Provisioned> {
    let shown = digest(&SHA256, token.as_bytes());
    let (settings, scim) = (settings?, settings?.scim.as_ref()?);
    let wanted = wanted(scim)?;
    let same = verify_slices_are_equal(shown.as_ref(), wanted.as_ref()).is_ok();
    same.then(|| Provisioned {
        issuer: settings.name.clone(),
        user: match scim.subject {
            ScimSubject::UserName => Named::Label,
            ScimSubject::ExternalId => Named::ExternalId,
        },
        group: match scim.group_name {
            ScimGroupName::DisplayName => Named::Label,
            ScimGroupName::ExternalId => Named::ExternalId,
        },
    })
}

/// The digest of the token that is wanted; the file is read each time, so that it can be changed.
fn wanted(scim: &ScimSettings) -> Option<Digest> {
    let read = scim.token.resolve();
    let secret = read.map_err(|refusal| tracing::error!(%refusal, "nobody can provision")).ok()?;
    let bytes = secret.expose().as_bytes();
    if bytes.len() < TOKEN_MIN_BYTES {
        tracing::error!(at = %scim.token, "nobody can provision: the token has fewer than 32 bytes");
        return None;
    }
    Some(digest(&SHA256, bytes))
}
