//! The thread that applies checkpoints to the store, and the executor's side of it.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordain_engine::{Changes, Engine};
use ordain_store::{Checkpoint, Store, give_way};
use ordain_types::granule::Part;
use ordain_types::{Bug, ChangeList, Granule, Seq, planted};

use crate::clock::Clock;
use crate::committer::{Commit, Standing};
use crate::ingress::Ingress;
use crate::panics::caught;
use crate::reply::{self, Body, Owed, Reply, StoreTrouble, Unavailable};
use crate::status::Counters;
use crate::stepped::{Pace, Stepped};

/// Granules captured between two batches, at least: short enough that no batch waits for it.
const CAPTURE_STEP_MIN: usize = 512;
/// Between so many batches a checkpoint is captured at the latest, however large it is.
const CAPTURE_STEPS_MAX: usize = 512;

/// How far a checkpoint is.
enum Phase {
    Idle,
    /// Frozen; being captured step by step.
    Capturing {
        step: usize,
    },
    /// Captured; the log is not durable up to its seq yet.
    Ready(Changes),
    /// With the checkpointer.
    Applying {
        epoch: u64,
        seq: Seq,
    },
}

/// What came of the last one, with its list, to be filled again.
type Done = Arc<Mutex<Option<Result<ChangeList, Unavailable>>>>;

/// The executor's side.
pub(crate) struct Checkpoints {
    phase: Phase,
    clock: Arc<dyn Clock>,
    began: Instant,
    log_bytes: u64,
    interval: Duration,
    log_bytes_max: u64,
    to_thread: Sender<Changes>,
    done: Done,
    store: Arc<dyn Store>,
    commit: Arc<Commit>,
    counters: Arc<Counters>,
    /// Who waits for a checkpoint as of at least a seq.
    waiters: Vec<(Owed, Seq)>,
    /// Take one as soon as possible.
    wanted: bool,
    /// Why the last one could not be written, if it could not.
    failed: Option<Unavailable>,
}

/// The checkpointer thread's side.
pub(crate) struct Checkpointer {
    changes: Receiver<Changes>,
    done: Done,
    store: Arc<dyn Store>,
    ingress: Arc<Ingress>,
}

/// Both sides.
pub(crate) fn new(
    store: Arc<dyn Store>,
    ingress: Arc<Ingress>,
    commit: Arc<Commit>,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    log_bytes_max: u64,
) -> (Checkpoints, Checkpointer) {
    let (to_thread, changes) = channel();
    let done = Done::default();
    let checkpointer = Checkpointer {
        changes,
        done: done.clone(),
        store: store.clone(),
        ingress,
    };
    let checkpoints = Checkpoints {
        phase: Phase::Idle,
        began: clock.instant(),
        clock,
        log_bytes: 0,
        interval,
        log_bytes_max,
        to_thread,
        done,
        store,
        commit,
        counters,
        waiters: Vec::new(),
        wanted: false,
        failed: None,
    };
    (checkpoints, checkpointer)
}

impl Checkpointer {
    /// Applies checkpoints until no one is left who could take one.
    pub fn run(self) {
        give_way();
        while self.step(Pace::Waits) != Stepped::Ended {}
    }

    /// Applies one checkpoint.
    pub fn step(&self, pace: Pace) -> Stepped {
        let next = match pace {
            Pace::Waits => self.changes.recv().map_err(TryRecvError::from),
            Pace::Tells => self.changes.try_recv(),
        };
        let changes = match next {
            Ok(changes) => changes,
            Err(TryRecvError::Empty) => return Stepped::Idle(None),
            Err(TryRecvError::Disconnected) => return Stepped::Ended,
        };
        let result = caught(|| self.apply(changes));
        let result = result.unwrap_or_else(|panic| {
            Err(Unavailable::Store {
                trouble: StoreTrouble::Failed,
                what: format!("the store panicked: {panic}"),
            })
        });
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.ingress.nudge();
        Stepped::Did
    }

    fn apply(&self, changes: Changes) -> Result<ChangeList, Unavailable> {
        let failed = |error| Unavailable::from(&error);
        if let Some(failure) = self.store.stats().failure {
            tracing::warn!(%failure, "the store is opened anew");
            self.store.reopen().map_err(failed)?;
        }
        let seq = changes.seq;
        if self.store.seq() >= seq {
            return Ok(changes.granules); // an earlier try of the same one was durable after all
        }
        let changes = match planted(Bug::VersionsLost) {
            true => without_deployments(&changes.granules),
            false => changes.granules,
        };
        let checkpoint = Checkpoint { seq, changes };
        self.store.apply(&checkpoint).map_err(failed)?;
        Ok(checkpoint.changes)
    }
}

fn without_deployments(changes: &ChangeList) -> ChangeList {
    let is_one = |key| matches!(Granule::from_bytes(key).part(), Some(Part::Deployment(..)));
    let others = changes.iter().filter(|(key, _)| !is_one(key));
    let own = |(key, value): (_, Option<&[u8]>)| (key, value.map(Bytes::copy_from_slice));
    others.map(own).collect()
}

impl Checkpoints {
    /// Counts log written since the last checkpoint.
    pub fn logged(&mut self, bytes: usize) {
        self.log_bytes += bytes as u64;
    }

    /// Takes a checkpoint soon. Says whether that is news.
    pub fn want(&mut self) -> bool {
        !std::mem::replace(&mut self.wanted, true)
    }

    /// Whether the last one could not be written, since [`Checkpoints::forgive`].
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// What an end now leaves out of the store: the log alone has it. None if nothing.
    pub fn unsaved(&self, engine: &Engine) -> Option<String> {
        (engine.seq() > self.store.seq()).then(|| match &self.failed {
            Some(why) => why.to_string(),
            None => "the log came to no end".to_owned(),
        })
    }

