//! `lockgate backup`: the data folder at one moment, sealed under a passphrase, while a gateway goes on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lockgate_gateway::{clock, vault::KeyPlace};
use lockgate_model::{Event, ViewedEvent};
use lockgate_store::backup::{About, BackupFault, Taken, What};
use lockgate_vault::{
    KeySource, Secret,
    stream::{PASSPHRASE_MIN_CHARS, Sealer, StreamFault},
};
use serde::Serialize;

use crate::{
    config::{ConfigArgs, Loaded, load},
    failure::{Exit, Failure, Outcome},
    moment, offline, orders, passphrase,
    place::write_whole,
    serve::{process, runtime},
    terminal::Terminal,
};

/// What no backup needs: orders are for the gateway that runs now, and segments that were brought back
/// are where they were brought from.
const OF_THE_MOMENT: [&str; 2] = ["orders", "shipping/cache"];

/// Seal the data folder into one file, while the gateway runs
///
/// Takes the folder as it is at one moment: the recording with its keys, accepted definitions, and the
/// databases, unless they are in PostgreSQL. The keys of the vault stay out: with them, whoever has the
/// file and its passphrase has every secret. The backup is put on the record before it is taken.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate backup lockgate.backup\n  \
    lockgate backup /mnt/backup/lockgate.backup --passphrase-file /run/secrets/backup")]
pub(crate) struct Backup {
    #[command(flatten)]
    config: ConfigArgs,
    /// The file to write; one that is there is replaced once the new one is whole
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passphrase: passphrase::From,
    /// Put the vault's key file into it, too
    #[arg(long)]
    with_vault_key: bool,
}

/// What was taken, as it is shown.
#[derive(Serialize)]
struct Shown {
    file: PathBuf,
    /// Its size.
    bytes: u64,
    taken: String,
    /// The files in it.
    files: u64,
    vault_key: bool,
    database_apart: bool,
}

/// Takes it.
pub(crate) fn run(backup: &Backup, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let loaded = load(&backup.config).map_err(Failure::usage)?;
    let data = &loaded.settings.data;
    if !offline::journal_folder(data).is_dir() {
        let shown = data.display();
        return Err(Failure::unreachable(format_args!("there is no recording in `{shown}`")));
    }
    outside(&backup.file, data)?;
    let keys = vault_keys(&loaded);
    if backup.with_vault_key && keys.iter().all(|key| !data.join(key).is_file()) {
        return Err(Failure::usage_text(format_args!(
            "the vault has no key file in `{}`; what `vault.keys` names is backed up where it is",
            data.display()
        )));
    }
    let passphrase = backup.passphrase.read_new(terminal)?;
    if passphrase.expose().chars().count() < PASSPHRASE_MIN_CHARS {
        return Err(Failure::usage_text(StreamFault::Weak));
    }
    recorded(&loaded, backup.with_vault_key)?;
    let mut leave_out: Vec<&str> = OF_THE_MOMENT.to_vec();
    if !backup.with_vault_key {
        leave_out.extend(keys.iter().map(String::as_str));
    }
    let apart = loaded.settings.recording.index.is_some();
    let about = About::new(clock::now(), apart, backup.with_vault_key);
    let what = What { data, leave_out: &leave_out, about };
    let taken = runtime()?.block_on(Taken::now(what)).map_err(Failure::unreachable)?;
    sealed(&taken, &backup.file, &passphrase, terminal)?;
    tell(taken.about(), &backup.file, terminal)
}

fn sealed(
    taken: &Taken,
    file: &Path,
    passphrase: &Secret,
    terminal: Terminal,
) -> Result<(), Failure> {
    let bar = terminal.bytes_bar("sealing", taken.bytes());
    let done = write_whole(file, |out| {
        let failed = |fault: StreamFault| Failure::unreachable(fault);
        let sealer = Sealer::begin(out, passphrase).map_err(failed)?;
        let written = taken.write(sealer, |bytes| bar.set_position(bytes));
        written.map_err(unwritten)?.finish().map_err(failed).map(drop)
    });
    bar.finish_and_clear();
    done
}

fn unwritten(fault: BackupFault) -> Failure {
    match fault {
        BackupFault::Stream(error) => {
            Failure::unreachable(format_args!("can't write the backup: {error}"))
        }
        fault => Failure::unreachable(fault),
    }
}

fn tell(about: &About, file: &Path, terminal: Terminal) -> Outcome {
    let bytes = fs::metadata(file).map_err(Failure::unreachable)?.len();
    let About { taken, files, vault_key, database_apart, .. } = *about;
    if database_apart {
        terminal.talk(
            "note: approvals, connections, sealed secrets and the index are in PostgreSQL and not in \
             it; take them now: `pg_dump --format=custom --file=lockgate.dump DATABASE`",
        );
    }
    if !vault_key {
        terminal.talk("note: the vault's keys are not in it; keep a copy of them elsewhere");
    }
    if terminal.json {
        let (file, taken) = (file.to_owned(), moment::text(taken));
        terminal.json(&Shown { file, bytes, taken, files, vault_key, database_apart })?;
    } else {
        terminal.data(format_args!(
            "sealed {files} files of {} into `{}`, {bytes} bytes",
            moment::text(taken),
            file.display()
        ));
    }
    Ok(Exit::Ok)
}

/// A backup within the folder would be in the next one.
fn outside(file: &Path, data: &Path) -> Result<(), Failure> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let place = parent.canonicalize().map_err(|error| {
        Failure::unreachable(format_args!("can't write `{}`: {error}", file.display()))
    })?;
    let data = data.canonicalize().map_err(Failure::unreachable)?;
    if place.starts_with(&data) {
        return Err(Failure::usage_text(format_args!(
            "`{}` is within the data folder; write it to another place, best to another machine",
            file.display()
        )));
    }
    Ok(())
}

/// The vault's key files within the data folder, below it.
fn vault_keys(loaded: &Loaded) -> Vec<String> {
    let (data, vault) = (&loaded.settings.data, &loaded.settings.vault);
    let usual = KeyPlace::file(offline::keys_folder(data).join("vault.key"));
    let places = vault.keys.iter().chain(&vault.older_keys).chain([&usual]);
    let below = |place: &KeyPlace| match place {
        KeyPlace::Here(KeySource::File(path)) => {
            let (path, data) = (path.canonicalize().ok()?, data.canonicalize().ok()?);
            Some(path.strip_prefix(data).ok()?.to_str()?.to_owned())
        }
        _ => None,
    };
    places.filter_map(below).collect()
}

/// On the record before it is taken, and so in the backup itself.
fn recorded(loaded: &Loaded, with_vault_key: bool) -> Result<(), Failure> {
    let keys = if with_vault_key { "with" } else { "without" };
    let event = Event::Viewed(ViewedEvent {
        by: orders::local_user(),
        how: "backup".to_owned(),
        viewed: None,
        detail: format!("took a backup of the data folder, {keys} the vault's keys"),
    });
    orders::carry_out(loaded, event)
}
