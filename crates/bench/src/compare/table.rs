//! The rows as a table: for people on a terminal, as Markdown for a page, as JSON for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use ordain_cli::Output;
use serde::Serialize;

use super::How;
use super::measures::Measure;
use super::rows::{Bound, Row, Unit};
use super::session::{Over, Session};
use crate::report::{show, time};

/// The head of the table.
pub const HEAD: [&str; 6] = [
    "what",
    "at least",
    "aim",
    "measured",
    "min – max",
    "reached",
];

/// The head of what was measured.
pub const MEASURED: [&str; 7] = [
    "measured by",
    "a second",
    "p50",
    "p99",
    "p99.9",
    "CPU µs each, client",
    "CPU µs each, server",
];
/// What is around the table in a page.
const BEGIN: &str = "<!-- figures -->";
const END: &str = "<!-- end of figures -->";

/// The rows and what they came to.
#[derive(Debug, Serialize)]
pub struct Table {
    command: String,
    machine: String,
    rounds: usize,
    seconds: f64,
    /// Before each, uncounted.
    warm_up: f64,
    seed: u64,
    rows: Vec<Line>,
    /// Every measurement with all its figures.
    measured: Vec<Measured>,
}

/// One row.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    what: &'static str,
    least: f64,
    aim: Option<f64>,
    #[serde(flatten)]
    over: Option<Over>,
    reached: Reached,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    /// How figures of it look.
    #[serde(skip)]
    unit: Unit,
    #[serde(skip)]
    bound: Bound,
}

/// How far it is reached, by the median.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reached {
    /// The aim too.
    Aim,
    /// What must be.
    Yes,
    No,
    /// There is no figure.
    Unknown,
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Measured {
    measure: &'static str,
    command: String,
    figures: BTreeMap<String, Over>,
}

impl Measured {
    fn new(measure: &Measure, session: &Session) -> Self {
        let samples = session.samples();
        let mine = samples.filter(|(name, _)| *name == measure.name);
        let keys: BTreeSet<&String> = mine.flat_map(|(_, sample)| sample.figures.keys()).collect();
        let over = |key: &String| {
            Some((
                key.clone(),
                session.over(|round| round.get(measure.name, key))?,
            ))
        };
        Self {
            measure: measure.name,
            command: format!("ordain bench {}", measure.args),
            figures: keys.into_iter().filter_map(over).collect(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let figure = |key: &str, unit: Unit| match self.figures.get(key) {
            Some(over) => unit.show(over.median),
            None => "–".to_owned(),
        };
        let micros = |key| match self.figures.get(key) {
            Some(over) => show(over.median),
            None => "–".to_owned(),
        };
        vec![
            format!("`{}`", self.command),
            figure("per_second", Unit::PerSecond),
            figure("p50_us", Unit::Micros),
            figure("p99_us", Unit::Micros),
            figure("p999_us", Unit::Micros),
            micros("cpu_own_us"),
            micros("cpu_server_us"),
        ]
    }
}

impl Line {
    fn new(row: &Row, session: &Session) -> Self {
        let over = session.over(row.of);
        let reached = match over {
            None => Reached::Unknown,
            Some(over) if !row.bound.holds(over.median) => Reached::No,
            Some(over) => match row.aim {
                Some(aim) if row.bound.with(aim).holds(over.median) => Reached::Aim,
                _ => Reached::Yes,
            },
        };
        let why_not = match over {
            Some(_) => None,
            None => row
                .needs
                .iter()
                .find_map(|need| session.why_not(need))
                .map(str::to_owned),
        };
        let Row {
            name,
            what,
            unit,
            bound,
            aim,
            ..
        } = *row;
        let least = bound.value();
        Self {
            name,
            what,
            least,
            aim,
            over,
            reached,
            why_not,
            unit,
            bound,
        }
    }

    fn cells(&self) -> Vec<String> {
        let sign = match self.bound {
            Bound::AtLeast(_) => "≥",
            Bound::AtMost(_) => "≤",
        };
        let none = || "–".to_owned();
        let shown = |value: f64| self.unit.show(value);
        let reached = match self.reached {
            Reached::Aim => "yes, aim too",
            Reached::Yes => "yes",
            Reached::No => "NO",
            Reached::Unknown => "unknown",
        };
        vec![
            self.what.to_owned(),
            format!("{sign} {}", shown(self.least)),
            self.aim.map_or_else(none, shown),
            self.over.map_or_else(none, |over| shown(over.median)),
            self.over.map_or_else(none, |over| {
                format!("{} – {}", shown(over.min), shown(over.max))
            }),
            self.why_not.clone().unwrap_or_else(|| reached.to_owned()),
        ]
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::PerSecond => format!("{}/s", show(value)),
            Unit::Times => format!("{} ×", show(value)),
            Unit::Micros if value < 0.0 => format!("−{}", Unit::Micros.show(-value)),
            Unit::Micros => time(Duration::from_secs_f64(value / 1e6)),
            Unit::Seconds => format!("{} s", show(value)),
            Unit::Bytes => format!("{} bytes", show(value)),
            Unit::MiB => format!("{} MiB", show(value)),
            Unit::Percent => format!("{} %", show(value)),
        }
    }
}

impl Table {
    /// Of these rows.
    pub fn new(
        rows: &[&Row],
        measures: &[&Measure],
        session: &Session,
        how: &How,
        command: String,
    ) -> Self {
        let measures = measures.iter();
        let measured = measures.map(|measure| Measured::new(measure, session));
        Self {
            command,
            machine: machine(),
            rounds: how.rounds,
            seconds: how.seconds,
            warm_up: how.warm_up.as_secs_f64(),
            seed: how.seed,
            rows: rows.iter().map(|row| Line::new(row, session)).collect(),
            measured: measured.collect(),
        }
    }

    /// The command that made it.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The cells of its rows.
    pub fn cells(&self) -> Vec<Vec<String>> {
        self.rows.iter().map(Line::cells).collect()
    }

    /// Prints it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn print(&self, output: Output) -> std::io::Result<()> {
        if output.json {
            return output.json(self);
        }
        output.table(&HEAD, &self.cells())?;
        output.table(&MEASURED, &self.measured())?;
        output.line(self.about())
    }

    /// Where and how it was measured.
    pub fn about(&self) -> String {
        let Self {
            machine,
            rounds,
            seconds,
            warm_up,
            seed,
            ..
        } = self;
        format!(
            "{machine}; {rounds} rounds of {seconds} s each after {warm_up} s to warm up, interleaved; seed {seed}"
        )
    }

    /// The cells of what was measured.
    pub fn measured(&self) -> Vec<Vec<String>> {
        self.measured.iter().map(Measured::cells).collect()
    }

    /// The same as a part of a page.
    pub fn markdown(&self) -> String {
        let about = format!("`{}`\n\n{}.", self.command, self.about());
        let rows = markdown_table(&HEAD, &self.cells());
        let measured = markdown_table(&MEASURED, &self.measured());
        format!("{about}\n\n{rows}\nMedians of every measurement:\n\n{measured}")
    }

    /// A page in whose marked part this is the table; without such a part it is all of the page.
    pub fn page_with(&self, page: &str) -> String {
        let parts = page
            .split_once(BEGIN)
            .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        match parts {
            Some((before, after)) => {
                format!("{before}{BEGIN}\n\n{}\n{END}{after}", self.markdown())
            }
            None => self.markdown(),
        }
    }
}

fn markdown_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for cells in rows {
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

/// What it was measured on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut model = info
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let mut about = format!("{cores} cores");
    if let Some((_, model)) = model.next() {
        let _ = write!(about, " of {}", model.trim());
    }
    about
}
