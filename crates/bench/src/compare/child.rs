//! One measurement, as a process of its own that says what it found as JSON.

use std::io::{self, Read};
use std::process::{Child as Process, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use super::How;
use super::measures::Measure;
use super::session::Sample;
use crate::bench::blocking;

/// How long a measurement that is to end may take to put its things away.
const END_MAX: Duration = Duration::from_secs(10);
/// How often it is asked whether it has ended.
const ASK_AGAIN: Duration = Duration::from_millis(10);
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
        // Another seed each round: what holds for one choice of keys only is not to be seen.
        let seed = how.seed.wrapping_add(round as u64 - 1);
        command
            .args(words(measure, how))
            .args(["--seed", &seed.to_string(), "--json"]);
        if let Some(dir) = &how.dir {
            command.env("TMPDIR", dir);
        }
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        piped.stdin(Stdio::null());
        Ok(Self { command })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// If it cannot be started. That it fails is a sample too.
    pub async fn run(mut self) -> anyhow::Result<Sample> {
        let mut running = Running(self.command.spawn()?);
        let (out, err) = (running.0.stdout.take(), running.0.stderr.take());
        let (out, err) = tokio::try_join!(blocking(|| whole(out)), blocking(|| whole(err)))?;
        let status = running.0.wait()?;
        match serde_json::from_str(&out).map(|said| Sample::of(&said)) {
            Ok(sample) if status.success() => Ok(sample),
            Ok(sample) if sample.failure.is_some() => Ok(sample),
            _ => {
                let lines: Vec<_> = err.lines().collect();
                let last = &lines[lines.len().saturating_sub(LINES)..];
                Ok(Sample::failed(format!("{status}: {}", last.join(" / "))))
            }
        }
    }
}

fn whole(from: Option<impl Read>) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut from = from.context("its output is not there")?;
    from.read_to_string(&mut text)?;
    Ok(text)
}

/// A measurement that runs. Dropped, it is asked to end, so that it puts away what it has made.
struct Running(Process);

impl Running {
    fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)) | Err(_))
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(pid) = Pid::from_raw(self.0.id() as i32) {
            kill_process(pid, Signal::TERM)?;
        }
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < END_MAX {
            std::thread::sleep(ASK_AGAIN);
        }
        if !self.has_ended() {
            self.0.kill()?;
            self.0.wait()?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended() {
            // Gone already is as good.
            let _ = self.end();
        }
    }
}

fn words(measure: &Measure, how: &How) -> Vec<String> {
    let duration = |time: Duration| format!("{}ms", time.as_millis());
    let mut words = vec!["bench".to_owned()];
    words.extend(measure.args.split_whitespace().map(str::to_owned));
    words.extend([
        "--duration".to_owned(),
        duration(Duration::from_secs_f64(how.seconds)),
    ]);
    if !measure.is_limit() {
        words.extend(["--warm-up".to_owned(), duration(how.warm_up)]);
        words.extend(["--runs", "1"].map(str::to_owned));
    }
    words
}
