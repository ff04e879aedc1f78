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
use Unit::{Micros, PerSecond, Times};

/// All of them.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    Row {
        name: "transfer-1m", what: "embedded transfer, 1,000,000 accounts, uniform",
        needs: &["transfer-1m"], of: |round| round.rate("transfer-1m"),
        unit: PerSecond, bound: AtLeast(700_000.0), aim: Some(1_500_000.0),
    },
    Row {
        name: "transfer-1m-map", what: "… to a hash map in one thread",
        needs: &["transfer-1m", "map-1m"], of: |round| round.ratio("transfer-1m", "map-1m"),
        unit: Times, bound: AtLeast(0.12), aim: None,
    },
    Row {
        name: "transfer-10k", what: "embedded transfer, 10,000 accounts, uniform",
        needs: &["transfer-10k"], of: |round| round.rate("transfer-10k"),
        unit: PerSecond, bound: AtLeast(1_000_000.0), aim: Some(2_500_000.0),
    },
    Row {
        name: "transfer-zipf", what: "embedded transfer, 10,000 accounts, Zipf 1.2, to uniform",
        needs: &["transfer-zipf", "transfer-10k"], of: |round| round.ratio("transfer-zipf", "transfer-10k"),
        unit: Times, bound: AtLeast(1.0), aim: None,
    },
    Row {
        name: "stream-64x40", what: "stream, keynote, 64 clients with 40 in flight, α = 0",
        needs: &["stream-64x40"], of: |round| round.rate("stream-64x40"),
        unit: PerSecond, bound: AtLeast(300_000.0), aim: Some(600_000.0),
    },
    Row {
        name: "stream-64x40-p99", what: "… p99",
        needs: &["stream-64x40"], of: |round| round.p99("stream-64x40"),
        unit: Micros, bound: AtMost(20_000.0), aim: None,
    },
];
