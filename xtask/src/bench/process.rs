//! What Linux knows of a process: CPU time and memory.

use std::fs;

use anyhow::{Context as _, Result};

/// Microseconds in a tick of `/proc/PID/stat` (100 Hz on every Linux that matters).
const TICK_US: u64 = 10_000;

/// What a process used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// User and system time in the run, in microseconds.
    pub(super) cpu_us: u64,
    /// Resident at the end of the run, in KB.
    pub(super) rss_kb: u64,
}

/// User and system time of the process since its start, in microseconds.
pub(super) fn cpu_us(pid: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    // The name in parentheses may hold anything; fields 14 and 15 count from 1 at the start.
    let (_, fields) = stat.rsplit_once(')').context("no stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()? * TICK_US)
}

/// Resident memory of the process, in KB.
pub(super) fn rss_kb(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
