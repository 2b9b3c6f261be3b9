//! `lockgate mask`: what would somebody see of this answer, and where does sensitive data come up?
//! Offline; sends nothing anywhere.

mod report;

use std::{
    fs,
    io::{self, Read as _},
};

use lockgate_mcp::outcome::HANDLES;
use lockgate_rules::mask::{
    Detectors, MaskFault, MaskKey, MaskSettings, Masker, Passed, Report, Reveal, Stream, mask_json,
    mask_text,
};
use serde_json::{Map, Value, json};

use crate::{
    config::{ConfigArgs, Loaded, suggestion},
    failure::{Exit, Failure, Outcome},
    lines,
    registered::load_all,
    terminal::{Style, Terminal, inert},
};

/// Kinds of input, as the help names them.
const KINDS: [&str; 4] = ["auto", "json", "sse", "text"];
/// Lines that a stream of events may begin with (WHATWG HTML, 9.2.6).
const FIELDS: [&str; 5] = ["data", "event", "id", "retry", ""];

/// Say what an answer would look like to somebody who may not see all of it
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  lockgate mask try answer.json\n  lockgate mask report")]
pub(crate) enum Command {
    /// Mask a file, and say what was found in it
    Try(Try),
    /// Count what was masked, by connection and by tool
    Report(report::Report),
}

/// Mask a file, and say what was found in it
///
/// Prints the masked text to stdout and each finding to stderr, with its class, its place and how sure it
/// is. Exits with 1 where the file can't be read as what it is, so that a gateway would refuse it. With
/// --jsonl, reads one JSON object a line, with `json` (a JSON-RPC message or a stream of events) or `text`,
/// and prints it with `masked` and `findings` added; all else stays as it is. Where one is refused,
/// `masked` is null and `refused` says why.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate mask try answer.json\n  \
    lockgate mask try - --reveal pii.email < answer.json\n  \
    lockgate mask try answer.json --connection staff\n  \
    lockgate mask try --jsonl corpus.jsonl")]
pub(crate) struct Try {
    /// The file, or - to read stdin
    #[arg(value_name = "FILE", required_unless_present = "jsonl")]
    file: Option<String>,
    /// What it is
    #[arg(long, value_name = "KIND", default_value = "auto", value_parser = KINDS)]
    kind: String,
    /// A class that is shown, with all below it; may be repeated
    #[arg(long = "reveal", value_name = "CLASS")]
    reveal: Vec<String>,
    /// Read objects line by line
    #[arg(long)]
    jsonl: bool,
    /// Mask as this connection does, by the configuration; as one without settings where absent
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    let args = match command {
        Command::Try(args) => args,
        Command::Report(report) => return report::run(&report, terminal),
    };
    let bench = Bench::new(&args)?;
    if args.jsonl {
        return lines::each(args.file.as_deref(), terminal, |object| bench.line(object));
    }
    let input = read(args.file.as_deref())?;
    let kind = match &*args.kind {
        "auto" => guess(&input),
        kind => kind,
    };
    match bench.masked(&input, kind) {
        Ok((masked, reports)) => show(&masked, &reports, terminal),
        Err(fault) if terminal.json => {
            terminal.json(&json!({ "masked": null, "refused": fault.to_string() }))?;
            Ok(Exit::No)
        }
        Err(fault) => Err(Failure::no(format_args!("refused as {kind}: {fault}"))),
    }
}

/// What texts are masked with. Its key is nobody's: hashes and tokens are not those of a gateway.
struct Bench {
    detectors: Detectors,
    settings: MaskSettings,
    key: MaskKey,
    reveal: Reveal,
}

impl Bench {
    fn new(args: &Try) -> Result<Self, Failure> {
        let (detectors, settings) = match &args.connection {
            None => (Detectors::standard(), MaskSettings::default()),
            Some(name) => of_connection(name, &load_all(&args.config)?)?,
        };
        let reveal = Reveal::classes(args.reveal.iter().cloned());
        Ok(Self { detectors, settings, key: MaskKey::new([0; 32]), reveal })
    }

