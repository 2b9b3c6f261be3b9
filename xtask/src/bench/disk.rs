//! What the disk alone takes for one sync: the floor under every latency with a durable record.

use std::{fs::File, io::Write as _, path::Path, time::Instant};

use anyhow::Result;

use super::report::percentile;

const ROUNDS: usize = 200;

/// p50 and p99 of writing 512 bytes and `fdatasync`, in microseconds.
pub(super) fn sync_us(folder: &Path) -> Result<(f64, f64)> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        file.write_all(&[b'x'; 512])?;
        file.sync_data()?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    times.sort_unstable();
    Ok((percentile(&times, 0.5), percentile(&times, 0.99)))
}
