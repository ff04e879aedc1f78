//! One measurement, as a process of its own that says what it found as JSON.

use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use super::How;
use super::measures::{Kind, Measure};
use super::session::Sample;
use crate::process::output;

/// Lines of its messages that are shown when it fails.
const LINES: usize = 10;

/// A measurement that is ready to be run.
pub struct Child {
    command: Command,
}

impl Child {
    /// # Errors
    /// If this program's own file cannot be found.
    pub fn new(measure: &Measure, how: &How, round: usize) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = match how.under.split_first() {
            None => Command::new(program),
            Some((under, words)) => {
                let mut command = Command::new(under);
                command.args(words).arg(program);
                command
            }
        };
        command.args(words(measure, how, round)).arg("--json");
        if let Some(dir) = &how.dir {
            command.env("TMPDIR", dir);
        }
        Ok(Self { command })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// If it cannot be started. That it fails is a sample too.
    pub async fn run(self) -> anyhow::Result<Sample> {
        let said = output(self.command).await?;
        match serde_json::from_str(&said.out).map(|said| Sample::of(&said)) {
            Ok(sample) if said.status.success() || sample.failure.is_some() => Ok(sample),
            _ => {
                let lines: Vec<_> = said.err.lines().collect();
                let last = lines[lines.len().saturating_sub(LINES)..].join(" / ");
                Ok(Sample::failed(format!("{}: {last}", said.status)))
            }
        }
    }
}

/// The words after the program's name.
fn words(measure: &Measure, how: &How, round: usize) -> Vec<String> {
    let duration = |time: Duration| format!("{}ms", time.as_millis());
    // Another seed each round: what holds for one choice of keys only is not to be seen.
    let seed = how.seed.wrapping_add(round as u64 - 1);
    let lasting = duration(Duration::from_secs_f64(how.seconds));
    let mut words = vec!["bench".to_owned()];
    words.extend(measure.args.split_whitespace().map(str::to_owned));
    let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
    add("--duration", lasting);
    match measure.kind() {
        Kind::Workload => {
            add("--warm-up", duration(how.warm_up));
            if !measure.args.contains("--runs") {
                add("--runs", "1".to_owned());
            }
            add("--seed", seed.to_string());
        }
        Kind::Recovery => {
            add("--runs", "1".to_owned());
            add("--seed", seed.to_string());
        }
        Kind::Limit => add("--seed", seed.to_string()),
        Kind::Fixed => {}
    }
    words
}
