//! The end of a world: everything is mended, the node goes on, and all that it left is held against
//! the oracle: the state, replays of it from nothing and from each checkpoint, backups, damage.

use std::sync::Arc;
use std::time::Duration;

use ordain_log::Log;
use ordain_log::disk::{Disk, MemoryDisk};
use ordain_node::{Clock, Health, Node, OpenError, Options, Recovered, Stepped};
use ordain_store::{MemoryStore, StateHash, Store, snapshot, state_hash};

use super::Lapse;
use super::asks::Standing;
use super::look::{unreadable, whole_state};
use super::store::copy;
use super::world::World;
use crate::compare::{Difference, Same, holds, same, same_state};
use crate::dump;

impl World<'_> {
    pub(super) fn finish(&mut self) -> Same {
        self.heal()?;
        self.go_on()?;
        self.deliver_what_is_due()?;
        self.stop()?;
        self.count_faults();
        self.count_outcomes();
        self.history.nothing_is_missing_or_repeated()?;
        let store = self.medium.open().map_err(unreadable)?;
        let mut state = whole_state(&*store)?;
        if self.lapses(Lapse::StateDiffers) {
            state.pop_last();
        }
        let last = self.history.last();
        same(
            || "the seq of the last checkpoint".to_owned(),
            &store.seq(),
            &last,
        )?;
        same_state(
            "the state in the end",
            &state,
            &dump::of_oracle(self.history.oracle()),
        )?;
        let hash = hash_of(&*store)?;
        self.tell(|| format!("{last}, state {hash}"));
        let end = copy(&*store).map_err(unreadable)?;
        drop(store);
        self.apart_is_refused(&end)?;
        self.replay_all(hash)?;
        self.restore_all()?;
        self.damage_at_rest(&end, hash)
    }

    /// No more faults. What they broke for good is started anew; a full disk mends itself.
    fn heal(&mut self) -> Same {
        self.disk.calm();
        self.free_disk();
        if let Some(life) = &self.life {
            life.store.calm();
        }
        self.tell(|| "all is mended".to_owned());
        self.settle()?;
        let stopped = self.disk.counts().stopped;
        let lost = |life: &super::world::Life| life.is_lost() || stopped > life.stopped_before;
        if self.life.as_ref().is_none_or(lost) {
            self.give_up()?;
            self.settle()?;
        }
        self.healed = true;
        Ok(())
    }

    /// Calls after the healing are answered.
    fn go_on(&mut self) -> Same {
        if self.lapses(Lapse::Stuck) {
            for _ in 0..1_000 {
                self.disk.inject(0, full());
            }
        }
        for _ in 0..4 + self.chance.below(8) {
            let mut call = self.new_call();
            call.idempotency_key = None;
            call.caller = format!("client {}", self.history.asks().len());
            let before = self.history.asks().len();
            self.call(call, None)?;
            self.settle()?;
            if let Some(ask) = self.history.asks().get(before) {
                let standing = ask.standing;
                same(
                    || format!("after the healing, the reply to {:?}", ask.what),
                    &standing,
                    &Standing::Answered,
                )?;
                self.exercised.add("answered after healing", 1);
            }
        }
        let health = self.life.as_ref().map(|life| life.health());
        same(
            || "health after the healing".to_owned(),
            &health,
            &Some(Health::Ready),
        )
    }

    fn deliver_what_is_due(&mut self) -> Same {
        self.clock.advance(Duration::from_secs(20));
        let now = self.clock.now();
        self.history.clock_shows(now);
        self.settle()?;
        self.history.all_are_answered()?;
        let due = self.history.oracle().due(now);
        same(
            || "sends that are due in the end".to_owned(),
            &due,
            &Vec::new(),
        )
    }

    /// The same commands once more: from nothing, and from each checkpoint that was kept.
    fn replay_all(&mut self, hash: StateHash) -> Same {
        let mut stores = std::mem::take(&mut self.forks);
        stores.push(MemoryStore::default());
        let records = self.surviving()?;
        let first = records
            .first()
            .map_or(self.history.last().next(), |record| record.first_seq);
        for store in stores {
            let from = store.seq();
            if from.next() < first {
                self.exercised.add("history gone", 1);
                continue;
            }
            let store: Arc<dyn Store> = Arc::new(store);
            let recovered = self.live_once(self.disk.fork(), store.clone());
            let recovered = recovered.map_err(|error| {
                Difference::new(
                    format!("the replay from {from}"),
                    error.to_string(),
                    "it comes to its end",
                )
            })?;
            let what = format!("the replay from {from}");
            same(
                || format!("{what}: seq"),
                &recovered.seq,
                &self.history.last(),
            )?;
            holds(recovered.differences.is_empty(), || {
                let found = format!("{:?}", recovered.differences);
                Difference::new(format!("{what}: differences"), found, "none")
            })?;
            let state = whole_state(&*store)?;
            same_state(&what, &state, &dump::of_oracle(self.history.oracle()))?;
            same(|| format!("{what}: hash"), &hash_of(&*store)?, &hash)?;
            self.exercised.add("replays compared", 1);
        }
        Ok(())
    }

    /// Opens a node and stops it at once: what it was opened on is in its last checkpoint.
    pub(super) fn live_once(
        &mut self,
        disk: MemoryDisk,
        store: Arc<dyn Store>,
    ) -> Result<Recovered, OpenError> {
        let options = Options {
            memory_budget_bytes: self.chance.pick(&[2 << 30, 1 << 20]),
            checkpoint_interval: Duration::from_secs(1 << 20),
            // Several builds may have run what is replayed.
            replay_other_build: self.settings.builds,
            ..self.options()
        };
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let seed = self.chance.number();
        let catalog = self.hosting.catalog();
        let (node, mut steps, recovered) =
            Node::open_stepped(disk, store, catalog, options, seed, &mut |_| {})?;
        node.stop();
        while steps.executor() != Stepped::Ended {
            steps.committer();
            steps.checkpointer();
        }
        while steps.committer() != Stepped::Ended {}
        Ok(recovered)
    }

    /// Each backup restored, and opened.
    fn restore_all(&mut self) -> Same {
        for file in std::mem::take(&mut self.backups).into_iter().rev().take(2) {
            let store = Arc::new(MemoryStore::default());
            let summary = snapshot::read(&file[..], &*store, &mut |_| {}).map_err(unreadable)?;
            let disk = MemoryDisk::new();
            let log_disk: Arc<dyn Disk> = Arc::new(disk.clone());
            let next = store.seq().next();
            let options = ordain_log::Options {
                segment_bytes: 64 << 10,
            };
            let made = Log::create(log_disk, options, next);
            made.map_err(|error| {
                Difference::new(
                    "the log of a restored backup",
                    error.to_string(),
                    "it is made",
                )
            })?;
            let what = format!("the backup of {}", summary.seq);
            let expected = self.history.state_at(summary.seq).expect("durable");
            let ran_by = expected.in_force.build.0.clone();
            let now = std::mem::replace(&mut self.settings.build, ran_by);
            let restored = self.live_once(disk, store.clone());
            self.settings.build = now;
            restored
                .map_err(|error| Difference::new(&*what, error.to_string(), "it can be opened"))?;
            let state = whole_state(&*store)?;
            // A node that found other settings put its own in force, after the backup.
            match store.seq() == summary.seq {
                true => same_state(&what, &state, &dump::of_oracle(&expected))?,
                false => {
                    return Err(Difference::new(
                        what,
                        store.seq().to_string(),
                        summary.seq.to_string(),
                    ));
                }
            }
            same(
                || format!("{what}: hash"),
                &hash_of(&*store)?,
                &summary.hash,
            )?;
            self.exercised.add("backups restored", 1);
        }
        Ok(())
    }
}

pub(super) fn hash_of(store: &dyn Store) -> Result<StateHash, Difference> {
    let snapshot = store.snapshot().map_err(unreadable)?;
    state_hash(&*snapshot).map_err(unreadable)
}

fn full() -> ordain_log::disk::Fault {
    ordain_log::disk::Fault::Write {
        landed: 0,
        kind: std::io::ErrorKind::StorageFull,
    }
}
