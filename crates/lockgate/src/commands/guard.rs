//! `lockgate guard`: what would this command do? The facts that the guard finds, the reference of their
//! labels, and tests of rules of one's own. Offline; runs nothing.

use std::{
    fs,
    io::{self, Read as _},
    path::PathBuf,
};

use lockgate_rules::{
    guard::{Dialect, Facts, Kind, PACK_MAX_BYTES, Pack, inspect_text, labels, with_packs},
    policy::Production,
};
use serde_json::{Value, json};

use crate::{
    failure::{Exit, Failure, Outcome},
    lines,
    terminal::{Style, Terminal, inert},
};

/// Kinds of texts, as the help names them.
const KINDS: [&str; 14] = [
    "auto",
    "sql",
    "shell",
    "nosql",
    "code",
    "path",
    "text",
    "toolcall",
    "kubectl",
    "container",
    "iac",
    "git",
    "cloud",
    "call",
];

/// Say what a command would do
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate guard explain --kind sql \"DELETE FROM users WHERE 1=1\"\n  \
    lockgate guard labels")]
pub(crate) enum Command {
    /// Show the facts about a command
    Explain(Explain),
    /// Print every label that the guard gives, with its meaning
    Labels(Labels),
    /// Rules of your own
    #[command(subcommand)]
    Rules(Rules),
}

/// Show the facts about a command
///
/// Exits with 1 where the starter policies for production would not allow it. With --jsonl, reads one
/// JSON object a line, with `text` and perhaps `kind`, and prints it with `facts` and `destructive`
/// added; all else stays as it is.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate guard explain --kind shell 'rm${IFS}-rf /'\n  \
    lockgate guard explain --jsonl < commands.jsonl")]
pub(crate) struct Explain {
    /// The command, or - to read it from stdin
    #[arg(value_name = "TEXT", required_unless_present = "jsonl")]
    text: Option<String>,
    /// What it is
    #[arg(long, value_name = "KIND", default_value = "auto", value_parser = KINDS)]
    kind: String,
    /// The SQL dialect; where absent, each is tried where they differ
    #[arg(long, value_name = "DIALECT", value_parser = ["postgres", "mysql", "sqlite", "tsql", "oracle", "snowflake", "bigquery"])]
    dialect: Option<String>,
    /// Rules to try as well; may be repeated
    #[arg(long = "pack", value_name = "FILE")]
    packs: Vec<PathBuf>,
    /// Read objects line by line from stdin, or from the file named instead of TEXT
    #[arg(long)]
    jsonl: bool,
}

/// Print every label that the guard gives, with its meaning
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  lockgate guard labels\n  lockgate guard labels --json")]
pub(crate) struct Labels {}

/// Rules of your own
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  lockgate guard rules test databases.yaml")]
pub(crate) enum Rules {
    /// Load packs of rules, which runs their examples
    Test(Test),
}

/// Load packs of rules, which runs their examples
///
/// Exits with 1 where one does not load.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  lockgate guard rules test databases.yaml shells.yaml")]
pub(crate) struct Test {
    /// The packs
    #[arg(value_name = "PACK", required = true)]
    packs: Vec<PathBuf>,
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Explain(args) => explain(&args, terminal),
        Command::Labels(Labels {}) => print_labels(terminal),
        Command::Rules(Rules::Test(args)) => test(&args, terminal),
    }
}

/// What is needed to judge texts.
struct Judge {
    dialect: Option<Dialect>,
    packs: Vec<Pack>,
    production: Production,
}

impl Judge {
    fn new(args: &Explain) -> Result<Self, Failure> {
        let packs = args.packs.iter().map(|file| load(file).map_err(Failure::usage_text));
        Ok(Self {
            dialect: args.dialect.as_deref().and_then(Dialect::named),
            packs: packs.collect::<Result<_, _>>()?,
            production: Production::new().map_err(Failure::bug)?,
        })
    }

    /// The facts, and whether production would refuse them.
    fn read(&self, text: &str, kind: &str) -> Option<(Facts, bool)> {
        let facts = inspect_text(text, Kind::named(kind)?, self.dialect);
        let facts = with_packs(facts, &self.packs, text);
        let destructive = !self.production.allows(&facts.labels());
        Some((facts, destructive))
    }
}

fn explain(args: &Explain, terminal: Terminal) -> Outcome {
    let judge = Judge::new(args)?;
    if args.jsonl {
        return lines(args, &judge, terminal);
    }
    let text = match args.text.as_deref() {
        Some("-") | None => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text).map_err(Failure::unreachable)?;
            text
        }
        Some(text) => text.to_owned(),
    };
    let Some((facts, destructive)) = judge.read(&text, &args.kind) else {
        return Err(Failure::usage_text(format_args!("there is no kind `{}`", args.kind)));
    };
    if terminal.json {
        terminal.json(&as_json(&facts, destructive))?;
    } else {
        as_text(&facts, destructive, terminal);
    }
    Ok(if destructive { Exit::No } else { Exit::Ok })
}

