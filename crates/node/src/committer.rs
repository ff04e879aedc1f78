//! The thread that makes batches durable and answers what is both durable and executed.
//!
//! One batch is one append: one write, one sync. If an append fails nothing after it is tried: the
//! executor is told, takes back what is not durable, and (when the disk was merely full) lets the
//! committer try again to make room.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ordain_engine::Catalog;
use ordain_log::{AppendError, Log};
use ordain_types::{Bug, Seq, limits, planted};

use crate::clock::Clock;
use crate::ingress::Ingress;
use crate::panics::caught;
use crate::preparer::Preparation;
use crate::reply::{self, Owed, Reply, Unavailable};
use crate::status::Counters;
use crate::stepped::{Pace, Stepped};

/// A batch on its way into the log.
pub(crate) struct Record {
    pub first_seq: Seq,
    pub count: u32,
    pub payload: Vec<u8>,
}

/// Replies of an executed batch; they wait until all up to `seen` is durable.
pub(crate) struct Executed {
    pub seen: Seq,
    pub replies: Vec<(Owed, Reply)>,
    /// Roughly what the replies keep alive.
    pub bytes: usize,
    /// What can be called from then on, if that has changed.
    pub catalog: Option<Arc<Catalog>>,
}

/// Between executor and committer.
pub(crate) struct Commit {
    state: Mutex<State>,
    news: Condvar,
    /// What the door knows: nothing that could still be taken back.
    catalog: Arc<ArcSwap<Catalog>>,
}

#[derive(Default)]
struct State {
    records: VecDeque<Record>,
    executed: VecDeque<Executed>,
    /// Of all that wait there.
    reply_bytes: usize,
    /// Empty lists of replies, for batches to come: their memory is there already.
    spare: Vec<Vec<(Owed, Reply)>>,
    durable: Seq,
    /// Handed over and not durable, the one being written included.
    in_flight: usize,
    failure: Option<Unavailable>,
    /// The executor has taken back what was not durable.
    taken_back: bool,
    /// The executor waits for the next batch to be durable.
    awaited: bool,
    /// Segments that hold only commands before this may go.
    keep_from: Seq,
    /// The next segment was made, or could not be: to be looked at.
    prepared: bool,
    stop: bool,
}

/// How the log stands, as the executor sees it.
pub(crate) struct Standing {
    pub durable: Seq,
    pub in_flight: usize,
    /// Of the replies that wait for the log.
    pub reply_bytes: usize,
    pub failure: Option<Unavailable>,
    /// The executor has answered to the failure.
    pub taken_back: bool,
}

/// So many lists of replies are kept to be used again, of no more room than these.
const SPARE_LISTS_MAX: usize = 4;
const SPARE_MAX: usize = limits::BATCH_COMMANDS_MAX;

/// How long to wait before trying again for room on a full disk.
const FULL_RETRY: Duration = Duration::from_millis(500);

