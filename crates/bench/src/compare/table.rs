//! The rows as a table: for people on a terminal, as Markdown for a page, as JSON for programs.

use std::fmt::Write;
use std::time::Duration;

use ordain_cli::Output;
use serde::Serialize;

use super::How;
use super::rows::{Bound, Row, Unit};
use super::session::{Over, Session};
use crate::report::{show, time};

const HEAD: [&str; 6] = [
    "what",
    "at least",
    "aim",
    "measured",
    "min – max",
    "reached",
];

/// The rows and what they came to.
#[derive(Debug, Serialize)]
pub struct Table {
    command: String,
    machine: String,
    rounds: usize,
    seconds: f64,
    seed: u64,
    rows: Vec<Line>,
    /// Every figure of every measurement.
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

/// One figure of one measurement.
#[derive(Debug, Serialize)]
struct Measured {
    measure: &'static str,
    command: String,
    figure: String,
    #[serde(flatten)]
    over: Over,
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
            Unit::Micros => time(Duration::from_secs_f64(value.max(0.0) / 1e6)),
        }
    }
}

impl Table {
    /// Of these rows.
    pub fn new(rows: &[&Row], session: &Session, how: &How, command: String) -> Self {
        let measured = super::needed(rows).into_iter().flat_map(|measure| {
            let said = session.samples().find(|(name, _)| *name == measure.name);
            let keys = said.map(|(_, sample)| sample.figures.keys().cloned().collect::<Vec<_>>());
            keys.unwrap_or_default().into_iter().filter_map(|figure| {
                let over = session.over(|round| round.get(measure.name, &figure))?;
                let command = format!("ordain bench {}", measure.args);
                Some(Measured {
                    measure: measure.name,
                    command,
                    figure,
                    over,
                })
            })
        });
        Self {
            command,
            machine: machine(),
            rounds: how.rounds,
            seconds: how.seconds,
            seed: how.seed,
            rows: rows.iter().map(|row| Line::new(row, session)).collect(),
            measured: measured.collect(),
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn print(&self, output: Output) -> std::io::Result<()> {
        if output.json {
            return output.json(self);
        }
        let rows: Vec<_> = self.rows.iter().map(Line::cells).collect();
        output.table(&HEAD, &rows)?;
        output.line(self.about())
    }

    /// Where and how it was measured.
    fn about(&self) -> String {
        let Self {
            machine,
            rounds,
            seconds,
            seed,
            ..
        } = self;
        format!("{machine}; {rounds} rounds of {seconds} s each, interleaved; seed {seed}")
    }

    /// The same as a part of a page.
    pub fn markdown(&self) -> String {
        let mut out = format!("`{}`\n\n{}.\n\n", self.command, self.about());
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        out.push_str(&row(&HEAD.map(str::to_owned)));
        out.push_str("|---|---|---|---|---|---|\n");
        for line in &self.rows {
            out.push_str(&row(&line.cells()));
        }
        out
    }
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
