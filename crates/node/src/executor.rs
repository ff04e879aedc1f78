//! The executor thread: takes all that waits, gives it its place in the order, hands the record to
//! the committer and runs the batch meanwhile. While one is on its way into the log, the next is begun
//! once enough waits, or something that only reads.

mod batch;
mod images;
mod reads;
mod run;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ordain_engine::{Catalog, Engine, Halt};
use ordain_types::{
    Batch, BatchDigest, Bug, Command, InForce, LogId, Seq, Timestamp, limits, planted,
};

use crate::budget::Budget;
use crate::checkpointer::Checkpoints;
use crate::clock::Clock;
use crate::committer::{Commit, Record, Standing};
use crate::ingress::{Enough, Ingress, Item, Work};
use crate::listener::Listener;
use crate::panics::caught;
use crate::recovery;
use crate::reply::{self, Body, Owed, Reply, Unavailable};
use crate::status::Counters;
use crate::stepped::{Pace, Stepped};
use crate::{BATCHES_IN_FLIGHT_MAX, REPLY_BYTES_WAITING_MAX};
use batch::{Draft, Placed, Tally};
use images::Images;

pub(crate) struct Executor {
    pub engine: Engine,
    pub ingress: Arc<Ingress>,
    pub commit: Arc<Commit>,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
    pub checkpoints: Checkpoints,
    pub budget: Budget,
    pub halted: Arc<Mutex<Option<String>>>,
    /// What the end left out of the store.
    pub unsaved: Arc<Mutex<Option<String>>>,
    /// What can be called, where a deployment changed it whose replies are not handed over yet.
    pub changed: Option<Arc<Catalog>>,
    pub listener: Option<Arc<dyn Listener>>,
    /// Nothing is logged.
    pub read_only: bool,
    /// The code and settings of this node: in the log before anything else it does.
    pub in_force: InForce,
    /// What tells the log from others, if it is new.
    pub log_id: LogId,
    /// Where the state came from a backup and the log is still empty: it goes on as another log.
    pub restored_at: Option<Seq>,
    /// Of executed batches, not in the log yet.
    pub digests: Vec<BatchDigest>,
    /// On their way into the log, with the first seq of the batch that carries them.
    pub carried: VecDeque<(Seq, Vec<BatchDigest>)>,
    /// Taken from the queue and not run yet.
    pub backlog: VecDeque<Item>,
    /// Roughly what that keeps alive.
    pub backlog_bytes: usize,
    /// How many requests are worth a batch while another is on its way into the log.
    pub batch_min: usize,
    /// How many commands the next batch may hold.
    pub batch_max: usize,
    /// An empty list for what is taken next: its memory is there already.
    pub spare: Vec<Item>,
    /// The commands of the batch in the making, encoded and joined.
    pub encoded: Vec<u8>,
    /// Has its place in the order and is to be run next.
    pub placed: Option<Placed>,
    /// The queue is closed: what waits is the last.
    pub closing: bool,
    /// Nothing is done any more.
    pub ended: bool,
}

/// The longest rest while something is waited for that nudges: a belt to the braces.
const REST_MAX: Duration = Duration::from_millis(100);

impl Executor {
    /// Runs until the queue is closed and all is done, or until the engine cannot go on.
    pub fn run(mut self) {
        while self.step(Pace::Waits) != Stepped::Ended {}
    }

    /// One turn, or the end.
    pub fn step(&mut self, pace: Pace) -> Stepped {
        if self.ended {
            return Stepped::Ended;
        }
        let ended = match caught(|| self.turn(pace)) {
            Ok(Ok(Stepped::Ended)) => None,
            Ok(Ok(stepped)) => return stepped,
            Ok(Err(halt)) => Some(halt.to_string()),
            Err(panic) => Some(format!("the executor panicked: {panic}")),
        };
        self.end(ended);
        Stepped::Ended
    }

    fn end(&mut self, halted: Option<String>) {
        self.ended = true;
        if let Some(reason) = &halted {
            tracing::error!(%reason, "the node stops");
            *self.halted.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        }
        let unsaved = self.checkpoints.unsaved(&self.engine);
        let unsaved = unsaved.or_else(|| self.in_doubt());
        let unsaved = unsaved.map(|why| halted.clone().unwrap_or(why));
        if let Some(why) = &unsaved {
            tracing::error!(%why, "the log may hold what the last checkpoint lacks");
        }
        *self.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = unsaved;
        self.ingress.close();
        let why = halted.map_or(Unavailable::Stopping, Unavailable::Halted);
        let left = self
            .ingress
            .take(Some(Duration::ZERO), true, Vec::new())
            .items;
        let backlog = std::mem::take(&mut self.backlog);
        self.ingress.still_waits(0, 0);
        self.refuse(backlog.into_iter().chain(left), &why);
        self.checkpoints.fail_waiters(&why);
        self.commit.stop();
    }

