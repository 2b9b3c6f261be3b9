//! Filters and patches in the dialects that providers speak, and what stands in none of them.

use lockgate_store::directory::{By, Kind};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Resource, filter, patch, resource};

fn resource(value: Value) -> Resource {
    value.as_object().unwrap().clone()
}

fn dana() -> Resource {
    resource(json!({
        "id": "1",
        "userName": "Dana@corp.example",
        "externalId": "X7",
        "name": { "familyName": "Doe" },
        "emails": [
            { "value": "dana@corp.example", "type": "work", "primary": true },
            { "value": "d@home.example", "type": "home" }
        ],
        "active": true,
        "groups": [{ "value": "g1", "display": "dba" }],
        "meta": { "created": "2026-11-25T10:00:00.000Z" }
    }))
}

#[test]
fn filters_find_what_they_say() {
    for (text, found) in [
        (r#"userName eq "dana@CORP.example""#, true),
        (r#"USERNAME Eq "dana@corp.example""#, true),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "dana@corp.example""#, true),
        (r#"urn:ietf:params:scim:schemas:core:2.0:Group:userName eq "dana@corp.example""#, false),
        (r#"externalId eq "X7""#, true),
        (r#"externalId eq "x7""#, false),
        (r#"active eq true"#, true),
        // As Entra asks.
        (r#"active eq "True""#, true),
        (r#"active eq false"#, false),
        (r#"active ne true"#, false),
        (r#"not (active eq false)"#, true),
        (r#"name.familyName sw "do""#, true),
        (r#"name.givenName pr"#, false),
        (r#"title pr"#, false),
        (r#"title eq "x""#, false),
        (r#"title ne "x""#, true),
        (r#"title eq null"#, false),
        (r#"displayName eq null"#, true),
        (r#"displayName ne null"#, false),
        (r#"emails eq "d@home.example""#, true),
        (r#"emails.type eq "home" and emails.primary eq true"#, true),
        (r#"emails[type eq "home" and primary eq true]"#, false),
        (r#"emails[type eq "work" and primary eq true]"#, true),
        (r#"emails[not (type eq "work")]"#, true),
        (r#"groups.value eq "g1""#, true),
        (r#"userName co "@corp" and (active eq false or emails ew ".example")"#, true),
        (r#"meta.created gt "2026-11-25T09:00:00.000Z""#, true),
        (r#"meta.created lt "2026-11-25T09:00:00.000Z""#, false),
    ] {
        let filter = filter::parse(text).unwrap();
        assert_eq!(filter::matches(Kind::User, &filter, &dana()), found, "{text}");
    }
    for text in ["", "userName", "userName eq", "userName eq dana", "eq \"x\"", "(active eq true"] {
        let fault = filter::parse(text).unwrap_err();
        assert_eq!(fault.kind, Some("invalidFilter"), "{text}");
    }
    let deep = format!("{}active eq true{}", "(".repeat(500), ")".repeat(500));
    assert!(filter::parse(&deep).is_err());
    assert!(filter::parse(&format!(r#"userName eq "{}""#, "x".repeat(3000))).is_err());
}

#[test]
fn what_can_be_looked_up_is() {
    let found = |kind, text| filter::found_by(kind, &filter::parse(text).unwrap());
    let id = |text: &str| text.to_owned();
    assert_eq!(found(Kind::User, r#"userName eq "A""#), Some(By::Label(id("A"))));
    assert_eq!(found(Kind::User, r#"active eq true and id eq "1""#), Some(By::Id(id("1"))));
    assert_eq!(found(Kind::Group, r#"displayName eq "a""#), Some(By::Label(id("a"))));
    assert_eq!(found(Kind::Group, r#"externalId eq "a""#), Some(By::ExternalId(id("a"))));
    assert_eq!(found(Kind::Group, r#"members eq "1""#), Some(By::Member(id("1"))));
    assert_eq!(found(Kind::Group, r#"members[value eq "1"]"#), Some(By::Member(id("1"))));
    // What would leave something out is tried on all.
    for text in
        [r#"userName eq "a" or active eq true"#, r#"userName sw "a""#, r#"displayName eq "a""#]
    {
        assert_eq!(found(Kind::User, text), None, "{text}");
    }
    assert_eq!(found(Kind::User, r#"not (userName eq "a")"#), None);
}

/// What operations make of Dana: one attribute and its value, and who she is.
fn made(operations: &Value, name: &str, value: &Value) {
    let mut patched = dana();
    let body = json!({ "Operations": operations }).to_string();
    patch::apply(Kind::User, &mut patched, body.as_bytes()).unwrap();
    assert_eq!(patched.get(name).unwrap_or(&Value::Null), value, "{operations}");
    let others = ["userName", "externalId"];
    assert!(others.iter().all(|name| patched[*name] == dana()[*name]), "{operations}");
}

#[test]
fn operations_as_providers_write_them() {
    let work = json!({ "value": "dana@corp.example", "type": "work", "primary": true });
    let home = json!({ "value": "d@home.example", "type": "home" });
    for (operations, name, value) in [
        // Okta.
        (json!([{ "op": "replace", "value": { "active": false } }]), "active", json!(false)),
        (
            json!([{ "op": "replace", "value": { "id": "9", "active": false, "schemas": [] } }]),
            "active",
            json!(false),
        ),
        // Entra.
        (json!([{ "op": "Replace", "path": "active", "value": "False" }]), "active", json!(false)),
        (
            json!([{ "op": "Add", "value": { "name.givenName": "Di", "active": "False" } }]),
            "name",
            json!({ "familyName": "Doe", "givenName": "Di" }),
        ),
        (
            json!([{ "op": "Replace", "path": r#"emails[type eq "work"].value"#, "value": "n@x" }]),
            "emails",
            json!([{ "value": "n@x", "type": "work", "primary": true }, home]),
        ),
        (
            json!([{ "op": "Add", "path": r#"emails[type eq "other"].value"#, "value": "n@x" }]),
            "emails",
            json!([work, home, { "type": "other", "value": "n@x" }]),
        ),
    ] {
        made(&operations, name, &value);
    }
}

#[test]
fn operations_as_the_rfc_writes_them() {
    let work = json!({ "value": "dana@corp.example", "type": "work", "primary": true });
    let home = json!({ "value": "d@home.example", "type": "home" });
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User";
    let extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (operations, name, value) in [
        (json!([{ "op": "replace", "path": "ACTIVE", "value": false }]), "active", json!(false)),
        (
            json!([{ "op": "replace", "path": format!("{urn}:active"), "value": false }]),
            "active",
            json!(false),
        ),
        (
            json!([{ "op": "replace", "path": urn, "value": { "active": false } }]),
            "active",
            json!(false),
        ),
        (json!([{ "op": "remove", "path": "name" }]), "name", Value::Null),
        (json!([{ "op": "remove", "path": "name.familyName" }]), "name", Value::Null),
        (json!([{ "op": "remove", "path": r#"emails[type eq "work"]"# }]), "emails", json!([home])),
        (
            json!([{ "op": "remove", "path": r#"emails[type eq "work"].primary"# }]),
            "emails",
            json!([{ "value": "dana@corp.example", "type": "work" }, home]),
        ),
        (
            json!([{ "op": "remove", "path": r#"emails[type eq "none"]"# }]),
            "emails",
            json!([work, home]),
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": [{ "value": "p@x", "primary": true }, home] }]),
            "emails",
            json!([{ "value": "dana@corp.example", "type": "work", "primary": false }, home,
                { "value": "p@x", "primary": true }]),
        ),
        (json!([{ "op": "replace", "path": "emails", "value": [home] }]), "emails", json!([home])),
        (json!([{ "op": "replace", "path": "emails", "value": [] }]), "emails", Value::Null),
        // What is not kept is read past.
        (
            json!([{ "op": "add", "path": "title", "value": "x" },
                { "op": "replace", "path": format!("{extension}:department"), "value": "x" },
                { "op": "add", "path": extension, "value": { "department": "x" } },
                { "op": "add", "value": { "password": "x", extension: { "department": "x" } } },
                { "op": "replace", "path": "active", "value": false }]),
            "active",
            json!(false),
        ),
    ] {
        made(&operations, name, &value);
    }
}

#[test]
fn members_come_and_go_in_every_dialect() {
    for (operations, left) in [
        (
            json!([{ "op": "add", "path": "members", "value": [{ "value": "c" }, { "value": "a" }] }]),
            "abc",
        ),
        (
            json!([{ "op": "add", "value": { "members": [{ "value": "c", "type": "User", "display": "C" }] } }]),
            "abc",
        ),
        (json!([{ "op": "Add", "path": "members", "value": { "value": "c" } }]), "abc"),
        (json!([{ "op": "remove", "path": r#"members[value eq "a"]"# }]), "b"),
        (
            json!([{ "op": "Remove", "path": "members", "value": [{ "value": "a" }, { "value": "z" }] }]),
            "b",
        ),
        (json!([{ "op": "remove", "path": "members" }]), ""),
        (json!([{ "op": "replace", "path": "members", "value": [{ "value": "c" }] }]), "c"),
        (
            json!([{ "op": "replace", "value": { "id": "9", "displayName": "n", "members": [{ "value": "c" }] } }]),
            "c",
        ),
    ] {
        let mut group = resource(
            json!({ "displayName": "dba", "members": [{ "value": "a" }, { "value": "b" }] }),
        );
        let body = json!({ "operations": operations }).to_string();
        patch::apply(Kind::Group, &mut group, body.as_bytes()).unwrap();
        let members = group.get("members").and_then(Value::as_array).into_iter().flatten();
        let ids: String = members.map(|one| one["value"].as_str().unwrap()).collect();
        assert_eq!(ids, left, "{operations}");
    }
}

#[test]
fn operations_that_can_not_be_are_refused() {
    for (body, kind) in [
        (json!([]), "invalidSyntax"),
        (json!({ "Operations": {} }), "invalidSyntax"),
        (json!({ "Operations": [1] }), "invalidSyntax"),
        (
            json!({ "Operations": [{ "op": "move", "path": "active", "value": true }] }),
            "invalidSyntax",
        ),
        (json!({ "Operations": [{ "op": "add", "OP": "add" }] }), "invalidSyntax"),
        (json!({ "Operations": [{ "op": "remove" }] }), "noTarget"),
        (json!({ "Operations": [{ "op": "replace", "value": true }] }), "invalidValue"),
        (
            json!({ "Operations": [{ "op": "replace", "path": "active", "value": "maybe" }] }),
            "invalidValue",
        ),
        (
            json!({ "Operations": [{ "op": "replace", "path": "userName", "value": "" }] }),
            "invalidValue",
        ),
        (
            json!({ "Operations": [{ "op": "replace", "path": "userName", "value": "a\nb" }] }),
            "invalidValue",
        ),
        (json!({ "Operations": [{ "op": "remove", "path": "userName" }] }), "invalidValue"),
        (json!({ "Operations": [{ "op": "replace", "path": "id", "value": "2" }] }), "mutability"),
        (
            json!({ "Operations": [{ "op": "add", "path": "groups", "value": [{ "value": "g" }] }] }),
            "mutability",
        ),
        (
            json!({ "Operations": [{ "op": "replace", "path": "emails[type eq", "value": "x" }] }),
            "invalidPath",
        ),
        (json!({ "Operations": [{ "op": "replace", "path": "", "value": "x" }] }), "invalidPath"),
        (json!({ "Operations": [{ "op": "replace", "path": 1, "value": "x" }] }), "invalidPath"),
        (
            json!({ "Operations": [{ "op": "replace", "path": r#"emails[value sw "n"].value"#, "value": "x" }] }),
            "noTarget",
        ),
    ] {
        let fault = patch::apply(Kind::User, &mut dana(), body.to_string().as_bytes()).unwrap_err();
        assert_eq!(fault.kind, Some(kind), "{body}");
    }
    let twice = br#"{"Operations":[{"op":"replace","value":{"active":false,"active":true}}]}"#;
    assert_eq!(
        patch::apply(Kind::User, &mut dana(), twice).unwrap_err().kind,
        Some("invalidSyntax")
    );
}

#[test]
fn resources_are_read_once_and_no_further_than_they_are_kept() {
    let read = |body: &str| resource::read(Kind::User, body.as_bytes());
    let kept = read(
        r#"{"schemas":["x"],"id":"9","userName":"a","USERTYPE":"x","Active":"True","password":"p",
            "groups":[{"value":"g"}],"name":{"givenName":"A","middleName":"M"},"emails":"a@x","title":null}"#,
    );
    let wanted = json!({ "userName": "a", "active": true, "name": { "givenName": "A" },
        "emails": [{ "value": "a@x" }] });
    assert_eq!(Value::Object(kept.unwrap()), wanted);
    for (body, kind) in [
        (r#"{"userName":"a","userName":"b"}"#, "invalidSyntax"),
        (r#"{"userName":"a","USERNAME":"b"}"#, "invalidSyntax"),
        (r#"{"userName":"a","name":{"givenName":"x","givenname":"y"}}"#, "invalidSyntax"),
        (r#"{"userName":"a""#, "invalidSyntax"),
        ("[]", "invalidSyntax"),
        ("{}", "invalidValue"),
        (r#"{"userName":1}"#, "invalidValue"),
        (r#"{"userName":"a","active":"yes"}"#, "invalidValue"),
        (r#"{"userName":"a","active":0}"#, "invalidValue"),
        (r#"{"userName":"a","name":"x"}"#, "invalidValue"),
        (
            r#"{"userName":"a","emails":[{"value":"x","primary":true},{"value":"y","primary":true}]}"#,
            "invalidValue",
        ),
    ] {
        assert_eq!(read(body).unwrap_err().kind, Some(kind), "{body}");
    }
    let long = format!(r#"{{"userName":"{}"}}"#, "x".repeat(256));
    assert!(read(&long).is_err());
    let groups = r#"{"displayName":"g","members":[{"value":"1","type":"Group"}]}"#;
    assert!(resource::read(Kind::Group, groups.as_bytes()).is_err());
}

proptest! {
    /// However a deactivation is written, it is one, whatever stands beside it.
    #[test]
    fn a_deactivation_is_never_read_past(
        op in "(add|replace|Add|Replace|REPLACE)",
        name in "(active|Active|ACTIVE)",
        as_text in any::<bool>(),
        with_path in any::<bool>(),
        beside in proptest::collection::vec("(title|password|urn:x:y:z|nickName|roles)", 0..4),
    ) {
        let value = if as_text { json!("False") } else { json!(false) };
        let one = if with_path {
            json!({ "op": op, "path": name, "value": value })
        } else {
            json!({ "op": op, "value": { name: value, "timezone": "x" } })
        };
        let others = beside.iter().map(|path| json!({ "op": op, "path": path, "value": "x" }));
        let operations: Vec<Value> = others.chain([one]).collect();
        let mut patched = dana();
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        patch::apply(Kind::User, &mut patched, body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&patched["active"], &json!(false));
    }

    /// Whatever comes, the resource that is left is one that could have been written whole.
    #[test]
    fn what_is_left_can_be_read(body in ".{0,200}", path in "[a-z.\\[\\]\" ]{0,30}", value in "[a-z]{0,5}") {
        let mut patched = dana();
        let _ = patch::apply(Kind::User, &mut patched, body.as_bytes());
        let mut patched = dana();
        let body = json!({ "Operations": [{ "op": "add", "path": path, "value": value }] }).to_string();
        if patch::apply(Kind::User, &mut patched, body.as_bytes()).is_ok() {
            let text = Value::Object(patched).to_string();
            prop_assert!(resource::read(Kind::User, text.as_bytes()).is_ok(), "{text}");
        }
    }
}
