//! What must be true of a history, whatever faults there were. Each check is a function of what was
//! recorded and of what was read at the end, and each first saw the defect it is for: see `tests`.
//!
//! ```text
//!   isolation  list transactions are strictly serializable: the `adya` crate, independent of us
//!   order      every answer has its place in one order, real time included; lists replayed in it
//!   counters   what was acknowledged is counted, once
//!   timers     sends arrive once, not early and not late; time never goes back
//! ```
//!
//! Conservation of money and the marketplace's audit are the bench's own.

pub mod counters;
pub mod isolation;
pub mod order;
#[cfg(test)]
mod tests;
pub mod timers;

/// Violations of one kind that are listed one by one.
const LISTED_MAX: usize = 5;

/// Everything that one check found, shortened to what can be read.
#[derive(Debug, Default)]
pub struct Found {
    listed: Vec<String>,
    more: usize,
}

impl Found {
    /// Adds one.
    pub fn add(&mut self, what: String) {
        match self.listed.len() < LISTED_MAX {
            true => self.listed.push(what),
            false => self.more += 1,
        }
    }

    /// Adds one unless that holds.
    pub fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.add(what());
        }
    }

    /// The lines.
    pub fn into_lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.listed.push(format!("and {} more of these", self.more));
        }
        self.listed
    }
}