    /// Why the log may hold more than was acknowledged: where a sync failed nobody knows what is on the disk, and a
    /// start replays what is.
    fn in_doubt(&self) -> Option<String> {
        match self.commit.standing().failure {
            Some(failure @ Unavailable::DiskFailed(_)) => Some(format!(
                "{failure}; the log may hold commands that nobody was answered"
            )),
            _ => None,
        }
    }

    /// One turn: runs the batch that has its place; else what the log did, a step of the checkpoint,
    /// a place for the next batch.
    fn turn(&mut self, pace: Pace) -> Result<Stepped, Halt> {
        let standing = self.commit.standing();
        if let Some(placed) = self.placed.take() {
            return self.go_on(placed, &standing, pace);
        }
        self.engine.durable(standing.durable);
        let durable = |(first, _): &mut (Seq, _)| *first <= standing.durable;
        while self.carried.pop_front_if(durable).is_some() {}
        if standing.failure.is_some() && !standing.taken_back {
            self.take_back(&standing)?;
        }
        if self.checkpoints.step(&mut self.engine, &standing) {
            self.budget.look_again();
        }
        self.keep_within_budget();
        if self.must_wait(&standing) {
            return Ok(self.rest(pace));
        }
        if self.all_done(&standing) {
            return Ok(Stepped::Ended);
        }
        let news = match standing.failure {
            None if !self.read_only => {
                recovery::news(self.engine.meta(), &self.in_force, self.log_id)
            }
            _ => Vec::new(),
        };
        let nothing = self.backlog.is_empty() && news.is_empty();
        if nothing
            && standing.in_flight > 0
            && !self.ingress.has(Enough::Many(self.batch_min))
            && let Some(stepped) = self.gather(&standing, pace)
        {
            return Ok(stepped);
        }
        let mut idle = Stepped::Did;
        if nothing {
            idle = self.take(&standing, pace);
        }
        if standing.failure.is_some() && self.commit.standing().failure.is_none() {
            return Ok(Stepped::Did); // there came to be space while nothing else came
        }
        let draft = self.draft(news, &standing);
        self.ingress
            .still_waits(self.backlog.len(), self.backlog_bytes);
        if draft.own.is_empty() && draft.items.is_empty() {
            return Ok(idle);
        }
        self.place(draft);
        Ok(Stepped::Did)
    }

    /// Runs the batch that has its place, or rests until there is room for more of it: a checkpoint is captured
    /// between batches only.
    fn go_on(&mut self, placed: Placed, standing: &Standing, pace: Pace) -> Result<Stepped, Halt> {
        let waits = placed.begun.is_some() && replies_wait(standing);
        let images = match waits {
            true => Images::Wait,
            false => self.images_wait(&placed, standing),
        };
        match images {
            Images::Fit => self.run_batch(placed)?,
            Images::Lost(failure) => self.abandon(placed, &failure),
            Images::Wait => {
                self.placed = Some(placed);
                return Ok(self.rest_until_nudged(pace));
            }
        }
        Ok(Stepped::Did)
    }

    /// Waits for enough requests, or for the batch that is on its way into the log; none: something is due before.
    fn gather(&self, standing: &Standing, pace: Pace) -> Option<Stepped> {
        let on_its_way = || self.commit.standing().in_flight > 0;
        // It may have been taken back since.
        if self.checkpoints.has_work() || !on_its_way() {
            return Some(Stepped::Did);
        }
        let patience = self.patience(standing);
        if patience == Some(Duration::ZERO) {
            return None;
        }
        let patience = patience.unwrap_or(REST_MAX).min(REST_MAX);
        Some(match pace {
            Pace::Tells => Stepped::Idle(Some(patience)),
            Pace::Waits => {
                self.ingress.gather(patience, self.batch_min, on_its_way);
                Stepped::Did
            }
        })
    }

