//! Replies, and how they reach whoever waits: one at a time ([`Pending`]) or batch by batch ([`Sink`]).

use std::cell::Cell as ThreadCell;
use std::future::Future;
use std::iter::{self, Peekable};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use ordain_engine::{Invocation, ModuleStatus};
use ordain_types::{FieldKey, Json, Outcome, Rejection, Seq, Timestamp};

use crate::door::Refused;
use crate::panics::caught;

/// The end of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// An update's own position; for what only reads, that of the last command it saw.
    pub seq: Seq,
    /// What came of it.
    pub body: Body,
}

impl Reply {
    /// Roughly the bytes it keeps alive.
    pub(crate) fn bytes(&self) -> usize {
        let held = match &self.body {
            Body::Outcome { outcome, .. } => outcome_bytes(outcome),
            Body::Entity { root, fields } => {
                let root = root.as_ref().map_or(0, Json::len);
                fields
                    .iter()
                    .map(|(_, json)| 64 + json.len())
                    .sum::<usize>()
                    + root
            }
            Body::Package(package) => package.as_ref().map_or(0, bytes::Bytes::len),
            _ => 0,
        };
        size_of::<Reply>() + held
    }
}

/// Roughly the bytes that an outcome keeps alive.
pub(crate) fn outcome_bytes(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Value(value) => value.len(),
        Outcome::Rejected(no) => no.message.len() + no.details.as_ref().map_or(0, Json::len),
        Outcome::Fault(fault) => fault.message.len() + fault.trace.len(),
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// It ran, now or (by its idempotency key) before.
    Outcome {
        /// How it ended. A send's value is its id, as a JSON string.
        outcome: Outcome,
        /// Whether this is the first answer to an earlier request of the same key.
        repeated: bool,
    },
    /// Its idempotency key was used before for another request.
    KeyReused {
        /// The command that used it.
        first: Seq,
    },
    /// What is known of a send.
    Invocation(Option<Box<Invocation>>),
    /// When the next send is due; none: no send waits.
    NextDue(Option<Timestamp>),
    /// All modules there ever were.
    Modules(Statuses),
    /// A package, encoded, if it is there.
    Package(Option<bytes::Bytes>),
    /// Why a module's entities may not be left behind, or not be taken over, for the state that they hold.
    Left(Option<Box<Rejection>>),
    /// An entity's state.
    Entity {
        /// Its root value; none before the first write.
        root: Option<Json>,
        /// A page of its fields.
        fields: Vec<(FieldKey, Json)>,
    },
    /// A checkpoint was taken; the reply's seq is what it stands for.
    Checkpoint,
    /// It asked to see a seq that is not there yet.
    SeqNotReached,
    /// It passed the door, and was refused when its turn came: the module that it asks had changed.
    Refused(Box<Refused>),
    /// It did not run, or no one knows whether its command will survive.
    Unavailable(Unavailable),
}

impl Body {
    /// It ran now.
    pub(crate) fn of(outcome: Outcome) -> Self {
        Body::Outcome {
            outcome,
            repeated: false,
        }
    }
}

/// Modules and their histories. Two are equal if they say the same of each version.
#[derive(Debug, Clone)]
pub struct Statuses(pub Vec<ModuleStatus>);

impl PartialEq for Statuses {
    fn eq(&self, other: &Self) -> bool {
        let said = |statuses: &Self| {
            let each = statuses.0.iter();
            each.map(|status| (status.name.clone(), status.history.clone()))
                .collect::<Vec<_>>()
        };
        said(self) == said(other)
    }
}

impl Eq for Statuses {}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The node is being stopped.
    #[error("the node is stopping")]
    Stopping,
    /// The log cannot grow. Goes by itself when there is space.
    #[error("{0}")]
    DiskFull(String),
    /// A write or a sync of the log failed. Goes by a restart on a sound disk.
    #[error("{0}")]
    DiskFailed(String),
    /// The store could not be written or read. Calls go on: the log has all of them.
    #[error("{what}")]
    Store {
        /// What is wrong with it.
        trouble: StoreTrouble,
        /// What was attempted, and what to do.
        what: String,
    },
    /// The node cannot go on at all.
    #[error("the node has stopped: {0}")]
    Halted(String),
}

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// There is no space to write to it.
    Full,
    /// What it reads is not what it wrote.
    Damaged,
    /// The system refused.
    Failed,
}

impl From<&ordain_store::Error> for Unavailable {
    fn from(error: &ordain_store::Error) -> Self {
        let trouble = match error {
            error if error.is_full() => StoreTrouble::Full,
            error if error.is_damage() => StoreTrouble::Damaged,
            _ => StoreTrouble::Failed,
        };
        let what = error.to_string();
        Unavailable::Store { trouble, what }
    }
}

/// Takes replies as they come, many at once.
pub trait Sink: Send + Sync {
    /// Called on the node's own thread: must not block, nor panic. `tokens` are those given with the requests.
    fn deliver(&self, replies: &mut dyn Iterator<Item = (u64, Reply)>);
}

