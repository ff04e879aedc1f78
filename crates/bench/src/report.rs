//! Results of a run: the median of its windows with the least and the greatest, as a table or as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use ordain_cli::{Exit, Failure, Output};
use serde::Serialize;

use crate::language::Language;
use crate::measure::{Counts, Record};

/// What a figure is called: by programs, and by people with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Name {
    /// For programs.
    pub key: &'static str,
    /// For people.
    pub name: &'static str,
}

const fn name(key: &'static str, name: &'static str) -> Name {
    Name { key, name }
}

/// Transactions that committed.
pub const PER_SECOND: Name = name("per_second", "committed tx/s");
/// Processor time of this process.
pub const CPU_OWN: Name = name("cpu_own_us", "CPU µs/tx, this process");
/// Processor time of a server that is our child.
pub const CPU_SERVER: Name = name("cpu_server_us", "CPU µs/tx, server");
/// The longest a transaction took.
const MAX: Name = name("max_us", "latency max µs");
/// Quantiles that are shown.
const QUANTILES: [(Name, f64); 3] = [
    (name("p50_us", "latency p50 µs"), 0.5),
    (name("p99_us", "latency p99 µs"), 0.99),
    (name("p999_us", "latency p99.9 µs"), 0.999),
];
/// How many points a distribution of latencies has at most.
const POINTS: usize = 200;

/// Processor time spent in each window.
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
    /// What its methods are written in.
    pub language: Language,
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
    /// What committed in each tenth of a second, warm-up included.
    pub ticks: Vec<u64>,
    /// Latencies: the part of the transactions that took so many microseconds or less.
    pub distribution: Vec<(f64, f64)>,
}

/// One figure over the windows of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What.
    #[serde(flatten)]
    pub name: Name,
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// That of the first window.
    pub first: f64,
    /// That of the last.
    pub last: f64,
}

impl Figure {
    /// Of these values; none of no values.
    pub fn over(name: Name, mut values: Vec<f64>) -> Option<Self> {
        let (first, last) = (*values.first()?, *values.last()?);
        values.sort_by(f64::total_cmp);
        let (min, max) = (values[0], values[values.len() - 1]);
        Some(Self {
            name,
            first,
            last,
            median: median(&values),
            min,
            max,
        })
    }
}

impl Figure {
    fn cells(&self) -> Vec<String> {
        let shown = [self.median, self.min, self.max].map(show);
        let name = self.name.name.to_owned();
        std::iter::once(name).chain(shown).collect()
    }
}

/// The middle of sorted values, or between the two in the middle.
pub fn median(sorted: &[f64]) -> f64 {
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
        (driver, language): (String, Language),
        seed: u64,
        (record, window): (&Record, Duration),
        cpu: &CpuTimes,
        violations: Vec<String>,
    ) -> Self {
        let mut all = Counts::default();
        record.windows.iter().for_each(|counts| all.merge(counts));
        let distribution = distribution(&all);
        let mut trouble = all.clone();
        trouble.merge(&record.outside);
        Self {
            workload,
            about,
            driver,
            language,
            seed,
            violations,
            figures: figures(&record.windows, window, cpu),
            committed: all.committed,
            rejections: all.rejected,
            faults: trouble.faults,
            unanswered: trouble.unanswered,
            first_trouble: trouble.first_trouble,
            ticks: record.ticks.clone(),
            distribution,
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
        head(output, &self.violations, self.workload, &self.about)?;
        if self.language != Language::Rust {
            output.line(format!("language  {}", self.language.name()))?;
        }
        output.line(format!("driven    {}", self.driver))?;
        table(output, &self.figures)?;
        output.line(format!("committed   {}", list(&self.committed)))?;
        output.line(format!("rejections  {}", list(&self.rejections)))?;
        output.line(format!("faults      {}", self.faults))?;
        output.line(format!("unanswered  {}", self.unanswered))?;
        if let Some(trouble) = &self.first_trouble {
            output.line(format!("            first: {trouble}"))?;
        }
        output.line(format!("seed        {}", self.seed))?;
        output.line(format!("invariants  {}", self.held()))
    }

    /// Whether its invariants hold, for people.
    pub fn held(&self) -> &'static str {
        match self.violations.is_empty() {
            true => "hold",
            false => "VIOLATED",
        }
    }

    /// The figure that programs know by this name.
    pub fn figure(&self, key: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name.key == key)
    }
}