impl Commit {
    pub fn new(durable: Seq, keep_from: Seq, catalog: Arc<ArcSwap<Catalog>>) -> Self {
        let state = State {
            durable,
            keep_from,
            // The first look is at the log as it was found: it may be longer than this node is to keep.
            prepared: true,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            news: Condvar::new(),
            catalog,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn standing(&self) -> Standing {
        let state = self.lock();
        let State {
            durable,
            in_flight,
            reply_bytes,
            taken_back,
            ..
        } = *state;
        Standing {
            durable,
            in_flight,
            reply_bytes,
            taken_back,
            failure: state.failure.clone(),
        }
    }

    /// Nudges the executor when a batch more is durable, if any is in flight.
    pub fn await_durable(&self) -> bool {
        let mut state = self.lock();
        state.awaited = state.in_flight > 0;
        state.awaited
    }

    /// Hands over a batch to be made durable.
    pub fn append(&self, record: Record) {
        let mut state = self.lock();
        state.in_flight += 1;
        state.records.push_back(record);
        drop(state);
        self.news.notify_one();
    }

    /// An empty list for replies.
    pub fn room(&self) -> Vec<(Owed, Reply)> {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Takes back a list of which all replies are delivered.
    fn give_back(&self, list: Vec<(Owed, Reply)>) {
        let mut state = self.lock();
        if list.capacity() <= SPARE_MAX && state.spare.len() < SPARE_LISTS_MAX {
            state.spare.push(list);
        }
    }

    /// Hands over the replies of an executed batch.
    pub fn answer(&self, mut executed: Executed) {
        if planted(Bug::DoorAhead) {
            self.publish(executed.catalog.take());
        }
        let mut state = self.lock();
        state.reply_bytes += executed.bytes;
        state.executed.push_back(executed);
        // While a batch is in flight the committer comes by anyway.
        let idle = state.in_flight == 0;
        drop(state);
        if idle {
            self.news.notify_one();
        }
    }

    fn publish(&self, catalog: Option<Arc<Catalog>>) {
        if let Some(catalog) = catalog {
            self.catalog.store(catalog);
        }
    }

    /// After a failure: gives the executor what will not be answered, once it has taken back all
    /// that is not durable.
    pub fn take_back(&self) -> Vec<(Owed, Reply)> {
        let mut state = self.lock();
        state.taken_back = true;
        state.records.clear();
        state.in_flight = 0;
        let durable = state.durable;
        let (mut lost, mut lost_bytes) = (Vec::new(), 0);
        state.executed.retain_mut(|executed| {
            let survives = executed.seen <= durable || planted(Bug::ReplyKept);
            if !survives {
                lost_bytes += executed.bytes;
                lost.append(&mut executed.replies);
            }
            survives
        });
        state.reply_bytes -= lost_bytes;
        drop(state);
        self.news.notify_one();
        lost
    }

    /// History before `seq` may go.
    pub fn keep_from(&self, seq: Seq) {
        self.lock().keep_from = seq;
    }

    /// Something came of the next segment: whether the log can go on shows in it.
    pub fn prepared(&self) {
        self.lock().prepared = !planted(Bug::PreparationUnseen);
        self.news.notify_one();
    }

    /// Ends the committer once all it was given is done.
    pub fn stop(&self) {
        self.lock().stop = true;
        self.news.notify_one();
    }
}

/// The committer's own side.
pub(crate) struct Committer {
    pub log: Log,
    pub commit: Arc<Commit>,
    pub ingress: Arc<Ingress>,
    pub counters: Arc<Counters>,
    pub clock: Arc<dyn Clock>,
    pub history_bytes: u64,
    /// Nothing will be appended, and the log stays as it is.
    pub read_only: bool,
    /// The next segment in the making: long enough a write to keep off this thread.
    pub preparing: Preparation,
    /// When to try again for room on a full disk.
    pub recover_at: Option<Instant>,
}

fn unavailable(error: &AppendError) -> Unavailable {
    match error {
        AppendError::Full { .. } => Unavailable::DiskFull(error.to_string()),
        _ => Unavailable::DiskFailed(error.to_string()),
    }
}

/// What the committer does next.
enum Next {
    Append(Record),
    Answer(Vec<Executed>),
    /// Look what came of the next segment.
    Prepared,
    Recover,
    Stop,
}

/// What there is for the committer.
enum Look {
    Now(Next),
    /// Nothing, until there is news; or, the disk being full, until it is worth another try.
    Later(Option<Duration>),
}

impl State {
    /// The disk is full, and what did not get onto it is taken back: once there is space, all goes on.
    fn awaits_space(&self) -> bool {
        let full = matches!(self.failure, Some(Unavailable::DiskFull(_)));
        full && self.taken_back && !self.stop && !planted(Bug::FullForEver)
    }

    fn look(&mut self) -> Look {
        let ready = self.executed.iter();
        let early = planted(Bug::RepliesEarly);
        let ready = ready.take_while(|batch| batch.seen <= self.durable || early);
        let ready = ready.count();
        if ready > 0 {
            let ready: Vec<_> = self.executed.drain(..ready).collect();
            self.reply_bytes -= ready.iter().map(|batch| batch.bytes).sum::<usize>();
            return Look::Now(Next::Answer(ready));
        }
        if std::mem::take(&mut self.prepared) {
            return Look::Now(Next::Prepared);
        }
        match &self.failure {
            None => {
                if let Some(record) = self.records.pop_front() {
                    return Look::Now(Next::Append(record));
                }
            }
            Some(_) if self.awaits_space() => return Look::Later(Some(FULL_RETRY)),
            Some(_) => {}
        }
        match self.stop {
            true => Look::Now(Next::Stop),
            false => Look::Later(None),
        }
    }
}

impl Committer {
    /// Works until it is told to stop.
    pub fn run(mut self) {
        while self.step(Pace::Waits) != Stepped::Ended {}
    }

    /// One batch written, some replies delivered, or one try for room on a full disk.
    pub fn step(&mut self, pace: Pace) -> Stepped {
        let stepped = caught(|| self.work(pace)).unwrap_or_else(|panic| {
            let panic = format!("the log panicked: {panic}");
            self.fail(Unavailable::DiskFailed(panic));
            Stepped::Did
        });
        if stepped == Stepped::Ended {
            // Once the node has stopped, nothing writes in its directory any more.
            self.preparing.finish();
            let left = std::mem::take(&mut self.commit.lock().executed);
            drop(left); // whoever is left is told
        }
        stepped
    }

    fn work(&mut self, pace: Pace) -> Stepped {
        match self.next(pace) {
            None => return Stepped::Idle(None),
            Some(Next::Append(record)) => self.append(&record),
            Some(Next::Answer(batches)) => {
                for mut batch in batches {
                    self.commit.publish(batch.catalog); // whoever hears of it can call what is new
                    reply::deliver(batch.replies.drain(..));
                    self.commit.give_back(batch.replies);
                }
            }
            Some(Next::Prepared) => {} // below
            Some(Next::Recover) => {
                let keep_from = self.commit.lock().keep_from;
                self.drop_history(keep_from); // a checkpoint since may have made it the room there is
                self.make_room();
            }
            Some(Next::Stop) => return Stepped::Ended,
        }
        self.ahead_of_need();
        Stepped::Did
    }

    /// What to do next; none: nothing now, for whoever does not wait.
    fn next(&mut self, pace: Pace) -> Option<Next> {
        let mut state = self.commit.lock();
        loop {
            // By the clock and not by how often there is news: each try fills the disk, and reads go on.
            let left = (pace == Pace::Waits && state.awaits_space()).then(|| {
                let now = Instant::now();
                let at = *self.recover_at.get_or_insert(now + FULL_RETRY);
                at.saturating_duration_since(now)
            });
            if left == Some(Duration::ZERO) {
                self.recover_at = None;
                return Some(Next::Recover);
            }
            let patience = match state.look() {
                Look::Now(next) => return Some(next),
                Look::Later(patience) => patience,
            };
            match (pace, patience) {
                (Pace::Waits, None) => {
                    let waited = self.commit.news.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
                (Pace::Waits, Some(patience)) => {
                    let left = left.unwrap_or(patience);
                    let waited = self.commit.news.wait_timeout(state, left);
                    (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                }
                // Whoever steps decides when the time is over.
                (Pace::Tells, patience) => return patience.map(|_| Next::Recover),
            }
        }
    }

    fn append(&mut self, record: &Record) {
        let began = self.clock.instant();
        let result = self
            .log
            .append(record.first_seq, record.count, &record.payload);
        let took = self.clock.instant().saturating_duration_since(began);
        Counters::add(&self.counters.syncs, 1);
        Counters::add(&self.counters.sync_us, took.as_micros() as u64);
        match result.or_else(|error| planted(Bug::FailureIgnored).then_some(()).ok_or(error)) {
            Ok(()) => {
                let durable = Seq(record.first_seq.0 + u64::from(record.count) - 1);
                Counters::set(&self.counters.durable_seq, durable.0);
                Counters::add(&self.counters.log_bytes, record.payload.len() as u64);
                let mut state = self.commit.lock();
                state.durable = durable;
                state.in_flight -= 1;
                let awaited = std::mem::take(&mut state.awaited);
                drop(state);
                match awaited {
                    true => self.ingress.nudge(),
                    false => self.ingress.landed(),
                }
            }
            Err(error) => self.fail(unavailable(&error)),
        }
    }

    fn fail(&self, why: Unavailable) {
        tracing::error!(error = %why, "the log cannot be written; no update is taken");
        self.ingress.refuse(Some(why.clone()));
        let mut state = self.commit.lock();
        state.failure = Some(why);
        state.taken_back = false;
        drop(state);
        self.ingress.nudge();
    }

    /// The disk was full: takes up the log again if there is room.
    fn make_room(&mut self) {
        // One in the making since before may have failed for the same reason: that is no news then.
        self.preparing.finish();
        drop(self.preparing.result());
        let made = self.log.reset_tail().and_then(|()| self.log.prepare_next());
        match made {
            Ok(()) => {
                tracing::info!("there is space again; updates go on");
                // In this order: who sees that the node is ready is not refused.
                self.ingress.refuse(None);
                self.commit.lock().failure = None;
                self.ingress.nudge();
            }
            Err(AppendError::Full { .. }) => {}
            Err(error) => self.fail(unavailable(&error)),
        }
    }

    /// Makes the next segment before it is needed, so that a full disk is noticed before a batch
    /// is accepted; lets old history go.
    fn ahead_of_need(&mut self) {
        let (failed, keep_from) = {
            let state = self.commit.lock();
            (state.failure.is_some(), state.keep_from)
        };
        if failed || self.read_only {
            return;
        }
        self.prepare_next();
        self.drop_history(keep_from);
    }

    fn prepare_next(&mut self) {
        match self.preparing.result() {
            None | Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => return self.fail(unavailable(&error)),
            Some(Err(panic)) => {
                let panic = format!("the log panicked: {panic}");
                return self.fail(Unavailable::DiskFailed(panic));
            }
        }
        if self.preparing.is_idle() && self.log.needs_next() {
            self.preparing.begin(self.log.preparer());
        }
    }

    fn drop_history(&mut self, keep_from: Seq) {
        let excess = self.log.bytes().saturating_sub(self.history_bytes);
        if excess == 0 {
            return;
        }
        // The newest seq such that what is before it makes up for the excess, but no checkpoint
        // does without it.
        let mut gone = 0;
        let mut upto = self.log.first_seq();
        for segment in self.log.segments() {
            match segment.first_seq {
                Some(first) if first <= keep_from && gone < excess => upto = first,
                _ => break,
            }
            gone += segment.bytes;
        }
        if upto > self.log.first_seq()
            && let Err(error) = self.log.remove_before(upto)
        {
            tracing::warn!(%error, "an old log segment could not be removed; it is tried again");
        }
    }
}