fn as_json(facts: &Facts, destructive: bool) -> Value {
    let list: Vec<Value> = facts
        .list()
        .iter()
        .map(|fact| {
            json!({
                "label": fact.label, "path": fact.path, "start": fact.span.start,
                "end": fact.span.end, "note": fact.note,
            })
        })
        .collect();
    json!({ "destructive": destructive, "labels": facts.labels(), "facts": list })
}

fn as_text(facts: &Facts, destructive: bool, terminal: Terminal) {
    let (style, word) = if destructive {
        (Style::Bad, "REFUSED by the starter policies for production")
    } else {
        (Style::Good, "ALLOWED by the starter policies for production")
    };
    terminal.data(terminal.styled(style, word));
    for fact in facts.list() {
        let style = if labels::is_danger(&fact.label) { Style::Bad } else { Style::Dim };
        let label = terminal.styled(style, &format!("{:<28}", fact.label));
        let span = format!("{}..{}", fact.span.start, fact.span.end);
        let place =
            if fact.path.is_empty() { span } else { format!("{} {span}", inert(&fact.path)) };
        terminal.data(format_args!("  {label} {place:<12} {}", inert(&fact.note)));
    }
    let names: Vec<String> = facts.labels().into_iter().filter(|name| name.contains(':')).collect();
    if !names.is_empty() {
        terminal.data(format_args!("  names: {}", inert(&names.join(", "))));
    }
    if facts.is_empty() {
        terminal.data("  no facts: nothing in it reads like a command");
    }
}

/// One object a line.
fn lines(args: &Explain, judge: &Judge, terminal: Terminal) -> Outcome {
    lines::each(args.text.as_deref(), terminal, |object| {
        let text = object.get("text").and_then(Value::as_str).ok_or("no `text`")?;
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or(&args.kind);
        let read = judge.read(text, kind);
        let (facts, destructive) = read.ok_or_else(|| format!("no kind `{kind}`"))?;
        object.insert("facts".to_owned(), facts.labels().into());
        object.insert("destructive".to_owned(), destructive.into());
        Ok(())
    })
}

fn print_labels(terminal: Terminal) -> Outcome {
    if terminal.json {
        let list: Vec<Value> = labels::LABELS
            .iter()
            .map(|label| {
                let danger = label.weight == labels::Weight::Danger;
                json!({ "label": label.name, "danger": danger, "meaning": label.meaning })
            })
            .collect();
        terminal.json(&list)?;
        return Ok(Exit::Ok);
    }
    terminal.data("# Labels of the guard\n");
    terminal.data("Those marked ! are forbidden in production by the starter policies.\n");
    terminal.data("| label | | meaning |\n|---|---|---|");
    for label in labels::LABELS {
        let mark = if label.weight == labels::Weight::Danger { "!" } else { "" };
        terminal.data(format_args!("| `{}` | {mark} | {} |", label.name, label.meaning));
    }
    Ok(Exit::Ok)
}

fn test(args: &Test, terminal: Terminal) -> Outcome {
    let mut good = true;
    let mut results = Vec::new();
    for file in &args.packs {
        let shown = file.display().to_string();
        match load(file) {
            Ok(pack) => {
                let rules: Vec<Value> = pack
                    .rules()
                    .map(|(name, label)| json!({ "rule": name, "label": label }))
                    .collect();
                let line = format!(
                    "ok    {shown}: {} version {}, {} rules",
                    pack.name,
                    pack.version,
                    pack.len()
                );
                results.push((line, json!({ "file": shown, "ok": true, "rules": rules })));
            }
            Err(why) => {
                good = false;
                let line = format!("wrong {why}");
                results.push((line, json!({ "file": shown, "ok": false, "why": why })));
            }
        }
    }
    if terminal.json {
        terminal.json(&results.into_iter().map(|(_, value)| value).collect::<Vec<_>>())?;
    } else {
        results.iter().for_each(|(line, _)| terminal.data(inert(line)));
    }
    Ok(if good { Exit::Ok } else { Exit::No })
}

/// Reads a pack; the error names the file.
fn load(file: &PathBuf) -> Result<Pack, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let length = fs::metadata(file).map_err(|error| wrong(&error))?.len();
    if length > PACK_MAX_BYTES as u64 {
        return Err(wrong(&format_args!("it has {length} bytes; at most {PACK_MAX_BYTES}")));
    }
    let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
    Pack::load(&text).map_err(|fault| wrong(&fault))
}