fn head(output: Output, violations: &[String], what: &str, about: &str) -> std::io::Result<()> {
    for violation in violations {
        output.line(format!("VIOLATED  {violation}"))?;
    }
    output.line(format!("{what}: {about}"))
}

fn table(output: Output, figures: &[Figure]) -> std::io::Result<()> {
    let rows: Vec<_> = figures.iter().map(Figure::cells).collect();
    output.table(&["", "median", "min", "max"], &rows)
}

/// Figures that are not of transactions.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// What was measured.
    pub what: &'static str,
    /// How.
    pub about: String,
    /// What does not hold; empty if all does.
    pub violations: Vec<String>,
    /// Each figure over the runs.
    pub figures: Vec<Figure>,
    /// What all choices follow from.
    pub seed: u64,
}

impl Findings {
    /// What does not hold comes first.
    fn print(&self, output: Output) -> std::io::Result<()> {
        if output.json {
            return output.json(self);
        }
        head(output, &self.violations, self.what, &self.about)?;
        table(output, &self.figures)?;
        output.line(format!("seed        {}", self.seed))
    }

    /// Prints them, and fails where an invariant does not hold.
    ///
    /// # Errors
    /// If they cannot be written, or an invariant is violated.
    pub fn conclude(&self, output: Output) -> Result<(), Failure> {
        self.print(output)?;
        match self.violations.is_empty() {
            true => Ok(()),
            false => Err(violated()),
        }
    }
}

/// How a command ends that found an invariant violated.
pub fn violated() -> Failure {
    Failure::new(Exit::Failed, "an invariant is violated")
}

fn distribution(counts: &Counts) -> Vec<(f64, f64)> {
    let latency = &counts.latency;
    if latency.is_empty() {
        return Vec::new();
    }
    // Finer towards the end: the slow ones are what a distribution is looked at for.
    let quantile = |at: usize| 1.0 - 10_f64.powf(-5.0 * at as f64 / POINTS as f64);
    let point = |q: f64| (q, latency.value_at_quantile(q) as f64 / 1e3);
    (0..=POINTS).map(|at| point(quantile(at))).collect()
}

fn figures(windows: &[Counts], window: Duration, cpu: &CpuTimes) -> Vec<Figure> {
    let over = |name: Name, value: &dyn Fn(&Counts) -> f64| {
        Figure::over(name, windows.iter().map(value).collect())
    };
    let mut figures = Vec::new();
    figures.extend(over(PER_SECOND, &|counts| {
        counts.committed() as f64 / window.as_secs_f64()
    }));
    for (name, quantile) in QUANTILES {
        figures.extend(over(name, &|counts| {
            counts.latency.value_at_quantile(quantile) as f64 / 1e3
        }));
    }
    figures.extend(over(MAX, &|counts| counts.latency.max() as f64 / 1e3));
    figures.extend(cpu_per_transaction(CPU_OWN, windows, &cpu.own));
    figures.extend(cpu_per_transaction(CPU_SERVER, windows, &cpu.server));
    figures
}

fn cpu_per_transaction(
    name: Name,
    windows: &[Counts],
    spent: &[Option<Duration>],
) -> Option<Figure> {
    let each = windows.iter().zip(spent).filter_map(|(counts, spent)| {
        let committed = counts.committed().max(1) as f64;
        Some((*spent)?.as_secs_f64() * 1e6 / committed)
    });
    Figure::over(name, each.collect())
}

/// `transfer 1,234, balance 56`.
pub fn list<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
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
pub fn show(value: f64) -> String {
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
        let figure = Figure::over(PER_SECOND, vec![3.0, 1.0, 2.0]).expect("some");
        assert_eq!((figure.median, figure.min, figure.max), (2.0, 1.0, 3.0));
        assert_eq!(
            Figure::over(PER_SECOND, vec![4.0, 1.0])
                .expect("some")
                .median,
            2.5
        );
        assert!(Figure::over(PER_SECOND, vec![]).is_none());
    }

    #[test]
    fn findings_with_a_violation_fail() {
        let mut findings = Findings {
            what: "modules",
            about: String::new(),
            figures: Vec::new(),
            violations: Vec::new(),
            seed: 0,
        };
        let output = Output { json: true };
        assert!(findings.conclude(output).is_ok());
        findings.violations.push("money was lost".to_owned());
        let failure = findings.conclude(output).expect_err("it is violated");
        assert_eq!(failure.exit, Exit::Failed);
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
