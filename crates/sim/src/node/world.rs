//! The world itself: what it is made of, what may happen next, and what is looked at after each step.

use std::sync::Arc;
use std::time::Duration;

use ordain_log::disk::{Disk, MemoryDisk};
use ordain_log::{Record, read_from};
use ordain_node::{Body, Health};
use ordain_node::{Clock, Node, Options, Reply, Stepped, Steps, Unavailable, VirtualClock};
use ordain_store::MemoryStore;
use ordain_types::{Outcome, Seq, Timestamp};

use super::Lapse;
use super::asks::{Inbox, What};
use super::history::History;
use super::store::{FaultyStore, Medium, copy};
use crate::chance::Chance;
use crate::compare::{Difference, Same, holds, same, same_state};
use crate::dump::{self, Dump, short};
use crate::report::{Exercised, Scope};

/// When every world begins.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
/// Stores of earlier checkpoints that are kept to replay from.
const FORKS_MAX: usize = 3;
/// Rounds of steps after which something that does not come to rest never will.
const ROUNDS_MAX: u64 = 5_000;
/// Rounds in which a full disk is tried again before a rest.
const ROUNDS_FULL: u64 = 6;

pub(super) struct World<'a> {
    pub scope: Scope,
    pub chance: Chance,
    pub step: u64,
    pub trace: Vec<String>,
    pub exercised: Exercised,
    pub clock: Arc<VirtualClock>,
    pub disk: MemoryDisk,
    pub medium: &'a mut dyn Medium,
    pub history: History,
    pub settings: Settings,
    /// None between a crash and the restart.
    pub life: Option<Life>,
    pub forks: Vec<MemoryStore>,
    /// Snapshots' files.
    pub backups: Vec<Vec<u8>>,
    /// Nothing fails any more.
    pub healed: bool,
    /// The pretended breach was committed.
    lapsed: bool,
}

/// What stays as it is from life to life.
pub(super) struct Settings {
    pub history_bytes: u64,
    pub retention: Duration,
    pub memory_budget_bytes: usize,
    /// States are so large that few fit the budget.
    pub large: bool,
    /// Requests are so long that few fit a segment.
    pub wordy: bool,
    /// Bytes the disk has room for.
    pub limit: Option<u64>,
}

/// The node from one start to its end.
pub(super) struct Life {
    pub node: Node,
    pub steps: Steps,
    pub inbox: Arc<Inbox>,
    pub store: Arc<FaultyStore>,
    /// The executor has ended.
    pub ended: bool,
    pub stopping: bool,
    /// What was durable when a sync failed.
    pub failed_sync: Option<Seq>,
    pub failed_syncs_before: u64,
    pub stopped_before: u64,
    /// The last checkpoint looked at.
    pub checkpoint: Seq,
}

impl Life {
    pub fn health(&self) -> Health {
        self.node.health()
    }

    /// Whether nothing is to be expected of it any more.
    pub fn is_lost(&self) -> bool {
        use Unavailable::{DiskFailed, Halted};
        self.ended
            || matches!(
                self.health(),
                Health::Unavailable(DiskFailed(_) | Halted(_))
            )
    }

    pub fn disk_is_full(&self) -> bool {
        matches!(self.health(), Health::Unavailable(Unavailable::DiskFull(_)))
    }
}

impl<'a> World<'a> {
    pub fn new(mut chance: Chance, scope: Scope, medium: &'a mut dyn Medium) -> Self {
        let settings = Settings {
            history_bytes: chance.pick(&[1 << 30, 0]),
            retention: Duration::from_millis(chance.pick(&[86_400_000, 500, 20_000])),
            memory_budget_bytes: chance.pick(&[2 << 30, 1 << 20]),
            large: chance.one_in(6),
            wordy: chance.one_in(6),
            limit: None,
        };
        let mut history = History::new(scope.defect);
        history.clock_shows(BEGIN);
        Self {
            scope,
            chance,
            step: 0,
            trace: Vec::new(),
            exercised: Exercised::default(),
            clock: Arc::new(VirtualClock::new(BEGIN)),
            disk: MemoryDisk::new(),
            medium,
            history,
            settings,
            life: None,
            forks: Vec::new(),
            backups: Vec::new(),
            healed: false,
            lapsed: false,
        }
    }

