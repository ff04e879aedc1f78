//! What the executor keeps of a batch: which requests it holds, how far it is run, what came of it.

use std::collections::VecDeque;

use ordain_engine::Answer;
use ordain_types::{Command, Outcome, Seq, Timestamp, limits};

use crate::ingress::Item;
use crate::reply::{Body, Owed, Reply};

/// About so many writes make a batch, where more commands wait than that.
const WRITES_TOGETHER: usize = 8_192;

/// One batch in the making.
pub(super) struct Draft {
    /// What is in force, and sends that are due.
    pub own: VecDeque<Command>,
    pub items: VecDeque<Item>,
    /// Commands among both: their encodings are in [`super::Executor::encoded`].
    pub commands: usize,
}

/// A batch with its place in the order, its record on its way into the log; run as far as there was room
/// for its replies.
pub(crate) struct Placed {
    pub(super) draft: Draft,
    pub(super) now: Timestamp,
    /// Its first seq, once it has begun and if it has commands.
    pub(super) begun: Option<Option<Seq>>,
    pub(super) tally: Tally,
}

/// How many commands a batch may hold after one of so many commands and writes. Of larger ones the before-images,
/// which are kept until the batch is durable, would be out of the processor's caches before their memory is used
/// again.
pub(super) fn commands_max(commands: usize, writes: usize) -> usize {
    let fit = WRITES_TOGETHER * commands / writes.max(1);
    fit.clamp(limits::BATCH_COMMANDS_MAX / 32, limits::BATCH_COMMANDS_MAX)
}

/// Replies that are handed over together, and roughly what they keep alive.
pub(super) struct Part {
    pub replies: Vec<(Owed, Reply)>,
    pub bytes: usize,
}

impl Part {
    /// Nothing yet, in an empty list.
    pub fn in_room(replies: Vec<(Owed, Reply)>) -> Self {
        Self { replies, bytes: 0 }
    }

    pub fn push(&mut self, to: Owed, reply: Reply) {
        self.bytes += reply.bytes();
        self.replies.push((to, reply));
    }
}

/// What came of a batch, for the counters.
#[derive(Default)]
pub(super) struct Tally {
    pub queries: u64,
    pub rejections: u64,
    pub faults: u64,
    pub repeated: u64,
}

impl Tally {
    pub fn add(&mut self, body: &Body) {
        let Body::Outcome { outcome, repeated } = body else {
            return;
        };
        self.repeated += u64::from(*repeated);
        self.rejections += u64::from(matches!(outcome, Outcome::Rejected(_)));
        self.faults += u64::from(matches!(outcome, Outcome::Fault(_)));
    }
}

/// What an answer says, and the seq that it names.
pub(super) fn body(seq: Seq, answer: Answer) -> (Seq, Body) {
    match answer {
        Answer::Done(outcome) => (seq, Body::of(outcome)),
        Answer::Repeated { first, outcome } => (
            first,
            Body::Outcome {
                outcome,
                repeated: true,
            },
        ),
        Answer::KeyReused { first } => (seq, Body::KeyReused { first }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_holds_what_is_written_together() {
        let most = limits::BATCH_COMMANDS_MAX;
        assert_eq!(commands_max(1, 0), most);
        assert_eq!(commands_max(5, 5), most);
        assert_eq!(commands_max(4_096, 8_192), 4_096);
        assert_eq!(commands_max(100, 1_600), 512);
        assert_eq!(commands_max(1, 100_000), 256);
    }
}
