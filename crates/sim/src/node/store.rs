//! Where checkpoints survive a crash, and a store over it that fails when told to: only in ways in which
//! a real one may. An apply that fails has all of it in or nothing; after it nothing is applied until
//! it is opened again. What is damaged is answered with an error, as checksums do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ordain_store::{Checkpoint, Entry, Error, KeyRange, MemoryStore, Most, Snapshot, Stats, Store};
use ordain_types::Seq;

/// Where a world's checkpoints are durable.
pub trait Medium {
    /// Opens the store that is there. No store it opened before is held any more.
    ///
    /// # Errors
    /// If there is none that can be opened: a world without damage takes it for a failure.
    fn open(&mut self) -> Result<Arc<dyn Store>, Error>;
}

/// A store in memory: what was applied is durable.
#[derive(Default)]
pub struct InMemory(Arc<MemoryStore>);

impl InMemory {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Medium for InMemory {
    fn open(&mut self) -> Result<Arc<dyn Store>, Error> {
        Ok(self.0.clone())
    }
}

/// What a failed apply leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landed {
    Nothing,
    All,
}

/// The store as the node has it.
pub(super) struct FaultyStore {
    durable: Arc<dyn Store>,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    next_apply: Option<Landed>,
    poisoned: bool,
    /// What reads show after an apply that failed with all of it in, until it is opened again.
    shown: Option<MemoryStore>,
    /// Reads that succeed before one fails; none: all do.
    good_reads: Option<u64>,
    /// A key whose value the disk does not give back as it was.
    damaged: Option<Box<[u8]>>,
    bit: Bit,
}

/// How often which fault came true.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bit {
    pub applies_with_nothing: u64,
    pub applies_with_all: u64,
    pub reads: u64,
    pub damage: u64,
}

impl FaultyStore {
    pub fn new(durable: Arc<dyn Store>) -> Self {
        Self {
            durable,
            faults: Mutex::default(),
        }
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next apply fails.
    pub fn fail_apply(&self, landed: Landed) {
        self.faults().next_apply = Some(landed);
    }

    /// Lets `reads` reads succeed and fails those after.
    pub fn fail_reads(&self, reads: u64) {
        self.faults().good_reads = Some(reads);
    }

    /// Damages the value of a key, at rest.
    pub fn damage(&self, key: &[u8]) {
        self.faults().damaged = Some(key.into());
    }

    /// Nothing fails any more that did not yet.
    pub fn calm(&self) {
        let mut faults = self.faults();
        (faults.next_apply, faults.good_reads, faults.damaged) = (None, None, None);
    }

    pub fn bit(&self) -> Bit {
        self.faults().bit
    }

    /// What is durable.
    pub fn durable(&self) -> &dyn Store {
        &*self.durable
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, Error>,
        touches: impl FnOnce(&T, &[u8]) -> bool,
    ) -> Result<T, Error> {
        let mut faults = self.faults();
        match &mut faults.good_reads {
            Some(0) => {
                faults.bit.reads += 1;
                return Err(failure("read"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let found = match &faults.shown {
            Some(shown) => read(shown)?,
            None => read(&*self.durable)?,
        };
        let damaged = faults.damaged.as_ref();
        if damaged.is_some_and(|key| touches(&found, key)) {
            faults.bit.damage += 1;
            return Err(Error::Damaged {
                path: "the simulated store".into(),
                what: "a block does not match its checksum".to_owned(),
            });
        }
        Ok(found)
    }
}

fn failure(attempt: &'static str) -> Error {
    Error::Io {
        attempt,
        path: "the simulated store".into(),
        source: std::io::Error::other("it was told to fail"),
    }
}

/// A copy in memory with a life of its own.
pub(super) fn copy(store: &dyn Store) -> Result<MemoryStore, Error> {
    let copy = MemoryStore::default();
    let snapshot = store.snapshot()?;
    if snapshot.seq() > Seq::ZERO {
        copy.restore(snapshot.seq(), &mut snapshot.entries())?;
    }
    Ok(copy)
}

impl Store for FaultyStore {
    fn seq(&self) -> Seq {
        match &self.faults().shown {
            Some(shown) => shown.seq(),
            None => self.durable.seq(),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.read(
            |store| store.get(key),
            |found, damaged| found.is_some() && key == damaged,
        )
    }

    fn scan(&self, range: KeyRange<'_>, reverse: bool, most: Most) -> Result<Vec<Entry>, Error> {
        self.read(
            |store| store.scan(range, reverse, most),
            |found, damaged| found.iter().any(|(key, _)| **key == *damaged),
        )
    }

    fn apply(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let mut faults = self.faults();
        if faults.poisoned {
            return Err(Error::Poisoned {
                path: "the simulated store".into(),
                cause: "it was told to fail".to_owned(),
                full: false,
            });
        }
        match faults.next_apply.take() {
            None => return self.durable.apply(checkpoint),
            Some(Landed::Nothing) => faults.bit.applies_with_nothing += 1,
            Some(Landed::All) => {
                faults.shown = Some(copy(&*self.durable)?);
                self.durable.apply(checkpoint)?;
                faults.bit.applies_with_all += 1;
            }
        }
        faults.poisoned = true;
        Err(failure("write a checkpoint to"))
    }

    fn restore(
        &self,
        seq: Seq,
        entries: &mut dyn Iterator<Item = Result<Entry, Error>>,
    ) -> Result<(), Error> {
        self.durable.restore(seq, entries)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        match &self.faults().shown {
            Some(shown) => shown.snapshot(),
            None => self.durable.snapshot(),
        }
    }

    fn reopen(&self) -> Result<(), Error> {
        self.durable.reopen()?;
        let mut faults = self.faults();
        (faults.shown, faults.poisoned) = (None, false);
        Ok(())
    }

    fn stats(&self) -> Stats {
        let failure = self.faults().poisoned.then(|| "told to fail".to_owned());
        let stats = self.durable.stats();
        Stats {
            failure: failure.or(stats.failure),
            ..stats
        }
    }
}