    pub fn live(&mut self) -> Same {
        self.restart()?;
        for step in 0..20 + self.chance.below(180) {
            self.step = step;
            match self
                .chance
                .weighted(&[16, 14, 3, 2, 20, 2, 3, 5, 3, 1, 2, 1, 1])
            {
                0 => self.take_step(Thread::Executor).map(drop)?,
                1 => self.take_step(Thread::Committer).map(drop)?,
                2 => self.take_step(Thread::Checkpointer).map(drop)?,
                3 => self.take_step(Thread::Preparer).map(drop)?,
                4 => self.ask()?,
                5 => self.burst()?,
                6 => self.settle()?,
                7 => self.pass_time(),
                8 => self.plan_fault(),
                9 => self.fill_disk(),
                10 => self.free_disk(),
                11 => self.crash()?,
                _ => self.stop_and_start()?,
            }
            self.tend()?;
        }
        self.step += 1;
        self.finish()
    }

    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.scope.trace {
            self.trace
                .push(format!("{:4} {}", self.step, short(&line())));
        }
    }

    /// Tells, and counts.
    pub fn note(&mut self, what: &'static str) {
        self.exercised.add(what, 1);
        self.tell(|| what.to_owned());
    }

    /// Whether to pretend this breach now: once.
    pub fn lapses(&mut self, lapse: Lapse) -> bool {
        let now = self.scope.lapse == Some(lapse) && !self.lapsed;
        if now {
            self.lapsed = true;
            self.note("lapses");
        }
        now
    }

    /// Gives up whatever is left, without checks.
    pub fn abandon(&mut self) {
        self.disk.kill();
        self.life = None;
    }

    pub fn options(&mut self) -> Options {
        let chance = &mut self.chance;
        Options {
            segment_bytes: 64 << 10,
            queue_commands_max: chance.pick(&[1_000, 1_000, 8, 3, 1]),
            queue_bytes_max: 2 << 20,
            memory_budget_bytes: self.settings.memory_budget_bytes,
            checkpoint_interval: Duration::from_millis(chance.pick(&[3_600_000, 1, 50, 1_000])),
            checkpoint_log_bytes: chance.pick(&[1 << 30, 1, 3_000, 20_000]),
            history_bytes: self.settings.history_bytes,
            retention: self.settings.retention,
            build: Some("sim".to_owned()),
            read_back: chance.one_in(2),
            clock: self.clock.clone(),
            ..Options::default()
        }
    }

    /// Time passes, or the clock is set.
    fn pass_time(&mut self) {
        let ms = self.chance.pick(&[1, 7, 60, 400, 3_000, 40_000]);
        let jump = self.chance.pick(&[1_000, 3_600_000, 86_400_000]);
        let now = self.clock.now();
        match self.chance.weighted(&[6, 1, 1, 2]) {
            0 => self.clock.advance(Duration::from_millis(ms)),
            3 => self.nearly_due(),
            1 => {
                self.clock.set(now.plus_ms(jump));
                self.note("clock jumps on");
            }
            _ => {
                self.clock.set(Timestamp(now.0 - jump));
                self.note("clock jumps back");
            }
        }
        let now = self.clock.now();
        self.history.clock_shows(now);
        self.tell(|| format!("the clock shows {now:?}"));
    }

    /// Time passes until a millisecond before a send is due.
    fn nearly_due(&mut self) {
        let waiting = self.history.oracle().waiting.values();
        let before = waiting.map(|send| send.due.0.saturating_sub(1)).min();
        let left = before
            .unwrap_or_default()
            .saturating_sub(self.clock.now().0);
        self.clock.advance(Duration::from_millis(left.min(60_000)));
    }

    /// One step of one thread, and what shows of it. Says whether anything was done.
    pub fn take_step(&mut self, thread: Thread) -> Result<bool, Difference> {
        let Some(life) = &mut self.life else {
            return Ok(false);
        };
        let stepped = match thread {
            Thread::Executor => life.steps.executor(),
            Thread::Committer => life.steps.committer(),
            Thread::Checkpointer => life.steps.checkpointer(),
            Thread::Preparer => life.steps.preparer(),
        };
        life.ended |= thread == Thread::Executor && stepped == Stepped::Ended;
        if stepped == Stepped::Did {
            self.tell(|| format!("{thread:?}"));
        }
        self.look()?;
        Ok(stepped == Stepped::Did)
    }

    /// Steps all threads until none has anything to do.
    pub fn settle(&mut self) -> Same {
        for round in 0.. {
            let mut did = false;
            for thread in Thread::ALL {
                did |= self.take_step(thread)?;
            }
            let full = self.life.as_ref().is_some_and(Life::disk_is_full);
            if !did || full && round > ROUNDS_FULL {
                break;
            }
            holds(round < ROUNDS_MAX, || {
                Difference::new("coming to rest", "there is always more to do", "it does")
            })?;
        }
        Ok(())
    }

    /// Everything that shows from outside.
    fn look(&mut self) -> Same {
        if self.lapses_early() {
            self.read_replies()?;
        }
        self.read_log()?;
        self.check_failed_sync()?;
        self.check_checkpoint()?;
        self.read_replies()
    }

    /// Together with the record, the reply: as if the reply had left before.
    fn lapses_early(&mut self) -> bool {
        let last = self.history.last();
        let Some(life) = &mut self.life else {
            return false;
        };
        if self.scope.lapse != Some(Lapse::AnsweredEarly) || life.node.durable_seq() <= last {
            return false;
        }
        while life.steps.committer() == Stepped::Did {}
        life.inbox.has_update_after(last) && self.lapses(Lapse::AnsweredEarly)
    }

    /// What is durable now and was not before.
    fn read_log(&mut self) -> Same {
        let Some(life) = &self.life else {
            return Ok(());
        };
        let durable = life.node.durable_seq();
        if durable <= self.history.last() {
            return same(
                || "what is durable".to_owned(),
                &durable,
                &self.history.last(),
            );
        }
        for record in self.records(self.history.last().next(), durable)? {
            self.exercised.add("records", 1);
            self.history.extend(record)?;
            if self.scope.lapse == Some(Lapse::SentTwice)
                && self.history.has_delivered()
                && self.lapses(Lapse::SentTwice)
            {
                self.history.deliver_again()?;
            }
        }
        self.check_kept()?;
        same(
            || "what is durable".to_owned(),
            &self.history.last(),
            &durable,
        )
    }

    /// The log still has all that a start would replay.
    fn check_kept(&self) -> Same {
        let checkpoint = self.life.as_ref().map(|life| life.store.durable().seq());
        let from = checkpoint.unwrap_or_default().next();
        let disk = self.disk.fork();
        disk.calm();
        let kept = from > self.history.last() || read_from(Arc::new(disk), from).is_ok();
        holds(kept, || {
            let what = format!("the log after the checkpoint of {}", Seq(from.0 - 1));
            Difference::new(what, "it is gone", "it is kept")
        })
    }

    /// Records as the disk has them now.
    pub fn records(&self, from: Seq, until: Seq) -> Result<Vec<Record>, Difference> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let read = || read_from(disk, from)?.until(until).collect();
        let read: Result<Vec<Record>, ordain_log::ReadError> = read();
        read.map_err(|error| {
            let what = format!("the log from {from} to {until}");
            Difference::new(what, error.to_string(), "it can be read")
        })
    }

    fn check_failed_sync(&mut self) -> Same {
        let counts = self.disk.counts();
        // Earlier the life may end before anything more becomes durable.
        let pretended = self.healed && self.lapses(Lapse::WentOnAfterFailedSync);
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let durable = life.node.durable_seq();
        match life.failed_sync {
            None if counts.failed_syncs > life.failed_syncs_before || pretended => {
                life.failed_sync = Some(durable);
                self.note("failed syncs");
                Ok(())
            }
            None => Ok(()),
            Some(before) => same(
                || "what is durable after a failed sync".to_owned(),
                &durable,
                &before,
            ),
        }
    }

    /// A checkpoint that is new in the store is the oracle's state.
    fn check_checkpoint(&mut self) -> Same {
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        let store = life.store.durable();
        let seq = store.seq();
        if seq == life.checkpoint {
            return Ok(());
        }
        life.checkpoint = seq;
        if seq == Seq::ZERO {
            return Ok(()); // nothing was ever checkpointed
        }
        let state = whole_state(store)?;
        let fork = copy(store).map_err(unreadable)?;
        let last = self.history.last();
        holds(seq <= last, || {
            let found = seq.to_string();
            Difference::new("the seq of a checkpoint", found, format!("{last} at most"))
        })?;
        let expected = self.history.state_at(seq).expect("durable");
        let what = format!("state as of {seq} in the checkpoint");
        same_state(&what, &state, &dump::of_oracle(&expected))?;
        self.note("checkpoints");
        match self.forks.len() < FORKS_MAX {
            true => self.forks.push(fork),
            false => {
                let at = self.chance.below(2 * FORKS_MAX as u64) as usize;
                if let Some(kept) = self.forks.get_mut(at) {
                    *kept = fork;
                }
            }
        }
        Ok(())
    }

    fn read_replies(&mut self) -> Same {
        let Some(life) = &self.life else {
            return Ok(());
        };
        for (number, reply) in life.inbox.take() {
            // Earlier a crash may come between, and no one would wonder.
            if self.healed && self.lapses(Lapse::Unanswered) {
                continue;
            }
            let reply = self.pretend(number, reply);
            let ask = self.history.answered(number, &reply)?;
            self.tell(|| format!("reply to {number}: {reply:?}"));
            match (&ask.what, &reply.body) {
                (_, Body::Unavailable(_)) => self.exercised.add("told unavailable", 1),
                (What::Checkpoint { backup }, _) => self.checkpoint_came(reply.seq, *backup)?,
                (What::Update(_), Body::KeyReused { .. }) => self.exercised.add("keys reused", 1),
                (What::Update(_), Body::Outcome { repeated: true, .. }) => {
                    self.exercised.add("repeated", 1);
                }
                (What::Update(_), _) => self.exercised.add("acked", 1),
                _ => self.exercised.add("reads", 1),
            }
        }
        Ok(())
    }

    /// A reply as a breach would have it.
    fn pretend(&mut self, number: u64, mut reply: Reply) -> Reply {
        let ask = self.history.asks()[number as usize].clone();
        let floor = ask.floor;
        let query = matches!(
            ask.what,
            What::Query { .. } | What::Inspect(_) | What::NextDue
        );
        if let Body::Outcome {
            outcome: Outcome::Value(value),
            ..
        } = &mut reply.body
            && self.scope.lapse == Some(Lapse::AnswerChanged)
            && self.lapses(Lapse::AnswerChanged)
        {
            *value = [&value[..], b" "].concat().into();
        }
        let update = matches!(ask.what, What::Update(_));
        let ran = matches!(
            &reply.body,
            Body::Outcome {
                repeated: false,
                ..
            }
        );
        if update && ran && self.lapses(Lapse::OutOfOrder) {
            self.history.raise_floor(number, reply.seq);
        }
        let stale = query
            && floor > Seq::ZERO
            && !matches!(reply.body, Body::Unavailable(_) | Body::SeqNotReached);
        if stale && self.lapses(Lapse::StaleQuery) {
            reply.seq = Seq(floor.0 - 1);
        }
        reply
    }

    fn checkpoint_came(&mut self, seq: Seq, backup: bool) -> Same {
        let life = self.life.as_ref().expect("it answered");
        let durable = life.store.durable();
        let at = durable.seq();
        holds(at >= seq, || {
            let found = format!("the store has {at}");
            Difference::new(
                "a checkpoint that was answered",
                found,
                format!("{seq} at least"),
            )
        })?;
        if backup && at > Seq::ZERO {
            let mut file = Vec::new();
            let snapshot = durable.snapshot().map_err(unreadable)?;
            ordain_store::snapshot::write(&*snapshot, &mut file, &mut |_| {})
                .map_err(unreadable)?;
            self.backups.push(file);
            self.note("backups");
        }
        Ok(())
    }
}

/// The threads of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thread {
    Executor,
    Committer,
    Checkpointer,
    Preparer,
}

impl Thread {
    pub const ALL: [Thread; 4] = [
        Thread::Executor,
        Thread::Committer,
        Thread::Checkpointer,
        Thread::Preparer,
    ];
}

/// All that a store holds.
pub(super) fn whole_state(store: &dyn ordain_store::Store) -> Result<Dump, Difference> {
    let snapshot = store.snapshot().map_err(unreadable)?;
    let granule =
        |(key, value): (Box<[u8]>, bytes::Bytes)| (ordain_types::Granule::from_bytes(&key), value);
    let entries = snapshot.entries().map(|entry| entry.map(granule));
    let granules = entries.collect::<Result<_, _>>().map_err(unreadable)?;
    Ok(dump::of_granules(&granules))
}

pub(super) fn unreadable(error: ordain_store::Error) -> Difference {
    Difference::new("reading a sound store", error.to_string(), "it can be read")
}
