//! Typed calls in process: blocking, awaited, and many in flight.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ordain_engine::Invocation;
use ordain_types::{
    Call, Fault, IdempotencyKey, Json, MethodKind, Outcome, Rejection, Request, RequestParts,
    SendId, Seq,
};
use serde::de::DeserializeOwned;

use crate::door::{Accepted, Past, Refused};
use crate::node::{Node, Op};
use crate::reply::{Body, Reply, ReplyTo, Sink, Unavailable};

/// Why a call has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The method said no.
    #[error(transparent)]
    Rejected(Rejection),
    /// The method broke a limit or crashed.
    #[error(transparent)]
    Fault(Fault),
    /// It was refused at the door; nothing ran.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Its idempotency key was used before, for another request.
    #[error("the idempotency key was used by seq {first} for another request")]
    KeyReused {
        /// The command that used it.
        first: Seq,
    },
    /// It asked to see a seq that is not there yet.
    #[error("the seq asked for is not reached; the last is {last}")]
    SeqNotReached {
        /// The last there is.
        last: Seq,
    },
    /// Nothing ran, or no one knows whether the command will survive: try again with the same
    /// idempotency key.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The value is not of the type asked for.
    #[error("the method's value does not decode: {0}")]
    Value(String),
}

/// What may be said of a call beside what to call.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// A name by which a retry is known.
    pub idempotency_key: Option<IdempotencyKey>,
    /// What the method sees as its caller.
    pub caller: String,
    /// Queries only: refuse to answer from before this command.
    pub at_least: Option<Seq>,
}

