//! `lockgate policy`: ask the policies, write a first one, show what they are checked against.

mod explain;
mod who;

use std::{fs, path::PathBuf};

use lockgate_gateway::snapshot::issuer_names;
use lockgate_model::Group;
use lockgate_rules::policy::{self, ConnectionShape};
use serde_json::json;

use crate::{
    config::{ConfigArgs, Loaded},
    failure::{Exit, Failure, Outcome},
    offline,
    registered::load_all,
    terminal::Terminal,
};

/// Ask and write policies
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate policy explain --issuer corp --subject ann --group dba --connection staff --tool query\n  \
    lockgate policy new --connection staff --group corp/dba")]
pub(crate) enum Command {
    /// Say who may call what, and why
    Explain(Box<explain::Args>),
    /// Write a first policy for a connection
    New(New),
    /// Print the Cedar schema that policies of a connection are checked against
    Schema(Schema),
}

/// Write a first policy for a connection
///
/// Knows the tools where they are pinned. With --guard, writes what the guard's facts forbid on
/// connections labelled `env: prod`, and hold for --group on `env: staging`. Prints it, or writes it
/// into the policy folder with --write; a file that is there is never replaced.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate policy new --connection staff --group corp/dba\n  \
    lockgate policy new --connection staff --group corp/dba --write\n  \
    lockgate policy new --guard --group corp/dba")]
pub(crate) struct New {
    #[command(flatten)]
    config: ConfigArgs,
    /// The connection
    #[arg(long, value_name = "NAME", required_unless_present = "guard")]
    connection: Option<String>,
    /// The group that may use it, or with --guard that approves, as issuer/name
    #[arg(long, value_name = "GROUP", required_unless_present = "guard")]
    group: Option<String>,
    /// Policies for what the guard finds, for all connections
    #[arg(long, conflicts_with = "connection")]
    guard: bool,
    /// Write <connection>.cedar into the policy folder
    #[arg(long)]
    write: bool,
}

/// Print the Cedar schema that policies of a connection are checked against
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate policy schema --connection staff\n  \
    lockgate policy schema --connection staff > staff.cedarschema")]
pub(crate) struct Schema {
    #[command(flatten)]
    config: ConfigArgs,
    /// The connection
    #[arg(long, value_name = "NAME")]
    connection: String,
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Explain(args) => explain::run(&args, terminal),
        Command::New(args) => write_starter(&args, terminal),
        Command::Schema(args) => print_schema(&args, terminal),
    }
}

fn write_starter(args: &New, terminal: Terminal) -> Outcome {
    let loaded = load_all(&args.config)?;
    let group = args.group.as_deref().map(|group| qualified(&loaded, group)).transpose()?;
    let (name, text) = match (&args.connection, &group) {
        (Some(connection), Some(group)) => {
            let shape = shape_of(&loaded, connection)?;
            (shape.name.to_string(), policy::starter(&shape, group))
        }
        _ => ("guard".to_owned(), policy::guard_starter(group.as_ref())),
    };
    let file = loaded.settings.policies.join(format!("{name}.cedar"));
    if args.write {
        write_new(&file, &text)?;
        terminal.talk(format_args!("wrote {}; now: lockgate check", file.display()));
    }
    if terminal.json {
        let file = args.write.then(|| file.display().to_string());
        terminal.json(&json!({ "file": file, "text": text }))?;
    } else if !args.write {
        terminal.bytes(text.as_bytes());
    }
    Ok(Exit::Ok)
}

fn write_new(file: &PathBuf, text: &str) -> Result<(), Failure> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(Failure::unreachable)?;
    }
    let mut open = fs::OpenOptions::new();
    let opened = open.write(true).create_new(true).open(file);
    opened.and_then(|mut opened| std::io::Write::write_all(&mut opened, text.as_bytes())).map_err(
        |error| Failure::unreachable(format_args!("can't write `{}`: {error}", file.display())),
    )
}

fn print_schema(args: &Schema, terminal: Terminal) -> Outcome {
    let loaded = load_all(&args.config)?;
    let shape = shape_of(&loaded, &args.connection)?;
    let text = policy::schema_text(&shape);
    if terminal.json {
        terminal.json(&json!({ "connection": shape.name, "schema": text }))?;
    } else {
        terminal.bytes(text.as_bytes());
    }
    Ok(Exit::Ok)
}

/// The connection of that name.
fn shape_of(loaded: &Loaded, name: &str) -> Result<ConnectionShape, Failure> {
    let shapes = offline::shapes(loaded)?;
    let known: Vec<String> = shapes.iter().map(|shape| shape.name.to_string()).collect();
    shapes.into_iter().find(|shape| shape.name.as_str() == name).ok_or_else(|| {
        let help = crate::config::suggestion(name, &known);
        Failure::usage_text(format!("there is no connection named `{name}`; {help}"))
    })
}

/// A group as `issuer/name`; the issuer must be configured.
fn qualified(loaded: &Loaded, text: &str) -> Result<Group, Failure> {
    let known = issuer_names(&loaded.gateway);
    Group::parse(text).filter(|group| known.contains(&group.issuer)).ok_or_else(|| {
        Failure::usage_text(format!(
            "`{text}` is no group of a configured issuer; write issuer/name, with one of {known:?}"
        ))
    })
}
