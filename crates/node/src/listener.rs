//! Who is told what ran, for people to read: a development server prints it. No outcome depends on it.

use ordain_engine::{LogLine, Told};
use ordain_types::{Call, Command, Outcome, Seq};

/// Something that happened on the executor.
#[derive(Debug, Clone, Copy)]
pub enum Heard<'a> {
    /// A command ran. Its reply may still wait for the log.
    Ran {
        /// Its place.
        seq: Seq,
        /// What it was.
        command: &'a Command,
        /// How it ended.
        outcome: &'a Outcome,
        /// What else is told of it, in development.
        told: Option<&'a Told>,
    },
    /// A query ran.
    Queried {
        /// What was asked.
        call: &'a Call,
        /// How it ended.
        outcome: &'a Outcome,
        /// What else is told of it, in development.
        told: Option<&'a Told>,
    },
    /// A method said something.
    Said(&'a LogLine),
}

/// Hears of what runs, as it runs; of a replay it hears nothing.
pub trait Listener: Send + Sync {
    /// Called on the executor's thread: must not block, nor panic.
    fn heard(&self, heard: Heard<'_>);
}
