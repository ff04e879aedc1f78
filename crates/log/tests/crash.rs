//! The log against a model that is a list: whatever happens to the process, the machine and the
//! disk, and at whatever instruction, every acknowledged batch is there after it, in order, and
//! nothing else but what was being appended.

use ordain_log::disk::{Fault, MemoryDisk};
use ordain_log::{AppendError, Log};
use ordain_types::Seq;
use ordain_types::planted::{Bug, assert_caught};
use proptest::prelude::*;
use std::io::ErrorKind;

mod common;
use common::{open, payload, read_on};

#[derive(Debug, Clone)]
enum Event {
    Append {
        count: u32,
        bytes: usize,
    },
    Prepare,
    RemoveBefore {
        back: u64,
    },
    /// The process dies between two calls.
    Kill,
    LosePower {
        seed: u64,
    },
    /// The machine stops in the middle of what follows.
    StopAfter {
        changes: u64,
    },
    FailSync {
        after: u64,
    },
    /// Writes fail although something lands; `kind` 0 to 2: full, short, broken.
    FailWrite {
        after: u64,
        landed: usize,
        kind: u8,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let bytes = prop_oneof![4 => 0..200usize, 2 => 200..3000usize, 1 => 3000..12_000usize];
    let event = prop_oneof![
        12 => (1..4u32, bytes).prop_map(|(count, bytes)| Event::Append { count, bytes }),
        2 => Just(Event::Prepare),
        1 => (0..20u64).prop_map(|back| Event::RemoveBefore { back }),
        1 => Just(Event::Kill),
        2 => any::<u64>().prop_map(|seed| Event::LosePower { seed }),
        3 => (0..12u64).prop_map(|changes| Event::StopAfter { changes }),
        1 => (0..4u64).prop_map(|after| Event::FailSync { after }),
        2 => (0..6u64, 0..6000usize, 0..3u8)
            .prop_map(|(after, landed, kind)| Event::FailWrite { after, landed, kind }),
    ];
    proptest::collection::vec(event, 1..40)
}

#[derive(Debug, Clone, PartialEq)]
struct Batch {
    first_seq: Seq,
    count: u32,
    payload: Vec<u8>,
}

struct World {
    disk: MemoryDisk,
    log: Log,
    acked: Vec<Batch>,
    /// Appended at the seq after the last acknowledged one, outcome unknown.
    doubtful: Vec<Batch>,
    removed_before: Seq,
    chance: u64,
}

impl World {
    fn new() -> World {
        let disk = MemoryDisk::new();
        let log = open(&disk).expect("a new log").0;
        World {
            disk,
            log,
            acked: Vec::new(),
            doubtful: Vec::new(),
            removed_before: Seq(1),
            chance: 1,
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Append { count, bytes } => self.append(count, bytes),
            Event::Prepare => {
                if let Err(AppendError::Failed { .. }) = self.log.prepare_next() {
                    self.crash();
                }
            }
            Event::RemoveBefore { back } => {
                let seq = Seq(self.log.last_seq().0.saturating_sub(back));
                self.removed_before = self.removed_before.max(seq);
                if self.log.remove_before(seq).is_err() {
                    self.crash();
                }
            }
            Event::Kill => {
                self.disk.kill();
                self.recover();
            }
            Event::LosePower { seed } => {
                self.chance = seed | 1;
                self.lose_power();
                self.recover();
            }
            Event::StopAfter { changes } => self.disk.stop_after(changes),
            Event::FailSync { after } => {
                self.disk.inject(
                    after,
                    Fault::Sync {
                        kind: ErrorKind::Other,
                    },
                );
            }
            Event::FailWrite {
                after,
                landed,
                kind,
            } => {
                let fault = match kind {
                    0 => Fault::Write {
                        landed,
                        kind: ErrorKind::StorageFull,
                    },
                    1 => Fault::ShortWrite { landed },
                    _ => Fault::Write {
                        landed,
                        kind: ErrorKind::Other,
                    },
                };
                self.disk.inject(after, fault);
            }
        }
    }

