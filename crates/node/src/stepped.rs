//! The seam for simulations: a whole node on one thread, whose threads' work is done step by step in
//! whatever order the caller likes. The code is that of the threads; only where a thread would wait
//! for something, a step says so and returns.

use std::sync::Arc;
use std::time::Duration;

use crate::checkpointer::Checkpointer;
use crate::committer::Committer;
use crate::executor::Executor;
use crate::preparer::Errand;

/// What whoever finds nothing to do does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Waits: a thread.
    Waits,
    /// Says so: a step.
    Tells,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// Something was done; there may be more.
    Did,
    /// A thread would wait now: for news, or for so long.
    Idle(Option<Duration>),
    /// It has ended; no step will ever do anything again.
    Ended,
}

/// The work of the threads of one node, from [`Node::open_stepped`](crate::Node::open_stepped).
///
/// Any order of steps is one that threads may come to, but for what the steps do not divide: one turn of
/// the executor (forming a batch and handing over its record is one, running it the next), one
/// append, one checkpoint, one segment. Dropping it without [`Node::stop`](crate::Node::stop) and
/// without stepping on to the end is what `kill -9` is.
pub struct Steps {
    pub(crate) executor: Executor,
    pub(crate) committer: Committer,
    pub(crate) checkpointer: Checkpointer,
    pub(crate) preparer: Arc<Errand>,
}

impl Steps {
    /// A turn of the executor: takes what waits, forms a batch, or runs the one it formed.
    pub fn executor(&mut self) -> Stepped {
        self.executor.step(Pace::Tells)
    }

    /// One append, or replies of what is durable and executed; if the disk was full, a try whether it
    /// still is, which threads make twice a second.
    pub fn committer(&mut self) -> Stepped {
        self.committer.step(Pace::Tells)
    }

    /// Applies a checkpoint to the store.
    pub fn checkpointer(&mut self) -> Stepped {
        self.checkpointer.step(Pace::Tells)
    }

    /// Makes the next segment, if the committer asked for it.
    pub fn preparer(&mut self) -> Stepped {
        self.preparer.step()
    }
}
