//! `lockgate journal export`: the recording in forms that other tools read.

use std::{
    io::{self, BufWriter},
    path::PathBuf,
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
    place::{Place, write_whole},
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
        Some(file) => write_whole(file, |out| {
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
