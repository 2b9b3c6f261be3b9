//! The rows, written. Whoever counts a change first is waited for by everybody else until the end of the
//! transaction, so that the numbers are in the order in which changes can be seen, and what was looked
//! at meanwhile is still so.

use super::{DirectoryFault, ENTRIES_MAX, Entry, Kind, MEMBERS_MAX, Moves};
use crate::db::{
    DbFault,
    conn::{Bind, Sql, Tx, many},
};

pub(super) async fn put(tx: &mut Tx, entry: &Entry, moves: &Moves) -> Result<(), DirectoryFault> {
    let change = count(tx, 1).await?;
    free(tx, entry, "name", &entry.name).await?;
    if entry.kind == Kind::User {
        free(tx, entry, "label", &entry.label).await?;
    }
    let made = if entry.version == 1 { add(tx, entry, change).await? } else { false };
    if !made && !change_to(tx, entry, change, false).await? {
        return Err(DirectoryFault::Stale);
    }
    here(tx, entry, &moves.joined).await?;
    membership(tx, pairs(&entry.id, &moves.joined), false).await?;
    membership(tx, pairs(&entry.id, &moves.left), true).await?;
    room(tx, entry).await
}

pub(super) async fn remove(tx: &mut Tx, entry: &Entry) -> Result<(), DirectoryFault> {
    let change = count(tx, 1).await?;
    if !change_to(tx, entry, change, true).await? {
        return Err(DirectoryFault::Stale);
    }
    let column = match entry.kind {
        Kind::User => "user_id",
        Kind::Group => "group_id",
    };
    let sql = Sql::new("SELECT group_id, user_id FROM directory_members WHERE gone = 0 AND ");
    let sql = sql.then(column).with(" = ", &*entry.id);
    let rows = tx.rows("read memberships", sql).await?;
    let pairs = rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?)));
    let pairs = pairs.collect::<Result<_, DbFault>>()?;
    Ok(membership(tx, pairs, true).await?)
}

pub(super) async fn forget(tx: &mut Tx, issuer: &str, name: &str) -> Result<(), DirectoryFault> {
    let sql = Sql::new("UPDATE directory_entries SET revocation = NULL WHERE gone = 1")
        .with(" AND kind = 'user' AND issuer = ", issuer)
        .with(" AND name = ", name);
    tx.execute("forget who was out", sql).await?;
    Ok(())
}

