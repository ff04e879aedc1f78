//! Runs the batch that has its place: first what nobody waits for, then the requests, whose replies are handed to
//! the committer. Where there is no room for more, the rest of it waits.

use ordain_engine::{Answer, Args, Executed, FORESEEN, Halt};
use ordain_types::{Bug, Call, Command, FaultKind, Outcome, Seq, Timestamp, limits, planted};

use super::batch::{self, Part, Placed, body};
use super::{Executor, told};
use crate::REPLY_BYTES_TOGETHER_MAX;
use crate::committer;
use crate::ingress::{Item, Work};
use crate::listener::Heard;
use crate::node::Op;
use crate::reply::{self, Body, Owed, Reply};

impl Executor {
    /// Runs a batch and hands over its replies; the rest of it later, if there is no room for more.
    pub(super) fn run_batch(&mut self, mut placed: Placed) -> Result<(), Halt> {
        if placed.begun.is_none() {
            self.begin_batch(&mut placed);
        }
        if !self.run_own(&mut placed)? {
            self.placed = Some(placed);
            return Ok(());
        }
        let Placed {
            draft,
            now,
            begun,
            tally,
        } = &mut placed;
        let first_seq = begun.flatten();
        let mut part = Part::in_room(self.commit.room());
        for at in 0.. {
            if at % FORESEEN == 0 {
                let next = draft.items.iter().take(FORESEEN);
                let next = next.filter_map(|item| item.work.call());
                self.engine.foresee(next);
            }
            let Some(item) = draft.items.pop_front() else {
                break;
            };
            let query = matches!(item.work, Work::Read(Op::Query { .. } | Op::Call(_)));
            if let Some((to, reply)) = self.run_item(item, *now)? {
                tally.queries += u64::from(query);
                tally.add(&reply.body);
                part.push(to, reply);
            }
            self.keep_within_budget();
            let full = part.bytes > REPLY_BYTES_TOGETHER_MAX || self.images_are_full();
            if full && !draft.items.is_empty() {
                self.hand_over(part, first_seq);
                self.placed = Some(placed);
                return Ok(());
            }
        }
        if draft.commands > 0 {
            self.digests.push(self.engine.end_batch());
            self.batch_max = batch::commands_max(draft.commands, self.engine.writes());
        }
        self.count(draft.commands, tally);
        self.hand_over(part, first_seq);
        if draft.items.capacity() <= limits::BATCH_COMMANDS_MAX {
            self.spare = std::mem::take(&mut draft.items).into();
        }
        Ok(())
    }

    fn begin_batch(&mut self, placed: &mut Placed) {
        let Placed { draft, now, .. } = placed;
        if planted(Bug::OrderLost) {
            draft.items.make_contiguous().reverse();
        }
        let first_seq = (draft.commands > 0).then(|| self.engine.seq().next());
        if let Some(first_seq) = first_seq {
            self.engine.begin_batch(first_seq, *now);
        }
        placed.begun = Some(first_seq);
    }

