//! What is measured once at several points, for the plots: latency against offered load, throughput against
//! skew, against the number of entities, against the size of a state.

use super::measures::Measure;
use super::session::{Sample, Session};

/// Measurements along one quantity.
pub struct Sweep {
    /// What it is chosen by.
    pub name: &'static str,
    /// What is shown.
    pub title: &'static str,
    /// What is along it, with its unit.
    pub x: &'static str,
    /// Whether its steps are factors.
    pub log: bool,
    /// The lines: the words of `bench`, and a name.
    pub lines: &'static [Line],
    /// Where it is measured.
    pub points: fn(&Session) -> Vec<f64>,
    /// The figures that are shown of each.
    pub figures: &'static [&'static str],
}

/// One line of a sweep.
pub struct Line {
    /// What it is.
    pub name: &'static str,
    /// The words of `bench`, in which `{}` is the point.
    pub args: &'static str,
}

/// What is known of the rate without a limit, if that was not measured.
const RATE: f64 = 500_000.0;
/// Parts of it that are offered.
const PARTS: [f64; 8] = [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// All of them.
#[rustfmt::skip]
pub const SWEEPS: &[Sweep] = &[
    Sweep {
        name: "plot-load", title: "Latency against offered load: embedded transfer, 1,000,000 accounts, open loop",
        x: "transactions offered a second", log: false, figures: &["p50_us", "p99_us", "p999_us"],
        lines: &[Line { name: "", args: "transfer --accounts 1000000 --rate {}" }],
        points: |session| {
            let rate = session.over(|round| round.rate("transfer-1m")).map_or(RATE, |over| over.median);
            PARTS.iter().map(|part| (part * rate / 1e3).round() * 1e3).collect()
        },
    },
    Sweep {
        name: "plot-skew", title: "Throughput against skew: embedded, 10,000 entities",
        x: "exponent of Zipf's law", log: false, figures: &["per_second"],
        lines: &[
            Line { name: "transfer", args: "transfer --accounts 10000 --spread zipf:{}" },
            Line { name: "smallbank, size 4", args: "smallbank --size 4 --spread zipf:{}" },
        ],
        points: |_| vec![0.0, 0.5, 0.9, 0.99, 1.2, 1.5],
    },
    Sweep {
        name: "plot-entities", title: "Throughput against the number of entities: embedded transfer",
        x: "entities", log: true, figures: &["per_second"],
        lines: &[Line { name: "transfer", args: "transfer --accounts {}" }],
        points: |_| vec![1e3, 1e4, 1e5, 1e6],
    },
    Sweep {
        name: "plot-state", title: "Throughput against the size of a state: embedded, 2,000 notes",
        x: "bytes of a state", log: true, figures: &["per_second"],
        lines: &[Line { name: "notes", args: "notes --state-bytes {}" }],
        points: |_| vec![1e1, 1e2, 1e3, 1e4, 1e5],
    },
];

/// A point of a line, and what was measured there.
pub struct Point {
    /// The sweep's name.
    pub sweep: &'static str,
    /// The line's.
    pub line: &'static str,
    /// Where.
    pub x: f64,
    /// What.
    pub sample: Sample,
}

impl Line {
    /// What is measured at this point.
    pub fn at(&self, x: f64) -> Measure {
        Measure::new(self.name, self.args.replace("{}", &x.to_string()))
    }
}
