//! Who is in which group, and what changes that.

use std::collections::BTreeMap;

use super::*;
use crate::{Digest, IdentityKind, Timestamp, TokenFacts};

fn group(issuer: &str, name: &str) -> Group {
    Group { issuer: issuer.into(), name: name.into() }
}

fn who(issuer: &str, subject: &str, groups: &[&str]) -> Identity {
    let until = Timestamp::from_millis(1);
    Identity {
        issuer: issuer.into(),
        kind: IdentityKind::Person,
        subject: subject.into(),
        client: None,
        groups: groups.iter().map(|name| group(issuer, name)).collect(),
        claims: BTreeMap::new(),
        token: TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: None,
            expires_at: until,
            refused_from: until,
        },
    }
}

fn user(id: u128, issuer: &str, subject: Option<&str>) -> DirectoryNews {
    DirectoryNews::User { id, issuer: issuer.into(), subject: subject.map(str::to_owned) }
}

fn team(id: u128, issuer: &str, name: Option<&str>) -> DirectoryNews {
    DirectoryNews::Group { id, issuer: issuer.into(), name: name.map(str::to_owned) }
}

fn member(group: u128, user: u128, gone: bool) -> DirectoryNews {
    DirectoryNews::Member { group, user, gone }
}

fn of(news: impl IntoIterator<Item = DirectoryNews>) -> Directory {
    let mut directory = Directory::default();
    news.into_iter().for_each(|one| directory.take(one));
    directory
}

/// The names of the groups that count.
fn counts(directory: &Directory, who: &Identity, rule: GroupsRule) -> Vec<String> {
    let groups = directory.groups(who, rule).unwrap_or_else(|| who.groups.clone());
    groups.into_iter().map(|group| group.name).collect()
}

#[test]
fn c6_a_group_that_is_kept_counts_for_who_is_in_it() {
    let corp = [
        user(1, "corp", Some("ann")),
        user(2, "corp", Some("bob")),
        team(10, "corp", Some("dba")),
        team(11, "corp", Some("ops")),
        member(10, 1, false),
        member(11, 1, false),
    ];
    let directory = of(corp);
    for (issuer, subject, narrowed, followed) in [
        ("corp", "ann", "dba,other", "dba,ops,other"),
        ("corp", "bob", "other", "other"),
        // Nobody knows of them here: what is kept here is not theirs.
        ("corp", "eve", "other", "other"),
        ("corp", "Ann", "other", "other"),
        // Another issuer's groups are none of these.
        ("github", "ann", "dba,other", "dba,other"),
    ] {
        let who = who(issuer, subject, &["dba", "other"]);
        let name = format!("{issuer}/{subject}");
        assert_eq!(counts(&directory, &who, GroupsRule::Narrow).join(","), narrowed, "{name}");
        assert_eq!(counts(&directory, &who, GroupsRule::Follow).join(","), followed, "{name}");
    }
}

#[test]
fn changes_are_taken_in_one_by_one() {
    let ann = who("corp", "ann", &["dba"]);
    let mut directory =
        of([team(10, "corp", Some("dba")), user(1, "corp", Some("ann")), member(10, 1, false)]);
    assert_eq!(directory.lost(&ann), None);
    for (news, lost) in [
        (member(10, 1, true), true),
        (member(10, 1, true), true),
        (member(10, 1, false), false),
        // A name that another person has now is theirs.
        (user(1, "corp", Some("anna")), true),
        (user(1, "corp", Some("ann")), false),
        (user(2, "corp", Some("ann")), true),
        (user(1, "corp", Some("bob")), true),
        (user(2, "corp", None), true),
        (user(1, "corp", Some("ann")), false),
        // A group by another name is not this one; one that is gone takes nothing away.
        (team(10, "corp", Some("dbas")), false),
        (team(10, "corp", Some("dba")), false),
        (member(10, 1, true), true),
        (team(10, "corp", None), false),
        (team(12, "corp", Some("dba")), true),
    ] {
        directory.take(news.clone());
        assert_eq!(directory.lost(&ann).is_some(), lost, "{news:?}");
    }
}

#[test]
fn nothing_changes_where_nothing_is_kept() {
    let ann = who("corp", "ann", &["dba"]);
    for rule in [GroupsRule::Narrow, GroupsRule::Follow] {
        assert_eq!(Directory::default().groups(&ann, rule), None);
    }
}
