//! Tests of modules, as the host that runs their scripts and whoever gives them a world see each other.
//! Neither knows the other's means: no interpreter and no node is known here.

use crate::{EntityId, Json, Rejection, Request, Source, SourceError, Timestamp};

/// Runs tests that are written in a module's own language.
pub trait Scripts: Send + Sync {
    /// Runs the tests of a script one after the other, each as if it were alone: with the script started
    /// anew, in a world of its own. Nothing that a script does ends more than its test.
    ///
    /// # Errors
    /// Why the script holds no tests that could run, and where.
    fn run(&self, script: &Source, runs: &mut dyn Runs) -> Result<(), SourceError>;
}

/// Whoever has a script run.
pub trait Runs {
    /// Whether the test of this name is to run.
    fn wants(&self, name: &str) -> bool;

    /// A new world for the next test.
    ///
    /// # Errors
    /// Why there is none; the test fails by it.
    fn world(&mut self) -> Result<Box<dyn World>, String>;

    /// A test has ended.
    fn ran(&mut self, ran: Ran);
}

/// What a test acts on: entities, and a time that the test moves.
pub trait World {
    /// Calls a method and gives its value.
    ///
    /// # Errors
    /// The rejection, or why there is no value.
    fn call(&mut self, request: Request<Json>) -> Result<Json, Failed>;

    /// The same for a query, and for nothing else.
    ///
    /// # Errors
    /// The rejection, or why there is no value.
    fn query(&mut self, request: Request<Json>) -> Result<Json, Failed>;

    /// Asks for a call later and gives the send's id.
    ///
    /// # Errors
    /// Why it was not taken.
    fn send(&mut self, request: Request<Json>, delay_ms: u64) -> Result<String, Failed>;

    /// Lets time pass, and happen what comes due.
    ///
    /// # Errors
    /// Why it does not pass.
    fn advance(&mut self, ms: u64) -> Result<(), Failed>;

    /// An entity's state; none before its first write.
    ///
    /// # Errors
    /// Why nothing can be said.
    fn state(&mut self, entity: &EntityId) -> Result<Option<Json>, Failed>;

    /// The time.
    fn now(&self) -> Timestamp;

    /// What was said since this was asked last and no answer holds, a line each: what methods logged, and the
    /// faults of sends.
    fn overheard(&mut self) -> Vec<String>;
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The method said no, which a test may expect.
    Rejected(Rejection),
    /// A fault, or nothing ran: a message for people.
    Broken(String),
}

/// A test that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its name.
    pub name: String,
    /// What it printed, a line each.
    pub said: Vec<String>,
    /// Why it failed; none: it passed.
    pub failure: Option<Failure>,
}

/// Why a test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was wrong, and where in the test's own lines.
    pub error: SourceError,
    /// What a comparison was to find, for people: JSON where it has any.
    pub expected: Option<String>,
    /// What it found.
    pub actual: Option<String>,
    /// The calls that led there, a line each, the innermost first.
    pub trace: String,
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self {
            error,
            expected: None,
            actual: None,
            trace: String::new(),
        }
    }
}
