//! `lockgate demo`: everything on this machine, a story, and then a place to try.

use std::path::{Path, PathBuf};

use crate::{
    config::ConfigArgs,
    demo::Demo,
    failure::{Exit, Failure, Outcome},
    serve::{Service, process, runtime},
    terminal::{Style, Terminal},
};

/// Walk through the story on this machine, with everything that it needs
///
/// Starts an identity issuer, a sample MCP server and the gateway, all on loopback, and calls
/// through them. Then it stays up for your own client. Nothing is kept unless --data says where.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate demo\n  \
    lockgate demo --once")]
pub(crate) struct Args {
    /// End after the story: with 0 if all came out as told, else with 1
    #[arg(long)]
    once: bool,
    /// The gateway's port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 7780)]
    port: u16,
    /// Keep configuration, policies and recording here
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// Runs the story and, without `--once`, stays.
pub(crate) fn run(args: &Args, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let temporary = tempfile::tempdir().map_err(Failure::unreachable)?;
    let folder = args.data.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).map_err(Failure::unreachable)?;
    runtime()?.block_on(show(args, folder, terminal))
}

async fn show(args: &Args, folder: &Path, terminal: Terminal) -> Outcome {
    let port = if args.once { 0 } else { args.port };
    let unreachable = |error: anyhow::Error| Failure::unreachable(format_args!("{error:#}"));
    let (demo, listeners) = Demo::start(folder, port).await.map_err(unreachable)?;
    let config = ConfigArgs::of_file(demo.config());
    let mut service = Service::start(&config, Some(listeners)).await?;
    demo.ready().await.map_err(unreachable)?;
    let failed = demo.tell(terminal).await.map_err(unreachable)?;
    let exit = if failed.is_empty() {
        terminal.data(terminal.styled(Style::Good, "\nAll came out as told.\n"));
        Exit::Ok
    } else {
        let words = format!("\nNot as told: {}.\n", failed.join("; "));
        terminal.data(terminal.styled(Style::Bad, &words));
        Exit::No
    };
    if !args.once {
        demo.invite(terminal).map_err(unreachable)?;
        service.until_told().await;
    }
    service.drain().await;
    Ok(exit)
}
