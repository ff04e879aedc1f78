//! What clients asked and what they were told. It knows nothing of the node.

use std::sync::{Mutex, PoisonError};

use ordain_node::{Body, Reply, Sink, Unavailable};
use ordain_types::module::ModuleHash;
use ordain_types::{Call, Command, EntityId, EntityType, SendId, Seq};

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// A call, a send or a deployment, as it is to be found in the log.
    Update(Command),
    Query {
        call: Call,
        at_least: Option<Seq>,
    },
    Invocation(SendId),
    NextDue,
    Inspect(EntityId),
    Modules,
    Package(ModuleHash),
    /// Whether entities of these types hold state.
    Left(Vec<EntityType>),
    /// A checkpoint, and a backup of it if it comes.
    Checkpoint {
        backup: bool,
    },
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Waits for its reply.
    Open,
    /// Was answered.
    Answered,
    /// Was told that nothing is known, or its connection broke.
    Unknown,
}

/// One request that the node took.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub what: What,
    /// The latest seq that anyone was told of before it was asked.
    pub floor: Seq,
    /// How many times the clock had been read differently by then.
    pub readings: usize,
    pub standing: Standing,
}

/// The replies of one life of the node, by the number of the request.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Vec<(u64, Reply)>>);

impl Inbox {
    /// Whether an update after `last` is answered among what came.
    pub fn has_update_after(&self, last: Seq) -> bool {
        let inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = |reply: &Reply| matches!(reply.body, Body::Outcome { .. });
        inbox
            .iter()
            .any(|(_, reply)| answers(reply) && reply.seq > last)
    }

    /// What came since the last time.
    pub fn take(&self) -> Vec<(u64, Reply)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for Inbox {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (u64, Reply)>) {
        let mut inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.extend(replies);
    }
}

/// Why nothing is known, if the reply says so.
pub(super) fn unavailable(reply: &Reply) -> Option<&Unavailable> {
    match &reply.body {
        Body::Unavailable(why) => Some(why),
        _ => None,
    }
}
