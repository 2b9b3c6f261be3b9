//! `lockgate restore`: a data folder out of a backup, whole or not at all.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use lockgate_gateway::clock;
use lockgate_model::{Event, ViewedEvent};
use lockgate_store::{
    backup::{About, BackupFault, Draft},
    journal::{self, Journal, JournalOptions, Keys},
};
use lockgate_vault::stream::{Opener, StreamFault};
use serde::Serialize;

use crate::{
    config::{ConfigArgs, load},
    failure::{Exit, Failure, Outcome},
    moment, offline, orders, passphrase,
    serve::{process, runtime},
    terminal::Terminal,
};

/// Make a data folder out of a backup
///
/// Writes into a place where nothing is, and only once all of the file was read and found as it was
/// sealed. That it was restored is on the restored record. Sessions that were erased after the backup
/// are there again: erase them again.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate restore lockgate.backup --config lockgate.yaml\n  \
    lockgate restore lockgate.backup --to /var/lib/lockgate --passphrase-file /run/secrets/backup")]
pub(crate) struct Restore {
    #[command(flatten)]
    config: ConfigArgs,
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The folder to make; the configuration's data folder where absent
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    #[command(flatten)]
    passphrase: passphrase::From,
}

/// What was restored, as it is shown.
#[derive(Serialize)]
struct Shown {
    folder: PathBuf,
    taken: String,
    files: u64,
    vault_key: bool,
    database_apart: bool,
}

/// Restores it.
pub(crate) fn run(restore: &Restore, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let folder = match &restore.to {
        Some(folder) => folder.clone(),
        None => load(&restore.config).map_err(Failure::usage)?.settings.data,
    };
    let shown = restore.file.display();
    let unread = |error| Failure::unreachable(format_args!("can't read `{shown}`: {error}"));
    let file = File::open(&restore.file).map_err(unread)?;
    let bytes = file.metadata().map_err(unread)?.len();
    let passphrase = restore.passphrase.read(terminal)?;
    let bar = terminal.bytes_bar("restoring", bytes);
    let read = bar.wrap_read(BufReader::new(file));
    let refused = |fault| refused(&restore.file, fault);
    let mut opener = Opener::begin(read, &passphrase).map_err(refused)?;
    let draft = Draft::of(&mut opener, &folder);
    if !matches!(draft, Err(BackupFault::NotEmpty(_) | BackupFault::Unfinished(_))) {
        // What is wrong with the stream says more than what came of it.
        opener.finish().map_err(refused)?;
    }
    bar.finish_and_clear();
    let draft = draft.map_err(|fault| unrestored(&restore.file, fault))?;
    let about = draft.about.clone();
    recorded(&draft)?;
    draft.name_it().map_err(Failure::unreachable)?;
    tell(&about, &folder, terminal)
}

fn refused(file: &Path, fault: StreamFault) -> Failure {
    match fault {
        StreamFault::Io(_) => {
            Failure::unreachable(format_args!("can't read `{}`: {fault}", file.display()))
        }
        fault => Failure::no(format_args!("`{}` is refused: {fault}", file.display())),
    }
}

fn unrestored(file: &Path, fault: BackupFault) -> Failure {
    match fault {
        BackupFault::NotEmpty(_) | BackupFault::Unfinished(_) => Failure::usage_text(fault),
        BackupFault::Content(_) | BackupFault::Format(_) | BackupFault::Stream(_) => {
            Failure::no(format_args!("`{}` is refused: {fault}", file.display()))
        }
        fault => Failure::unreachable(fault),
    }
}

/// Says on the restored record where it comes from: what was recorded after the backup is missing there.
fn recorded(draft: &Draft) -> Result<(), Failure> {
    let data = draft.place();
    let folder = offline::journal_folder(data);
    let keys = Keys::open(&offline::keys_folder(data)).map_err(Failure::no)?;
    let node = journal::node(&folder, &keys).map_err(Failure::no)?;
    let Some(node) = node else { return Ok(()) };
    let event = Event::Viewed(ViewedEvent {
        by: orders::local_user(),
        how: "restore".to_owned(),
        viewed: None,
        detail: format!("restored a backup of {}", moment::text(draft.about.taken)),
    });
    let options = JournalOptions { node, ..JournalOptions::default() };
    let (journal, _) = Journal::open(&folder, &keys, options).map_err(Failure::no)?;
    runtime()?
        .block_on(async { journal.synced(journal.append(clock::now(), &event)?).await })
        .map_err(Failure::unreachable)
}

fn tell(about: &About, folder: &Path, terminal: Terminal) -> Outcome {
    let About { taken, files, vault_key, database_apart, .. } = *about;
    let taken = moment::text(taken);
    if database_apart {
        terminal.talk(
            "note: approvals, connections, sealed secrets and the index were in PostgreSQL; restore \
             your dump of it, then `lockgate journal reindex`",
        );
    }
    if !vault_key {
        terminal.talk(
            "note: the vault's keys were not in it; put yours back before the gateway starts",
        );
    }
    terminal.talk(
        "note: what was erased after the backup is there again: `lockgate sessions erase` it again",
    );
    if terminal.json {
        let folder = folder.to_owned();
        terminal.json(&Shown { folder, taken, files, vault_key, database_apart })?;
    } else {
        let shown = folder.display();
        terminal.data(format_args!("restored {files} files of {taken} into `{shown}`"));
    }
    Ok(Exit::Ok)
}
