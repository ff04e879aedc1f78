//! What the machine allows, to hold results against, each limit by itself and with nothing around it:
//!
//! - [`disk`]: syncs of its disk
//! - [`map`]: transfers on a hash map in one thread
//! - [`memory`]: reads of memory that wait for each other
//! - the way to a server that does nothing and back ([`crate::echo`]), by the workloads' own driver
//! - [`postgres`]: the peer

mod disk;
mod map;
mod memory;
mod postgres;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain_cli::{Context, Failure, Output, parse_duration};
use ordain_node::Catalog;
use serde::Serialize;
use tokio::runtime::Handle;

use self::postgres::Peer;
use crate::bench::Bench;
use crate::pick::picked;
use crate::report::{thousands, time};
use crate::run::{blocking, new_seed, until_interrupted, warn_of_memory};
use crate::words::Words as Asked;

/// How long what is asked over a network warms up at most.
const WARM_UP_MAX: Duration = Duration::from_secs(1);

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
    /// Reads of so many bytes of memory, each where the one before says.
    Memory(usize),
    /// What a server that does nothing answers to these words of `bench`.
    Echo(&'static str),
    /// Transfers by the peer among so many accounts.
    Postgres(usize),
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
    limit("memory-64m", "reads of 64 MiB of memory, each where the one before says, one thread", Kind::Memory(64 << 20)),
    limit("http-echo", "HTTP echo, 64 connections", Kind::Echo("transfer --clients 64")),
    limit("http-echo-1", "HTTP echo, one connection", Kind::Echo("transfer --clients 1")),
    limit("query-echo", "HTTP echo of queries, 64 connections", Kind::Echo("transfer --queries --clients 64")),
    limit("stream-echo-64x40", "WebSocket echo of frames, 64 streams, 40 in flight each",
        Kind::Echo("transfer --keynote --stream --clients 64 --in-flight 40")),
    limit("stream-echo-64x1", "WebSocket echo of frames, 64 streams, one in flight each",
        Kind::Echo("transfer --keynote --stream --clients 64 --in-flight 1")),
    limit("stream-echo-1x1", "WebSocket echo of frames, one in flight",
        Kind::Echo("transfer --keynote --stream --clients 1 --in-flight 1")),
    limit("postgres", "PostgreSQL, stored procedure, SERIALIZABLE, 1,000,000 accounts", Kind::Postgres(1_000_000)),
    limit("postgres-10k", "PostgreSQL, stored procedure, SERIALIZABLE, 10,000 accounts", Kind::Postgres(10_000)),
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
    /// Processor time of the server for each, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_server_us: Option<f64>,
}

/// What is printed of one.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    what: &'static str,
    #[serde(flatten)]
    measured: Measured,
    /// Why it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
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
    let lines = until_interrupted(|handle| measure(words, handle))?;
    Ok(print(&lines, context.output)?)
}

async fn measure(words: Words, handle: Handle) -> anyhow::Result<Vec<Line>> {
    let picked = LIMITS
        .iter()
        .filter(|limit| picked(&words.only, limit.name));
    let mut lines = Vec::new();
    for &Limit { name, what, kind } in picked {
        let of = one(kind, &words, &handle).await;
        let (measured, skipped) = match of.with_context(|| format!("cannot measure {name}"))? {
            Peer::Measured(measured) => (measured, None),
            Peer::Skipped(why) => (Measured::default(), Some(why)),
        };
        lines.push(Line {
            name,
            what,
            measured,
            skipped,
        });
    }
    let names: Vec<_> = LIMITS.iter().map(|limit| limit.name).collect();
    ensure!(!lines.is_empty(), "there are only {}", names.join(", "));
    Ok(lines)
}

async fn one(kind: Kind, words: &Words, handle: &Handle) -> anyhow::Result<Peer> {
    let (dir, duration) = (words.dir.clone(), words.duration);
    let dir = dir.unwrap_or_else(std::env::temp_dir);
    if let Kind::Sync(_) | Kind::Postgres(_) = kind {
        warn_of_memory(&dir);
    }
    let seed = words.seed.unwrap_or_else(new_seed);
    let measured = match kind {
        Kind::Sync(bytes) => blocking(move || Ok(disk::sync(&dir, bytes, duration)?)).await,
        Kind::Map(accounts) => blocking(move || Ok(map::transfers(accounts, duration, seed))).await,
        Kind::Memory(bytes) => blocking(move || Ok(memory::reads(bytes, duration, seed))).await,
        Kind::Echo(words) => echo(echo_words(words, duration, seed)?, handle).await,
        Kind::Postgres(accounts) => {
            return postgres::transfers(&dir, accounts, duration, seed).await;
        }
    };
    measured.map(Peer::Measured)
}

fn echo_words(words: &str, duration: Duration, seed: u64) -> anyhow::Result<Asked> {
    let words = words.split_whitespace().chain(["--echo", "--runs", "1"]);
    let mut words = Asked::of(words)?;
    words.duration = duration;
    words.warm_up = duration.min(WARM_UP_MAX);
    words.seed = Some(seed);
    Ok(words)
}

async fn echo(words: Asked, handle: &Handle) -> anyhow::Result<Measured> {
    let bench = Bench::new(words, handle.clone());
    let mut reports = bench.run(None, &Catalog::default()).await?;
    let report = reports.pop().context("one language was measured")?;
    ensure!(
        report.violations.is_empty(),
        "{}",
        report.violations.join(", ")
    );
    ensure!(
        report.unanswered == 0,
        "not all was answered: {:?}",
        report.first_trouble
    );
    let median = |key| report.figure(key).map(|figure| figure.median);
    Ok(Measured {
        per_second: median("per_second").context("there is no rate")?,
        p50_us: median("p50_us"),
        p99_us: median("p99_us"),
        cpu_server_us: median("cpu_server_us"),
    })
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
        if let Some(why) = &line.skipped {
            return vec![line.name.to_owned(), line.what.to_owned(), why.clone()];
        }
        let rate = thousands(line.measured.per_second as u64);
        let (p50, p99) = (us(line.measured.p50_us), us(line.measured.p99_us));
        vec![line.name.to_owned(), line.what.to_owned(), rate, p50, p99]
    };
    let rows: Vec<_> = lines.iter().map(row).collect();
    output.table(&["name", "limit", "per second", "p50", "p99"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_echo_is_asked_by_the_seed_that_is_given() {
        for limit in LIMITS {
            let Kind::Echo(words) = limit.kind else {
                continue;
            };
            let asked = echo_words(words, Duration::from_secs(2), 7).expect("words of `bench`");
            assert_eq!(asked.seed, Some(7), "{}", limit.name);
            assert_eq!(asked.duration, Duration::from_secs(2));
        }
    }
}