    fn append(&mut self, count: u32, bytes: usize) {
        let first_seq = self.log.last_seq().next();
        let batch = Batch {
            first_seq,
            count,
            payload: payload(first_seq, bytes),
        };
        match self.log.append(first_seq, count, &batch.payload) {
            Ok(()) => {
                self.acked.push(batch);
                self.doubtful.clear();
            }
            Err(AppendError::Full { .. }) => self.doubtful.push(batch),
            Err(failed @ AppendError::Failed { .. }) => {
                assert_eq!(self.log.append(first_seq, 1, b"again"), Err(failed));
                self.doubtful.push(batch);
                self.crash();
            }
        }
    }

    /// After a failure that ends the process, and perhaps the machine.
    fn crash(&mut self) {
        if self.choose(2) == 0 {
            self.disk.kill()
        } else {
            self.lose_power()
        }
        self.recover();
    }

    fn lose_power(&mut self) {
        let disk = self.disk.clone();
        disk.lose_power(&mut |n| self.choose(n));
    }

    /// A small generator (xorshift): the disk's luck, from the seed.
    fn choose(&mut self, n: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance % n as u64) as usize
    }

    fn recover(&mut self) {
        // The first attempts may themselves be stopped, or meet a sync that fails.
        loop {
            match self.choose(3) {
                0 => {
                    let changes = self.choose(8) as u64;
                    self.disk.stop_after(changes);
                }
                1 => {
                    let after = self.choose(3) as u64;
                    self.disk.inject(
                        after,
                        Fault::Sync {
                            kind: ErrorKind::Other,
                        },
                    );
                }
                _ => break,
            }
            let opened = open(&self.disk);
            drop(opened);
            if self.choose(2) == 0 {
                self.disk.kill()
            } else {
                self.lose_power()
            }
        }
        let (log, recovered) = open(&self.disk).expect("the log opens after a crash");
        self.log = log;
        assert_eq!(recovered.last_seq, self.log.last_seq());
        self.check();
    }

    /// What the log serves is what was acknowledged, and at most one batch of those in doubt.
    fn check(&mut self) {
        let disk = std::sync::Arc::new(self.disk.clone());
        let served = read_on(disk, self.log.first_seq()).expect("the log reads");
        let served: Vec<Batch> = served
            .into_iter()
            .map(|record| Batch {
                first_seq: record.first_seq,
                count: record.count,
                payload: record.payload,
            })
            .collect();
        let last_seq = self.log.last_seq();
        let landed = self.doubtful.iter().find(|batch| {
            served.last() == Some(batch)
                && batch.first_seq.plus(batch.count.into()).0 - 1 == last_seq.0
        });
        // From here on it is in the log, and must stay there.
        self.acked.extend(landed.cloned());
        self.doubtful.clear();
        let first = self.log.first_seq();
        assert!(
            first <= self.removed_before.max(Seq(1)),
            "more was removed than asked for"
        );
        let kept = self.acked.iter().filter(|batch| batch.first_seq >= first);
        assert!(kept.eq(served.iter()), "not what was acknowledged");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_acknowledged_batch_is_lost_whatever_happens(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.happens(event);
        }
        world.crash();
    }
}

/// Every place at which an append, a roll, a preparation or an open can be stopped.
#[test]
fn a_stop_at_every_change_loses_nothing() {
    for changes in 0..60 {
        for seed in 1..8 {
            let mut world = World::new();
            world.chance = seed;
            world.disk.stop_after(changes);
            let mut sizes = [10, 600, 2000, 3000, 1000, 9000, 10, 4000];
            sizes.rotate_left(seed as usize); // the first may be short or long
            for bytes in sizes {
                world.append(1, bytes);
                if bytes == 3000 {
                    world.happens(&Event::Prepare);
                }
            }
            world.crash();
            world.append(1, 10); // what was cut must not come back behind it
            world.crash();
        }
    }
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (Bug::AppendUnsynced, a_stop_at_every_change_loses_nothing),
        (Bug::CutsTooMuch, a_stop_at_every_change_loses_nothing),
        (Bug::EntryUnsynced, a_stop_at_every_change_loses_nothing),
    ]);
}
