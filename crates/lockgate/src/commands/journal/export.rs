//! `lockgate journal export`: the recording in forms that other tools read.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use lockgate_model::Timestamp;
use lockgate_store::{
    export::{Exporter, Filter, Format, Packing, Summary},
    journal,
};

use crate::{
    failure::{Exit, Failure, Outcome},
    moment,
    place::Place,
    terminal::Terminal,
};

/// Write the recording in a form that other tools read
///
/// `jsonl` holds every record with its hash; DuckDB, jq and the like read it, also packed. `parquet`
/// holds one row a call. `ocsf` holds one OCSF event (API Activity) a call and a refusal, for a SIEM.
/// The export is put on the record before it begins.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate journal export --format parquet --out calls.parquet\n  \
    lockgate journal export --format jsonl --zstd --since 7d --out week.jsonl.zst")]
pub(crate) struct Export {
    #[command(flatten)]
    place: Place,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: FormatWord,
    /// Pack lines in zstd frames
    #[arg(long)]
    zstd: bool,
    /// Write to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only this session
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Not before: a date, a time (RFC 3339), or how long ago: `2h`, `3 days`
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<Timestamp>,
    /// Before: a date, a time (RFC 3339), or how long ago
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    until: Option<Timestamp>,
}

/// A form in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatWord {
    /// One record a line
    Jsonl,
    /// One row a call
    Parquet,
    /// One OCSF event a line
    Ocsf,
}

/// Answers.
pub(crate) fn run(export: &Export, terminal: Terminal) -> Outcome {
    let packing = if export.zstd { Packing::Zstd } else { Packing::Plain };
    let format = match export.format {
        FormatWord::Jsonl => Format::Jsonl(packing),
        FormatWord::Ocsf => Format::Ocsf(packing),
        FormatWord::Parquet if export.zstd => {
            return Err(Failure::usage_text("--zstd is for lines; Parquet is packed by itself"));
        }
        FormatWord::Parquet => Format::Parquet,
    };
    let place = export.place.open()?;
    place.viewed("export", export.session.as_deref(), "exported the recording")?;
    let filter = Filter {
        session: export.session.clone(),
        from: export.since,
        until: export.until,
        ..Filter::default()
    };
    let last = journal::last_seq(&place.journal, &place.keys).map_err(Failure::unreachable)?;
    let bar = terminal.count_bar("exporting", last);
    let mut progress = |progress: lockgate_store::export::Progress| bar.set_position(progress.seq);
    let exporter = Exporter { format, filter };
    let records = place.read_from(1)?;
    let done = match &export.out {
        Some(file) => whole(file, |out| {
            exporter.run(records, out, &mut progress).map_err(Failure::unreachable)
        }),
        None => {
            let out = BufWriter::new(io::stdout());
            exporter.run(records, out, &mut progress).map_err(Failure::unreachable)
        }
    };
    bar.finish_and_clear();
    let Summary { written, erased, .. } = done?;
    terminal.talk(format_args!("exported {written}; {erased} records of erased sessions"));
    Ok(Exit::Ok)
}

/// Writes a file under another name first, so that its name never stands for half an export.
fn whole<T>(
    file: &Path,
    write: impl FnOnce(BufWriter<File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error: io::Error| {
        Failure::unreachable(format_args!("can't write `{}`: {error}", file.display()))
    };
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let mut options = fs::OpenOptions::new();
    let out = options.write(true).create(true).truncate(true).mode(0o600).open(&part);
    let mut out = out.map_err(failed)?;
    let done = write(BufWriter::new(out.try_clone().map_err(failed)?));
    let named = done.and_then(|done| {
        out.flush().and_then(|()| out.sync_all()).map_err(failed)?;
        fs::rename(&part, file).map_err(failed)?;
        Ok(done)
    });
    if named.is_err() {
        // What was written of it is of no use.
        let _ = fs::remove_file(&part);
    }
    named
}
