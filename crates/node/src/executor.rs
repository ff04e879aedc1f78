//! The executor thread: takes all that waits, gives it its place in the order, hands the record to
//! the committer and runs the batch meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ordain_engine::{Answer, Engine, Halt};
use ordain_types::{Batch, BatchDigest, Command, Outcome, SendId, Seq, Timestamp, limits};

use crate::BATCHES_IN_FLIGHT_MAX;
use crate::checkpointer::Checkpoints;
use crate::clock::Clock;
use crate::committer::{Commit, Executed, Record, Standing};
use crate::door::{self, Accepted};
use crate::ingress::{Ingress, Item, Work};
use crate::node::Op;
use crate::reply::{self, Body, Reply, ReplyTo, Unavailable};
use crate::status::Counters;

pub(crate) struct Executor {
    pub engine: Engine,
    pub ingress: Arc<Ingress>,
    pub commit: Arc<Commit>,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
    pub checkpoints: Checkpoints,
    pub memory_budget: usize,
    pub halted: Arc<Mutex<Option<String>>>,
    /// Of executed batches, not in the log yet.
    pub digests: Vec<BatchDigest>,
    /// Taken from the queue and not run yet.
    pub backlog: VecDeque<Item>,
    /// Memory at which evicting is tried next.
    pub evict_at: usize,
    /// The queue is closed: what waits is the last.
    pub closing: bool,
}

/// The longest rest while something is waited for that nudges: a belt to the braces.
const REST_MAX: Duration = Duration::from_millis(100);

/// One batch in the making.
struct Draft {
    deliveries: Vec<SendId>,
    items: Vec<Item>,
    /// Commands among them, and their encodings joined.
    commands: usize,
    encoded: Vec<u8>,
}