    /// Rests, unless the checkpoint can go on.
    fn rest(&self, pace: Pace) -> Stepped {
        match self.checkpoints.has_work() {
            true => Stepped::Did,
            false => self.rest_until_nudged(pace),
        }
    }

    /// Whoever is waited for nudges: the committer or the checkpointer.
    fn rest_until_nudged(&self, pace: Pace) -> Stepped {
        let waits = self.commit.await_durable() || self.checkpoints.is_applying();
        match (waits, pace) {
            (false, _) => Stepped::Did,
            (true, Pace::Tells) => Stepped::Idle(Some(REST_MAX)),
            (true, Pace::Waits) => {
                self.ingress.rest(REST_MAX);
                Stepped::Did
            }
        }
    }

    fn must_wait(&self, standing: &Standing) -> bool {
        let log_behind = standing.in_flight >= BATCHES_IN_FLIGHT_MAX;
        let memory_full = self.budget.is_spent(&self.engine);
        let images = self.images_are_full() && standing.in_flight > 0;
        log_behind || images || replies_wait(standing) || memory_full && !self.checkpoints.is_idle()
    }

    fn take(&mut self, standing: &Standing, pace: Pace) -> Stepped {
        // Wanted before anything is waited for: else it would come when one is due.
        if self.closing && !self.checkpoints.has_failed() && self.checkpoints.want() {
            return Stepped::Did;
        }
        let patience = self.patience(standing);
        let room = std::mem::take(&mut self.spare);
        let taken = match pace {
            Pace::Waits => self.ingress.take(patience, self.closing, room),
            Pace::Tells => self.ingress.take(Some(Duration::ZERO), self.closing, room),
        };
        let busy = taken.news || patience == Some(Duration::ZERO);
        assert!(self.backlog.is_empty(), "taken when nothing else waits");
        self.backlog = taken.items.into();
        self.backlog_bytes = taken.bytes;
        if taken.closed && !self.closing {
            self.closing = true;
            self.checkpoints.forgive(); // the last one is tried once, whatever was before
        }
        match busy {
            true => Stepped::Did,
            false => Stepped::Idle(patience),
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
        let delivers = standing.failure.is_none() && self.delivers();
        let due = self.engine.next_due().filter(|_| delivers);
        let due = due.and_then(|due| match due <= self.now() {
            true => Some(Duration::ZERO),
            false => self.clock.wait(due),
        });
        let checkpoint = self.checkpoints.patience(&self.engine);
        due.into_iter().chain(checkpoint).min()
    }

    /// Whether sends that are due get into batches.
    fn delivers(&self) -> bool {
        !self.closing && !self.read_only
    }

    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        if planted(Bug::TimeGoesBack) {
            return now;
        }
        now.max(self.engine.meta().timestamp)
    }

    /// The queue was closed and empty, everything is durable, the last checkpoint is applied (or could
    /// not be written: the log has it all).
    fn all_done(&self, standing: &Standing) -> bool {
        let durable = standing.durable >= self.engine.seq();
        let checkpointed = self.checkpoints.is_idle()
            && (self.checkpoints.has_failed() || self.checkpoints.patience(&self.engine).is_none());
        self.closing && self.backlog.is_empty() && durable && checkpointed
    }

    /// Chooses what the next batch holds: what is in force if that is news, sends that are due, then
    /// what waits, as far as it fits.
    fn draft(&mut self, news: Vec<Command>, standing: &Standing) -> Draft {
        let mut draft = Draft {
            own: news.into(),
            items: VecDeque::new(),
            commands: 0,
        };
        self.encoded.clear();
        self.encoded.shrink_to(limits::BATCH_BYTES_MAX); // a deployment may be larger than any batch
        if let Some(failure) = &standing.failure {
            let waiting = std::mem::take(&mut self.backlog);
            self.backlog_bytes = 0;
            draft.items = self.refuse_updates(waiting, failure);
            return draft;
        }
        if self.delivers() {
            let now = self.now().plus_ms(planted(Bug::DueEarly).into());
            let due = self.engine.due(now, self.batch_max / 2);
            let due = due.into_iter();
            draft.own.extend(due.map(|send| Command::Deliver { send }));
        }
        if self.begins_another_log(&draft) {
            let log_id = self.log_id;
            draft.own.push_front(Command::Genesis { log_id });
        }
        for command in &draft.own {
            command.encode_into(&mut self.encoded);
        }
        draft.commands = draft.own.len();
        let mut fit = 0;
        for item in &self.backlog {
            if draft.commands >= self.batch_max || self.encoded.len() >= limits::BATCH_BYTES_MAX {
                break;
            }
            if let Work::Update { command, .. } = &item.work {
                command.encode_into(&mut self.encoded);
                draft.commands += 1;
            }
            fit += 1;
        }
        if fit == self.backlog.len() {
            draft.items = std::mem::take(&mut self.backlog);
            self.backlog_bytes = 0;
        } else {
            draft.items = self.backlog.drain(..fit).collect();
            self.backlog_bytes -= draft.items.iter().map(Item::bytes).sum::<usize>();
        }
        draft
    }