/// The number of the last of so many further changes.
async fn count(tx: &mut Tx, changes: usize) -> Result<u64, DbFault> {
    let changes = u64::try_from(changes).unwrap_or(u64::MAX);
    let sql = Sql::new("INSERT INTO directory_changes (one, made) VALUES (1, ")
        .with("", changes)
        .with(") ON CONFLICT (one) DO UPDATE SET made = directory_changes.made + ", changes)
        .then(" RETURNING made");
    let rows = tx.rows("count a change of the directory", sql).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

/// Refuses what would have the name of another.
async fn free(
    tx: &mut Tx,
    entry: &Entry,
    column: &'static str,
    value: &str,
) -> Result<(), DirectoryFault> {
    let sql = Sql::new("SELECT count(*) FROM directory_entries WHERE gone = 0")
        .with(" AND issuer = ", &entry.issuer)
        .with(" AND kind = ", entry.kind.word())
        .with(" AND id <> ", &entry.id)
        .then(" AND ")
        .then(column)
        .with(" = ", value);
    let rows = tx.rows("look for a name", sql).await?;
    match rows.first().map_or(Ok(0), |row| row.count(0))? {
        0 => Ok(()),
        _ => Err(DirectoryFault::Taken(match (entry.kind, column) {
            (Kind::User, "label") => "userName",
            (Kind::User, _) => "name in tokens",
            (Kind::Group, _) => "name",
        })),
    }
}

/// Adds the first version; false where there is one.
async fn add(tx: &mut Tx, entry: &Entry, change: u64) -> Result<bool, DbFault> {
    let mut sql = Sql::new(
        "INSERT INTO directory_entries (id, kind, issuer, change, name, label, external_id, \
         revocation, gone, resource, version, made, changed) VALUES ",
    );
    sql.list([
        Bind::from(&entry.id),
        Bind::from(entry.kind.word()),
        Bind::from(&entry.issuer),
        Bind::from(change),
        Bind::from(&entry.name),
        Bind::from(&entry.label),
        Bind::from(entry.external_id.as_deref()),
        Bind::from(entry.revocation.as_deref()),
        Bind::from(false),
        Bind::whole(entry.resource.clone()),
        Bind::from(entry.version),
        Bind::from(entry.made),
        Bind::from(entry.changed),
    ]);
    let sql = sql.push(" ON CONFLICT (id) DO NOTHING").clone();
    Ok(tx.execute("add to the directory", sql).await? > 0)
}

/// Puts the version after the one before; false where that one is not there.
async fn change_to(tx: &mut Tx, entry: &Entry, change: u64, gone: bool) -> Result<bool, DbFault> {
    let resource = if gone { "{}".to_owned() } else { entry.resource.clone() };
    let sql = Sql::new("UPDATE directory_entries")
        .with(" SET change = ", change)
        .with(", name = ", &entry.name)
        .with(", label = ", &entry.label)
        .with(", external_id = ", entry.external_id.as_deref())
        .with(", revocation = ", entry.revocation.as_deref())
        .with(", gone = ", gone)
        .with(", resource = ", Bind::whole(resource))
        .with(", version = ", entry.version)
        .with(", changed = ", entry.changed)
        .with(" WHERE gone = 0 AND id = ", &entry.id)
        .with(" AND issuer = ", &entry.issuer)
        .with(" AND version = ", entry.version.saturating_sub(1));
    Ok(tx.execute("change the directory", sql).await? > 0)
}

/// Refuses members who are not people of the same issuer.
async fn here(tx: &mut Tx, group: &Entry, users: &[String]) -> Result<(), DirectoryFault> {
    for user in users {
        let sql = Sql::new("SELECT 1 FROM directory_entries WHERE gone = 0 AND kind = 'user'")
            .with(" AND issuer = ", &group.issuer)
            .with(" AND id = ", user);
        if tx.rows("look for a member", sql).await?.is_empty() {
            return Err(DirectoryFault::Member(user.clone()));
        }
    }
    Ok(())
}

fn pairs(group: &str, users: &[String]) -> Vec<(String, String)> {
    users.iter().map(|user| (group.to_owned(), user.clone())).collect()
}

/// Groups and people who come together, or part.
async fn membership(tx: &mut Tx, pairs: Vec<(String, String)>, gone: bool) -> Result<(), DbFault> {
    if pairs.is_empty() {
        return Ok(());
    }
    let last = count(tx, pairs.len()).await?;
    let changes = (0..=last).rev();
    let rows = pairs.iter().zip(changes).map(|((group, user), change)| {
        [Bind::from(group), Bind::from(user), Bind::from(change), Bind::from(gone)]
    });
    let head = "INSERT INTO directory_members (group_id, user_id, change, gone)";
    let tail = "ON CONFLICT (group_id, user_id) DO UPDATE SET change = excluded.change, \
                gone = excluded.gone";
    tx.execute_all("change who is in a group", many(head, rows.collect(), tail)).await
}

/// Refuses what would be too many.
async fn room(tx: &mut Tx, entry: &Entry) -> Result<(), DirectoryFault> {
    let sql = Sql::new("SELECT count(*) FROM directory_entries WHERE gone = 0")
        .with(" AND issuer = ", &entry.issuer)
        .with(" AND kind = ", entry.kind.word());
    let rows = tx.rows("count the directory", sql).await?;
    let entries = rows.first().map_or(Ok(0), |row| row.count(0))?;
    let sql = Sql::new("SELECT count(*) FROM directory_members WHERE gone = 0");
    let rows = tx.rows("count members", sql.with(" AND group_id = ", &*entry.id)).await?;
    let members = rows.first().map_or(Ok(0), |row| row.count(0))?;
    if entries > ENTRIES_MAX || members > u64::try_from(MEMBERS_MAX).unwrap_or(u64::MAX) {
        return Err(DirectoryFault::Full);
    }
    Ok(())
}
