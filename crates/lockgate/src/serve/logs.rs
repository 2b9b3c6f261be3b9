//! The log on stderr: text on a terminal, one JSON object a line elsewhere.
//!
//! Stdout stays free for data.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, LogLevel, LogSettings};

/// Installs the log of this process, once. A second call changes nothing.
pub(crate) fn install(settings: LogSettings) {
    let level = match settings.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    };
    // Libraries below us speak up only when something is wrong.
    let ours = ["lockgate", "lockgate_gateway", "lockgate_store"];
    let filter = ours.iter().fold(EnvFilter::new("warn"), |filter, name| {
        match format!("{name}={level}").parse() {
            Ok(directive) => filter.add_directive(directive),
            Err(_) => filter,
        }
    });
    let json = match settings.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let installed = if json {
        registry.with(layer.json().flatten_event(true).with_ansi(false)).try_init()
    } else {
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        registry.with(layer.with_ansi(colour)).try_init()
    };
    // Already installed: by a test, or by the demo around the gateway.
    let _ = installed;
}
