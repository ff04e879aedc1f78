//! What is asked and writes nothing: answered between two batches, from what has run.

use ordain_engine::Halt;
use ordain_types::{Bug, Call, FaultKind, Outcome, Timestamp, limits, planted};

use super::{Executor, batch};
use crate::door::{self, Accepted, Past, Refused};
use crate::listener::Heard;
use crate::node::Op;
use crate::reply::{Body, Reply, Statuses};

impl Executor {
    pub(super) fn read(&mut self, op: Op, now: Timestamp) -> Result<Body, Halt> {
        Ok(match op {
            Op::Query {
                at_least: Some(seq),
                ..
            } if seq > self.engine.seq() && !planted(Bug::SeqNotAwaited) => Body::SeqNotReached,
            Op::Query { accepted, .. } => match self.query(accepted, now)? {
                Ok(outcome) => Body::of(outcome),
                Err((_, refused)) => Body::Refused(Box::new(refused)),
            },
            Op::Invocation(send) => Body::Invocation(self.engine.invocation(send)?.map(Box::new)),
            Op::NextDue => Body::NextDue(self.engine.next_due()),
            Op::Modules => Body::Modules(Statuses(self.engine.modules()?)),
            Op::Package(hash) => Body::Package(self.engine.package(&hash)?),
            Op::Left(name, types) => Body::Left(self.engine.left(&name, &types)?.map(Box::new)),
            Op::Stored(manifest) => Body::Left(self.engine.stored(&manifest)?.map(Box::new)),
            Op::Inspect {
                entity,
                after,
                limit,
            } => {
                let limit = limit.min(limits::SCAN_ROWS_MAX);
                let (root, fields) = self.engine.inspect(&entity, after.as_ref(), limit)?;
                Body::Entity { root, fields }
            }
            Op::Send { .. } | Op::Change(_) => unreachable!("updates are commands"),
            Op::Call(_) | Op::Answered(_) => unreachable!("may come to more than a body"),
        })
    }

    /// The first answer to a request that would be refused now; else that it is refused.
    pub(super) fn answered(&mut self, past: Past) -> Result<Reply, Halt> {
        let first = self.first_answer(&past.call, past.delay_ms)?;
        Ok(first.unwrap_or_else(|| Reply {
            seq: self.engine.seq(),
            body: Body::Refused(Box::new(past.refused)),
        }))
    }

    /// What a request with an idempotency key was answered before, if it was.
    fn first_answer(&mut self, call: &Call, delay_ms: Option<u64>) -> Result<Option<Reply>, Halt> {
        let seq = self.engine.seq();
        let first = self.engine.answered(call, delay_ms)?;
        Ok(first.map(|first| {
            let (seq, body) = batch::body(seq, first);
            Reply { seq, body }
        }))
    }

    /// The first answer to what is a query by now and ran as an update, of an earlier version of its module.
    pub(super) fn repeated(&mut self, op: &Op) -> Result<Option<Reply>, Halt> {
        match op {
            Op::Call(accepted) | Op::Query { accepted, .. }
                if accepted.call.idempotency_key.is_some() =>
            {
                self.first_answer(&accepted.call, None)
            }
            _ => Ok(None),
        }
    }

    /// Runs a query. If its method has become an update while it waited, nothing ran, and it comes back with why.
    pub(super) fn query(
        &mut self,
        accepted: Accepted,
        now: Timestamp,
    ) -> Result<Result<Outcome, (Box<Call>, Refused)>, Halt> {
        let Accepted { call, args, .. } = accepted;
        let outcome = self.engine.query(&call, Some(args), now)?;
        if let Outcome::Fault(fault) = &outcome
            && fault.kind == FaultKind::WriteInQuery
            && let Err(refused) = door::check_query(self.engine.catalog(), &call)
        {
            drop(self.engine.take_logs());
            return Ok(Err((call, refused)));
        }
        let told = self.engine.take_told();
        let heard = Heard::Queried {
            call: &call,
            outcome: &outcome,
            told: told.as_deref(),
        };
        self.tell(&outcome, heard);
        Ok(Ok(outcome))
    }
}
