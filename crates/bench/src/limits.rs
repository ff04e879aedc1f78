//! What the machine allows, to hold results against: syncs of its disk, and transfers on a hash map in
//! one thread with nothing around them.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use hashbrown::HashMap;
use hdrhistogram::Histogram;
use ordain_cli::Output;
use serde::Serialize;

use crate::choose::{Chooser, Spread, chance};
use crate::report::{thousands, time};

/// The file that is written to.
const FILE_BYTES: u64 = 16 << 20;

/// One limit.
#[derive(Debug, Serialize)]
struct Limit {
    what: String,
    per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_us: Option<f64>,
}

/// Measures each limit for so long and prints them. The disk is that of `dir`.
///
/// # Errors
/// If the disk cannot be written.
pub fn run(dir: &Path, duration: Duration, seed: u64, output: Output) -> anyhow::Result<()> {
    let failed = || format!("cannot measure the disk of {}", dir.display());
    let mut limits = Vec::new();
    for bytes in [4 << 10, 64 << 10] {
        limits.push(sync(dir, bytes, duration).with_context(failed)?);
    }
    for accounts in [10_000, 1_000_000] {
        limits.push(transfers(accounts, duration, seed));
    }
    match output.json {
        true => output.json(&limits)?,
        false => {
            let us = |us: Option<f64>| match us {
                Some(us) => time(Duration::from_secs_f64(us / 1e6)),
                None => "–".to_owned(),
            };
            let row = |limit: &Limit| {
                let rate = thousands(limit.per_second as u64);
                vec![limit.what.clone(), rate, us(limit.p50_us), us(limit.p99_us)]
            };
            let rows: Vec<_> = limits.iter().map(row).collect();
            output.table(&["limit", "per second", "p50", "p99"], &rows)?;
        }
    }
    Ok(())
}

/// Writes and syncs, over and over, into a file whose blocks are all there: what a log's sync costs.
fn sync(dir: &Path, bytes: usize, duration: Duration) -> io::Result<Limit> {
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
    Ok(Limit {
        what: format!("write and fdatasync of {} KiB", bytes >> 10),
        per_second: latency.len() as f64 / began.elapsed().as_secs_f64(),
        p50_us: us(0.5),
        p99_us: us(0.99),
    })
}

/// Transfers between integers in a map, each with a list of what to put back.
fn transfers(accounts: usize, duration: Duration, seed: u64) -> Limit {
    const START: i64 = 1_000_000;
    let mut balances: HashMap<u64, i64> = (0..accounts as u64).map(|key| (key, START)).collect();
    let (chooser, mut chance) = (Chooser::new(accounts, Spread::Uniform), chance(seed, 0));
    let pairs: Vec<(u64, u64)> = (0..1 << 16)
        .map(|_| {
            (
                chooser.choose(&mut chance) as u64,
                chooser.choose(&mut chance) as u64,
            )
        })
        .collect();
    let (began, mut done, mut undo) = (Instant::now(), 0_u64, Vec::new());
    while began.elapsed() < duration {
        for &(from, to) in &pairs {
            transfer(&mut balances, &mut undo, from, to, 1 + (done % 100) as i64);
            done += 1;
        }
    }
    let rate = done as f64 / began.elapsed().as_secs_f64();
    let total: i64 = balances.values().sum();
    assert_eq!(total, START * accounts as i64, "money is conserved");
    Limit {
        what: format!(
            "transfers on a hash map of {}, one thread",
            thousands(accounts as u64)
        ),
        per_second: rate,
        p50_us: None,
        p99_us: None,
    }
}

fn transfer(
    balances: &mut HashMap<u64, i64>,
    undo: &mut Vec<(u64, i64)>,
    from: u64,
    to: u64,
    amount: i64,
) {
    undo.clear();
    for (key, change) in [(from, -amount), (to, amount)] {
        let balance = balances.get_mut(&key).expect("every account is there");
        undo.push((key, *balance));
        *balance += change;
        if *balance < 0 {
            for (key, before) in undo.drain(..).rev() {
                balances.insert(key, before);
            }
            return;
        }
    }
}
