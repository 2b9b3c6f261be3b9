//! Registered connections as commands and the service read and change them: found in the database, joined
//! to the configuration, checked before they are changed, and put on the record before that.
//!
//! What makes a connection fit to be served is the configuration's business, for both sources alike.

use lockgate_gateway::{clock, settings::ConnectionSettings, snapshot::Guard};
use lockgate_model::{
    ConnectionName, ConnectionVersion, ConnectionsChange, ConnectionsEvent, Event,
};
use lockgate_store::{
    connections::{ConnectionChange, ConnectionRow, Connections, ConnectionsFault, Register},
    db::{DbFault, DbPlace},
};

use crate::{
    config::{ConfigArgs, Loaded, Standing, literal_secrets, load, sparse},
    failure::Failure,
    offline,
    orders::Author,
    serve::runtime,
};

/// What somebody wants of one connection.
pub(crate) struct Wish {
    /// Which.
    pub(crate) name: ConnectionName,
    /// As it should be; `None` where it should go.
    pub(crate) settings: Option<ConnectionSettings>,
}

/// Changes that were checked and are ready to be made.
pub(crate) struct Ready {
    /// As the database makes them.
    pub(crate) changes: Vec<ConnectionChange>,
    /// As the record names them.
    pub(crate) versions: Vec<ConnectionVersion>,
}

/// Why a connection can't become as somebody wishes.
#[derive(Debug, thiserror::Error)]
#[error("`{name}`: {why}")]
pub(crate) struct Unfit {
    /// The connection.
    pub(crate) name: ConnectionName,
    /// Why, in one sentence.
    pub(crate) why: String,
    /// Whether it is the file's, and so can be changed there alone.
    pub(crate) of_file: bool,
}

/// Everything that is registered; nothing where it would be in a file that is not there.
///
/// # Errors
/// Where the database can't be read.
pub(crate) async fn register(loaded: &Loaded) -> Result<Register, Failure> {
    ask(loaded, async |connections| connections.all().await).await
}

/// As [`register`], with the newest version of each that was made from documents.
///
/// # Errors
/// As [`register`].
pub(crate) async fn register_and_applied(
    loaded: &Loaded,
) -> Result<(Register, Vec<ConnectionRow>), Failure> {
    ask(loaded, async |connections| Ok((connections.all().await?, connections.applied().await?)))
        .await
}

/// Asks the database of registered connections; nothing is known where it would be in a file that is not
/// there.
///
/// # Errors
/// Where it can't be read.
pub(crate) async fn ask<T: Default>(
    loaded: &Loaded,
    what: impl AsyncFnOnce(&Connections) -> Result<T, DbFault>,
) -> Result<T, Failure> {
    let place = offline::connections_place(loaded)?;
    if matches!(&place, DbPlace::Sqlite(file) if !file.exists()) {
        return Ok(T::default());
    }
    let connections = Connections::open(&place).await.map_err(Failure::unreachable)?;
    let answer = what(&connections).await.map_err(Failure::unreachable);
    connections.close().await;
    answer
}

/// The configuration that `args` name, with what is registered beside it.
///
/// # Errors
/// Where the configuration is wrong, or the database can't be read.
pub(crate) fn load_all(args: &ConfigArgs) -> Result<Loaded, Failure> {
    let mut loaded = load(args).map_err(Failure::usage)?;
    let register = runtime()?.block_on(register(&loaded))?;
    loaded.join(&register, None);
    Ok(loaded)
}

/// As [`load_all`], for who only looks: what is registered and can't be read is a warning.
///
/// # Errors
/// Where the configuration is wrong.
pub(crate) fn load_seen(args: &ConfigArgs) -> Result<Loaded, Failure> {
    let mut loaded = load(args).map_err(Failure::usage)?;
    match runtime()?.block_on(register(&loaded)) {
        Ok(register) => loaded.join(&register, None),
        Err(failure) => loaded.warnings.push(format!(
            "the registered connections can't be read, and are left out: {}",
            failure.summary()
        )),
    }
    Ok(loaded)
}

