//! How much memory a program took at most.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How a program ended.
pub struct Weighed {
    /// Its exit code; -1 where it was killed, by itself or because its time was up.
    pub code: i32,
    /// The most memory that it held at one time (`VmHWM`), in bytes.
    pub memory_max_bytes: u64,
    /// How long it ran.
    pub took: Duration,
}

/// Runs a program to its end with its output in the file `said`, or kills it after `wait`.
///
/// # Errors
/// Where it can't be started.
pub fn weigh(mut command: Command, said: &Path, wait: Duration) -> anyhow::Result<Weighed> {
    let file = File::create(said)?;
    let mut child = command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
    let (begun, mut most) = (Instant::now(), 0);
    loop {
        most = most.max(peak_bytes(child.id()));
        if let Some(status) = child.try_wait()? {
            let code = status.code().unwrap_or(-1);
            return Ok(Weighed { code, memory_max_bytes: most, took: begun.elapsed() });
        }
        if begun.elapsed() > wait {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The most memory that a running process held so far; 0 where it is gone.
pub fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
