//! What each kind of command does, from its beginning to its answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ordain_types::{
    Bug, Call, Fault, FaultKind, Granule, InForce, Json, LogId, Outcome, Rejection, SendId, Seq,
    Timestamp, limits, planted,
};

use crate::Tx;
use crate::catalog::Args;
use crate::chance::Chance;
use crate::engine::{Answer, Halt};
use crate::expiry::{Answered, request_hash};
use crate::sends::{Delivered, NewSend, encode};

impl Tx {
    pub(crate) fn begin(&mut self, seq: Seq, now: Timestamp) {
        let running = &mut self.running;
        running.caller.clear();
        (running.seq, running.now) = (seq, now);
        (running.query, running.careful) = (false, false);
        running.told = None;
        self.restart();
        self.rows.begin();
    }

    /// Puts the running transaction back to where nothing of it has run.
    pub(crate) fn restart(&mut self) {
        let log_id = self.meta.log_id;
        let running = &mut self.running;
        running.frames.clear();
        running.sends.clear();
        running.logs.clear();
        (running.calls, running.written, running.read) = (0, 0, 0);
        running.log_bytes = 0;
        running.chance = Chance::new(log_id, running.seq);
        (running.fault, running.again) = (None, false);
        running.trace = None;
    }

    /// Runs what may find that the engine cannot go on.
    pub(crate) fn whole<R>(&mut self, run: impl FnOnce(&mut Tx) -> R) -> Result<R, Halt> {
        match catch_unwind(AssertUnwindSafe(|| run(self))) {
            Ok(result) if self.running.broken.is_none() => Ok(result),
            Ok(_) => Err(self.running.broken.clone().expect("just seen")),
            Err(unwinding) => match &self.running.broken {
                Some(why) => Err(why.clone()),
                None => std::panic::resume_unwind(unwinding), // a broken invariant of our own
            },
        }
    }

    /// Runs a call from outside, or a delivered send, as a transaction.
    pub(crate) fn outermost(&mut self, call: &Call, args: Option<Args>) -> Outcome {
        self.running.caller.clone_from(&call.caller);
        self.tell_called(call);
        if self.twice && !self.running.query {
            return self.run_twice(call, args);
        }
        self.attempt(call, args)
            .unwrap_or_else(|| self.attempt_carefully(call))
    }

    /// Runs it again from nothing, so that whatever its hosts count is exact.
    pub(crate) fn attempt_carefully(&mut self, call: &Call) -> Outcome {
        self.restart();
        self.running.careful = true;
        self.attempt(call, None)
            .expect("a careful run does not ask for another")
    }

    /// One run, whole or undone; none: undone, and to be run again carefully.
    pub(crate) fn attempt(&mut self, call: &Call, args: Option<Args>) -> Option<Outcome> {
        let mark = self.undo.len();
        let ended = catch_unwind(AssertUnwindSafe(|| self.try_outermost(call, args)));
        self.running.beside.clear();
        let outcome = match ended {
            Ok(Ok(value)) if !self.ended() => return Some(Outcome::Value(value)),
            Ok(Err(rejection)) if !self.ended() => Some(rejected(call, rejection)),
            Ok(_) | Err(_) if self.running.again => None,
            Ok(_) => Some(self.fault_outcome(None)),
            Err(unwinding) => Some(self.fault_outcome(Some(&*unwinding))),
        };
        self.running.frames.clear();
        self.running.sends.clear();
        if outcome.is_some() || !planted(Bug::FirstRunStays) {
            self.roll_back(mark);
        }
        outcome
    }

    fn try_outermost(&mut self, call: &Call, args: Option<Args>) -> Result<Json, Rejection> {
        match args {
            None => self.call_dynamic(&call.entity, &call.method, &call.args),
            Some(args) => self.call_decoded(&call.entity, &call.method, args, &call.args),
        }
    }

    fn fault_outcome(&mut self, unwinding: Option<&(dyn Any + Send)>) -> Outcome {
        let noted = self.running.fault.take();
        // Only what unwinds outside of any call, as in reading arguments, was not noted.
        let fault = noted.unwrap_or_else(|| {
            let unwinding = unwinding.expect("a transaction without a fault unwinds or ends");
            Box::new(panic_fault(unwinding, String::new()))
        });
        Outcome::Fault(fault)
    }

    /// Runs a request unless its idempotency key was answered before, and remembers the answer.
    pub(crate) fn once(
        &mut self,
        call: &Call,
        delay_ms: Option<u64>,
        run: impl FnOnce(&mut Tx) -> Outcome,
    ) -> Answer {
        let Some(key) = &call.idempotency_key else {
            return Answer::Done(run(self));
        };
        let request = request_hash(call, delay_ms);
        let granule = Granule::answered(&call.caller, key.as_str());
        if let Some(first) = self.first_answer(&granule, request) {
            return first;
        }
        let outcome = run(self);
        if self.running.broken.is_none() && !planted(Bug::AnswerLost) {
            self.remember_answer(granule, request, &outcome);
        }
        Answer::Done(outcome)
    }

