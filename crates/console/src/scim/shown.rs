//! A resource as it is told (RFC 7644 §3.4): with its id, its path, who is in it, and of all that what was
//! asked for.

use lockgate_model::Timestamp;
use lockgate_store::directory::{By, Directory, Entry, Kind, MEMBERS_MAX};
use serde_json::{Map, Value, json};

use super::{
    fault::Fault,
    resource::Resource,
    schema::{attribute, urn, word},
};
use crate::query::Time;

/// Which attributes are asked for (RFC 7644 §3.9).
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// These alone; all where empty.
    pub(super) only: Vec<String>,
    /// Not these.
    pub(super) without: Vec<String>,
}

/// What of a resource stands elsewhere, and takes another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// With who is in the group, or the groups that the person is in.
    Yes,
    /// Without.
    No,
}

/// An entry as it is told, all of it; it stands below `base`.
pub(super) async fn tell(
    directory: &Directory,
    entry: &Entry,
    base: &str,
    whole: Whole,
) -> Result<Resource, Fault> {
    let kind = entry.kind;
    let location = format!("{base}/{}s/{}", word(kind), entry.id);
    let mut told = Map::new();
    told.insert("schemas".to_owned(), json!([urn(kind)]));
    told.insert("id".to_owned(), json!(entry.id));
    told.extend(kept(entry)?);
    let (name, values) = match (kind, whole) {
        (_, Whole::No) => ("", Vec::new()),
        (Kind::User, Whole::Yes) => ("groups", groups(directory, entry, base).await?),
        (Kind::Group, Whole::Yes) => ("members", members(directory, entry, base).await?),
    };
    if !values.is_empty() {
        told.insert(name.to_owned(), values.into());
    }
    told.insert(
        "meta".to_owned(),
        json!({
            "resourceType": word(kind),
            "created": time(entry.made),
            "lastModified": time(entry.changed),
            "location": location,
        }),
    );
    Ok(told)
}

/// What a provider wrote of an entry.
pub(super) fn kept(entry: &Entry) -> Result<Resource, Fault> {
    let kept = serde_json::from_str(&entry.resource);
    kept.map_err(|fault| {
        tracing::error!(%fault, id = entry.id, "an entry of the directory can't be read");
        Fault::away()
    })
}

async fn groups(directory: &Directory, user: &Entry, base: &str) -> Result<Vec<Value>, Fault> {
    let by = By::Member(user.id.clone());
    let most = u64::try_from(MEMBERS_MAX).unwrap_or(u64::MAX);
    let groups = directory.find(&user.issuer, Kind::Group, Some(&by), 0, most).await?;
    let told = groups.iter().map(|group| {
        let name = kept(group)?.get("displayName").cloned();
        let path = format!("{base}/Groups/{}", group.id);
        Ok(json!({ "value": group.id, "$ref": path, "display": name }))
    });
    told.collect()
}

async fn members(directory: &Directory, group: &Entry, base: &str) -> Result<Vec<Value>, Fault> {
    let members = directory.members(&group.id).await?;
    let told =
        |id: &String| json!({ "value": id, "$ref": format!("{base}/Users/{id}"), "type": "User" });
    Ok(members.iter().map(told).collect())
}

fn time(time: Timestamp) -> Value {
    json!(Time(time))
}

impl Wanted {
    /// Whether anything is asked for that takes another look.
    pub(super) fn whole(&self, kind: Kind) -> Whole {
        let name = match kind {
            Kind::User => "groups",
            Kind::Group => "members",
        };
        let named = |list: &[String]| list.iter().any(|path| split(kind, path).0 == name);
        let left_out = self.without.iter().any(|path| split(kind, path) == (name, None));
        let asked = self.only.is_empty() || named(&self.only);
        if asked && !left_out { Whole::Yes } else { Whole::No }
    }

    /// What of a resource is asked for; its id and its schema always are (RFC 7643 §7).
    pub(super) fn of(&self, kind: Kind, told: Resource) -> Resource {
        let paths = |list: &[String]| {
            let owned = |path: &String| {
                let (name, part) = split(kind, path);
                (name.to_owned(), part.map(str::to_owned))
            };
            list.iter().map(owned).collect::<Vec<_>>()
        };
        let (only, without) = (paths(&self.only), paths(&self.without));
        let mut left = Map::new();
        for (name, value) in told {
            let always = matches!(&*name, "schemas" | "id");
            let parts_of = |list: &[(String, Option<String>)]| {
                let of = list.iter().filter(|(one, _)| one.eq_ignore_ascii_case(&name));
                of.map(|(_, part)| part.clone()).collect::<Vec<_>>()
            };
            let (asked, unasked) = (parts_of(&only), parts_of(&without));
            if always {
                left.insert(name, value);
                continue;
            }
            if (!only.is_empty() && asked.is_empty()) || unasked.contains(&None) {
                continue;
            }
            let keep = |part: &str| {
                let named = |list: &[Option<String>]| {
                    list.iter().flatten().any(|one| one.eq_ignore_ascii_case(part))
                };
                (only.is_empty() || asked.contains(&None) || named(&asked)) && !named(&unasked)
            };
            left.insert(name, parts(value, &keep));
        }
        left
    }
}

/// The parts of a value, and of each of several, that are kept.
fn parts(value: Value, keep: &impl Fn(&str) -> bool) -> Value {
    match value {
        Value::Object(parts) => parts.into_iter().filter(|(part, _)| keep(part)).collect(),
        Value::Array(values) => values.into_iter().map(|one| parts(one, keep)).collect(),
        value => value,
    }
}

/// An attribute's name as it is written, and a part of it, of a path that may begin with the schema.
fn split(kind: Kind, path: &str) -> (&str, Option<&str>) {
    let own = path.get(..urn(kind).len()).filter(|start| start.eq_ignore_ascii_case(urn(kind)));
    let path = own.and_then(|start| path.get(start.len() + 1..)).unwrap_or(path);
    let (name, part) = match path.split_once('.') {
        Some((name, part)) => (name, Some(part)),
        None => (path, None),
    };
    (attribute(kind, name).map_or(name, |known| known.name), part)
}
