//! What the gateway costs: the same calls to the upstream directly and through the gateway, by
//! turns in one session, every answer checked byte for byte.
//!
//! Load generator, upstream and gateway share the machine, so ratios count and absolutes do not.

mod approvals;
mod bodies;
mod disk;
mod gateway;
mod idle;
mod load;
mod mcp;
mod mint;
mod process;
mod report;
mod scenario;
mod target;
mod upstream;
mod wire;

#[cfg(test)]
mod tests;

use std::{net::ToSocketAddrs as _, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use bodies::Bodies;
use gateway::Gateway;
use mint::Mint;
use report::{Figures, Report};
use scenario::Scenario;
use target::Target;
use upstream::Library;

use crate::repo;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// One short round instead of three long ones
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Only scenarios whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Another gateway's MCP endpoint in the same run; it must stand before the upstream
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// The process of that gateway, for its CPU time and memory
    #[arg(long, value_name = "PID", requires = "against")]
    against_pid: Option<u32>,
    /// Port of the upstream, for another gateway's configuration
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    upstream_port: u16,
    /// Set by the bench itself when it runs optimised
    #[arg(long, hide = true)]
    optimised: bool,
}

/// What is measured instead of the path of a call.
#[derive(clap::Subcommand)]
enum What {
    /// The search index: filling it, its size, and how long searches take
    Index {
        /// How many calls it holds
        #[arg(long, value_name = "N", default_value_t = 1_000_000)]
        calls: u64,
    },
    /// The recording itself: appending, group commit, and the offline check
    Journal,
    /// Waiting for people: from a decision to the use of the grant, and to the call at the upstream
    Approvals {
        /// Set by the bench itself when it runs optimised
        #[arg(long, hide = true)]
        optimised: bool,
    },
    /// The command guard: calls, statements, scripts, the worst texts, against a set of patterns
    Guard,
    /// Sealed credentials: sealing, fetching, and 100,000 of them
    Vault,
}

/// Runs the bench; tells whether every answer was right.
pub(crate) fn run(options: &Options) -> Result<bool> {
    match options.what {
        Some(What::Index { calls }) => {
            return bench("lockgate-store", "index", &["--calls", &calls.to_string()]);
        }
        Some(What::Journal) => return bench("lockgate-store", "journal", &[]),
        Some(What::Approvals { optimised: false }) => {
            return Ok(bench("lockgate-store", "approvals", &[])? && run_optimised()?);
        }
        Some(What::Approvals { optimised: true }) => return approvals::run().map(|()| true),
        Some(What::Guard) => return bench("lockgate-rules", "guard", &[]),
        Some(What::Vault) => return bench("lockgate-gateway", "vault", &[]),
        None => {}
    }
    if !options.optimised {
        return run_optimised();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(measure(options))?;
    if options.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    Ok(report.errors() == 0)
}

/// Hands over to a crate's own bench.
fn bench(package: &str, name: &str, arguments: &[&str]) -> Result<bool> {
    let bench = ["bench", "--package", package, "--bench", name, "--"];
    Ok(repo::cargo().args(bench).args(arguments).status()?.success())
}

/// Builds the gateway and this program for speed, and hands over to that.
fn run_optimised() -> Result<bool> {
    let build = ["build", "--release", "--package", "lockgate", "--package", "xtask"];
    ensure!(repo::cargo().args(build).status()?.success(), "the release build failed");
    let arguments = std::env::args_os().skip(1);
    let mut command = Command::new(repo::target().join("release/xtask"));
    Ok(command.args(arguments).arg("--optimised").status()?.success())
}

async fn measure(options: &Options) -> Result<Report> {
    let scenarios = scenario::all(options.only.as_deref());
    let sizes = scenarios.iter().map(|scenario| scenario.question.size).chain([256]);
    let library: Library = Arc::new(sizes.map(|size| (size, Bodies::new(size))).collect());
    let mint = Mint::new()?;
    let upstream =
        upstream::start(options.upstream_port, Arc::clone(&library), mint.key_set()?, None)?;

    let mut report = Report::default();
    let data = repo::target().join("bench");
    std::fs::create_dir_all(&data)?;
    let (p50, p99) = disk::sync_us(&data)?;
    report.facts.extend([("bare fdatasync p50 us", p50), ("bare fdatasync p99 us", p99)]);

    let gateway = Gateway::start(&data, upstream, &mint)?;
    let start_ms = gateway.start.as_secs_f64() * 1_000.0;
    let start_rss_mb = gateway.start_rss_kb as f64 / 1_024.0;
    report.facts.extend([("start to ready ms", start_ms), ("RSS at start MB", start_rss_mb)]);
    // The same with a disk that takes no time.
    let in_memory = Gateway::start(Path::new("/dev/shm"), upstream, &mint)?;

    let direct = Target {
        name: "direct",
        address: upstream,
        path: "/mcp".to_owned(),
        tokens: Vec::new(),
        pid: None,
    };
    let mut targets = vec![
        direct,
        gateway.target("gateway"),
        in_memory.target("no disk"),
        in_memory.anonymous("no disk, token"),
        in_memory.unmasked("no disk, token, mask"),
    ];
    targets.extend(options.against.as_deref().map(|url| against(url, options)).transpose()?);
    by_turns(&mut report, options, &scenarios, &targets, &library).await?;
    drop((gateway, in_memory));

    let gateway = Gateway::start(&data, upstream, &mint)?;
    let count = if options.quick { 200 } else { 1_000 };
    let idle = idle::measure(&gateway.target("idle"), gateway.pid(), count, &library).await?;
    report.facts.extend([
        ("idle sessions", idle.count as f64),
        ("KB per idle session", idle.session_kb),
        ("KB per session with open stream", idle.stream_kb),
    ]);
    Ok(report)
}

/// Every scenario on every target in turn, round after round.
async fn by_turns(
    report: &mut Report,
    options: &Options,
    scenarios: &[Scenario],
    targets: &[Target],
    library: &Library,
) -> Result<()> {
    let (rounds, duration) = if options.quick { (1, 1) } else { (3, 3) };
    for (index, scenario) in scenarios.iter().enumerate() {
        for _ in 0..rounds {
            for (number, target) in targets.iter().enumerate() {
                let duration = Duration::from_secs(duration);
                let Scenario { name, question, pace } = scenario;
                let run = load::run(target, question, *pace, duration, library).await?;
                if let Some(error) = &run.error {
                    println!("{name}, {}: {error}", target.name);
                }
                report.add((index, name), (number, target.name), Figures::new(run));
            }
        }
    }
    Ok(())
}

/// Another gateway, at `http://HOST:PORT/PATH`.
fn against(url: &str, options: &Options) -> Result<Target> {
    let rest = url.strip_prefix("http://").context("--against takes an http: URL")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = authority.to_socket_addrs()?.next().context("--against names no address")?;
    let path = format!("/{path}");
    Ok(Target { name: "against", address, path, tokens: Vec::new(), pid: options.against_pid })
}
