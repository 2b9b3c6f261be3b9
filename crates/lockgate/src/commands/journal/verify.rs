//! `lockgate journal verify`: is the recording whole and unchanged? Offline, and without a gateway.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lockgate_store::journal::{self, Bundle, BundleFault, Finding, Report, VerifierKey};

use crate::{
    failure::{Exit, Failure, Outcome},
    place::Place,
    terminal::{Style, Terminal, inert},
};

/// Check that nothing is missing or changed, without a network
///
/// Reads every record, its hash chain, the tree over all of them and every signed head. Exits with 1
/// where something is wrong, and names the first bad record. A tail that was cut off, or an old folder
/// that was put back, shows only against heads that were kept elsewhere: give them with --heads.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate journal verify\n  \
    lockgate journal verify --heads heads-kept-elsewhere.txt --key lockgate.vkey\n  \
    lockgate journal verify --bundle evidence.json --key lockgate.vkey")]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// Also check against the signed heads in this file, which was kept elsewhere
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    heads: Option<PathBuf>,
    /// The public key that must have signed: a file, or the key itself
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Check this evidence file instead of the recording
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

/// Answers.
pub(crate) fn run(verify: &Verify, terminal: Terminal) -> Outcome {
    let signer = verify.key.as_deref().map(signer).transpose()?;
    match &verify.bundle {
        Some(file) => evidence(file, signer.as_ref(), terminal),
        None => recording(verify, signer, terminal),
    }
}

fn recording(verify: &Verify, signer: Option<VerifierKey>, terminal: Terminal) -> Outcome {
    let place = verify.place.open()?;
    let exported = verify.heads.as_deref().map(read).transpose()?;
    let bar = terminal.bytes_bar("checking", place.journal_bytes());
    let what = journal::Verify {
        folder: &place.journal,
        keys: &place.keys,
        elsewhere: place.elsewhere.as_ref(),
        signer,
        exported: exported.as_deref(),
    };
    let report = journal::verify(&what, |bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    let report = report.map_err(Failure::unreachable)?;
    if terminal.json {
        terminal.json(&report)?;
    } else {
        show(&report, terminal);
    }
    Ok(if report.findings.is_empty() { Exit::Ok } else { Exit::No })
}

fn show(report: &Report, terminal: Terminal) {
    for finding in &report.findings {
        terminal.data(terminal.styled(Style::Bad, &inert(&words(finding))));
    }
    let Report { first_seq, last_seq, records, erased, heads, signed_seq, unsigned, .. } = report;
    terminal.data(format_args!(
        "{records} records, #{first_seq} to #{last_seq}, {erased} of them erased; {heads} signed heads"
    ));
    let unsigned = match unsigned {
        0 => "all of them signed".to_owned(),
        count => format!("signed up to #{signed_seq}; {count} behind it are not signed yet"),
    };
    terminal.data(unsigned);
    if report.torn_bytes > 0 {
        let bytes = report.torn_bytes;
        terminal.data(format_args!("{bytes} bytes at the end are being written, or were torn"));
    }
    let verdict = match report.findings.first() {
        None => terminal.styled(Style::Good, "whole and unchanged"),
        Some(first) => {
            terminal.styled(Style::Bad, &format!("NOT whole: first at #{}", first.seq()))
        }
    };
    terminal.data(verdict);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = report.bytes as f64 / 1e6 / report.elapsed.as_secs_f64().max(1e-9);
    terminal.talk(format_args!("read {} bytes, {rate:.0} MB/s", report.bytes));
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::Broken { seq, detail } => format!("broken   #{seq}: {detail}"),
        Finding::Gap { seq, through } => format!("gap      #{seq} to #{through} are missing"),
        Finding::Cut { seq, through } => {
            format!("cut      #{seq} to #{through} were signed and are missing at the end")
        }
        Finding::Rewritten { seq } => {
            format!("changed  the records up to #{seq} are not the ones that were signed")
        }
        Finding::Head { seq, detail } => format!("head     note {seq} of its file: {detail}"),
        Finding::Erased { seq, session } => {
            format!("erased   {session}, from #{seq} on, without a record of who did it")
        }
    }
}

fn evidence(file: &Path, signer: Option<&VerifierKey>, terminal: Terminal) -> Outcome {
    let bundle = Bundle::parse(&read(file)?).map_err(Failure::usage_text)?;
    let proven = match bundle.prove(signer) {
        Ok(proven) => proven,
        Err(fault @ (BundleFault::Refuted { .. } | BundleFault::Head(_))) => {
            terminal.data(terminal.styled(Style::Bad, &format!("refuted: {fault}")));
            return Ok(Exit::No);
        }
        Err(fault) => return Err(Failure::usage_text(fault)),
    };
    if terminal.json {
        terminal.json(&proven)?;
        return Ok(Exit::Ok);
    }
    let whole =
        if proven.whole { "from its opening to its close" } else { "not closed, or in part" };
    terminal.data(format_args!(
        "session {}: {} records, {whole}, under a signed head of {} records",
        inert(&proven.session),
        proven.records,
        proven.head_size
    ));
    terminal.data(terminal.styled(Style::Good, "proven"));
    if signer.is_none() {
        terminal.talk(format_args!(
            "signed by {}\n\nhint: the key came with the evidence; compare it with one that you trust, \
             or give that with --key",
            inert(&proven.key)
        ));
    }
    Ok(Exit::Ok)
}

/// A key, or a file that holds one.
fn signer(text: &str) -> Result<VerifierKey, Failure> {
    let held = if text.contains('+') { text.to_owned() } else { read(Path::new(text))? };
    VerifierKey::parse(&held).map_err(|fault| Failure::usage_text(format_args!("--key: {fault}")))
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| {
        Failure::unreachable(format_args!("can't read `{}`: {error}", file.display()))
    })
}
