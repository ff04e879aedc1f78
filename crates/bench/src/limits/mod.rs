//! What the machine allows, to hold results against, each limit by itself and with nothing around it:
//!
//! - [`disk`]: syncs of its disk
//! - [`map`]: transfers on a hash map in one thread

mod disk;
mod map;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain_cli::{Context, Failure, Output, parse_duration};
use serde::Serialize;

use crate::bench::{blocking, new_seed, until_interrupted};
use crate::pick::picked;
use crate::report::{thousands, time};

/// A limit that can be measured.
struct Limit {
    name: &'static str,
    what: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A write of so many bytes, and a sync.
    Sync(usize),
    /// Transfers among so many accounts.
    Map(usize),
}

const fn limit(name: &'static str, what: &'static str, kind: Kind) -> Limit {
    Limit { name, what, kind }
}

/// All of them.
#[rustfmt::skip]
const LIMITS: &[Limit] = &[
    limit("sync-4k", "write and fdatasync of 4 KiB", Kind::Sync(4 << 10)),
    limit("sync-64k", "write and fdatasync of 64 KiB", Kind::Sync(64 << 10)),
    limit("map-10k", "transfers on a hash map of 10,000, one thread", Kind::Map(10_000)),
    limit("map-1m", "transfers on a hash map of 1,000,000, one thread", Kind::Map(1_000_000)),
];

/// What came of one.
#[derive(Debug, Default, Serialize)]
pub struct Measured {
    /// How often it was done in a second.
    pub per_second: f64,
    /// How long it took, half of the times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    /// How long it took at most, 99 times in 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
}

/// What is printed of one.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    what: &'static str,
    #[serde(flatten)]
    measured: Measured,
}

#[derive(Debug, Clone, Args)]
struct Words {
    /// Only these, by names with commas between; * is any part of a name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// How long each is measured
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    duration: Duration,
    /// Where to write [default: the temporary directory]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// What all choices follow from [default: a new one]
    #[arg(long)]
    seed: Option<u64>,
}

/// The command.
pub fn command() -> Command {
    Words::augment_args(Command::new("limits").about("Measure what the machine allows"))
}

/// Measures them and prints them.
///
/// # Errors
/// If one cannot be measured.
pub fn run(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    let lines = until_interrupted(|_| measure(words))?;
    Ok(print(&lines, context.output)?)
}

async fn measure(words: Words) -> anyhow::Result<Vec<Line>> {
    let dir = words.dir.unwrap_or_else(std::env::temp_dir);
    let seed = words.seed.unwrap_or_else(new_seed);
    let mut lines = Vec::new();
    for &Limit { name, what, kind } in LIMITS {
        if !picked(&words.only, name) {
            continue;
        }
        let (dir, duration) = (dir.clone(), words.duration);
        let measured = blocking(move || match kind {
            Kind::Sync(bytes) => disk::sync(&dir, bytes, duration)
                .with_context(|| format!("cannot measure the disk of {}", dir.display())),
            Kind::Map(accounts) => Ok(map::transfers(accounts, duration, seed)),
        });
        let measured = measured.await?;
        lines.push(Line {
            name,
            what,
            measured,
        });
    }
    let names: Vec<_> = LIMITS.iter().map(|limit| limit.name).collect();
    ensure!(!lines.is_empty(), "there are only {}", names.join(", "));
    Ok(lines)
}

fn print(lines: &[Line], output: Output) -> std::io::Result<()> {
    if output.json {
        return output.json(&lines);
    }
    let us = |us: Option<f64>| match us {
        Some(us) => time(Duration::from_secs_f64(us / 1e6)),
        None => "–".to_owned(),
    };
    let row = |line: &Line| {
        let rate = thousands(line.measured.per_second as u64);
        let (p50, p99) = (us(line.measured.p50_us), us(line.measured.p99_us));
        vec![line.name.to_owned(), line.what.to_owned(), rate, p50, p99]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    output.table(&["name", "limit", "per second", "p50", "p99"], &rows)
}
