//! What is to be reached: each a row with its bound, its aim, and how it follows from one round.

use super::session::Round;

/// One figure that is to be reached.
pub struct Row {
    /// What it is chosen by.
    pub name: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// The measurements it follows from.
    pub needs: &'static [&'static str],
    /// How it does.
    pub of: fn(&Round) -> Option<f64>,
    /// In what it is counted.
    pub unit: Unit,
    /// What must be reached.
    pub bound: Bound,
    /// What is aimed at.
    pub aim: Option<f64>,
    /// Whether it is left out unless it is asked for by name: it takes long.
    pub opt_in: bool,
}

/// In what a figure is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How many a second.
    PerSecond,
    /// How many times another figure.
    Times,
    /// Microseconds.
    Micros,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Mebibytes.
    MiB,
    /// Hundredths.
    Percent,
}

/// On which side a figure is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// It must be so much or more.
    AtLeast(f64),
    /// It must be so much or less.
    AtMost(f64),
}

impl Bound {
    /// Whether this is good enough.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Bound::AtLeast(least) => value >= least,
            Bound::AtMost(most) => value <= most,
        }
    }

    /// The same side, with another figure.
    pub fn with(self, value: f64) -> Self {
        match self {
            Bound::AtLeast(_) => Bound::AtLeast(value),
            Bound::AtMost(_) => Bound::AtMost(value),
        }
    }

    /// The figure.
    pub fn value(self) -> f64 {
        let (Bound::AtLeast(value) | Bound::AtMost(value)) = self;
        value
    }
}

use Bound::{AtLeast, AtMost};
use Unit::{Bytes, MiB, Micros, PerSecond, Percent, Seconds, Times};

/// A row whose figure is the rate of one measurement.
macro_rules! rate {
    (@aim) => { None };
    (@aim $aim:literal) => { Some($aim) };
    ($name:literal, $what:literal, $least:literal $(, $aim:literal)?) => {
        Row {
            name: $name,
            what: $what,
            unit: PerSecond,
            bound: AtLeast($least),
            aim: rate!(@aim $($aim)?),
            needs: &[$name],
            of: |round| round.rate($name),
            opt_in: false,
        }
    };
}

/// A row whose figure follows from some measurements.
macro_rules! row {
    ($name:literal, $what:literal, $unit:expr, $bound:expr, $aim:expr, [$($need:literal),+], $of:expr) => {
        Row {
            name: $name, what: $what, unit: $unit, bound: $bound, aim: $aim,
            needs: &[$($need),+], of: $of, opt_in: false,
        }
    };
}

