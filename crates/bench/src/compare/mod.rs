//! The command `bench compare`: the limits, the workloads and a peer, measured in one go on one machine,
//! and held against the figures that Ordain is to reach.
//!
//! ```text
//!   measures   what is measured: each a command line of `bench`
//!   child      one of them, run as a process of its own
//!   session    what they said, round by round
//!   rows       what is to be reached, and how it follows from what was measured
//!   sweeps     what is measured at several points, for the plots
//!   table      the rows for people, as Markdown, as JSON
//!   html       the report; plot: one plot as SVG
//! ```
//!
//! Each measurement is a process of its own, so that none inherits memory, threads or caches of another,
//! and can be repeated by itself. All of them are run in turn, and then all again: what disturbs the
//! machine for a while disturbs neighbours, whose ratio is what counts.

mod child;
mod html;
mod measures;
mod plot;
mod rows;
mod session;
mod sweeps;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain_cli::{Context, Exit, Failure, Output, parse_duration};

use self::child::Child;
use self::measures::{BESIDE, MEASURES, Measure};
use self::rows::{ROWS, Row};
use self::session::{Round, Session};
use self::sweeps::{Point, SWEEPS, Sweep};
use self::table::Table;
use crate::pick::picked;
use crate::run::{new_seed, until_interrupted};

#[derive(Debug, Clone, Args)]
struct Words {
    /// Only these rows, by names with commas between; * is any part of a name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Print the names of the rows, with the commands that measure them
    #[arg(long)]
    list: bool,
    /// A look: one round of two seconds each
    #[arg(long)]
    quick: bool,
    /// Measure with ten million entities too, which takes gigabytes of memory and minutes more
    #[arg(long)]
    growth: bool,
    /// How many times everything is measured [default: 3]
    #[arg(long)]
    runs: Option<usize>,
    /// How many seconds each measurement lasts [default: 10]
    #[arg(long)]
    seconds: Option<f64>,
    /// How long each warms up before [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    warm_up: Option<Duration>,
    /// What all choices follow from [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// Where data is written meanwhile [default: the temporary directory]
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Run each measurement under this command: "taskset -c 0,1"
    #[arg(long, value_name = "COMMAND")]
    under: Option<String>,
    /// Write a report with plots to this file, as HTML; the plots take some minutes more
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the table to this file, as Markdown: into its marked part, if it has one
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// How measurements are made.
#[derive(Debug, Clone)]
struct How {
    rounds: usize,
    seconds: f64,
    warm_up: Duration,
    seed: u64,
    dir: Option<PathBuf>,
    under: Vec<String>,
}

/// The command.
pub fn command() -> Command {
    let about = "Measure limits, workloads and PostgreSQL, and compare with the figures to reach";
    Words::augment_args(Command::new("compare").about(about))
}

/// Measures, prints, writes the report.
///
/// # Errors
/// If a measurement fails, an invariant among its reasons; not if a figure is not reached.
pub fn run(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    let rows = words.rows().map_err(Failure::usage)?;
    if words.list {
        return list(&rows, context.output);
    }
    let how = words.how().map_err(Failure::usage)?;
    let sweeps = words.sweeps();
    let measures = words.measures(&rows);
    let (session, points) = until_interrupted(async |_| {
        let session = measure(&measures, &how).await?;
        let points = sweep(&sweeps, &session, &how).await?;
        Ok((session, points))
    })?;
    let table = Table::new(&rows, &measures, &session, &how, this_command());
    table.print(context.output)?;
    if let Some(path) = &words.markdown {
        let page = std::fs::read_to_string(path).unwrap_or_default();
        write(path, table.page_with(&page))?;
    }
    if let Some(path) = &words.out {
        write(path, html::page(&table, &session, &points))?;
    }
    let failed = points.iter().filter(|point| point.sample.failure.is_some());
    match session.failures() + failed.count() {
        0 => Ok(()),
        failures => {
            let said = format!("{failures} measurements failed");
            Err(Failure::new(Exit::Failed, said))
        }
    }
}

fn write(path: &Path, text: String) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
}

