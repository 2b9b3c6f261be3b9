//! The rows, read.

use lockgate_model::DirectoryNews;

use super::{By, DirectoryFault, Entry, Kind, NEWS_MAX, News};
use crate::db::conn::{Pools, Row, Sql};

const COLUMNS: &str = "SELECT id, kind, issuer, name, label, external_id, revocation, resource, \
                       version, made, changed FROM directory_entries";

pub(super) async fn find(
    pools: &Pools,
    issuer: &str,
    kind: Kind,
    by: Option<&By>,
    skip: u64,
    most: u64,
) -> Result<Vec<Entry>, DirectoryFault> {
    let sql = Sql::new(COLUMNS).and(among(issuer, kind));
    let sql = match by {
        None => sql,
        Some(By::Id(id)) => sql.with(" AND id = ", &**id),
        Some(By::Name(name)) => sql.with(" AND name = ", &**name),
        Some(By::Label(label)) => sql.with(" AND label = ", &*label.to_lowercase()),
        Some(By::ExternalId(id)) => sql.with(" AND external_id = ", &**id),
        Some(By::Member(user)) => sql
            .with(" AND id IN (SELECT group_id FROM directory_members WHERE user_id = ", &**user)
            .then(" AND gone = 0)"),
    };
    let sql = sql.with(" ORDER BY made, id LIMIT ", most).with(" OFFSET ", skip);
    pools.rows("read the directory", sql).await?.iter().map(entry).collect()
}

pub(super) async fn count(pools: &Pools, issuer: &str, kind: Kind) -> Result<u64, DirectoryFault> {
    let sql = Sql::new("SELECT count(*) FROM directory_entries").and(among(issuer, kind));
    let rows = pools.rows("count the directory", sql).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.count(0))?)
}

pub(super) async fn members(pools: &Pools, group: &str) -> Result<Vec<String>, DirectoryFault> {
    let sql = Sql::new("SELECT user_id FROM directory_members").with(" WHERE group_id = ", group);
    let sql = sql.then(" AND gone = 0 ORDER BY user_id");
    let rows = pools.rows("read who is in a group", sql).await?;
    Ok(rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?)
}

pub(super) async fn left_out(
    pools: &Pools,
    issuer: &str,
    name: &str,
) -> Result<Vec<String>, DirectoryFault> {
    let sql = Sql::new("SELECT revocation FROM directory_entries WHERE kind = 'user' AND gone = 1")
        .then(" AND revocation IS NOT NULL")
        .with(" AND issuer = ", issuer)
        .with(" AND name = ", name);
    let rows = pools.rows("read who is out", sql).await?;
    Ok(rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?)
}

pub(super) async fn since(pools: &Pools, change: u64) -> Result<News, DirectoryFault> {
    let entries = "SELECT change, kind, issuer, id, name, gone FROM directory_entries";
    let members = "SELECT change, 'member', '', group_id, user_id, gone FROM directory_members";
    let sql = Sql::new(entries)
        .with(" WHERE change > ", change)
        .then(" UNION ALL ")
        .then(members)
        .with(" WHERE change > ", change)
        .with(" ORDER BY change LIMIT ", i64::from(NEWS_MAX));
    let rows = pools.rows("read what changed in the directory", sql).await?;
    let last = rows.last().map_or(Ok(change), |row| row.count(0))?;
    Ok(News { change: last, changed: rows.iter().map(news).collect::<Result<_, _>>()? })
}

/// Those of one kind that are there.
fn among(issuer: &str, kind: Kind) -> Sql {
    Sql::new(" WHERE gone = 0").with(" AND issuer = ", issuer).with(" AND kind = ", kind.word())
}

fn entry(row: &Row) -> Result<Entry, DirectoryFault> {
    let id = row.text(0)?;
    let kind = match &*row.text(1)? {
        "user" => Kind::User,
        "group" => Kind::Group,
        _ => return Err(DirectoryFault::Content(id)),
    };
    Ok(Entry {
        id,
        kind,
        issuer: row.text(2)?,
        name: row.text(3)?,
        label: row.text(4)?,
        external_id: row.text_or_null(5)?,
        revocation: row.text_or_null(6)?,
        resource: row.text(7)?,
        version: row.count(8)?,
        made: row.time(9)?,
        changed: row.time(10)?,
    })
}

fn news(row: &Row) -> Result<DirectoryNews, DirectoryFault> {
    let (kind, issuer, id, gone) = (row.text(1)?, row.text(2)?, row.text(3)?, row.flag(5)?);
    // What can't be read must not be passed over: somebody may have lost a group by it.
    let number =
        |id: &str| u128::from_str_radix(id, 16).map_err(|_| DirectoryFault::Content(id.to_owned()));
    let name = row.text(4)?;
    Ok(match &*kind {
        "user" => {
            DirectoryNews::User { id: number(&id)?, issuer, subject: (!gone).then_some(name) }
        }
        "group" => DirectoryNews::Group { id: number(&id)?, issuer, name: (!gone).then_some(name) },
        "member" => DirectoryNews::Member { group: number(&id)?, user: number(&name)?, gone },
        _ => return Err(DirectoryFault::Content(id)),
    })
}