impl Node {
    /// Calls a method and blocks until its value is durable.
    ///
    /// # Errors
    /// The rejection, the fault, or why nothing ran.
    ///
    /// # Panics
    /// In a method, and wherever else the node's own threads run: they would wait for themselves.
    pub fn call<R: DeserializeOwned>(&self, request: Request<R>) -> Result<R, CallError> {
        self.call_with(request, CallOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Node::call`].
    pub fn call_with<R: DeserializeOwned>(
        &self,
        request: Request<R>,
        options: CallOptions,
    ) -> Result<R, CallError> {
        value(self.ask_and_wait(self.op(request, options)?)?)
    }

    /// The same, awaited: on any async runtime, or none.
    ///
    /// # Errors
    /// As [`Node::call`].
    ///
    /// # Panics
    /// In a method: it would be waited for by what it waits for.
    pub async fn call_async<R: DeserializeOwned>(
        &self,
        request: Request<R>,
        options: CallOptions,
    ) -> Result<R, CallError> {
        self.check_may_await();
        value(self.ask(self.op(request, options)?)?.await)
    }

    /// Calls a query and blocks until all it saw is durable.
    ///
    /// # Errors
    /// As [`Node::call`]; an update is refused.
    pub fn query<R: DeserializeOwned>(&self, request: Request<R>) -> Result<R, CallError> {
        value(self.ask_and_wait(self.query_op(request)?)?)
    }

    /// The same, awaited.
    ///
    /// # Errors
    /// As [`Node::query`].
    ///
    /// # Panics
    /// As [`Node::call_async`].
    pub async fn query_async<R: DeserializeOwned>(
        &self,
        request: Request<R>,
    ) -> Result<R, CallError> {
        self.check_may_await();
        value(self.ask(self.query_op(request)?)?.await)
    }

    fn query_op<R>(&self, request: Request<R>) -> Result<Op, CallError> {
        let parts = request.into_parts().map_err(Refused::from)?;
        let accepted = self.accept_parts(parts, "", None)?;
        Ok(Op::Query {
            accepted,
            at_least: None,
        })
    }

    /// Asks for a call later, in a transaction of its own; blocks until that is durable.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn send<R>(&self, request: Request<R>, delay_ms: u64) -> Result<SendId, CallError> {
        self.send_with(request, delay_ms, CallOptions::default())
    }

    /// The same with options; a retry gets the id of the first.
    ///
    /// # Errors
    /// As [`Node::send`].
    pub fn send_with<R>(
        &self,
        request: Request<R>,
        delay_ms: u64,
        options: CallOptions,
    ) -> Result<SendId, CallError> {
        let parts = request.into_parts().map_err(Refused::from)?;
        let CallOptions {
            idempotency_key,
            caller,
            ..
        } = options;
        let op = match self.let_in(parts, caller, idempotency_key, Some(delay_ms))? {
            Ok(accepted) => Op::Send { accepted, delay_ms },
            Err(past) => Op::Answered(past),
        };
        let id: String = value(self.ask_and_wait(op)?)?;
        id.parse()
            .map_err(|error: ordain_types::NameError| CallError::Value(error.to_string()))
    }

    /// How far a send is; none: it never was, or it ended longer ago than answers are kept.
    ///
    /// # Errors
    /// Why nothing can be said.
    pub fn invocation(&self, send: SendId) -> Result<Option<Invocation>, CallError> {
        match self.ask_and_wait(Op::Invocation(send))?.body {
            Body::Invocation(known) => Ok(known.map(|known| *known)),
            Body::Unavailable(why) => Err(why.into()),
            _ => unreachable!("a send was asked for"),
        }
    }

    pub(crate) fn op<R>(&self, request: Request<R>, options: CallOptions) -> Result<Op, CallError> {
        let parts = request.into_parts().map_err(Refused::from)?;
        let CallOptions {
            idempotency_key,
            caller,
            at_least,
        } = options;
        Ok(match self.let_in(parts, caller, idempotency_key, None)? {
            Ok(accepted) if accepted.kind == MethodKind::Query && at_least.is_some() => {
                Op::Query { accepted, at_least }
            }
            Ok(accepted) => Op::Call(accepted),
            Err(past) => Op::Answered(past),
        })
    }

    /// A call or send as the door lets it in; or as one that it may have let in before.
    fn let_in(
        &self,
        parts: RequestParts,
        caller: String,
        idempotency_key: Option<IdempotencyKey>,
        delay_ms: Option<u64>,
    ) -> Result<Result<Accepted, Box<Past>>, Refused> {
        let Some(key) = idempotency_key else {
            return Ok(Ok(self.accept_parts(parts, &caller, None)?));
        };
        let RequestParts {
            entity,
            method,
            args,
            ..
        } = parts.clone();
        match self.accept_parts(parts, &caller, Some(key.clone())) {
            Ok(accepted) => Ok(Ok(accepted)),
            Err(refused) => {
                let call = Call {
                    entity,
                    method,
                    args,
                    caller,
                    idempotency_key: Some(key),
                };
                Past::of(call, delay_ms, refused).map(Err)
            }
        }
    }

    /// Many calls in flight from one thread: see [`Pipeline`].
    pub fn pipeline(&self) -> Pipeline {
        Pipeline {
            node: self.clone(),
            inbox: Arc::default(),
            next: 0,
            in_flight: 0,
        }
    }
}

/// Many calls in flight from one thread. Replies come as they become durable, in the order of the
/// calls.
///
/// ```
/// # fn run(node: &ordain_node::Node, request: impl Fn(u32) -> ordain_types::Request<i64>) {
/// let mut pipeline = node.pipeline();
/// for n in 0..100 {
///     pipeline.submit(request(n)).expect("accepted");
/// }
/// while let Some(received) = pipeline.receive() {
///     let number = received.number;
///     println!("{number}: {:?}", received.value::<i64>());
/// }
/// # }
/// ```
pub struct Pipeline {
    node: Node,
    inbox: Arc<Inbox>,
    /// The number of the next call.
    next: u64,
    in_flight: u64,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Inbox {
    replies: Mutex<VecDeque<(u64, Reply)>>,
    came: Condvar,
}

impl Inbox {
    fn replies(&self) -> MutexGuard<'_, VecDeque<(u64, Reply)>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Inbox {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (u64, Reply)>) {
        self.replies().extend(replies);
        self.came.notify_one();
    }
}

/// The reply to one call of a [`Pipeline`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Which call: the number [`Pipeline::submit`] gave.
    pub number: u64,
    /// Its reply.
    pub reply: Reply,
}

impl Received {
    /// The method's value.
    ///
    /// # Errors
    /// As [`Node::call`].
    pub fn value<R: DeserializeOwned>(self) -> Result<R, CallError> {
        value(self.reply)
    }
}

impl Pipeline {
    /// Sends a call on its way and gives its number, from 0.
    ///
    /// # Errors
    /// Why it was refused; overload among it: receive first.
    pub fn submit<R>(&mut self, request: Request<R>) -> Result<u64, CallError> {
        self.submit_with(request, CallOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Pipeline::submit`].
    pub fn submit_with<R>(
        &mut self,
        request: Request<R>,
        options: CallOptions,
    ) -> Result<u64, CallError> {
        let op = self.node.op(request, options)?;
        let number = self.next;
        self.node
            .submit(op, ReplyTo::Sink(self.inbox.clone(), number))?;
        self.next += 1;
        self.in_flight += 1;
        Ok(number)
    }

    /// Sends many calls at once, which costs less than one by one. They are numbered in their order, from
    /// the next number on. Those that are refused come back with theirs, and why; the others, be they
    /// before or after, are on their way.
    pub fn submit_many<R>(
        &mut self,
        requests: impl IntoIterator<Item = Request<R>>,
    ) -> Vec<(u64, CallError)> {
        let (mut ops, mut refused) = (Vec::new(), Vec::new());
        for request in requests {
            match self.node.op(request, CallOptions::default()) {
                Ok(op) => ops.push((op, ReplyTo::Sink(self.inbox.clone(), self.next))),
                Err(error) => refused.push((self.next, error)),
            }
            self.next += 1;
        }
        self.in_flight += ops.len() as u64;
        for (reply, why) in self.node.submit_many(ops) {
            let ReplyTo::Sink(_, number) = reply else {
                unreachable!("all of them have the inbox for a sink");
            };
            self.in_flight -= 1;
            refused.push((number, why.into()));
        }
        refused
    }

    /// Calls whose reply was not received yet.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Blocks for the next reply; none when nothing is in flight.
    pub fn receive(&mut self) -> Option<Received> {
        self.in_flight.checked_sub(1)?;
        self.node.check_may_wait();
        let mut replies = self.inbox.replies();
        loop {
            if let Some((number, reply)) = replies.pop_front() {
                self.in_flight -= 1;
                return Some(Received { number, reply });
            }
            replies = self
                .inbox
                .came
                .wait(replies)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Blocks for replies and takes all that are there; empty when nothing is in flight.
    pub fn receive_many(&mut self, into: &mut Vec<Received>) {
        let Some(first) = self.receive() else { return };
        into.push(first);
        self.take(into);
    }

    /// Blocks for replies until then at the latest, and takes all that are there. Unlike
    /// [`Pipeline::receive`] it waits until then also when nothing is in flight: whoever submits by a
    /// clock waits for the next time in it.
    pub fn receive_until(&mut self, into: &mut Vec<Received>, until: Instant) {
        let inbox = &self.inbox;
        let mut replies = inbox.replies();
        while replies.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = inbox.came.wait_timeout(replies, left);
            replies = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(replies);
        self.take(into);
    }

    fn take(&mut self, into: &mut Vec<Received>) {
        let mut replies = self.inbox.replies();
        self.in_flight -= replies.len() as u64;
        let received = replies.drain(..);
        into.extend(received.map(|(number, reply)| Received { number, reply }));
    }
}

/// The value in a reply.
pub(crate) fn value<R: DeserializeOwned>(reply: Reply) -> Result<R, CallError> {
    match reply.body {
        Body::Outcome {
            outcome: Outcome::Value(json),
            ..
        } => decode(&json),
        Body::Outcome {
            outcome: Outcome::Rejected(rejection),
            ..
        } => Err(CallError::Rejected(*rejection)),
        Body::Outcome {
            outcome: Outcome::Fault(fault),
            ..
        } => Err(CallError::Fault(*fault)),
        Body::KeyReused { first } => Err(CallError::KeyReused { first }),
        Body::SeqNotReached => Err(CallError::SeqNotReached { last: reply.seq }),
        Body::Refused(refused) => Err((*refused).into()),
        Body::Unavailable(why) => Err(why.into()),
        Body::Invocation(_)
        | Body::NextDue(_)
        | Body::Modules(_)
        | Body::Package(_)
        | Body::Left(_)
        | Body::Entity { .. }
        | Body::Checkpoint => Err(CallError::Value(
            "the reply is no method's value".to_owned(),
        )),
    }
}

fn decode<R: DeserializeOwned>(json: &Json) -> Result<R, CallError> {
    serde_json::from_slice(json).map_err(|error| CallError::Value(error.to_string()))
}
