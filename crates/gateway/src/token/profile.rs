//! Jobs and services as identities: what their tokens must be pinned to, and which of them run what
//! somebody only proposed.
//!
//! Issuers of this kind sign tokens for everybody on their platform, so that a token that verifies
//! says nothing yet: only a pinned claim says that the job is one of ours. Names can be taken over by
//! others once they are free; the pins that count are ids, except where a platform's own names can't
//! change hands. Nothing here knows a policy.

use std::collections::BTreeMap;

use lockgate_model::{Reason, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claims;
use crate::settings::IssuerSettings;

/// Where the tokens of a job or a service come from, with the claims that they are documented to
/// carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Jobs of GitHub Actions. Pinned by `/repository_id` or `/repository_owner_id`.
    GithubActions,
    /// Jobs of GitLab CI (`id_tokens`). Pinned by `/project_id` or `/namespace_id`.
    GitlabCi,
    /// Service accounts of Kubernetes (projected tokens). Pinned by namespace and name, or by the
    /// account's uid.
    Kubernetes,
    /// Jobs of Buildkite. Pinned by `/pipeline_id` or `/organization_id`.
    Buildkite,
    /// Services that get tokens by the client credentials grant (RFC 6749 §4.4). Pinned by `clients`.
    ClientCredentials,
}

/// What says that a job runs what somebody only proposed.
struct Proposals {
    /// The claim that says what started the job. Pinning it to a value is to let such jobs in.
    told_by: &'static str,
    /// Values of it that mean a proposal.
    values: &'static [&'static str],
    /// Another claim, which may name a proposal.
    named_by: &'static str,
    /// Whether a text in that claim does.
    is_name: fn(&str) -> bool,
}

impl Profile {
    /// The sets of claims of which one must be pinned, each whole.
    pub const fn pins(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::GithubActions => &[&["/repository_id"], &["/repository_owner_id"]],
            Self::GitlabCi => &[&["/project_id"], &["/namespace_id"]],
            Self::Kubernetes => &[
                &["/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name"],
                &["/kubernetes.io/serviceaccount/uid"],
            ],
            Self::Buildkite => &[&["/pipeline_id"], &["/organization_id"]],
            Self::ClientCredentials => &[],
        }
    }

    /// Whether these settings say whose jobs are meant.
    pub(super) fn is_pinned(self, settings: &IssuerSettings) -> bool {
        let pinned = |claim: &&str| settings.require.contains_key(*claim);
        match self {
            Self::ClientCredentials => !settings.clients.is_empty(),
            _ => self.pins().iter().any(|set| set.iter().all(pinned)),
        }
    }

    fn proposals(self) -> Option<Proposals> {
        match self {
            Self::GithubActions => Some(Proposals {
                told_by: "/event_name",
                values: &[
                    "pull_request",
                    "pull_request_target",
                    "pull_request_review",
                    "pull_request_review_comment",
                ],
                named_by: "/ref",
                is_name: |name| name.starts_with("refs/pull/"),
            }),
            Self::GitlabCi => Some(Proposals {
                told_by: "/pipeline_source",
                values: &["merge_request_event", "external_pull_request_event"],
                named_by: "/ref_path",
                is_name: |name| name.starts_with("refs/merge-requests/"),
            }),
            // No branch of one's own has a colon; one of a fork is shown as `owner:branch`.
            Self::Buildkite => Some(Proposals {
                told_by: "/build_branch",
                values: &[],
                named_by: "/build_branch",
                is_name: |name| name.contains(':'),
            }),
            Self::Kubernetes | Self::ClientCredentials => None,
        }
    }
}

/// Whether the token is one of those that the issuer's settings let in.
///
/// # Errors
/// [`Reason::TokenPin`] and [`Reason::TokenProposed`].
pub(super) fn check(token: &Map<String, Value>, settings: &IssuerSettings) -> Result<(), Refusal> {
    required(token, &settings.require)?;
    let Some(proposals) = settings.profile.and_then(Profile::proposals) else { return Ok(()) };
    if settings.require.contains_key(proposals.told_by) {
        return Ok(());
    }
    let refused = |detail: String| Err(Refusal::new(Reason::TokenProposed, detail));
    let claim = proposals.told_by;
    let Some(Value::String(started)) = claims::at(token, claim) else {
        return refused(format!("`{claim}` does not say what started the job"));
    };
    if proposals.values.contains(&started.as_str()) {
        return refused(format!("`{claim}` says that a proposed change runs"));
    }
    let claim = proposals.named_by;
    if claims::at(token, claim).and_then(Value::as_str).is_some_and(proposals.is_name) {
        return refused(format!("`{claim}` names a proposed change"));
    }
    Ok(())
}

/// Every required claim, with a value that is accepted.
fn required(
    token: &Map<String, Value>,
    require: &BTreeMap<String, Vec<String>>,
) -> Result<(), Refusal> {
    for (claim, accepted) in require {
        let found = match claims::at(token, claim) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Bool(flag)) => Some(flag.to_string()),
            Some(Value::Number(number)) => number.as_i64().map(|number| number.to_string()),
            _ => None,
        };
        let what = match found {
            None => "is not there, or is no text",
            Some(value) if !accepted.contains(&value) => "has a value that is not accepted",
            Some(_) => continue,
        };
        return Err(Refusal::new(Reason::TokenPin, format!("`{claim}` {what}")));
    }
    Ok(())
}