    /// Whether this is the first batch after a restore: but for another log id, the node would draw the
    /// same random numbers as the one whose backup it was.
    fn begins_another_log(&self, draft: &Draft) -> bool {
        let is_update = |item: &Item| matches!(item.work, Work::Update { .. });
        let logs = !draft.own.is_empty() || self.backlog.iter().any(is_update);
        logs && self.restored_at == Some(self.engine.seq())
    }

    /// Gives a batch its place in the order, and its record to the committer: it is run while that is
    /// being written.
    fn place(&mut self, draft: Draft) {
        let now = self.now();
        let first_seq = self.engine.seq().next();
        if draft.commands > 0 {
            let digests = std::mem::take(&mut self.digests);
            let (count, commands) = (draft.commands, &self.encoded);
            let payload = Batch::encode_parts(first_seq, now, &digests, count, commands);
            self.checkpoints.logged(payload.len());
            self.carried.push_back((first_seq, digests));
            self.commit.append(Record {
                first_seq,
                count: count as u32,
                payload,
            });
        }
        self.placed = Some(Placed {
            draft,
            now,
            begun: None,
            tally: Tally::default(),
        });
    }

    fn count(&self, commands: usize, tally: &Tally) {
        let counters = &self.counters;
        Counters::add(&counters.commands, commands as u64);
        Counters::add(&counters.queries, tally.queries);
        Counters::add(&counters.rejections, tally.rejections);
        Counters::add(&counters.faults, tally.faults);
        Counters::add(&counters.repeated, tally.repeated);
        Counters::add(&counters.batches, u64::from(commands > 0));
        counters.show(&self.engine);
    }

    /// Lets what was not used lately leave memory when there is too much of it.
    fn keep_within_budget(&mut self) {
        if self.budget.keep(&mut self.engine) {
            self.checkpoints.want();
        }
    }

    /// The log failed: takes back what is not durable, so that reads show what is.
    fn take_back(&mut self, standing: &Standing) -> Result<(), Halt> {
        let lost = self.commit.take_back();
        if !planted(Bug::NotTakenBack) {
            self.engine.roll_back_to(standing.durable)?;
        }
        self.counters.show(&self.engine);
        let failure = standing.failure.clone().expect("only after a failure");
        self.checkpoints.taken_back(&self.engine, &failure);
        // Of what stays, those that were on their way go again.
        let carried = self.carried.drain(..).flat_map(|(_, digests)| digests);
        let digests = carried.chain(std::mem::take(&mut self.digests));
        self.digests = digests
            .filter(|digest| digest.first_seq <= standing.durable && !planted(Bug::DigestsDropped))
            .collect();
        reply::deliver(told(lost, failure));
        Ok(())
    }

    fn refuse(&self, items: impl Iterator<Item = Item>, why: &Unavailable) {
        let reply = Reply {
            seq: self.engine.seq(),
            body: Body::Unavailable(why.clone()),
        };
        reply::deliver(items.map(|item| (item.reply, reply.clone())));
    }
}

/// Whether there is no room for more replies until the log has come on.
fn replies_wait(standing: &Standing) -> bool {
    let room = standing.reply_bytes <= REPLY_BYTES_WAITING_MAX || planted(Bug::RepliesUnbounded);
    !room && standing.in_flight > 0 && standing.failure.is_none()
}

/// What those are told whose commands are taken back.
fn told(lost: Vec<(Owed, Reply)>, why: Unavailable) -> Vec<(Owed, Reply)> {
    let reply = Reply {
        seq: Seq::ZERO,
        body: Body::Unavailable(why),
    };
    let lost = lost.into_iter();
    lost.map(|(to, _)| (to, reply.clone())).collect()
}
