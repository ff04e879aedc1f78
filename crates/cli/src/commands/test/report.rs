//! What people and programs are told of tests: a line a test as it ends, failures in full at the end, and
//! a summary.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use ordain_types::SourceError;
use ordain_types::script::{Failure as Why, Ran};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::sources::Gathered;

pub struct Report {
    output: Output,
    began: Instant,
    /// The file whose tests run.
    file: String,
    /// Where the paths of its files begin.
    root: Option<Gathered>,
    passed: usize,
    /// What failed, in words.
    failures: Vec<String>,
}

impl Report {
    pub fn new(output: Output) -> Self {
        Self {
            output,
            began: Instant::now(),
            file: String::new(),
            root: None,
            passed: 0,
            failures: Vec::new(),
        }
    }

    /// The tests of a file begin.
    ///
    /// # Errors
    /// If that cannot be printed; so of all of these.
    pub fn file(&mut self, path: &Path) -> Result<(), Failure> {
        self.file = path.display().to_string();
        self.root = None;
        self.line(&self.file)
    }

    /// What the file is of whose tests run.
    pub fn of(&mut self, script: &Gathered) {
        self.root = Some(script.clone());
    }

    fn line(&self, text: &str) -> Result<(), Failure> {
        match self.output.json {
            true => Ok(()),
            false => printed(self.output.line(text)),
        }
    }

    /// A test has ended.
    pub fn ran(&mut self, ran: Ran, took: Duration) -> Result<(), Failure> {
        let ms = took.as_millis() as u64;
        if self.output.json {
            self.json(&ran, ms)?;
        }
        let sign = if ran.failure.is_none() { '✓' } else { '✗' };
        self.line(&format!("  {sign} {} ({ms} ms)", ran.name))?;
        for said in ran.said.iter().flat_map(|said| said.lines()) {
            self.line(&format!("      {said}"))?;
        }
        match &ran.failure {
            None => self.passed += 1,
            Some(why) => {
                let words = self.words(why, self.root.as_ref());
                let failure = format!("{} > {}\n{words}", self.file, ran.name);
                self.failures.push(failure);
            }
        }
        Ok(())
    }

    fn json(&self, ran: &Ran, ms: u64) -> Result<(), Failure> {
        let mut line = json!({
            "file": self.file, "test": ran.name, "passed": ran.failure.is_none(), "ms": ms, "said": ran.said,
        });
        if let Some(why) = &ran.failure {
            line["failure"] = json!({
                "message": why.error.message, "file": why.error.file, "line": why.error.line,
                "column": why.error.column, "expected": why.expected, "actual": why.actual, "trace": why.trace,
            });
        }
        printed(self.output.json(&line))
    }

    /// No test of the file could run, for what is not to be read. Those of other files may.
    pub fn unread(&mut self, what: &str, why: Failure) -> Result<(), Failure> {
        let error = SourceError::new(why.message.unwrap_or_default());
        self.not_run(what, None, error)
    }

    /// No test of the file could run, for what is wrong with these sources.
    pub fn unfit(&mut self, what: &str, at: &Gathered, error: SourceError) -> Result<(), Failure> {
        self.not_run(what, Some(at), error)
    }

    fn not_run(
        &mut self,
        what: &str,
        at: Option<&Gathered>,
        error: SourceError,
    ) -> Result<(), Failure> {
        if self.output.json {
            let (message, file) = (&error.message, &error.file);
            let failure = json!({ "message": message, "file": file, "line": error.line, "column": error.column });
            let line = json!({ "file": self.file, "passed": false, "failure": failure });
            printed(self.output.json(&line))?;
        }
        self.line(&format!("  ✗ {what}"))?;
        let words = self.words(&error.into(), at);
        self.failures
            .push(format!("{} > {what}\n{words}", self.file));
        Ok(())
    }

    /// Why something failed, with places that an editor finds.
    fn words(&self, why: &Why, at: Option<&Gathered>) -> String {
        let error = &why.error;
        let place = at.zip(error.file.as_ref());
        let place = place.map(|(at, file)| at.place(file, error.line, error.column) + ": ");
        let mut words = format!("  {}{}", place.unwrap_or_default(), error.message);
        let compared = [("expected", &why.expected), ("actual", &why.actual)];
        for (name, value) in compared {
            if let Some(value) = value {
                words.push_str(&format!("\n    {:10}{value}", format!("{name}:")));
            }
        }
        if why.trace.lines().count() > 1 {
            words.push_str(&format!("\n{}", why.trace));
        }
        words
    }

    /// Prints what failed, and the summary.
    ///
    /// # Errors
    /// If anything failed, or if nothing ran.
    pub fn end(self) -> Result<(), Failure> {
        let (passed, failed) = (self.passed, self.failures.len());
        if self.output.json {
            let counts = json!({ "passed": passed, "failed": failed });
            printed(self.output.json(&counts))?;
        }
        if failed > 0 {
            self.line("\nfailures:")?;
        }
        for failure in &self.failures {
            self.line(&format!("\n{failure}"))?;
        }
        let secs = self.began.elapsed().as_secs_f64();
        self.line(&format!("\n{passed} passed, {failed} failed ({secs:.1} s)"))?;
        match (passed, failed) {
            (0, 0) => Err(Failure::new(
                Exit::Failed,
                "no test ran; --filter may be too narrow",
            )),
            (_, 0) => Ok(()),
            _ => Err(Failure {
                exit: Exit::Failed,
                message: None,
            }),
        }
    }
}

/// That nobody reads any more changes nothing of what the tests come to, which the exit code says.
fn printed(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