impl Executor {
    /// Runs until the queue is closed and all is done, or until the engine cannot go on.
    pub fn run(mut self) {
        let ended = loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => break None,
                Err(halt) => break Some(halt.to_string()),
            }
        };
        if let Some(reason) = &ended {
            tracing::error!(%reason, "the node stops");
            *self.halted.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        }
        self.ingress.close();
        let why = ended.map_or(Unavailable::Stopping, Unavailable::Halted);
        let left = self.ingress.take(Some(Duration::ZERO), true).items;
        let backlog = std::mem::take(&mut self.backlog);
        self.refuse(backlog.into_iter().chain(left), &why);
        self.checkpoints.fail_waiters(&why);
        self.commit.stop();
    }

    /// One turn: what the log did, a step of the checkpoint, a batch. False: all is done.
    fn turn(&mut self) -> Result<bool, Halt> {
        let standing = self.commit.standing();
        self.engine.durable(standing.durable);
        if standing.failure.is_some() && !standing.taken_back {
            self.take_back(&standing)?;
        }
        if self.checkpoints.step(&mut self.engine, &standing) {
            self.evict_at = self.memory_budget;
        }
        self.keep_within_budget();
        if self.must_wait(&standing) {
            // Whoever is waited for nudges: the committer or the checkpointer.
            let waits = self.commit.await_durable() || self.checkpoints.is_applying();
            if waits && !self.checkpoints.has_work() {
                self.ingress.rest(Some(REST_MAX));
            }
            return Ok(true);
        }
        if self.all_done(&standing) {
            return Ok(false);
        }
        if self.backlog.is_empty() {
            self.take(&standing);
        }
        let draft = self.draft(&standing);
        if draft.deliveries.is_empty() && draft.items.is_empty() {
            return Ok(true);
        }
        self.batch(draft)?;
        Ok(true)
    }

    fn must_wait(&self, standing: &Standing) -> bool {
        let log_behind = standing.in_flight >= BATCHES_IN_FLIGHT_MAX;
        let memory_full = self.engine.memory_bytes() > 2 * self.memory_budget;
        log_behind || memory_full && !self.checkpoints.is_idle()
    }

    fn take(&mut self, standing: &Standing) {
        let taken = self.ingress.take(self.patience(standing), self.closing);
        self.backlog.extend(taken.items);
        self.closing = taken.closed;
        if self.closing && self.backlog.is_empty() {
            self.checkpoints.want();
        }
    }

    /// How long nothing may happen; none: for ever.
    fn patience(&self, standing: &Standing) -> Option<Duration> {
        if self.checkpoints.has_work() {
            return Some(Duration::ZERO);
        }
        let behind = self.closing && standing.durable < self.engine.seq();
        if self.checkpoints.awaits_log() || behind {
            // The committer nudges, unless it was done in the meantime.
            return if self.commit.await_durable() {
                None
            } else {
                Some(Duration::ZERO)
            };
        }
        let sound = standing.failure.is_none();
        let due = self.engine.next_due().filter(|_| sound && !self.closing);
        let due = due.and_then(|due| match due <= self.now() {
            true => Some(Duration::ZERO),
            false => self.clock.wait(due),
        });
        let checkpoint = self.checkpoints.patience(&self.engine).filter(|_| sound);
        due.into_iter().chain(checkpoint).min()
    }

    fn now(&self) -> Timestamp {
        self.clock.now().max(self.engine.meta().timestamp)
    }

    /// The queue was closed and empty, everything is durable, the last checkpoint is applied.
    fn all_done(&self, standing: &Standing) -> bool {
        let durable = standing.durable >= self.engine.seq();
        let checkpointed = self.checkpoints.is_idle()
            && (standing.failure.is_some() || self.checkpoints.patience(&self.engine).is_none());
        self.closing && self.backlog.is_empty() && durable && checkpointed
    }

    /// Chooses what the next batch holds: sends that are due, then what waits, as far as it fits.
    fn draft(&mut self, standing: &Standing) -> Draft {
        let mut draft = Draft {
            deliveries: Vec::new(),
            items: Vec::new(),
            commands: 0,
            encoded: Vec::new(),
        };
        if let Some(failure) = &standing.failure {
            let (reads, updates): (Vec<_>, Vec<_>) = std::mem::take(&mut self.backlog)
                .into_iter()
                .partition(|item| matches!(item.work, Work::Read(_)));
            self.refuse(updates.into_iter(), failure);
            draft.items = reads;
            return draft;
        }
        if !self.closing {
            draft.deliveries = self.engine.due(self.now(), limits::BATCH_COMMANDS_MAX / 2);
        }
        for send in &draft.deliveries {
            draft
                .encoded
                .extend(door::encode(&Command::Deliver { send: *send }));
        }
        draft.commands = draft.deliveries.len();
        while draft.commands < limits::BATCH_COMMANDS_MAX
            && draft.encoded.len() < limits::BATCH_BYTES_MAX
            && let Some(item) = self.backlog.pop_front()
        {
            if let Work::Update { encoded, .. } = &item.work {
                draft.encoded.extend_from_slice(encoded);
                draft.commands += 1;
            }
            draft.items.push(item);
        }
        draft
    }

    /// Gives a batch its place in the log and runs it while it is being written.
    fn batch(&mut self, draft: Draft) -> Result<(), Halt> {
        let now = self.now();
        let first_seq = self.engine.seq().next();
        let mut replies = Vec::with_capacity(draft.items.len());
        if draft.commands > 0 {
            let digests = std::mem::take(&mut self.digests);
            let (count, commands) = (draft.commands, &draft.encoded);
            let payload = Batch::encode_parts(first_seq, now, &digests, count, commands);
            self.checkpoints.logged(payload.len());
            self.commit.append(Record {
                first_seq,
                count: count as u32,
                payload,
            });
            self.engine.begin_batch(first_seq, now);
        }
        for send in &draft.deliveries {
            self.engine
                .execute(&Command::Deliver { send: *send }, None)?;
        }
        for item in draft.items {
            self.run_item(item, now, &mut replies)?;
        }
        if draft.commands > 0 {
            self.digests.push(self.engine.end_batch());
        }
        self.count(draft.commands, &replies);
        self.commit.answer(Executed {
            seen: self.engine.seq(),
            replies,
        });
        Ok(())
    }

    fn run_item(
        &mut self,
        item: Item,
        now: Timestamp,
        replies: &mut Vec<(ReplyTo, Reply)>,
    ) -> Result<(), Halt> {
        let reply = match item.work {
            Work::Update { command, args, .. } => {
                let executed = self.engine.execute(&command, args)?;
                let (seq, body) = body(executed.seq, executed.answer);
                Reply { seq, body }
            }
            Work::Read(op) => Reply {
                body: self.read(op, now)?,
                seq: self.engine.seq(),
            },
            Work::Checkpoint => {
                self.checkpoints.wait_for(item.reply, &self.engine);
                return Ok(());
            }
        };
        replies.push((item.reply, reply));
        Ok(())
    }

    fn read(&mut self, op: Op, now: Timestamp) -> Result<Body, Halt> {
        Ok(match op {
            Op::Query {
                at_least: Some(seq),
                ..
            } if seq > self.engine.seq() => Body::SeqNotReached,
            Op::Query {
                accepted: Accepted { call, args, .. },
                ..
            } => {
                let outcome = self.engine.query(&call, Some(args), now)?;
                Body::Outcome {
                    outcome,
                    repeated: false,
                }
            }
            Op::Invocation(send) => Body::Invocation(self.engine.invocation(send)?.map(Box::new)),
            Op::NextDue => Body::NextDue(self.engine.next_due()),
            Op::Inspect {
                entity,
                after,
                limit,
            } => {
                let (root, fields) = self.engine.inspect(&entity, after.as_ref(), limit)?;
                Body::Entity { root, fields }
            }
            Op::Call(_) | Op::Send { .. } => unreachable!("updates are commands"),
        })
    }

    fn count(&self, commands: usize, replies: &[(ReplyTo, Reply)]) {
        let (mut queries, mut rejections, mut faults, mut repeats) = (0, 0, 0, 0);
        for (_, reply) in replies {
            let Body::Outcome { outcome, repeated } = &reply.body else {
                continue;
            };
            repeats += u64::from(*repeated);
            match outcome {
                Outcome::Value(_) => {}
                Outcome::Rejected(_) => rejections += 1,
                Outcome::Fault(_) => faults += 1,
            }
        }
        queries += (replies.len().saturating_sub(commands)) as u64;
        let counters = &self.counters;
        Counters::add(&counters.commands, commands as u64);
        Counters::add(&counters.queries, queries);
        Counters::add(&counters.rejections, rejections);
        Counters::add(&counters.faults, faults);
        Counters::add(&counters.repeated, repeats);
        Counters::add(&counters.batches, u64::from(commands > 0));
        Counters::set(&counters.seq, self.engine.seq().0);
        Counters::set(
            &counters.entities_in_memory,
            self.engine.entities_in_memory() as u64,
        );
        Counters::set(&counters.memory_bytes, self.engine.memory_bytes() as u64);
        Counters::set(&counters.sends_pending, self.engine.sends_pending() as u64);
    }

    /// Lets what was not used lately leave memory when there is too much of it.
    fn keep_within_budget(&mut self) {
        let memory = self.engine.memory_bytes();
        if memory <= self.evict_at.max(self.memory_budget) {
            return;
        }
        let slack = self.memory_budget / 16;
        self.engine.evict(memory - self.memory_budget + slack);
        let after = self.engine.memory_bytes();
        if after > self.memory_budget {
            self.checkpoints.want(); // the rest is not in the store yet
        }
        self.evict_at = after.max(self.memory_budget) + slack;
    }

    /// The log failed: takes back what is not durable, so that reads show what is.
    fn take_back(&mut self, standing: &Standing) -> Result<(), Halt> {
        let lost = self.commit.take_back();
        self.engine.roll_back_to(standing.durable)?;
        self.checkpoints.taken_back();
        self.digests
            .retain(|digest| digest.first_seq <= standing.durable);
        let failure = standing.failure.clone().expect("only after a failure");
        let body = Body::Unavailable(failure);
        let told = |(to, _)| {
            (
                to,
                Reply {
                    seq: Seq::ZERO,
                    body: body.clone(),
                },
            )
        };
        reply::deliver(lost.into_iter().map(told).collect());
        Ok(())
    }

    fn refuse(&self, items: impl Iterator<Item = Item>, why: &Unavailable) {
        let reply = Reply {
            seq: self.engine.seq(),
            body: Body::Unavailable(why.clone()),
        };
        reply::deliver(items.map(|item| (item.reply, reply.clone())).collect());
    }
}

fn body(seq: Seq, answer: Answer) -> (Seq, Body) {
    match answer {
        Answer::Done(outcome) => (
            seq,
            Body::Outcome {
                outcome,
                repeated: false,
            },
        ),
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