/// Checks what somebody wishes against everything else there is. `file` is the configuration alone.
///
/// # Errors
/// The first [`Unfit`] one.
pub(crate) fn ready(
    file: &Loaded,
    register: &Register,
    wishes: &[Wish],
    author: &str,
) -> Result<Ready, Unfit> {
    let mut next = register.clone();
    let mut ready = Ready { changes: Vec::new(), versions: Vec::new() };
    for wish in wishes {
        let unfit = |why: String| Unfit { name: wish.name.clone(), why, of_file: false };
        if wish.settings.is_some()
            && let Some(unfit) = is_of_file(file, &wish.name)
        {
            return Err(unfit);
        }
        let settings = wish.settings.as_ref().map(as_kept);
        let settings = settings.transpose().map_err(unfit)?;
        let before = next.rows.iter().position(|row| row.name == wish.name.as_str());
        let version = before.and_then(|at| next.rows.get(at)).map_or(0, |row| row.version);
        let row = ConnectionRow {
            name: wish.name.to_string(),
            version: version + 1,
            settings: settings.as_ref().map(ToString::to_string),
            author: author.to_owned(),
            applied: false,
            changed: clock::now(),
        };
        ready.changes.push(ConnectionChange {
            name: wish.name.clone(),
            before: version,
            settings: row.settings.clone(),
        });
        ready.versions.push(ConnectionVersion {
            connection: row.name.clone(),
            version: row.version,
            settings,
        });
        match before.and_then(|at| next.rows.get_mut(at)) {
            Some(place) => *place = row,
            None => next.rows.push(row),
        }
    }
    let joined = |register: &Register| {
        let mut whole = file.clone();
        whole.join(register, None);
        whole
    };
    let whole = joined(&next);
    for wish in wishes {
        fits(&whole, wish)?;
    }
    compiles(&whole, || joined(register), wishes)?;
    Ok(ready)
}

/// Why a connection of this name can't be registered or changed here: the file has it.
pub(crate) fn is_of_file(loaded: &Loaded, name: &ConnectionName) -> Option<Unfit> {
    let registered = loaded.registered(name.as_str());
    let shadowed = registered.is_some_and(|one| matches!(one.standing, Standing::Shadowed { .. }));
    let served = loaded.settings.connections.iter().any(|one| one.name == *name);
    if !served || (registered.is_some() && !shadowed) {
        return None;
    }
    let line = loaded.line_of(name).map(|line| format!(":{line}")).unwrap_or_default();
    let file = loaded.file.display();
    let why = format!("it stands in {file}{line} and is read-only here; change it there");
    Some(Unfit { name: name.clone(), why, of_file: true })
}

/// Its settings as they are kept, where no credential stands in them.
fn as_kept(settings: &ConnectionSettings) -> Result<serde_json::Value, String> {
    if let Some(place) = literal_secrets(settings).first() {
        return Err(format!(
            "there seems to be a credential in `{place}`, which is shown to whoever lists \
             connections; put it into the vault (`lockgate secret set`) and send it as a header or \
             a variable by reference"
        ));
    }
    sparse(settings).map_err(|error| error.to_string())
}

/// Whether what was wished would be served.
fn fits(next: &Loaded, wish: &Wish) -> Result<(), Unfit> {
    let unfit = |why: String| Unfit { name: wish.name.clone(), why, of_file: false };
    if let Some(settings) = &wish.settings {
        match next.registered(wish.name.as_str()).map(|one| &one.standing) {
            Some(Standing::InForce) => {}
            Some(Standing::Refused { why, .. }) => return Err(unfit(why.clone())),
            _ => return Err(unfit("it would not be served".to_owned())),
        }
        Guard::build(settings).map_err(|fault| unfit(fault.to_string()))?;
    }
    Ok(())
}

/// Whether the policies still compile with all of it.
fn compiles(next: &Loaded, now: impl FnOnce() -> Loaded, wishes: &[Wish]) -> Result<(), Unfit> {
    let Some(first) = wishes.first() else { return Ok(()) };
    let Err(failure) = offline::compile(next) else { return Ok(()) };
    let why = match offline::compile(&now()) {
        Ok(_) => format!("the policies would not compile with this: {}", failure.summary()),
        Err(failure) => format!(
            "the policies don't compile as they are: {}; mend them first, `lockgate check` shows where",
            failure.summary()
        ),
    };
    Err(Unfit { name: first.name.clone(), why, of_file: false })
}

/// Puts a change on the record, in its author's name; then makes it. Where that fails, the record says so
/// too.
///
/// # Errors
/// Where it can't be recorded, and where it can't be made.
pub(crate) fn make(
    loaded: &Loaded,
    ready: Ready,
    applied: bool,
    author: &Author,
) -> Result<(), Failure> {
    let Ready { changes, versions } = ready;
    let by = &author.by;
    let event = |change| Event::Connections(ConnectionsEvent { by: by.clone(), change });
    let place = offline::connections_place(loaded)?;
    let runtime = runtime()?;
    // Opened first: what can't be made should not be on record as if it were.
    let connections = runtime.block_on(Connections::open(&place)).map_err(Failure::unreachable)?;
    let failed =
        |fault: &ConnectionsFault| event(ConnectionsChange::Failed { why: fault.to_string() });
    let made = author.change(event(ConnectionsChange::Made(versions)), failed, || {
        runtime.block_on(async {
            let made = connections.change(&changes, by, applied, clock::now()).await;
            connections.close().await;
            made
        })
    })?;
    made.map_err(|fault| {
        Failure::unreachable(format_args!("nothing was changed: {fault}; look again and retry"))
    })
}

impl Unfit {
    /// In the words of the command line.
    pub(crate) fn failure(&self) -> Failure {
        let text = format!("connection {self}");
        if self.of_file { Failure::no(text) } else { Failure::usage_text(text) }
    }
}