    /// Forgets that one failed.
    pub fn forgive(&mut self) {
        self.failed = None;
    }

    /// Whether none is under way.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Whether there is capturing to be done now.
    pub fn has_work(&self) -> bool {
        matches!(self.phase, Phase::Capturing { .. })
    }

    /// Whether one is with the checkpointer, who nudges when it is applied.
    pub fn is_applying(&self) -> bool {
        matches!(self.phase, Phase::Applying { .. })
    }

    /// Whether one waits for the log.
    pub fn awaits_log(&self) -> bool {
        matches!(self.phase, Phase::Ready(_))
    }

    /// When to look again, if nothing else happens; none: there is nothing to checkpoint.
    pub fn patience(&self, engine: &Engine) -> Option<Duration> {
        let due = self.is_idle() && engine.seq() > self.store.seq();
        due.then(|| self.interval.saturating_sub(self.elapsed()))
    }

    /// Since the last one began.
    fn elapsed(&self) -> Duration {
        self.clock.instant().saturating_duration_since(self.began)
    }

    /// Answers `reply` when a checkpoint as of the state now, or later, is applied.
    pub fn wait_for(&mut self, reply: Owed, engine: &Engine) {
        if self.store.seq() >= engine.seq() {
            let done = Reply {
                seq: self.store.seq(),
                body: Body::Checkpoint,
            };
            return reply::deliver([(reply, done)]);
        }
        self.waiters.push((reply, engine.seq()));
        self.wanted = true;
    }

    /// Does what can be done now, between two batches. Says whether a checkpoint was applied.
    pub fn step(&mut self, engine: &mut Engine, standing: &Standing) -> bool {
        self.begin_if_due(engine, standing);
        if let Phase::Capturing { step } = self.phase
            && let Some(changes) = engine.step_checkpoint(step)
        {
            self.phase = Phase::Ready(changes);
        }
        if let Phase::Ready(changes) = &self.phase
            && (standing.durable >= changes.seq || planted(Bug::CheckpointAhead))
        {
            self.hand_over();
        }
        self.take_result(engine)
    }

    fn begin_if_due(&mut self, engine: &mut Engine, standing: &Standing) {
        let due =
            self.wanted || self.log_bytes >= self.log_bytes_max || self.elapsed() >= self.interval;
        // When the log has failed and that was answered to, the state is the durable one.
        let sound = standing.failure.is_none() || standing.taken_back;
        if !(self.is_idle() && due && sound && engine.seq() > self.store.seq()) {
            return;
        }
        self.wanted = false;
        self.began = self.clock.instant();
        self.log_bytes = 0;
        let step = CAPTURE_STEP_MIN.max(engine.dirty() / CAPTURE_STEPS_MAX);
        engine.begin_checkpoint();
        self.phase = Phase::Capturing { step };
    }

    fn hand_over(&mut self) {
        let Phase::Ready(changes) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            unreachable!("seen by the caller")
        };
        self.phase = Phase::Applying {
            epoch: changes.epoch,
            seq: changes.seq,
        };
        self.to_thread
            .send(changes)
            .expect("the checkpointer lives as long as the executor");
    }

    fn take_result(&mut self, engine: &mut Engine) -> bool {
        let Phase::Applying { epoch, seq } = self.phase else {
            return false;
        };
        let result = self
            .done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match result {
            None => false,
            Some(Ok(list)) => {
                (self.phase, self.failed) = (Phase::Idle, None);
                engine.applied(epoch);
                engine.reuse(list);
                let gone = planted(Bug::HistoryGone);
                self.commit
                    .keep_from(if gone { Seq(u64::MAX) } else { seq.next() });
                Counters::add(&self.counters.checkpoints, 1);
                Counters::set(&self.counters.checkpoint_seq, seq.0);
                self.answer_waiters(seq);
                true
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "a checkpoint could not be written; it is tried again");
                Counters::add(&self.counters.checkpoint_failures, 1);
                engine.abandon_checkpoint();
                self.fail_waiters(&error);
                (self.phase, self.failed) = (Phase::Idle, Some(error));
                false
            }
        }
    }

    /// The engine took back what was not durable, and with it a checkpoint of that.
    pub fn taken_back(&mut self, engine: &Engine, why: &Unavailable) {
        if !engine.checkpointing() {
            self.phase = Phase::Idle;
        }
        self.fail_waiters_after(engine.seq(), why);
        self.wanted |= !self.waiters.is_empty(); // the one begun for them may be gone
    }

    fn answer_waiters(&mut self, applied: Seq) {
        let (ready, rest) = std::mem::take(&mut self.waiters)
            .into_iter()
            .partition(|(_, seq)| *seq <= applied);
        self.waiters = rest;
        self.wanted |= !self.waiters.is_empty();
        let reply = Reply {
            seq: applied,
            body: Body::Checkpoint,
        };
        let ready: Vec<(Owed, Seq)> = ready;
        reply::deliver(ready.into_iter().map(|(to, _)| (to, reply.clone())));
    }

    /// No checkpoint will come for those who wait.
    pub fn fail_waiters(&mut self, why: &Unavailable) {
        self.fail_waiters_after(Seq::ZERO, why);
    }

    /// Nor for those who wait for one of a command after `seq`.
    fn fail_waiters_after(&mut self, seq: Seq, why: &Unavailable) {
        let reply = Reply {
            seq: Seq::ZERO,
            body: Body::Unavailable(why.clone()),
        };
        let gone = self.waiters.extract_if(.., |(_, asked)| *asked > seq);
        reply::deliver(gone.map(|(to, _)| (to, reply.clone())));
    }
}
