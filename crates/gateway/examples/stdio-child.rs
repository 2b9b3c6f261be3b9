//! The launcher of stdio children alone, as a program: what the gateway's own tests start children
//! through, in place of the product's binary.

use std::{env, process::ExitCode};

use lockgate_gateway::upstream::stdio::launcher;

fn main() -> ExitCode {
    launcher::main(env::args_os().skip(2))
}
