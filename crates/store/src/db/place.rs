//! Where a database is, and how it is opened there.

use std::{
    fmt,
    fs::{self, OpenOptions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use sqlx::{
    ConnectOptions as _, Row as _, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    DbFault,
    conn::Pools,
    migrate::{self, Schema},
};
use crate::folder;

/// How long a statement waits for another one's lock, and a caller for a connection.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);

/// Readers at a time.
const READERS_MAX: u32 = 4;

/// A statement of PostgreSQL that runs longer is ended by the server.
const STATEMENT_MAX_MS: &str = "60000";

/// Where a database is.
#[derive(Clone)]
pub enum DbPlace {
    /// A file of its own, made where it is missing, for the owner alone.
    Sqlite(PathBuf),
    /// A database of PostgreSQL 14 or later, as `postgres://USER:PASSWORD@HOST/DATABASE`.
    Postgres(String),
}

impl fmt::Debug for DbPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            // The URL may hold a password.
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

/// Connects, checks how the database writes, and brings its tables up to date.
pub(crate) async fn open(place: &DbPlace, schema: &Schema) -> Result<Pools, DbFault> {
    let pools = match place {
        DbPlace::Sqlite(path) => sqlite(path).await?,
        DbPlace::Postgres(url) => postgres(url).await?,
    };
    match migrate::run(&pools, schema).await {
        Ok(()) => Ok(pools),
        Err(fault) => {
            pools.close().await;
            Err(fault)
        }
    }
}

async fn sqlite(path: &Path) -> Result<Pools, DbFault> {
    create(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(WAIT_MAX)
        // What is erased is overwritten, not only unlinked.
        .pragma("secure_delete", "ON")
        .disable_statement_logging();
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(WAIT_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(DbFault::database("open the file"))?;
    for (setting, query, needed) in [
        ("synchronous", "PRAGMA synchronous", "2"),
        ("journal_mode", "PRAGMA journal_mode", "wal"),
        ("foreign_keys", "PRAGMA foreign_keys", "1"),
    ] {
        require(&writer, setting, query, needed).await?;
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(WAIT_MAX)
        .connect_lazy_with(options.read_only(true));
    Ok(Pools::Sqlite { writer, readers })
}

/// Makes the file before SQLite does, which would let others read it.
fn create(path: &Path) -> Result<(), DbFault> {
    let io = |doing| move |source| DbFault::Io { doing, path: path.to_owned(), source };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        folder::create(parent).map_err(io("create the folder of"))?;
    }
    let mut file = OpenOptions::new();
    file.write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io("create"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(io("protect"))
}

/// Asks SQLite itself, so that no build or file can change it unseen.
async fn require(
    pool: &SqlitePool,
    setting: &'static str,
    query: &'static str,
    needed: &'static str,
) -> Result<(), DbFault> {
    let read = DbFault::database("read a setting");
    let row = sqlx::query(query).fetch_one(pool).await.map_err(read)?;
    let found = row.try_get::<String, _>(0).or_else(|_| row.try_get(0).map(|n: i64| n.to_string()));
    let found = found.map_err(DbFault::database("read a setting"))?;
    if found == needed { Ok(()) } else { Err(DbFault::Unsafe { setting, found, needed }) }
}

async fn postgres(url: &str) -> Result<Pools, DbFault> {
    // What the parser says may quote the URL.
    let options = PgConnectOptions::from_str(url).map_err(|_| DbFault::Url)?;
    let options = options
        .application_name("lockgate")
        .options([("statement_timeout", STATEMENT_MAX_MS)])
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(READERS_MAX + 1)
        .acquire_timeout(WAIT_MAX)
        .connect_with(options)
        .await
        .map_err(DbFault::database("connect"))?;
    Ok(Pools::Postgres(pool))
}
