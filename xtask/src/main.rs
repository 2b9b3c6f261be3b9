//! One command for every chore of this repository. Never part of the product.
#![expect(clippy::print_stdout, reason = "what a chore finds belongs on the terminal")]

mod bench;
mod repo;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Checks what the compiler can't: crate edges, sizes, module docs, the map of the code.
    Tidy,
    /// Runs every check and test.
    Test(test::Options),
    /// Measures what the gateway costs, beside the upstream alone.
    Bench(bench::Options),
}

fn main() -> Result<ExitCode> {
    let done = match Command::parse() {
        Command::Tidy => tidy::run(),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
    };
    Ok(if done? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
