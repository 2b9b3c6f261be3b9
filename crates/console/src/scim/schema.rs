//! What is kept of a person and of a group (RFC 7643 §4.1, §4.2), as tables: every reader and writer goes
//! by these, and so does what is told of them (RFC 7643 §7).
//!
//! Little is kept: what names somebody, and whether they are active. Passwords, telephone numbers and
//! addresses are nobody's business here; they are read past.

use lockgate_store::directory::Kind;
use serde_json::{Value, json};

/// The schema of people.
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// An attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    /// Its name, as it is written.
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Whether there may be several values.
    pub(super) many: bool,
    pub(super) required: bool,
    /// Whether its texts differ where only their case does.
    pub(super) case_exact: bool,
    mutability: Mutability,
    unique: bool,
    about: &'static str,
    usual: &'static [&'static str],
}

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Text,
    Flag,
    /// The path of a resource of one of these kinds.
    Reference(&'static [&'static str]),
    Complex(&'static [Attribute]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mutability {
    ReadWrite,
    ReadOnly,
    /// Never changed within a value; values come and go.
    Immutable,
}

/// Of every resource (RFC 7643 §3.1); not listed among a schema's attributes.
const COMMON: &[Attribute] = &[
    text("id", "The id that was given out").read_only().exact(),
    text("externalId", "The provider's own id").exact(),
    Attribute { shape: Shape::Complex(META), ..text("meta", "").read_only() },
];

const META: &[Attribute] = &[
    text("resourceType", "").read_only().exact(),
    text("created", "").read_only(),
    text("lastModified", "").read_only(),
    text("location", "").read_only().exact(),
    text("version", "").read_only().exact(),
];

const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute { required: true, unique: true, ..text("userName", "The name to sign in with") },
    complex("name", "The name of the person", NAME),
    text("displayName", "The name to be shown"),
    Attribute { many: true, ..complex("emails", "Addresses for mail", EMAILS) },
    Attribute { shape: Shape::Flag, ..text("active", "Whether the person may come in") },
    Attribute { many: true, ..complex("groups", "The groups that the person is in", GROUPS) }
        .read_only(),
];

const NAME: &[Attribute] = &[
    text("formatted", "The whole name"),
    text("familyName", "The family name"),
    text("givenName", "The given name"),
];

const EMAILS: &[Attribute] = &[
    text("value", "The address"),
    Attribute { usual: &["work", "home", "other"], ..text("type", "What it is for") },
    Attribute { shape: Shape::Flag, ..text("primary", "Whether it is the first to be used") },
];

const GROUPS: &[Attribute] = &[
    text("value", "The id of the group").read_only().exact(),
    Attribute { shape: Shape::Reference(&["Group"]), ..text("$ref", "Its path") }
        .read_only()
        .exact(),
    text("display", "Its name").read_only(),
];

const GROUP_ATTRIBUTES: &[Attribute] = &[
    Attribute { required: true, ..text("displayName", "The name of the group") },
    Attribute { many: true, ..complex("members", "The people in the group", MEMBERS) },
];

const MEMBERS: &[Attribute] = &[
    text("value", "The id of the person").immutable().exact(),
    Attribute { shape: Shape::Reference(&["User"]), ..text("$ref", "Their path") }
        .immutable()
        .exact(),
    Attribute { usual: &["User"], ..text("type", "Always `User`") }.immutable(),
];

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute {
        name,
        shape: Shape::Text,
        many: false,
        required: false,
        case_exact: false,
        mutability: Mutability::ReadWrite,
        unique: false,
        about,
        usual: &[],
    }
}

const fn complex(
    name: &'static str,
    about: &'static str,
    parts: &'static [Attribute],
) -> Attribute {
    Attribute { shape: Shape::Complex(parts), ..text(name, about) }
}

impl Attribute {
    const fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    const fn immutable(self) -> Self {
        Self { mutability: Mutability::Immutable, ..self }
    }

    const fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    /// Whether what somebody writes there is read past.
    pub(super) fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// Its parts; none where it is one value.
    pub(super) const fn parts(&self) -> &'static [Self] {
        match self.shape {
            Shape::Complex(parts) => parts,
            _ => &[],
        }
    }

    /// The part of this name, in any case.
    pub(super) fn part(&self, name: &str) -> Option<&'static Self> {
        self.parts().iter().find(|part| part.name.eq_ignore_ascii_case(name))
    }

    fn told(&self) -> Value {
        let kind = match self.shape {
            Shape::Text => "string",
            Shape::Flag => "boolean",
            Shape::Reference(_) => "reference",
            Shape::Complex(_) => "complex",
        };
        let mut told = json!({
            "name": self.name,
            "type": kind,
            "multiValued": self.many,
            "description": self.about,
            "required": self.required,
            "caseExact": self.case_exact,
            "mutability": match self.mutability {
                Mutability::ReadWrite => "readWrite",
                Mutability::ReadOnly => "readOnly",
                Mutability::Immutable => "immutable",
            },
            "returned": "default",
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        let more = [
            ("subAttributes", self.parts().iter().map(Self::told).collect::<Vec<_>>()),
            ("canonicalValues", self.usual.iter().map(|usual| json!(usual)).collect()),
            (
                "referenceTypes",
                match self.shape {
                    Shape::Reference(kinds) => kinds.iter().map(|kind| json!(kind)).collect(),
                    _ => Vec::new(),
                },
            ),
        ];
        if let Value::Object(told) = &mut told {
            let more = more.into_iter().filter(|(_, values)| !values.is_empty());
            told.extend(more.map(|(name, values)| (name.to_owned(), values.into())));
        }
        told
    }
}

/// The URN of a kind's schema.
pub(super) const fn urn(kind: Kind) -> &'static str {
    match kind {
        Kind::User => USER,
        Kind::Group => GROUP,
    }
}

/// What one of a kind is called.
pub(super) const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "User",
        Kind::Group => "Group",
    }
}

/// The attribute by which people call one of a kind.
pub(super) const fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName",
        Kind::Group => "displayName",
    }
}

/// Every attribute of a kind.
pub(super) fn attributes(kind: Kind) -> impl Iterator<Item = &'static Attribute> {
    COMMON.iter().chain(own(kind))
}

/// The attribute of this name, in any case.
pub(super) fn attribute(kind: Kind, name: &str) -> Option<&'static Attribute> {
    attributes(kind).find(|one| one.name.eq_ignore_ascii_case(name))
}

const fn own(kind: Kind) -> &'static [Attribute] {
    match kind {
        Kind::User => USER_ATTRIBUTES,
        Kind::Group => GROUP_ATTRIBUTES,
    }
}

/// A kind's schema, as it is told (RFC 7643 §7); it stands below `base`.
pub(super) fn schema(kind: Kind, base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": urn(kind),
        "name": word(kind),
        "description": match kind {
            Kind::User => "A person",
            Kind::Group => "A group of people",
        },
        "attributes": own(kind).iter().map(Attribute::told).collect::<Vec<_>>(),
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", urn(kind)) },
    })
}

/// A kind's resource type (RFC 7643 §6).
pub(super) fn resource_type(kind: Kind, base: &str) -> Value {
    let word = word(kind);
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": word,
        "name": word,
        "endpoint": format!("/{word}s"),
        "schema": urn(kind),
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{word}") },
    })
}

/// What is supported (RFC 7643 §5).
pub(super) fn provider_config(base: &str, results_max: u64) -> Value {
    let no = json!({ "supported": false });
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": results_max },
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token that the configuration of the issuer refers to",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}
