//! What is told of a transaction to people: what methods said, and, where methods are developed, what ran and where it
//! said no. No outcome depends on any of it.

use ordain_types::module::Place;
use ordain_types::{Call, Outcome, Rejection, limits};

use crate::Tx;
use crate::commands::cut;
use crate::engine::Engine;

/// What a method said for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The method that said it: `account/alice.withdraw`.
    pub at: String,
    /// What it said.
    pub message: String,
}

/// What is told of a transaction where [updates run twice](crate::Options::twice).
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What was called from outside, or delivered: `account/alice.withdraw`.
    pub called: String,
    rejected: Option<Rejected>,
}

/// The last rejection whose place a host knew.
#[derive(Debug, Clone)]
struct Rejected {
    rejection: Rejection,
    /// How many calls were on the stack.
    depth: usize,
    at: String,
    place: String,
}

impl Told {
    /// The method that said no, and the place in its module's sources where it did; none: no host said so.
    pub fn rejected_at(&self, outcome: &Outcome) -> Option<(&str, &str)> {
        let last = self.rejected.as_ref()?;
        let it_is =
            matches!(outcome, Outcome::Rejected(rejection) if **rejection == last.rejection);
        it_is.then_some((&last.at, &last.place))
    }
}

impl Engine {
    /// What methods of the last command or query said for people to read.
    pub fn take_logs(&mut self) -> Vec<LogLine> {
        std::mem::take(&mut self.tx.running.logs)
    }

    /// What else is told of it.
    pub fn take_told(&mut self) -> Option<Box<Told>> {
        self.tx.running.told.take()
    }
}

impl Tx {
    /// Says something for people to read: a line of the server's log. No outcome depends on it, and
    /// what passes the limit of a transaction is not said.
    pub fn log(&mut self, message: &str) {
        let message = cut(message, limits::MESSAGE_BYTES_MAX).to_owned();
        let running = &mut self.running;
        running.log_bytes += message.len() + limits::WRITE_BYTES;
        if running.log_bytes <= limits::LOG_BYTES_MAX {
            let at = self.place();
            self.running.logs.push(LogLine { at, message });
        }
    }

    pub(crate) fn tell_called(&mut self, call: &Call) {
        self.running.told = self.twice.then(|| {
            Box::new(Told {
                called: format!("{}.{}", call.entity, call.method),
                rejected: None,
            })
        });
    }

    /// Whether somebody is to be told where a method says no: a host then finds the place out, and says it by
    /// [`Tx::rejected_at`].
    pub fn tells(&self) -> bool {
        self.running.told.is_some()
    }

    /// The running method is about to end with this rejection, which it threw at that place of its module's sources.
    pub fn rejected_at(&mut self, rejection: &Rejection, place: &Place) {
        let Some(mut told) = self.running.told.take() else {
            return;
        };
        let depth = self.running.frames.len();
        // That of a call which passes through its caller is where the call said it.
        let passes = |last: &Rejected| last.depth > depth && last.rejection == *rejection;
        if !told.rejected.as_ref().is_some_and(passes) {
            told.rejected = Some(Rejected {
                rejection: rejection.clone(),
                depth,
                at: self.place(),
                place: place.to_string(),
            });
        }
        self.running.told = Some(told);
    }
}
