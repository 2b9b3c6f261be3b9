//! `lockgate connection test`: is a server reachable, and does it speak MCP? By this process, or, while a
//! gateway runs on the same data folder, by that one.

use std::sync::Arc;

use lockgate_model::ConnectionName;
use lockgate_store::journal::JournalFault;

use super::show::unknown;
use crate::{
    config::{ConfigArgs, Loaded},
    failure::{Exit, Failure, Outcome},
    look, offline, orders,
    probe::{self, Report, Tried},
    registered::load_all,
    serve::{process, runtime},
    terminal::{Style, Terminal, inert},
};

/// Reach a server, greet it in both eras, list its tools, and say what is wrong
///
/// Goes the way of a call, with the connection's credential. While a gateway runs on the same data folder,
/// that one does it. Each request is on the record. Exits with 1 where the server can't be served.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate connection test staff\n  \
    lockgate connection test staff --json")]
pub(crate) struct Test {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its name
    #[arg(value_name = "NAME", value_parser = ConnectionName::new)]
    name: ConnectionName,
}

/// Answers.
pub(super) fn run(test: &Test, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let loaded = load_all(&test.config)?;
    if !loaded.gateway.connections.iter().any(|one| one.name == test.name) {
        let registered = loaded.registered(test.name.as_str());
        let trouble = registered.and_then(|one| one.trouble(&loaded.file));
        return Err(trouble.map_or_else(|| unknown(&loaded, &test.name), Failure::no));
    }
    let report = reported(&loaded, &test.name)?;
    let exit = if report.good { Exit::Ok } else { Exit::No };
    if terminal.json {
        return terminal.json(&report).map(|()| exit);
    }
    for tried in &report.eras {
        terminal.data(line(tried));
    }
    if let Some(wrong) = &report.wrong {
        let verdict = format!("{}: {}", report.connection, inert(wrong));
        terminal.data(terminal.styled(Style::Bad, &verdict));
    }
    for said in &report.stderr {
        terminal.data(terminal.styled(Style::Dim, &format!("  stderr: {}", inert(said))));
    }
    Ok(exit)
}

fn reported(loaded: &Loaded, name: &ConnectionName) -> Result<Report, Failure> {
    let journal = match offline::open_journal(loaded) {
        Ok((journal, _)) => Arc::new(journal),
        Err(JournalFault::Locked { .. }) => return orders::have_tested(loaded, name),
        Err(fault) => return Err(Failure::unreachable(fault)),
    };
    runtime()?.block_on(async {
        let vault = look::vault(loaded).await?;
        let data = &loaded.settings.data;
        Ok(probe::test(&loaded.gateway, name, data, &journal, vault).await)
    })
}

fn line(tried: &Tried) -> String {
    let era = format!("{:?}", tried.era).to_lowercase();
    let took = tried.took_ms;
    let text = match (&tried.shown, &tried.why) {
        (Some(shown), _) => format!(
            "{era}  {} {}, revision {}: {} tools, {} prompts, in {took} ms",
            shown.server, shown.version, shown.revision, shown.tools, shown.prompts
        ),
        (None, why) => format!("{era}  no: {} ({took} ms)", why.as_deref().unwrap_or_default()),
    };
    inert(&text)
}
