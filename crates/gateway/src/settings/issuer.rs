//! Who issues tokens, and what is demanded of them.

use std::{collections::BTreeMap, path::PathBuf};

use lockgate_model::{GroupsRule, IdentityKind};
use serde::{Deserialize, Serialize};
use url::Url;

use super::ClientAuthentication;
use crate::{
    secret::SecretRef,
    token::{Algorithm, Profile, TokenType},
};

/// Someone who vouches for callers: an OIDC provider, or whatever signs JWTs with published keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IssuerSettings {
    /// The short name by which groups are qualified: `name/group`.
    pub name: String,
    /// The exact `iss` of its tokens; its discovery document is looked for below it.
    pub issuer: String,
    /// Where its keys are published; found by discovery where absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub jwks_url: Option<Url>,
    /// Signature algorithms that are accepted.
    #[serde(default = "IssuerSettings::default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Audiences accepted on every connection that names this issuer.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// OAuth clients whose tokens are accepted; every client's where empty.
    #[serde(default)]
    pub clients: Vec<String>,
    /// What kind of job or service it vouches for; people where absent.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// Claims that every token must carry, by JSON pointer (RFC 6901), each with the values that are
    /// accepted: texts compared byte for byte, `/repository_id: ["74"]`.
    #[serde(default)]
    pub require: BTreeMap<String, Vec<String>>,
    /// The claim that says who somebody is; `oid` for Entra, whose `sub` is another one for each client.
    #[serde(default = "IssuerSettings::default_subject_claim")]
    pub subject_claim: String,
    /// JSON pointers (RFC 6901) to claims that hold groups: `/groups`, `/realm_access/roles`.
    #[serde(default = "IssuerSettings::default_groups_claim")]
    pub groups_claim: Vec<String>,
    /// Splits a groups claim that is one text at its spaces; without this, such a text is refused.
    #[serde(default)]
    pub groups_split: bool,
    /// Refuses tokens that carry no groups claim at all; those of jobs and services need none.
    #[serde(default = "IssuerSettings::default_groups_required")]
    pub groups_required: bool,
    /// Refuses tokens that live longer than this from `iat` to `exp`, in seconds.
    #[serde(default = "IssuerSettings::default_max_token_lifetime_s")]
    pub max_token_lifetime_s: u32,
    /// Refuses tokens issued longer ago than this, in seconds.
    #[serde(default)]
    pub max_token_age_s: Option<u32>,
    /// Whether the two limits above refuse, or only note what is over them.
    #[serde(default)]
    pub token_limits: TokenLimits,
    /// How far its clock may be off, in seconds, at most 60.
    #[serde(default = "IssuerSettings::default_leeway_s")]
    pub leeway_s: u8,
    /// What tokens may say they are: `at+jwt` and `JWT` by their header, where an absent `typ`
    /// counts as `JWT`; `id` for ID tokens, which are told by their claims.
    #[serde(default = "IssuerSettings::default_token_types")]
    pub token_types: Vec<TokenType>,
    /// Takes what it tells of its own accord: back-channel logouts, and security events of CAEP and
    /// RISC. Nothing is taken where absent.
    #[serde(default)]
    pub events: Option<EventSettings>,
    /// Lets it say who there is and who is in which group (SCIM 2.0), beside its tokens. Nobody may where
    /// absent.
    #[serde(default)]
    pub scim: Option<ScimSettings>,
    /// Asks it whether tokens are still good, and what those mean that are no JWT (RFC 7662). Nothing is
    /// asked where absent, and only JWTs are taken.
    #[serde(default)]
    pub introspection: Option<IntrospectionSettings>,
    /// Allows private and loopback addresses, and `http:`, for its keys.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of the certificate authorities to trust for its keys instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// When its keys can't be fetched, the last known ones serve for this long, in seconds.
    #[serde(default = "IssuerSettings::default_stale_max_s")]
    pub stale_max_s: u32,
}

/// What an issuer tells of its own accord, signed with its published keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventSettings {
    /// For whom it is meant: the id of the OAuth client at which a back-channel logout is registered,
    /// or the audience of the stream of events.
    pub audiences: Vec<String>,
    /// Asks for events as well (RFC 8936), where the issuer pushes none.
    #[serde(default)]
    pub poll: Option<PollSettings>,
}

