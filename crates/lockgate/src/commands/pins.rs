//! `lockgate pins`: which definitions of a server were accepted, what it shows now, and accepting
//! that. What is not accepted is neither shown to clients nor callable.

use lockgate_model::Digest;
use lockgate_store::pins::{Change, ChangeKind, PinFolder, Pins, diff};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    config::{ConfigArgs, Loaded},
    failure::{Exit, Failure, Outcome},
    look::{Look, Source},
    offline,
    registered::load_all,
    serve::runtime,
    terminal::{Style, Terminal, inert},
};

/// Look at and accept the tools of a server
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate pins diff staff\n  \
    lockgate pins accept staff")]
pub(crate) enum Command {
    /// Print what is accepted
    List(List),
    /// Print how the server differs from what is accepted; exits with 1 where it does
    Diff(One),
    /// Accept what the server shows now
    Accept(Accept),
}

/// Print what is accepted
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate pins list\n  \
    lockgate pins list staff --json")]
pub(crate) struct List {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only this connection
    #[arg(value_name = "CONNECTION")]
    connection: Option<String>,
}

/// Print how the server differs from what is accepted
///
/// Lists the server, or, while a gateway is running on the same data folder, reads what that one
/// saw last. Exits with 0 where nothing differs, 1 where something does.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate pins diff staff\n  \
    lockgate pins diff staff --json")]
pub(crate) struct One {
    #[command(flatten)]
    config: ConfigArgs,
    /// The connection
    #[arg(value_name = "CONNECTION")]
    connection: String,
}

/// Accept what the server shows now
///
/// Prints the difference first and asks, unless --yes says so beforehand. A running gateway takes
/// the new pins over by itself.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate pins accept staff\n  \
    lockgate pins accept staff --yes")]
pub(crate) struct Accept {
    #[command(flatten)]
    one: One,
    /// Accept without asking
    #[arg(long)]
    yes: bool,
}

/// One accepted definition, for --json.
#[derive(Serialize)]
struct Accepted<'a> {
    connection: &'a str,
    kind: &'static str,
    name: &'a str,
    digest: Digest,
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::List(list) => print_accepted(&list, terminal),
        Command::Diff(one) => {
            let loaded = load_all(&one.config)?;
            let (look, changes) = differences(&loaded, &one.connection, terminal)?;
            print_changes(&changes, &look.pins, terminal)?;
            Ok(if changes.is_empty() { Exit::Ok } else { Exit::No })
        }
        Command::Accept(accept) => accept_changes(&accept, terminal),
    }
}

fn print_accepted(list: &List, terminal: Terminal) -> Outcome {
    let loaded = load_all(&list.config)?;
    let only =
        list.connection.as_deref().map(|name| offline::connection(&loaded, name)).transpose()?;
    let mut rows = Vec::new();
    for settings in &loaded.gateway.connections {
        if only.is_some_and(|only| only.name != settings.name) {
            continue;
        }
        let name = settings.name.as_str();
        match offline::load_pins(&loaded, settings)? {
            Some(pins) => rows.push((name, pins)),
            None => terminal.talk(format_args!("nothing of `{name}` is accepted yet")),
        }
    }
    if terminal.json {
        let all: Vec<_> = rows.iter().flat_map(|(name, pins)| accepted(name, pins)).collect();
        return terminal.json(&all).map(|()| Exit::Ok);
    }
    for Accepted { connection, kind, name, digest } in
        rows.iter().flat_map(|(name, pins)| accepted(name, pins))
    {
        terminal.data(format_args!("{connection}  {kind:<12} {}  {digest}", inert(name)));
    }
    Ok(Exit::Ok)
}

fn accepted<'a>(connection: &'a str, pins: &'a Pins) -> Vec<Accepted<'a>> {
    let instructions = pins.instructions.iter().map(|instructions| Accepted {
        connection,
        kind: "instructions",
        name: "",
        digest: instructions.digest,
    });
    let definitions = pins.definitions.iter().map(|pin| Accepted {
        connection,
        kind: pin.kind.as_str(),
        name: &pin.name,
        digest: pin.digest,
    });
    instructions.chain(definitions).collect()
}

/// What the server shows now, and how it differs from what is accepted.
fn differences(
    loaded: &Loaded,
    name: &str,
    terminal: Terminal,
) -> Result<(Look, Vec<Change>), Failure> {
    let settings = offline::connection(loaded, name)?;
    let accepted = offline::load_pins(loaded, settings)?.unwrap_or_default();
    let look = runtime()?.block_on(Look::at(loaded, settings))?;
    terminal.talk(match look.source {
        Source::Upstream => format!("`{name}` as its server shows it now:"),
        Source::Gateway => format!("`{name}` as the running gateway saw it last:"),
    });
    let changes = diff(&accepted, &look.pins);
    Ok((look, changes))
}

fn accept_changes(accept: &Accept, terminal: Terminal) -> Outcome {
    let loaded = load_all(&accept.one.config)?;
    let name = &accept.one.connection;
    let (look, changes) = differences(&loaded, name, terminal)?;
    print_changes(&changes, &look.pins, terminal)?;
    let settings = offline::connection(&loaded, name)?;
    if changes.is_empty() && offline::load_pins(&loaded, settings)?.is_some() {
        return Ok(Exit::Ok);
    }
    if !accept.yes {
        match terminal.ask(&format!("Accept this of `{name}`?")) {
            Some(true) => {}
            Some(false) => return Ok(Exit::No),
            None => {
                return Err(Failure::usage_text(
                    "there is no terminal to ask on; read the difference and add --yes",
                ));
            }
        }
    }
    let folder = PinFolder::open(&offline::pins_folder(&loaded.settings.data));
    let folder = folder.map_err(Failure::unreachable)?;
    folder.save(&settings.name, &look.pins).map_err(Failure::unreachable)?;
    runtime()?.block_on(look.record(&settings.name, &changes))?;
    let words = format!("accepted: {}", crate::look::summary(&changes));
    terminal.talk(terminal.styled(Style::Good, &words));
    Ok(Exit::Ok)
}

fn print_changes(changes: &[Change], seen: &Pins, terminal: Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.json(&changes.iter().map(as_json).collect::<Vec<_>>());
    }
    if changes.is_empty() {
        terminal.talk("nothing differs from what is accepted");
    }
    for change in changes {
        // A change shows itself inert.
        terminal.data(change);
        if change.kind == ChangeKind::Added {
            introduce(change, seen, terminal);
        }
    }
    Ok(())
}

/// All of a new definition: whoever accepts it should have read what the model will read.
fn introduce(change: &Change, seen: &Pins, terminal: Terminal) {
    let definition = seen
        .definitions
        .iter()
        .find(|pin| pin.kind.as_str() == change.what && pin.name == change.name)
        .map(|pin| format!("{:#}", pin.definition));
    let instructions = seen.instructions.as_ref().map(|instructions| instructions.text.clone());
    for line in definition.or(instructions).unwrap_or_default().lines() {
        terminal.data(terminal.styled(Style::Dim, &format!("    {}", inert(line))));
    }
}

fn as_json(change: &Change) -> Value {
    let (word, places) = match &change.kind {
        ChangeKind::Added => ("added", &[][..]),
        ChangeKind::Removed => ("removed", &[][..]),
        ChangeKind::Changed(places) => ("changed", places.as_slice()),
    };
    json!({ "what": change.what, "name": change.name, "change": word, "places": places })
}