/// All of them.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    rate!("transfer-1m", "embedded transfer, 1,000,000 accounts, uniform", 700_000.0, 1_500_000.0),
    row!("transfer-1m-map", "… to a hash map in one thread", Times, AtLeast(0.12), None,
        ["transfer-1m", "map-1m"], |round| round.ratio("transfer-1m", "map-1m")),
    row!("transfer-1m-postgres", "… to PostgreSQL", Times, AtLeast(60.0), None,
        ["transfer-1m", "postgres"], |round| round.ratio("transfer-1m", "postgres")),
    row!("transfer-1m-p99", "… p99 at 560,000/s, open loop", Micros, AtMost(10_000.0), None,
        ["transfer-1m-paced"], |round| round.p99("transfer-1m-paced")),
    rate!("transfer-10k", "embedded transfer, 10,000 accounts, uniform", 1_000_000.0, 2_500_000.0),
    row!("transfer-zipf", "embedded transfer, 10,000 accounts, Zipf 1.2, to uniform", Times, AtLeast(1.0), None,
        ["transfer-zipf", "transfer-10k"], |round| round.ratio("transfer-zipf", "transfer-10k")),
    row!("smallbank", "embedded smallbank of size 4, the slowest of six skews", PerSecond, AtLeast(400_000.0), Some(800_000.0),
        ["smallbank-uniform", "smallbank-zipf-0.9", "smallbank-zipf-1.0", "smallbank-zipf-1.25", "smallbank-zipf-1.5", "smallbank-hotspot"],
        |round| round.slowest(&["smallbank-uniform", "smallbank-zipf-0.9", "smallbank-zipf-1.0", "smallbank-zipf-1.25", "smallbank-zipf-1.5", "smallbank-hotspot"])),
    row!("smallbank-64", "… with 64 in flight, the slowest of three skews", PerSecond, AtLeast(400_000.0), Some(800_000.0),
        ["smallbank-64-uniform", "smallbank-64-zipf-1.5", "smallbank-64-hotspot"],
        |round| round.slowest(&["smallbank-64-uniform", "smallbank-64-zipf-1.5", "smallbank-64-hotspot"])),
    rate!("marketplace", "embedded marketplace", 40_000.0, 80_000.0),
    rate!("marketplace-http", "marketplace over HTTP", 15_000.0, 30_000.0),
    row!("http", "HTTP/1.1 transfer, 64 connections, to HTTP echo", Times, AtLeast(0.5), Some(0.7),
        ["http", "http-echo"], |round| round.ratio("http", "http-echo")),
    rate!("stream-64x40", "stream, keynote, 64 × 40 in flight, α = 0", 300_000.0, 600_000.0),
    row!("stream-64x40-echo", "… to WebSocket echo", Times, AtLeast(0.25), None,
        ["stream-64x40", "stream-echo-64x40"], |round| round.ratio("stream-64x40", "stream-echo-64x40")),
    row!("stream-64x40-p99", "… p99", Micros, AtMost(20_000.0), None,
        ["stream-64x40"], |round| round.p99("stream-64x40")),
    rate!("stream-64x40-zipf", "stream, keynote, 64 × 40 in flight, α = 1.5", 300_000.0, 600_000.0),
    row!("stream-64x40-zipf-echo", "… to WebSocket echo", Times, AtLeast(0.25), None,
        ["stream-64x40-zipf", "stream-echo-64x40"], |round| round.ratio("stream-64x40-zipf", "stream-echo-64x40")),
    row!("stream-64x40-zipf-p99", "… p99", Micros, AtMost(20_000.0), None,
        ["stream-64x40-zipf"], |round| round.p99("stream-64x40-zipf")),
    rate!("stream-64x40-keys", "… α = 0, each call with an idempotency key", 300_000.0, 600_000.0),
    row!("stream-64x1", "stream, 64 × 1, to WebSocket echo", Times, AtLeast(0.5), Some(0.7),
        ["stream-64x1", "stream-echo-64x1"], |round| round.ratio("stream-64x1", "stream-echo-64x1")),
    row!("stream-1x1", "stream, 1 × 1: p50 to p50 of echo and fdatasync of 4 KiB", Times, AtMost(1.5), Some(1.2),
        ["stream-1x1", "stream-echo-1x1", "sync-4k"], |round| round.p50_to_limits("stream-1x1", "stream-echo-1x1")),
    rate!("batch", "batch endpoint, 16 clients with batches of 256", 300_000.0, 600_000.0),
    row!("query", "query over HTTP, 64 connections, to HTTP echo", Times, AtLeast(0.8), Some(0.9),
        ["query", "query-echo"], |round| round.ratio("query", "query-echo")),
    row!("http-1", "one call at a time over HTTP: p50 to p50 of echo and fdatasync of 4 KiB", Times, AtMost(1.5), Some(1.2),
        ["http-1", "http-echo-1", "sync-4k"], |round| round.p50_to_limits("http-1", "http-echo-1")),
    rate!("replay", "replay of a log from seq 1, start of the process included", 1_000_000.0, 2_000_000.0),
    row!("recovery", "ready after kill -9 at full load, 1,000,000 accounts", Seconds, AtMost(3.0), Some(1.0),
        ["recovery"], |round| Some(round.get("recovery", "ready_ms")? / 1e3)),
    row!("memory", "memory of a small entity", Bytes, AtMost(300.0), Some(150.0),
        ["memory"], |round| round.get("memory", "bytes")),
    rate!("larger-than-memory", "state ten times the memory, uniform", 20_000.0, 50_000.0),
    row!("idle-cpu", "idle process, of a core", Percent, AtMost(0.5), Some(0.1),
        ["idle"], |round| round.get("idle", "cpu_percent")),
    row!("idle-memory", "idle process, memory", MiB, AtMost(40.0), Some(20.0),
        ["idle"], |round| round.get("idle", "resident_mib")),
    row!("checkpoints-p999", "checkpoints at full load: p99.9 rises by", Micros, AtMost(10_000.0), None,
        ["transfer-1m", "transfer-1m-no-checkpoints"],
        |round| Some(round.get("transfer-1m", "p999_us")? - round.get("transfer-1m-no-checkpoints", "p999_us")?)),
    row!("checkpoints-paced-p999", "checkpoints at 560,000/s, open loop: p99.9 rises by", Micros, AtMost(10_000.0), None,
        ["transfer-1m-paced", "transfer-1m-paced-no-checkpoints"],
        |round| Some(round.get("transfer-1m-paced", "p999_us")? - round.get("transfer-1m-paced-no-checkpoints", "p999_us")?)),
    row!("checkpoints", "checkpoints at full load: throughput to that without", Times, AtLeast(0.9), None,
        ["transfer-1m", "transfer-1m-no-checkpoints"], |round| round.ratio("transfer-1m", "transfer-1m-no-checkpoints")),
    row!("history", "growth of history: p99 of the last fifth of a long run to its first", Times, AtMost(1.2), None,
        ["history"], |round| Some(round.get("history", "last_p99_us")? / round.get("history", "first_p99_us")?)),
    Row { opt_in: true, ..row!("growth", "growth: throughput of 10,000,000 entities to that of 1,000,000", Times, AtLeast(0.6), Some(1.0),
        ["growth-10m", "growth-1m"], |round| round.ratio("growth-10m", "growth-1m")) },
    rate!("ts", "transfer in TypeScript, embedded", 60_000.0),
    row!("ts-plain", "… to a loop of the same JSON in the plain interpreter", Times, AtLeast(1.0 / 3.0), None,
        ["ts", "modules"], |round| Some(round.rate("ts")? / round.get("modules", "bare_per_second")?)),
    rate!("wasm", "transfer in Rust as WebAssembly, fresh instances, embedded", 25_000.0),
    rate!("wasm-reuse", "… with instances that serve many transactions", 150_000.0),
    row!("ts-http", "TypeScript over HTTP, to the smaller of embedded and Rust over HTTP", Times, AtLeast(0.8), None,
        ["ts-http", "ts", "rust-http"], |round| round.to_smaller("ts-http", "ts", "rust-http")),
    row!("wasm-http", "WebAssembly over HTTP, the same, fresh instances", Times, AtLeast(0.8), None,
        ["wasm-http", "wasm", "rust-http"], |round| round.to_smaller("wasm-http", "wasm", "rust-http")),
    row!("wasm-reuse-http", "… with instances that serve many transactions", Times, AtLeast(0.8), None,
        ["wasm-reuse-http", "wasm-reuse", "rust-http"], |round| round.to_smaller("wasm-reuse-http", "wasm-reuse", "rust-http")),
    row!("ts-cold", "first call of a TypeScript module after a start", Micros, AtMost(5_000.0), None,
        ["modules"], |round| round.micros("modules", "ts_cold_ms")),
    row!("wasm-cold", "first call of a WebAssembly module after a start, compiled before", Micros, AtMost(10_000.0), None,
        ["modules"], |round| round.micros("modules", "wasm_cold_ms")),
    row!("ts-deploy", "bank.ts, from its source to its first answer", Micros, AtMost(200_000.0), None,
        ["modules"], |round| round.micros("modules", "ts_deployed_ms")),
    row!("many-modules", "1,000 modules, each called once: memory for each", MiB, AtMost(0.1), None,
        ["modules"], |round| Some(round.get("modules", "many_kib")? / 1024.0)),
    row!("hostile-memory", "memory that hostile modules leave behind", MiB, AtMost(16.0), None,
        ["modules"], |round| Some(round.get("modules", "hostile_ts_mib")?.max(round.get("modules", "hostile_wasm_mib")?))),
    row!("ts-upgrades", "upgrades under load, none of whose calls fail: p99.9 rises by", Micros, AtMost(50_000.0), None,
        ["modules"], |round| round.micros("modules", "upgrades_later_ms")),
];
