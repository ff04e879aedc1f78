//! What a sync of the log costs: writes with `fdatasync`, and nothing around them.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::Measured;

/// The file that is written to.
const FILE_BYTES: u64 = 16 << 20;

/// Writes and syncs, over and over, into a file whose blocks are all there: what a log's sync costs.
///
/// # Errors
/// If the disk cannot be written.
pub fn sync(dir: &Path, bytes: usize, duration: Duration) -> io::Result<Measured> {
    let file = tempfile::Builder::new()
        .prefix("ordain-limits-")
        .tempfile_in(dir)?;
    let file = OpenOptions::new().write(true).open(file.path())?;
    let zeros = vec![0; 1 << 20];
    for at in (0..FILE_BYTES).step_by(zeros.len()) {
        file.write_all_at(&zeros, at)?;
    }
    file.sync_all()?;
    let block = vec![0x5a; bytes];
    let mut latency =
        Histogram::<u64>::new_with_bounds(1_000, 60_000_000_000, 3).expect("the bounds are bounds");
    let (began, mut at) = (Instant::now(), 0);
    while began.elapsed() < duration {
        let start = Instant::now();
        file.write_all_at(&block, at)?;
        file.sync_data()?;
        latency.saturating_record(start.elapsed().as_nanos() as u64);
        at = (at + bytes as u64) % FILE_BYTES;
    }
    let us = |quantile| Some(latency.value_at_quantile(quantile) as f64 / 1e3);
    Ok(Measured {
        per_second: latency.len() as f64 / began.elapsed().as_secs_f64(),
        p50_us: us(0.5),
        p99_us: us(0.99),
        cpu_server_us: None,
    })
}