    fn masker(&self) -> Masker<'_> {
        let Self { detectors, settings, key, reveal } = self;
        Masker { handles: HANDLES, ..Masker::new(detectors, settings, key, reveal) }
    }

    fn masked(&self, input: &[u8], kind: &str) -> Result<(Vec<u8>, Vec<Report>), MaskFault> {
        let masker = self.masker();
        let masked = match kind {
            "sse" => {
                let mut passed = Passed::default();
                let mut stream = Stream::new(masker, usize::MAX);
                stream.push(input, &mut passed)?;
                stream.finish(&mut passed)?;
                return Ok((passed.bytes, passed.reports));
            }
            "json" => mask_json(&masker, input)?,
            _ => mask_text(&masker, input)?,
        };
        Ok((masked.bytes.into_owned(), masked.reports))
    }

    /// Adds to one object of a corpus what a client would get of it.
    fn line(&self, object: &mut Map<String, Value>) -> Result<(), String> {
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::as_bytes);
        let (input, kind) = match (text("json"), text("text")) {
            (Some(input), _) if is_stream(input) => (input, "sse"),
            (Some(input), _) => (input, "json"),
            (None, Some(input)) => (input, "text"),
            (None, None) => return Err("neither `json` nor `text`".to_owned()),
        };
        match self.masked(input, kind) {
            Ok((masked, reports)) => {
                let masked = String::from_utf8_lossy(&masked).into_owned();
                object.insert("masked".to_owned(), masked.into());
                object.insert("findings".to_owned(), reports.iter().map(as_json).collect());
            }
            Err(fault) => {
                object.insert("masked".to_owned(), Value::Null);
                object.insert("refused".to_owned(), fault.to_string().into());
                object.insert("findings".to_owned(), Value::Array(Vec::new()));
            }
        }
        Ok(())
    }
}

fn of_connection(name: &str, loaded: &Loaded) -> Result<(Detectors, MaskSettings), Failure> {
    let all = &loaded.gateway.connections;
    let Some(connection) = all.iter().find(|one| one.name.as_str() == name) else {
        let known: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let help = suggestion(name, &known);
        return Err(Failure::usage_text(format!("there is no connection `{name}`; {help}")));
    };
    let detectors = Detectors::new(&loaded.gateway.detection).map_err(Failure::usage_text)?;
    Ok((detectors, connection.masking.clone()))
}

fn read(file: Option<&str>) -> Result<Vec<u8>, Failure> {
    let Some(file) = file.filter(|file| *file != "-") else {
        let mut input = Vec::new();
        io::stdin().read_to_end(&mut input).map_err(Failure::unreachable)?;
        return Ok(input);
    };
    fs::read(file)
        .map_err(|error| Failure::unreachable(format_args!("can't read `{file}`: {error}")))
}

/// What `input` looks like.
fn guess(input: &[u8]) -> &'static str {
    match input.trim_ascii_start().first() {
        Some(b'{' | b'[') => "json",
        _ if is_stream(input) => "sse",
        _ => "text",
    }
}

/// Whether the first line is one of a stream of events.
fn is_stream(input: &[u8]) -> bool {
    let input = input.strip_prefix("\u{feff}".as_bytes()).unwrap_or(input);
    let first = input.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty());
    let name = first.and_then(|line| line.split(|byte| *byte == b':').next());
    let colon = first.is_some_and(|line| line.contains(&b':'));
    colon && name.is_some_and(|name| FIELDS.iter().any(|field| field.as_bytes() == name))
}

fn as_json(report: &Report) -> Value {
    json!({
        "class": report.class.name(), "path": report.path, "start": report.span.start,
        "end": report.span.end, "score": report.score, "detector": report.detector.as_str(),
        "masked": report.masked,
    })
}

fn show(masked: &[u8], reports: &[Report], terminal: Terminal) -> Outcome {
    if terminal.json {
        let findings: Vec<Value> = reports.iter().map(as_json).collect();
        let masked = String::from_utf8_lossy(masked);
        terminal.json(&json!({ "masked": masked, "findings": findings }))?;
        return Ok(Exit::Ok);
    }
    terminal.bytes(masked);
    if !masked.ends_with(b"\n") {
        terminal.data("");
    }
    for report in reports {
        let style = if report.masked { Style::Bad } else { Style::Dim };
        let class = terminal.styled(style, &format!("{:<22}", report.class.name()));
        let span = format!("{}..{}", report.span.start, report.span.end);
        let shown = if report.masked { "" } else { " (shown)" };
        let (score, path, detector) = (report.score, inert(&report.path), &report.detector);
        terminal
            .talk(format_args!("  {class} {score:>3} % {span:<12} {path} by {detector}{shown}"));
    }
    if reports.is_empty() {
        terminal.talk("  nothing found");
    }
    Ok(Exit::Ok)
}
