//! The world itself: what it is made of, what may happen next, and what is looked at after each step.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ordain_log::disk::MemoryDisk;
use ordain_node::Health;
use ordain_node::{Clock, Node, Options, Stepped, Steps, Unavailable, VirtualClock};
use ordain_store::MemoryStore;
use ordain_types::{Seq, Timestamp};

use super::Lapse;
use super::asks::Inbox;
use super::history::History;
use super::store::{FaultyStore, Medium};
use crate::chance::Chance;
use crate::compare::{Difference, Same, holds};
use crate::dump::short;
use crate::hosting::{Cast, Hosting};
use crate::report::{Exercised, Scope};

/// When every world begins.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);
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
    pub hosting: Hosting,
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
    /// Other builds of the program are tried, and take over.
    pub builds: bool,
    /// The build that runs.
    pub build: String,
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

    fn entities_in_memory(&self) -> u64 {
        let counters = self.node.counters();
        counters.entities_in_memory.load(Ordering::Relaxed)
    }

    pub fn disk_is_full(&self) -> bool {
        matches!(self.health(), Health::Unavailable(Unavailable::DiskFull(_)))
    }
}

impl<'a> World<'a> {
    pub fn new(
        mut chance: Chance,
        seed: u64,
        scope: Scope,
        cast: impl FnOnce(&mut Chance) -> Cast,
        medium: &'a mut dyn Medium,
    ) -> Self {
        let cast = cast(&mut chance);
        let large = chance.one_in(8);
        let settings = Settings {
            history_bytes: chance.pick(&[1 << 30, 0]),
            retention: Duration::from_millis(chance.pick(&[86_400_000, 500, 20_000])),
            memory_budget_bytes: if large { 1 << 20 } else { 2 << 30 },
            large,
            wordy: chance.one_in(8),
            limit: None,
            // By the seed, not by chance: the other worlds stay what they were.
            builds: seed % 5 == 4,
            build: "sim".to_owned(),
        };
        let mut history = History::new(scope.defect, cast.native);
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
            hosting: Hosting::new(cast),
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
        self.first_deployments()?;
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
        let has_modules = self.hosting.cast.has_modules();
        let chance = &mut self.chance;
        Options {
            segment_bytes: 64 << 10,
            queue_commands_max: chance.pick(&[1_000, 1_000, 8, 3, 1]),
            queue_bytes_max: 2 << 20,
            batch_min: chance.clone().pick(&[1, 1, 2, 256]), // of a copy: what follows stays as it was
            memory_budget_bytes: self.settings.memory_budget_bytes,
            checkpoint_interval: Duration::from_millis(chance.pick(&[3_600_000, 1, 50, 1_000])),
            checkpoint_log_bytes: chance.pick(&[1 << 30, 1, 3_000, 20_000]),
            history_bytes: self.settings.history_bytes,
            retention: self.settings.retention,
            build: Some(self.settings.build.clone()),
            read_back: chance.one_in(2),
            twice: has_modules && chance.one_in(8),
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
        let in_memory = life.entities_in_memory();
        let stepped = match thread {
            Thread::Executor => life.steps.executor(),
            Thread::Committer => life.steps.committer(),
            Thread::Checkpointer => life.steps.checkpointer(),
            Thread::Preparer => life.steps.preparer(),
        };
        life.ended |= thread == Thread::Executor && stepped == Stepped::Ended;
        let left = in_memory.saturating_sub(life.entities_in_memory());
        self.exercised.add("entities that left memory", left);
        if stepped == Stepped::Did {
            self.tell(|| format!("{thread:?}"));
        }
        self.look()?;
        Ok(stepped == Stepped::Did)
    }

    /// Steps all threads until none has anything to do: by then nobody waits any more.
    pub fn settle(&mut self) -> Same {
        for round in 0.. {
            let mut did = false;
            for thread in Thread::ALL {
                did |= self.take_step(thread)?;
            }
            let full = self.life.as_ref().is_some_and(Life::disk_is_full);
            if !did {
                self.check_in_force("at rest")?;
                return self.history.all_are_answered();
            }
            if full && round > ROUNDS_FULL {
                break;
            }
            holds(round < ROUNDS_MAX, || {
                Difference::new("coming to rest", "there is always more to do", "it does")
            })?;
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