    /// Runs what nobody waits for. Tells whether there was room for all of it.
    fn run_own(&mut self, placed: &mut Placed) -> Result<bool, Halt> {
        let Placed { draft, tally, .. } = placed;
        while let Some(command) = draft.own.pop_front() {
            let executed = self.execute(&command, None)?;
            tally.add(&body(executed.seq, executed.answer).1);
            self.keep_within_budget();
            if self.images_are_full() && !draft.own.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands over replies of a batch. Where the log has failed before the batch was durable, they will
    /// be taken back: they are not kept until then.
    fn hand_over(&mut self, part: Part, first_seq: Option<Seq>) {
        let catalog = self.changed.take();
        let standing = self.commit.standing();
        if let (Some(failure), Some(first_seq)) = (standing.failure, first_seq)
            && standing.durable < first_seq
            && !planted(Bug::ReplyKept)
        {
            return reply::deliver(told(part.replies, failure));
        }
        let early = first_seq.is_none() && planted(Bug::QueriesEarly);
        self.commit.answer(committer::Executed {
            seen: if early { Seq::ZERO } else { self.engine.seq() },
            replies: part.replies,
            bytes: part.bytes,
            catalog,
        });
    }

    fn run_item(&mut self, item: Item, now: Timestamp) -> Result<Option<(Owed, Reply)>, Halt> {
        if let Work::Read(op) = &item.work
            && let Some(first) = self.repeated(op)?
        {
            return Ok(Some((item.reply, first)));
        }
        let reply = match item.work {
            Work::Update { command, args } => {
                let executed = self.execute(&command, args)?;
                let (seq, body) = body(executed.seq, executed.answer);
                let reply = Reply { seq, body };
                if planted(Bug::DeployedEarly) && matches!(command, Command::Deploy(_)) {
                    reply::deliver([(item.reply, reply)]);
                    return Ok(None);
                }
                reply
            }
            Work::Read(Op::Answered(past)) => self.answered(*past)?,
            Work::Read(Op::Call(accepted)) => match self.query(accepted, now)? {
                Ok(outcome) => Reply {
                    body: Body::of(outcome),
                    seq: self.engine.seq(),
                },
                Err((call, _)) => {
                    self.wait_as_update(call, item.reply);
                    return Ok(None);
                }
            },
            Work::Read(op) => Reply {
                body: self.read(op, now)?,
                seq: self.engine.seq(),
            },
            Work::Checkpoint => {
                self.checkpoints.wait_for(item.reply, &self.engine);
                return Ok(None);
            }
        };
        Ok(Some((item.reply, reply)))
    }

    /// A call of what was a query is one of an update by now: it takes a place in the log.
    fn wait_as_update(&mut self, call: Box<Call>, reply: Owed) {
        let work = Work::Update {
            command: Command::Call(call),
            args: None,
        };
        let item = Item { work, reply };
        self.backlog_bytes += item.bytes();
        self.backlog.push_back(item);
    }

    fn execute(&mut self, command: &Command, args: Option<Args>) -> Result<Executed, Halt> {
        let executed = self.engine.execute(command, args)?;
        if let Command::Deploy(_) | Command::Undeploy(_) = command {
            self.changed = Some(self.engine.shared_catalog());
        }
        if let Answer::Done(outcome) = &executed.answer {
            let seq = executed.seq;
            let told = self.engine.take_told();
            let told = told.as_deref();
            let heard = Heard::Ran {
                seq,
                command,
                outcome,
                told,
            };
            self.tell(outcome, heard);
        }
        Ok(executed)
    }

    /// Tells people what ran and what it said: whoever listens, else the server's log.
    pub(super) fn tell(&mut self, outcome: &Outcome, heard: Heard<'_>) {
        let lines = self.engine.take_logs();
        if let Some(listener) = &self.listener {
            lines
                .iter()
                .for_each(|line| listener.heard(Heard::Said(line)));
            return listener.heard(heard);
        }
        for line in lines {
            tracing::info!(at = keyless(&line.at), "{}", line.message);
        }
        if let Outcome::Fault(fault) = outcome {
            let (kind, at) = (fault.kind.code(), keyless(&fault.at));
            let said = is_told(fault.kind).then(|| tracing::field::display(&fault.message));
            let trace = (!fault.trace.is_empty()).then(|| tracing::field::display(&fault.trace));
            tracing::warn!(fault = kind, at, said, trace, "a method failed");
        }
    }
}

/// A place as the log may hold it, without the entity's key: `account.withdraw`.
fn keyless(at: &str) -> String {
    match (at.split_once('/'), at.rsplit_once('.')) {
        (Some((ty, _)), Some((_, method))) => format!("{ty}.{method}"),
        _ => String::new(),
    }
}

/// Whether the log has the message of such faults: what the method's own code said, or which limit it was. The
/// others may quote names that were asked for, keys, arguments or stored values, and are for who asked alone.
fn is_told(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Panic
        | FaultKind::Exception
        | FaultKind::Trap
        | FaultKind::ModuleState
        | FaultKind::CallDepth
        | FaultKind::Calls
        | FaultKind::WrittenBytes
        | FaultKind::ReadBytes
        | FaultKind::Sends
        | FaultKind::ScanRows
        | FaultKind::Instructions
        | FaultKind::Memory
        | FaultKind::Stack => true,
        FaultKind::UnknownEntity
        | FaultKind::UnknownMethod
        | FaultKind::ValueBytes
        | FaultKind::ArgumentBytes
        | FaultKind::EntityHeld
        | FaultKind::WriteInQuery
        | FaultKind::Arguments
        | FaultKind::StoredValue
        | FaultKind::Encoding
        | FaultKind::BadKey
        | FaultKind::Differs => false,
    }
}

#[cfg(test)]
mod tests {
    use super::keyless;

    #[test]
    fn a_place_in_the_log_has_no_key() {
        for (at, told) in [
            ("account/alice.withdraw", "account.withdraw"),
            ("account/a/b.c.withdraw", "account.withdraw"),
            ("", ""),
        ] {
            assert_eq!(keyless(at), told, "{at}");
        }
    }
}
