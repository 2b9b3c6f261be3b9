//! Who may use the admin API, as the configuration says it.

use std::{fmt, net::SocketAddr};

use lockgate_model::{Group, Identity};
use lockgate_store::deliver::Reference;
use serde::{Deserialize, Serialize};
use url::Url;

/// The admin API: its listener, whose tokens open it, and who is what in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiSettings {
    /// Address and port. Tokens travel over it: keep it on loopback, or behind something that
    /// speaks TLS.
    #[serde(default = "ApiSettings::default_address")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub address: SocketAddr,
    /// Names of the issuers whose tokens open it.
    pub issuers: Vec<String>,
    /// The audience that its tokens must name. No connection's: a token for a server must not open
    /// the recording of it.
    pub audience: String,
    /// Who is what.
    #[serde(default)]
    pub roles: Roles,
    /// How people log in to the pages, where reviewers answer with a browser; none where absent.
    #[serde(default)]
    pub login: Option<LoginSettings>,
}

/// How people log in to the pages: OpenID Connect's authorization code flow with PKCE. The issuer
/// must give access tokens for the admin API's audience (RFC 8707).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoginSettings {
    /// Name of the issuer.
    pub issuer: String,
    /// The OAuth client that the pages are.
    pub client_id: String,
    /// Its secret, by reference; a public client where absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub client_secret: Option<Reference>,
    /// Where browsers reach the pages: scheme, host and port. `/login/callback` behind it is the
    /// redirect URI to register at the issuer.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// Scopes that are asked for.
    #[serde(default = "LoginSettings::default_scopes")]
    pub scopes: Vec<String>,
}

/// Which groups have which role. Whoever is in none may do nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Roles {
    /// May read the recording, hold, release and erase, register connections and seal secrets.
    pub admin: Vec<GroupName>,
    /// May read the recording.
    pub auditor: Vec<GroupName>,
    /// Sees every call that waits for a person, and reads nothing else of the recording. Whose
    /// answer counts, policies say: who is in a group that is asked needs no role to answer.
    pub approver: Vec<GroupName>,
}

/// A group with the issuer that asserts it, written `issuer/group`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
pub struct GroupName(Group);

/// Why a text names no group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no group: write the issuer's name, a slash, and the group: `corp/platform`")]
pub struct GroupFault(String);

/// What somebody has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Changes what is kept, registered and sealed.
    Admin,
    /// Reads the recording.
    Auditor,
    /// Sees every question to people.
    Approver,
}

impl LoginSettings {
    fn default_scopes() -> Vec<String> {
        vec!["openid".to_owned()]
    }
}

impl ApiSettings {
    fn default_address() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9091))
    }
}

impl Roles {
    /// Whether `identity` may act as `role`.
    pub(crate) fn admit(&self, identity: &Identity, role: Role) -> bool {
        let any = |names: &[GroupName]| names.iter().any(|name| identity.groups.contains(&name.0));
        match role {
            Role::Admin => any(&self.admin),
            Role::Auditor => any(&self.auditor) || any(&self.admin),
            Role::Approver => any(&self.approver) || any(&self.auditor) || any(&self.admin),
        }
    }
}

impl TryFrom<String> for GroupName {
    type Error = GroupFault;

    fn try_from(text: String) -> Result<Self, GroupFault> {
        Group::parse(&text).map(Self).ok_or(GroupFault(text))
    }
}

impl From<GroupName> for String {
    fn from(name: GroupName) -> Self {
        name.0.to_string()
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Role {
    /// What to ask for, in words for the person who was refused.
    pub(crate) const fn missing(self) -> &'static str {
        match self {
            Self::Admin => "this needs the role `admin`",
            Self::Auditor => "this needs the role `auditor` or `admin`",
            Self::Approver => "this needs the role `approver`, `auditor` or `admin`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiSettings, GroupName, Roles};

    #[test]
    fn settings_read_as_written_and_refuse_the_rest() {
        let good =
            r#"{"issuers":["corp"],"audience":"https://admin","roles":{"admin":["corp/a/b"]}}"#;
        let settings: ApiSettings = serde_json::from_str(good).unwrap();
        assert_eq!(settings.address.to_string(), "127.0.0.1:9091");
        assert_eq!(settings.roles.admin[0].to_string(), "corp/a/b");
        for bad in [
            r#"{"issuers":["corp"]}"#,
            r#"{"issuers":["corp"],"audience":"x","rolls":{}}"#,
            r#"{"issuers":["corp"],"audience":"x","roles":{"owner":[]}}"#,
            r#"{"issuers":["corp"],"audience":"x","roles":{"admin":["platform"]}}"#,
            r#"{"issuers":["corp"],"audience":"x","roles":{"admin":["/platform"]}}"#,
            r#"{"issuers":["corp"],"audience":"x","roles":{"admin":["corp/"]}}"#,
        ] {
            assert!(serde_json::from_str::<ApiSettings>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_slash_in_a_group_never_moves_it_to_another_issuer() {
        let name = GroupName::try_from("a/b/c".to_owned()).unwrap();
        assert_eq!((name.0.issuer.as_str(), name.0.name.as_str()), ("a", "b/c"));
        assert_eq!(
            serde_json::to_string(&Roles::default()).unwrap(),
            r#"{"admin":[],"auditor":[],"approver":[]}"#
        );
    }
}
