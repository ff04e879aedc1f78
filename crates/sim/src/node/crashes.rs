//! The end of a life of the node, by a kill, a power loss or a clean stop, and the next start, which may
//! itself be cut off. After each start the log is held against what was durable before.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use ordain_log::disk::{Disk, Fault};
use ordain_log::{ReadError, Record, read_from};
use ordain_node::{Node, OpenError, Options, Progress, Recovered, Steps};
use ordain_store::Store;
use ordain_types::Seq;

use super::Lapse;
use super::asks::Inbox;
use super::look::unreadable;
use super::store::FaultyStore;
use super::world::{Life, Thread, World};
use crate::compare::{Difference, Same, holds, same};

/// Starts that may be cut off, one after the other.
const ATTEMPTS_MAX: u64 = 3;
/// Rounds after which a node that is to stop must have.
const ROUNDS_MAX: u64 = 5_000;

/// A start that came to its end.
struct Opened {
    node: Node,
    steps: Steps,
    store: Arc<FaultyStore>,
    recovered: Recovered,
}

impl World<'_> {
    /// The process or the machine ends between any two steps, and starts again.
    pub(super) fn crash(&mut self) -> Same {
        self.end();
        self.restart()
    }

    /// Ends the process, or the machine.
    fn end(&mut self) {
        self.history.hang_up();
        match self.chance.one_in(2) {
            false => {
                self.note("kills");
                self.disk.kill();
            }
            true => {
                self.note("power losses");
                self.lose_power();
            }
        }
        self.end_life();
    }

    fn end_life(&mut self) {
        self.count_store_faults();
        self.life = None;
        self.hosting.end_process(&mut self.chance);
    }

    fn lose_power(&mut self) {
        let World { disk, chance, .. } = self;
        disk.lose_power(&mut |n| chance.below(n as u64) as usize);
    }

    /// Stops the node as one should, and starts it again.
    pub(super) fn stop_and_start(&mut self) -> Same {
        self.stop()?;
        if self.chance.one_in(4) {
            self.note("power losses");
            self.lose_power();
        }
        self.change_build()?;
        self.restart()
    }

    /// A clean stop: everyone is answered, and if nothing failed all is in the checkpoint.
    pub(super) fn stop(&mut self) -> Same {
        self.note("clean stops");
        let Some(life) = &mut self.life else {
            return Ok(());
        };
        life.stopping = true;
        life.node.stop();
        for round in 0.. {
            let mut did = false;
            for thread in Thread::ALL {
                did |= self.take_step(thread)?;
            }
            let ended = self.life.as_ref().is_some_and(|life| life.ended);
            if ended && !did {
                break;
            }
            holds(did && round < ROUNDS_MAX, || {
                Difference::new(
                    "a clean stop",
                    "nothing moves and it is not over",
                    "it ends",
                )
            })?;
        }
        self.history.all_are_answered()?;
        self.end_life();
        Ok(())
    }

    /// Starts the node. It may be cut off on the way, but in the end it starts.
    pub(super) fn restart(&mut self) -> Same {
        for _ in 0..ATTEMPTS_MAX {
            if !self.chance.one_in(4) {
                break;
            }
            self.cut_off_start();
            self.end();
        }
        self.disk.calm();
        let options = self.options();
        let mut opened = self.open(options.clone(), None);
        if opened.is_err() && self.settings.limit.take().is_some() {
            self.tell(|| "there was no space to start in".to_owned());
            self.disk.limit_bytes(None);
            opened = self.open(options, None);
        }
        match opened {
            Ok(opened) => self.begin_life(opened),
            Err(error) => Err(Difference::new(
                "the start after a crash",
                error,
                "it starts",
            )),
        }
    }

    /// A start during which something fails, or which is killed in the middle of its replay.
    fn cut_off_start(&mut self) {
        let after = self.chance.below(8);
        let kind = std::io::ErrorKind::Other;
        let mut die_at = None;
        match self.chance.below(5) {
            0 => self.disk.stop_after(after),
            1 => self.disk.inject(after / 2, Fault::Sync { kind }),
            2 => self.disk.inject(after, Fault::Read { kind }),
            3 => self
                .disk
                .inject(after / 2, Fault::Write { landed: 700, kind }),
            _ => die_at = Some(after),
        }
        let options = self.options();
        let opened = self.open(options, die_at);
        self.tell(|| {
            format!(
                "a start, cut off: {}",
                opened.as_ref().err().map_or("too late", |error| error)
            )
        });
        self.exercised
            .add("starts cut off", u64::from(opened.is_err()));
    }

    /// Opens the node. `die_at`: after so many records of the replay it ends, as by a kill.
    fn open(&mut self, options: Options, die_at: Option<u64>) -> Result<Opened, String> {
        let durable = self.medium.open().map_err(|error| error.to_string())?;
        let store = Arc::new(FaultyStore::new(durable));
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let (on, seed) = (store.clone(), self.chance.number());
        let mut left = die_at;
        let mut progress = |_: Progress| match &mut left {
            Some(0) => resume_unwind(Box::new("killed in the middle of the replay")),
            Some(left) => *left -= 1,
            None => {}
        };
        let catalog = self.hosting.catalog();
        let open = || Node::open_stepped(disk, on, catalog, options, seed, &mut progress);
        let opened = catch_unwind(AssertUnwindSafe(open));
        let (node, steps, recovered) = match opened {
            Ok(opened) => opened.map_err(|error: OpenError| error.to_string())?,
            Err(panic) if die_at.is_some() => {
                let text = panic.downcast_ref::<&str>();
                return Err(text.copied().unwrap_or("it panicked").to_owned());
            }
            Err(panic) => resume_unwind(panic),
        };
        Ok(Opened {
            node,
            steps,
            store,
            recovered,
        })
    }

    fn begin_life(&mut self, opened: Opened) -> Same {
        let Opened {
            node,
            steps,
            store,
            recovered,
        } = opened;
        self.tell(|| format!("started: {recovered:?}"));
        self.exercised.add("starts", 1);
        self.exercised
            .add("replays", u64::from(recovered.replayed > 0));
        self.exercised
            .add("torn writes cut", u64::from(recovered.cut.is_some()));
        let checkpoint = store.seq();
        same(
            || "the checkpoint begun with".to_owned(),
            &recovered.checkpoint,
            &checkpoint,
        )?;
        self.check_survivors(recovered.seq, checkpoint)?;
        self.history.began_at(checkpoint);
        self.try_other_builds(store.durable())?;
        let counts = self.disk.counts();
        self.life = Some(Life {
            node,
            steps,
            inbox: Arc::new(Inbox::default()),
            store,
            ended: false,
            stopping: false,
            failed_sync: None,
            failed_syncs_before: counts.failed_syncs,
            stopped_before: counts.stopped,
            // One that was applied as the process ended is looked at now.
            checkpoint: Seq(u64::MAX),
        });
        self.count_replayed(recovered.checkpoint);
        self.check_in_force("after a start")
    }

    /// The log against what was durable before.
    fn check_survivors(&mut self, last: Seq, checkpoint: Seq) -> Same {
        let mut records = self.surviving()?;
        let reached = records.last().map_or(Seq::ZERO, Record::last_seq);
        holds(records.is_empty() || reached == last, || {
            Difference::new("the end of the log", reached.to_string(), last.to_string())
        })?;
        let lost = records.len() > 1 && reached == self.history.last();
        if lost && self.lapses(Lapse::AckLost) {
            records.pop();
        }
        if records
            .first()
            .is_some_and(|record| record.first_seq > Seq(1))
        {
            self.exercised.add("starts with trimmed history", 1);
        }
        let cut_off = if records.is_empty() { last } else { Seq::ZERO };
        let before = self.history.last();
        self.history.survived(records, cut_off)?;
        let more = self.history.last().0 - before.0;
        self.exercised.add("unacked commands that survived", more);
        holds(checkpoint <= self.history.last(), || {
            let found = checkpoint.to_string();
            Difference::new("the seq of the store", found, format!("{last} at most"))
        })
    }

    /// All records of the log, from the oldest.
    pub(super) fn surviving(&self) -> Result<Vec<Record>, Difference> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        all_records(&disk).map_err(|error| {
            Difference::new("the surviving log", error.to_string(), "it can be read")
        })
    }

    /// A node that is lost is ended at some time, and a machine that has stopped as well.
    pub(super) fn tend(&mut self) -> Same {
        let stopped = self.disk.counts().stopped;
        let Some(life) = &self.life else {
            return self.restart();
        };
        let lost = life.is_lost() || stopped > life.stopped_before;
        if lost && self.chance.one_in(5) {
            return self.give_up();
        }
        Ok(())
    }

    /// Ends a lost life: by a crash or, where the machine runs, by a stop.
    pub(super) fn give_up(&mut self) -> Same {
        let Some(life) = &self.life else {
            return self.restart();
        };
        let runs = self.disk.counts().stopped == life.stopped_before;
        if life.ended {
            self.exercised.add("halts", 1);
        }
        match runs && self.chance.one_in(2) {
            true => self.stop_and_start(),
            false => self.crash(),
        }
    }

    /// What the store has, as an error would be told.
    pub(super) fn durable_keys(&mut self) -> Result<Vec<Box<[u8]>>, Difference> {
        let Some(life) = &self.life else {
            return Ok(Vec::new());
        };
        let snapshot = life.store.durable().snapshot().map_err(unreadable)?;
        let keys = snapshot.entries().map(|entry| entry.map(|(key, _)| key));
        keys.collect::<Result<_, _>>().map_err(unreadable)
    }
}

/// All records of a log, from the oldest it has.
pub(super) fn all_records(disk: &Arc<dyn Disk>) -> Result<Vec<Record>, ReadError> {
    let reader = match read_from(disk.clone(), Seq(1)) {
        Err(ReadError::Removed { first_seq, .. }) => read_from(disk.clone(), first_seq)?,
        reader => reader?,
    };
    reader.collect()
}
