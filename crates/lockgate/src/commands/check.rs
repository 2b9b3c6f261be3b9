//! `lockgate check`: is this configuration, with its policies, fit to serve? Needs no network.

use lockgate_gateway::{
    settings::{ConnectionSettings, UpstreamSettings},
    snapshot::Guard,
    upstream::stdio::{Launcher, sandbox},
};
use serde::Serialize;

use crate::{
    config::{ConfigArgs, Loaded},
    failure::{Exit, Failure, Outcome, summary},
    offline,
    registered::load_seen,
    serve::{build_failure, runtime},
    terminal::{Style, Terminal},
    vault,
};

/// Check the configuration and the policies, without a network
///
/// Registered connections are checked too, which asks their database. Policies are checked against the pinned tools in the data folder, where there are any. Exits
/// with 2 where something is wrong.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate check\n  \
    lockgate check --config /etc/lockgate/lockgate.yaml --json")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What was checked.
#[derive(Debug, Serialize)]
struct Report {
    config: String,
    connections: usize,
    issuers: usize,
    policy_files: usize,
    /// Connections whose tools are not pinned yet, so that policies naming them can't be checked.
    without_pins: Vec<String>,
    /// Servers of connections that can't be bounded on this machine as the configuration says.
    unusable_sandboxes: Vec<String>,
    /// Sealed secrets that connections refer to and can't use.
    unusable_secrets: Vec<String>,
    warnings: Vec<String>,
}

/// Answers.
pub(crate) fn run(args: &Args, terminal: Terminal) -> Outcome {
    let loaded = load_seen(&args.config)?;
    let compiled = offline::compile(&loaded)?;
    for connection in &loaded.gateway.connections {
        Guard::build(connection).map_err(build_failure)?;
    }
    let shapes = offline::shapes(&loaded)?;
    let unpinned = shapes.iter().filter(|shape| shape.tools.is_none());
    let mut warnings = loaded.warnings.clone();
    warnings.extend(compiled.warnings.iter().map(|warning| summary(warning)));
    let sources = crate::config::read_policies(&loaded.settings.policies);
    let report = Report {
        config: loaded.file.display().to_string(),
        connections: loaded.gateway.connections.len(),
        issuers: loaded.gateway.issuers.len(),
        policy_files: sources.map_err(Failure::usage)?.len(),
        without_pins: unpinned.map(|shape| shape.name.to_string()).collect(),
        unusable_sandboxes: unusable_sandboxes(&loaded),
        unusable_secrets: unusable_secrets(&loaded)?,
        warnings,
    };
    if terminal.json {
        return terminal.json(&report).map(|()| Exit::Ok);
    }
    for warning in &loaded.warnings {
        terminal.talk(format_args!("warning: {warning}"));
    }
    for warning in &compiled.warnings {
        terminal.talk(format_args!("warning: {}", summary(warning)));
    }
    for name in &report.without_pins {
        terminal.talk(format_args!(
            "note: the tools of `{name}` are not pinned; its policies are checked in part"
        ));
    }
    for note in report.unusable_sandboxes.iter().chain(&report.unusable_secrets) {
        terminal.talk(format_args!("note: {note}"));
    }
    let words = format!(
        "{} is good: {} connections, {} issuers, {} policy files",
        report.config, report.connections, report.issuers, report.policy_files
    );
    terminal.data(terminal.styled(Style::Good, &words));
    Ok(Exit::Ok)
}

/// Tried out on this machine, which may not be the one that serves: notes, no faults.
fn unusable_sandboxes(loaded: &Loaded) -> Vec<String> {
    let launcher = Launcher::this_program();
    let note = |connection: &ConnectionSettings| {
        let UpstreamSettings::Stdio(stdio) = &connection.upstream else { return None };
        let refused = sandbox::check(&launcher, stdio).err()?;
        Some(format!("connection `{}`: {}", connection.name, refused.detail))
    };
    loaded.gateway.connections.iter().filter_map(note).collect()
}

/// Looked up where that needs no network, and where there is something to look up.
fn unusable_secrets(loaded: &Loaded) -> Result<Vec<String>, Failure> {
    if vault::references(&loaded.gateway).is_empty() || loaded.settings.recording.index.is_some() {
        return Ok(Vec::new());
    }
    runtime()?.block_on(async {
        let secrets = offline::existing_secrets(loaded).await?;
        vault::unusable(secrets.as_ref(), &loaded.gateway).await.map_err(Failure::unreachable)
    })
}
