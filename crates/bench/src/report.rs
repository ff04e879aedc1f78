//! Results of a run: the median of its windows with the least and the greatest, as a table or as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use ordain_cli::Output;
use serde::Serialize;

use crate::measure::{Counts, Record};

/// Quantiles that are shown.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

/// Processor time at the start of each window and at the end of the last.
#[derive(Debug, Clone, Default)]
pub struct CpuTimes {
    /// Of this process.
    pub own: Vec<Option<Duration>>,
    /// Of a server that is our child.
    pub server: Vec<Option<Duration>>,
}

/// A run's results.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which workload.
    pub workload: &'static str,
    /// Its sizes and spreads.
    pub about: String,
    /// How it was driven.
    pub driver: String,
    /// What all choices follow from.
    pub seed: u64,
    /// What does not hold; empty if all does.
    pub violations: Vec<String>,
    /// Each figure over the windows.
    pub figures: Vec<Figure>,
    /// Transactions that committed while it was measured, by kind.
    pub committed: BTreeMap<&'static str, u64>,
    /// Transactions that said no while it was measured, by code.
    pub rejections: BTreeMap<String, u64>,
    /// Transactions that broke a limit or crashed, warm-up included.
    pub faults: u64,
    /// Requests that were not answered, warm-up included.
    pub unanswered: u64,
    /// The first fault or failure to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_trouble: Option<String>,
}

/// One figure over the windows of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What, with its unit.
    pub name: &'static str,
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Figure {
    fn over(name: &'static str, mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        Some(Self {
            name,
            median: median(&values),
            min,
            max,
        })
    }
}

/// The middle of sorted values, or between the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    }
}

impl Report {
    /// The results of what was recorded in windows of this length.
    pub fn new(
        (workload, about): (&'static str, String),
        driver: String,
        seed: u64,
        (record, window): (&Record, Duration),
        cpu: &CpuTimes,
        violations: Vec<String>,
    ) -> Self {
        let mut all = Counts::default();
        record.windows.iter().for_each(|counts| all.merge(counts));
        let mut trouble = all.clone();
        trouble.merge(&record.outside);
        Self {
            workload,
            about,
            driver,
            seed,
            violations,
            figures: figures(&record.windows, window, cpu),
            committed: all.committed,
            rejections: all.rejected,
            faults: trouble.faults,
            unanswered: trouble.unanswered,
            first_trouble: trouble.first_trouble,
        }
    }

    /// Prints it: what does not hold comes first.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn print(&self, output: Output) -> std::io::Result<()> {
        if output.json {
            return output.json(self);
        }
        for violation in &self.violations {
            output.line(format!("VIOLATED  {violation}"))?;
        }
        output.line(format!("{}: {}", self.workload, self.about))?;
        output.line(format!("driven    {}", self.driver))?;
        let row = |figure: &Figure| {
            let shown = [figure.median, figure.min, figure.max].map(show);
            std::iter::once(figure.name.to_owned())
                .chain(shown)
                .collect()
        };
        let rows: Vec<Vec<String>> = self.figures.iter().map(row).collect();
        output.table(&["", "median", "min", "max"], &rows)?;
        output.line(format!("committed   {}", list(&self.committed)))?;
        output.line(format!("rejections  {}", list(&self.rejections)))?;
        output.line(format!("faults      {}", self.faults))?;
        output.line(format!("unanswered  {}", self.unanswered))?;
        if let Some(trouble) = &self.first_trouble {
            output.line(format!("            first: {trouble}"))?;
        }
        output.line(format!("seed        {}", self.seed))?;
        let held = if self.violations.is_empty() {
            "hold"
        } else {
            "VIOLATED"
        };
        output.line(format!("invariants  {held}"))
    }
}

fn figures(windows: &[Counts], window: Duration, cpu: &CpuTimes) -> Vec<Figure> {
    let over = |name, value: &dyn Fn(&Counts) -> f64| {
        Figure::over(name, windows.iter().map(value).collect())
    };
    let mut figures = Vec::new();
    figures.extend(over("committed tx/s", &|counts| {
        counts.committed() as f64 / window.as_secs_f64()
    }));
    for (name, quantile) in QUANTILES {
        let name = match name {
            "p50" => "latency p50 µs",
            "p99" => "latency p99 µs",
            _ => "latency p99.9 µs",
        };
        figures.extend(over(name, &|counts| {
            counts.latency.value_at_quantile(quantile) as f64 / 1e3
        }));
    }
    figures.extend(over("latency max µs", &|counts| {
        counts.latency.max() as f64 / 1e3
    }));
    figures.extend(cpu_per_transaction(
        "CPU µs/tx, this process",
        windows,
        &cpu.own,
    ));
    figures.extend(cpu_per_transaction(
        "CPU µs/tx, server",
        windows,
        &cpu.server,
    ));
    figures
}

fn cpu_per_transaction(
    name: &'static str,
    windows: &[Counts],
    times: &[Option<Duration>],
) -> Option<Figure> {
    let spent = times
        .windows(2)
        .map(|pair| Some(pair[1]?.saturating_sub(pair[0]?)));
    let each = windows.iter().zip(spent).filter_map(|(counts, spent)| {
        let committed = counts.committed().max(1) as f64;
        Some(spent?.as_secs_f64() * 1e6 / committed)
    });
    Figure::over(name, each.collect())
}

fn list<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let each: Vec<_> = counts
        .iter()
        .map(|(name, n)| format!("{name} {}", thousands(*n)))
        .collect();
    if each.is_empty() {
        "none".to_owned()
    } else {
        each.join(", ")
    }
}

/// Three digits or more, no more than needed.
fn show(value: f64) -> String {
    match value {
        value if value >= 100.0 => thousands(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// `1234567` is `1,234,567`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A time as people read it: `12.3 ms`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.0} µs", s * 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_the_middle_and_the_ends() {
        let figure = Figure::over("x", vec![3.0, 1.0, 2.0]).expect("some");
        assert_eq!((figure.median, figure.min, figure.max), (2.0, 1.0, 3.0));
        assert_eq!(Figure::over("x", vec![4.0, 1.0]).expect("some").median, 2.5);
        assert!(Figure::over("x", vec![]).is_none());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(show(99.96), "100.0");
        assert_eq!(show(1.234), "1.23");
        assert_eq!(time(Duration::from_micros(1_500)), "1.5 ms");
    }
}
