//! What is measured: each a command line of `bench`, so that it can be repeated by itself.

use std::borrow::Cow;

/// One measurement.
#[derive(Debug)]
pub struct Measure {
    /// What rows know it by.
    pub name: &'static str,
    /// The words after `bench`, but those for how long, with which seed and how often.
    pub args: Cow<'static, str>,
}

const fn measure(name: &'static str, args: &'static str) -> Measure {
    Measure {
        name,
        args: Cow::Borrowed(args),
    }
}

/// All of them, in the order in which they are made: what is compared is made close together.
#[rustfmt::skip]
pub const MEASURES: &[Measure] = &[
    measure("map-1m", "limits --only map-1m"),
    measure("memory-64m", "limits --only memory-64m"),
    measure("postgres", "limits --only postgres"),
    measure("transfer-1m", "transfer --accounts 1000000"),
    measure("transfer-1m-paced", "transfer --accounts 1000000 --rate 560000"),
    measure("transfer-1m-paced-no-checkpoints", "transfer --accounts 1000000 --rate 560000 --no-checkpoints"),
    measure("transfer-1m-no-checkpoints", "transfer --accounts 1000000 --no-checkpoints"),
    measure("transfer-10k", "transfer --accounts 10000"),
    measure("transfer-zipf", "transfer --accounts 10000 --spread zipf:1.2"),
    measure("smallbank-uniform", "smallbank --size 4"),
    measure("smallbank-zipf-0.9", "smallbank --size 4 --spread zipf:0.9"),
    measure("smallbank-zipf-1.0", "smallbank --size 4 --spread zipf:1.0"),
    measure("smallbank-zipf-1.25", "smallbank --size 4 --spread zipf:1.25"),
    measure("smallbank-zipf-1.5", "smallbank --size 4 --spread zipf:1.5"),
    measure("smallbank-hotspot", "smallbank --size 4 --spread hotspot"),
    measure("smallbank-64-uniform", "smallbank --size 4 --in-flight 64"),
    measure("smallbank-64-zipf-1.5", "smallbank --size 4 --in-flight 64 --spread zipf:1.5"),
    measure("smallbank-64-hotspot", "smallbank --size 4 --in-flight 64 --spread hotspot"),
    measure("smallbank-classic", "smallbank --classic"),
    measure("marketplace", "marketplace"),
    measure("marketplace-http", "marketplace --server --clients 64"),
    measure("travel", "travel"),
    measure("travel-reserve", "travel --reserve"),
    measure("movie", "movie"),
    measure("retwis", "retwis"),
    measure("http-echo", "limits --only http-echo"),
    measure("http", "transfer --server --clients 64"),
    measure("query-echo", "limits --only query-echo"),
    measure("query", "transfer --queries --server --clients 64"),
    measure("batch", "transfer --server --clients 16 --batch 256"),
    measure("stream-echo-64x40", "limits --only stream-echo-64x40"),
    measure("stream-64x40", "transfer --keynote --server --stream --clients 64 --in-flight 40"),
    measure("stream-64x40-zipf", "transfer --keynote --spread zipf:1.5 --server --stream --clients 64 --in-flight 40"),
    measure("stream-64x40-keys", "transfer --keynote --keys --server --stream --clients 64 --in-flight 40"),
    measure("stream-echo-64x1", "limits --only stream-echo-64x1"),
    measure("stream-64x1", "transfer --keynote --server --stream --clients 64 --in-flight 1"),
    measure("sync-4k", "limits --only sync-4k"),
    measure("sync-64k", "limits --only sync-64k"),
    measure("stream-echo-1x1", "limits --only stream-echo-1x1"),
    measure("stream-1x1", "transfer --keynote --server --stream --clients 1 --in-flight 1"),
    measure("http-echo-1", "limits --only http-echo-1"),
    measure("http-1", "transfer --server --clients 1"),
    measure("replay", "replay --accounts 100000"),
    measure("recovery", "recovery --accounts 1000000"),
    measure("memory", "memory --entities 1000000"),
    measure("larger-than-memory", "transfer --accounts 1000000 --state-over-memory 10"),
    measure("idle", "idle"),
    measure("history", "transfer --accounts 100000 --runs 5"),
    measure("growth-1m", "transfer --accounts 1000000 --memory-budget 8192"),
    measure("growth-10m", "transfer --accounts 10000000 --memory-budget 8192"),
    measure("ts", "transfer --lang ts"),
    measure("wasm", "transfer --lang wasm"),
    measure("wasm-reuse", "transfer --lang wasm-reuse"),
    measure("rust-http", "transfer --server --clients 64 --lang rust"),
    measure("ts-http", "transfer --server --clients 64 --lang ts"),
    measure("wasm-http", "transfer --server --clients 64 --lang wasm"),
    measure("wasm-reuse-http", "transfer --server --clients 64 --lang wasm-reuse"),
    measure("modules", "modules"),
];

/// What is measured beside what rows need: no figure of it is to be reached.
pub const BESIDE: &[&str] = &[
    "memory-64m",
    "smallbank-classic",
    "travel",
    "travel-reserve",
    "movie",
    "retwis",
    "sync-64k",
];

/// Which of the commands of `bench` it is, by the words that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Transactions, with a warm-up.
    Workload,
    /// A limit.
    Limit,
    /// A server that is killed.
    Recovery,
    /// What draws nothing by chance: a process that idles, or what deploying takes.
    Fixed,
}

impl Measure {
    /// One that is made up as it goes: a point of a plot.
    pub fn new(name: &'static str, args: String) -> Self {
        Self {
            name,
            args: Cow::Owned(args),
        }
    }

    /// Which it is.
    pub fn kind(&self) -> Kind {
        match self.args.split(' ').next() {
            Some("limits") => Kind::Limit,
            Some("recovery" | "replay") => Kind::Recovery,
            Some("memory" | "idle" | "modules") => Kind::Fixed,
            _ => Kind::Workload,
        }
    }
}