    /// What a request gets whose idempotency key was answered before.
    pub(crate) fn answer_before(&mut self, call: &Call, delay_ms: Option<u64>) -> Option<Answer> {
        let key = call.idempotency_key.as_ref()?;
        let granule = Granule::answered(&call.caller, key.as_str());
        self.first_answer(&granule, request_hash(call, delay_ms))
    }

    fn first_answer(&mut self, granule: &Granule, request: u128) -> Option<Answer> {
        let Answered {
            request: first_request,
            seq: first,
            outcome,
        } = self.decode_row(granule)?;
        Some(match first_request == request || planted(Bug::KeyAlone) {
            true => Answer::Repeated { first, outcome },
            false => Answer::KeyReused { first },
        })
    }

    pub(crate) fn genesis(&mut self, log_id: LogId) -> Answer {
        self.meta.log_id = log_id;
        Answer::Done(Outcome::Value(Json::from_static(b"null")))
    }

    pub(crate) fn in_force(&mut self, in_force: &InForce) -> Answer {
        self.meta.in_force = in_force.clone();
        Answer::Done(Outcome::Value(Json::from_static(b"null")))
    }

    /// Makes a request from outside wait as a send. Its value is the send's id.
    pub(crate) fn accept_send(&mut self, call: &Call, delay_ms: u64) -> Outcome {
        let id = SendId {
            seq: self.running.seq,
            index: 0,
        };
        let full = self.pending.len() >= limits::SENDS_PENDING_MAX;
        if full || delay_ms > limits::SEND_DELAY_MS_MAX {
            let message = match full {
                true => format!("{} sends wait already", limits::SENDS_PENDING_MAX),
                false => format!("a delay of {delay_ms} ms is too long"),
            };
            let fault = Fault {
                kind: FaultKind::Sends,
                message,
                at: String::new(),
                trace: String::new(),
            };
            return Outcome::Fault(Box::new(fault));
        }
        let Call {
            entity,
            method,
            args,
            caller,
            ..
        } = call.clone();
        self.running.sends.push(NewSend {
            entity,
            method,
            args,
            sender: caller,
            delay_ms,
        });
        Outcome::Value(format!("\"{id}\"").into())
    }

    /// Calls a send that is due and records how it ended.
    pub(crate) fn deliver(&mut self, send: SendId) -> Answer {
        let Some(pending) = self.take_pending(send) else {
            return Answer::Done(Outcome::Value(Json::from_static(b"null")));
        };
        let call = Call {
            entity: pending.entity,
            method: pending.method,
            args: pending.args,
            caller: pending.sender,
            idempotency_key: None,
        };
        let outcome = self.outermost(&call, None);
        if self.running.broken.is_none() {
            let Call { entity, method, .. } = call;
            let row = Delivered {
                entity,
                method,
                at: self.running.seq,
                outcome: outcome.clone(),
            };
            self.remember(Granule::invocation(send), encode(&row), u32::MAX);
        }
        Answer::Done(outcome)
    }
}

/// A rejection within its limits: a long message is cut, long details are a fault.
fn rejected(call: &Call, rejection: Rejection) -> Outcome {
    let size = rejection.details.as_ref().map_or(0, Json::len);
    if size > limits::VALUE_BYTES_MAX {
        let limit = limits::VALUE_BYTES_MAX;
        return Outcome::Fault(Box::new(Fault {
            kind: FaultKind::ValueBytes,
            message: format!("a rejection's details have {size} bytes, limit {limit}"),
            at: format!("{}.{}", call.entity, call.method),
            trace: String::new(),
        }));
    }
    Outcome::Rejected(Box::new(rejection.bounded()))
}

/// The fault that a panic is.
pub(crate) fn panic_fault(unwinding: &(dyn Any + Send), at: String) -> Fault {
    let text = panic_text(unwinding).unwrap_or("the method panicked");
    let message = cut(text, limits::MESSAGE_BYTES_MAX).to_owned();
    Fault {
        kind: FaultKind::Panic,
        message,
        at,
        trace: String::new(),
    }
}

/// What a panic says, if it is a text.
pub fn panic_text(unwinding: &(dyn Any + Send)) -> Option<&str> {
    let text = unwinding.downcast_ref::<&str>().copied();
    text.or_else(|| unwinding.downcast_ref::<String>().map(String::as_str))
}

/// `text` cut to at most `limit` bytes at a character.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
