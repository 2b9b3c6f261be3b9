//! `lockgate serve`: the real thing.

use crate::{
    config::ConfigArgs,
    failure::{Exit, Outcome},
    serve::{Service, process, runtime},
    terminal::Terminal,
};

/// Run the gateway
///
/// Reads the configuration again when it, the policies or the pins change, and on SIGHUP; what
/// does not load leaves the old version in force. SIGTERM and SIGINT drain and end it.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate serve\n  \
    lockgate serve --config /etc/lockgate/lockgate.yaml --listen 0.0.0.0:8080")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Serves until it is told to stop.
pub(crate) fn run(args: &Args, _: Terminal) -> Outcome {
    process::prepare()?;
    runtime()?.block_on(async {
        let mut service = Service::start(&args.config, None).await?;
        service.until_told().await;
        service.drain().await;
        Ok(Exit::Ok)
    })
}