/// Where an issuer is asked for security events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PollSettings {
    /// The stream's `endpoint_url`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// The bearer token to show there, by reference: `env:` or `file:`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token: SecretRef,
}

/// The issuer's people and groups, as a provider provisions them (SCIM 2.0; RFC 7643, RFC 7644).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScimSettings {
    /// The bearer token that the provider shows, by reference: `env:` or `file:`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token: SecretRef,
    /// The attribute of a user that is the subject in tokens, byte for byte.
    #[serde(default)]
    pub subject: ScimSubject,
    /// The attribute of a group that is its name in tokens, byte for byte.
    #[serde(default)]
    pub group_name: ScimGroupName,
    /// What it says of groups is worth: `narrow` takes away from what tokens say, `follow` counts in their
    /// place. Groups of which it says nothing are those of the token.
    #[serde(default)]
    pub groups: GroupsRule,
}

/// What names a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ScimSubject {
    /// `userName`.
    #[default]
    UserName,
    /// `externalId`.
    ExternalId,
}

/// What names a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ScimGroupName {
    /// `displayName`.
    #[default]
    DisplayName,
    /// `externalId`.
    ExternalId,
}

/// What becomes of a token that lives longer, or is older, than its issuer's limits allow. A token
/// without `exp` or `iat` is refused in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TokenLimits {
    /// It is refused.
    #[default]
    Enforce,
    /// It is taken until it expires; its calls carry a fact, and are counted.
    Warn,
}

/// The issuer is asked whether a token is still good (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntrospectionSettings {
    /// About which tokens it is asked.
    #[serde(default)]
    pub tokens: IntrospectedTokens,
    /// Where it is asked; found by the issuer's metadata where absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub endpoint: Option<Url>,
    /// The gateway's name at the issuer.
    pub client_id: String,
    /// The client's secret, by reference: `env:` or `file:`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub client_secret: Option<SecretRef>,
    /// The client's private key by reference, instead of a secret: PEM of PKCS #8.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub private_key: Option<SecretRef>,
    /// The `kid` under which the issuer knows the private key.
    #[serde(default)]
    pub key_id: Option<String>,
    /// How the client shows who it is; what the issuer's metadata names, where absent.
    #[serde(default)]
    pub auth_method: Option<ClientAuthentication>,
    /// How long an answer serves, in milliseconds, at most 300,000: so long a token that the issuer takes
    /// back may still be used.
    #[serde(default = "IntrospectionSettings::default_cache_max_ms")]
    pub cache_max_ms: u32,
}

/// About which tokens an issuer is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IntrospectedTokens {
    /// Those that are no JWT, of which only the issuer knows what they mean.
    #[default]
    Opaque,
    /// JWTs too, after everything that can be verified without it.
    All,
}

impl IssuerSettings {
    /// Who stands behind its tokens.
    pub const fn kind(&self) -> IdentityKind {
        match self.profile {
            None => IdentityKind::Person,
            Some(_) => IdentityKind::Workload,
        }
    }

    fn default_algorithms() -> Vec<Algorithm> {
        vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA]
    }

    fn default_subject_claim() -> String {
        "sub".to_owned()
    }

    fn default_groups_claim() -> Vec<String> {
        vec!["/groups".to_owned()]
    }

    const fn default_groups_required() -> bool {
        true
    }

    const fn default_max_token_lifetime_s() -> u32 {
        86_400
    }

    const fn default_leeway_s() -> u8 {
        60
    }

    fn default_token_types() -> Vec<TokenType> {
        vec![TokenType::AtJwt, TokenType::Jwt]
    }

    const fn default_stale_max_s() -> u32 {
        3_600
    }
}

impl IntrospectionSettings {
    const fn default_cache_max_ms() -> u32 {
        10_000
    }

    /// Where the client's secret or its private key is.
    pub fn secret(&self) -> Option<&SecretRef> {
        self.client_secret.as_ref().or(self.private_key.as_ref())
    }
}