impl Words {
    /// The plots that are wanted: all of a report, or those that are named.
    fn sweeps(&self) -> Vec<&'static Sweep> {
        let wanted = |sweep: &&Sweep| picked(&self.only, sweep.name);
        match self.out {
            Some(_) => SWEEPS.iter().filter(wanted).collect(),
            None => Vec::new(),
        }
    }

    fn rows(&self) -> anyhow::Result<Vec<&'static Row>> {
        let by_name = !self.only.is_empty();
        let wanted =
            |row: &&Row| picked(&self.only, row.name) && (!row.opt_in || self.growth || by_name);
        let rows: Vec<_> = ROWS.iter().filter(wanted).collect();
        ensure!(
            !rows.is_empty() || !self.sweeps().is_empty(),
            "there is no such row; --list has their names"
        );
        Ok(rows)
    }

    /// What these rows need; and if all rows were meant, what is measured beside them.
    fn measures(&self, rows: &[&Row]) -> Vec<&'static Measure> {
        match self.only.is_empty() {
            true => needed(rows, BESIDE),
            false => needed(rows, &[]),
        }
    }

    fn how(&self) -> anyhow::Result<How> {
        let (rounds, seconds, warm_up) = match self.quick {
            true => (1, 2.0, Duration::from_secs(1)),
            false => (3, 10.0, Duration::from_secs(5)),
        };
        let how = How {
            rounds: self.runs.unwrap_or(rounds),
            seconds: self.seconds.unwrap_or(seconds),
            warm_up: self.warm_up.unwrap_or(warm_up),
            seed: self.seed.unwrap_or_else(new_seed),
            dir: self.dir.clone(),
            under: self
                .under
                .iter()
                .flat_map(|under| under.split_whitespace())
                .map(str::to_owned)
                .collect(),
        };
        ensure!(how.rounds > 0, "there must be a run");
        ensure!(
            how.seconds > 0.0 && how.seconds <= 3_600.0,
            "a measurement takes up to an hour"
        );
        Ok(how)
    }
}

fn list(rows: &[&Row], output: Output) -> Result<(), Failure> {
    for row in rows {
        output.line(format!("{}\t{}", row.name, row.what))?;
        for measure in needed(&[row], &[]) {
            output.line(format!("\tbench {}", measure.args))?;
        }
    }
    Ok(())
}

/// The measurements that these rows need and those beside them, each once, in the order in which they are made.
fn needed(rows: &[&Row], beside: &[&str]) -> Vec<&'static Measure> {
    let needs = rows.iter().flat_map(|row| row.needs);
    let names: BTreeSet<_> = needs.chain(beside).collect();
    MEASURES
        .iter()
        .filter(|measure| names.contains(&measure.name))
        .collect()
}

async fn measure(measures: &[&Measure], how: &How) -> anyhow::Result<Session> {
    let mut session = Session::default();
    for round in 1..=how.rounds {
        let mut said = Round::default();
        for (at, measure) in measures.iter().enumerate() {
            let child = Child::new(measure, how, round)?;
            let sample = child
                .run()
                .await
                .with_context(|| format!("cannot run {}", measure.name))?;
            let (of, rounds) = (measures.len(), how.rounds);
            eprintln!(
                "round {round}/{rounds}, {}/{of}: {}: {sample}",
                at + 1,
                measure.name
            );
            said.put(measure.name, sample);
        }
        session.rounds.push(said);
    }
    Ok(session)
}

/// Measures each point once: plots show how it goes, and rows how much it is.
async fn sweep(sweeps: &[&Sweep], session: &Session, how: &How) -> anyhow::Result<Vec<Point>> {
    let mut points = Vec::new();
    for sweep in sweeps {
        for x in (sweep.points)(session) {
            for line in sweep.lines {
                let measure = line.at(x);
                let sample = Child::new(&measure, how, 1)?.run().await?;
                eprintln!("{}: bench {}: {sample}", sweep.name, measure.args);
                points.push(Point {
                    sweep: sweep.name,
                    line: line.name,
                    x,
                    sample,
                });
            }
        }
    }
    Ok(points)
}

/// The command line as it was given.
fn this_command() -> String {
    let mut words = std::env::args();
    words.next();
    std::iter::once("ordain".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}
