//! What is measured: each a command line of `bench`, so that it can be repeated by itself.

/// One measurement.
#[derive(Debug)]
pub struct Measure {
    /// What rows know it by.
    pub name: &'static str,
    /// The words after `bench`, but those for how long, with which seed and how often.
    pub args: &'static str,
}

const fn measure(name: &'static str, args: &'static str) -> Measure {
    Measure { name, args }
}

/// All of them, in the order in which they are made: what is compared is made close together.
#[rustfmt::skip]
pub const MEASURES: &[Measure] = &[
    measure("map-1m", "limits --only map-1m"),
    measure("transfer-1m", "transfer --accounts 1000000"),
    measure("transfer-10k", "transfer --accounts 10000"),
    measure("transfer-zipf", "transfer --accounts 10000 --spread zipf:1.2"),
    measure("stream-64x40", "transfer --keynote --server --stream --clients 64 --in-flight 40"),
];

impl Measure {
    /// Whether it is a limit, which has neither warm-up nor rounds of its own.
    pub fn is_limit(&self) -> bool {
        self.args.starts_with("limits")
    }
}