/// Who waits for a reply.
pub enum ReplyTo {
    /// One waiter.
    Once(Once),
    /// One of many requests of a sink, by its token.
    Sink(Arc<dyn Sink>, u64),
}

/// A reply to come: block on it with [`Pending::wait`], or await it.
#[derive(Debug)]
pub struct Pending(Arc<Cell>);

/// The other end of a [`Pending`].
#[derive(Debug)]
pub struct Once(Arc<Cell>);

#[derive(Debug, Default)]
struct Cell {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    Awaited(Waker),
    Blocked,
    Here(Reply),
    Gone,
}

impl Pending {
    /// A reply to come and where to put it.
    pub fn new() -> (Pending, ReplyTo) {
        let cell = Arc::new(Cell::default());
        (Pending(cell.clone()), ReplyTo::Once(Once(cell)))
    }

    /// Blocks until the reply is there.
    pub fn wait(self) -> Reply {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match std::mem::replace(&mut *state, State::Blocked) {
                State::Here(reply) => return reply,
                State::Gone => return halted(),
                _ => {
                    state = self
                        .0
                        .came
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }
}

impl Future for Pending {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *state) {
            State::Here(reply) => Poll::Ready(reply),
            State::Gone => Poll::Ready(halted()),
            _ => {
                *state = State::Awaited(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Once {
    fn put(&self, last: State) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Here(_)) {
            return;
        }
        let before = std::mem::replace(&mut *state, last);
        drop(state);
        match before {
            State::Awaited(waker) => waker.wake(),
            State::Blocked => self.0.came.notify_one(),
            _ => {}
        }
    }
}

impl Drop for Once {
    fn drop(&mut self) {
        self.put(State::Gone);
    }
}

fn halted() -> Reply {
    let reason = "it ended before the request did".to_owned();
    Reply {
        seq: Seq::ZERO,
        body: Body::Unavailable(Unavailable::Halted(reason)),
    }
}

/// A reply that is owed: if it is given up without one, whoever waits is told.
pub(crate) struct Owed(Option<ReplyTo>);

impl Owed {
    pub fn new(to: ReplyTo) -> Self {
        Self(Some(to))
    }

    /// Nothing is owed any more: it is answered in another way.
    pub fn settled(mut self) -> ReplyTo {
        self.0.take().expect("taken only here and in the end")
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            give(to, halted(), &mut iter::empty().peekable());
        }
    }
}

/// Delivers replies in order; neighbours for one sink go together.
pub(crate) fn deliver(replies: impl IntoIterator<Item = (Owed, Reply)>) {
    let replies = replies.into_iter();
    let mut replies = replies
        .map(|(owed, reply)| (owed.settled(), reply))
        .peekable();
    while let Some((to, reply)) = replies.next() {
        give(to, reply, &mut replies);
    }
}

thread_local! {
    static GIVING: ThreadCell<bool> = const { ThreadCell::new(false) };
}

/// Whether this thread gives a reply just now: what runs is a sink or a waker.
pub(crate) fn is_giving() -> bool {
    GIVING.get()
}

/// Gives a reply, and with it those of `more` that go to the same sink.
fn give(to: ReplyTo, reply: Reply, more: &mut Peekable<impl Iterator<Item = (ReplyTo, Reply)>>) {
    let before = GIVING.replace(true);
    let given = match to {
        ReplyTo::Once(once) => caught(|| once.put(State::Here(reply))),
        ReplyTo::Sink(sink, token) => {
            let others = iter::from_fn(|| more.next_if(|(to, _)| is_for(to, &sink)));
            let mut others = others.map(token_of);
            let run = iter::once((token, reply)).chain(others.by_ref());
            let given = caught(|| sink.deliver(&mut { run }));
            others.for_each(drop); // what it did not take was its own as well
            given.and(caught(|| drop(sink)))
        }
    };
    GIVING.set(before);
    if let Err(panic) = given {
        tracing::error!(%panic, "whoever was given a reply panicked");
    }
}

fn is_for(to: &ReplyTo, sink: &Arc<dyn Sink>) -> bool {
    matches!(to, ReplyTo::Sink(other, _) if Arc::ptr_eq(other, sink))
}

fn token_of((to, reply): (ReplyTo, Reply)) -> (u64, Reply) {
    match to {
        ReplyTo::Sink(_, token) => (token, reply),
        ReplyTo::Once(_) => unreachable!("asked for a sink's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_given_up_wakes_its_waiter() {
        let (pending, to) = Pending::new();
        drop(to);
        assert!(matches!(
            pending.wait().body,
            Body::Unavailable(Unavailable::Halted(_))
        ));
    }

    #[test]
    fn a_blocked_waiter_gets_its_reply() {
        let (pending, to) = Pending::new();
        let waiter = std::thread::spawn(move || pending.wait());
        let reply = Reply {
            seq: Seq(3),
            body: Body::SeqNotReached,
        };
        deliver([(Owed::new(to), reply.clone())]);
        assert_eq!(waiter.join().unwrap(), reply);
    }
}
