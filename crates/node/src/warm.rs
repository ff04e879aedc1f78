//! What a long replay needs, read from the store when its beginning has shown that it needs much of it: from
//! end to end, which costs a small part of looking for each. It changes nothing but where things are.

use bytes::Bytes;
use ordain_engine::Engine;
use ordain_store::{Error, Snapshot, Store};
use ordain_types::Granule;

use crate::ahead::ReadAhead;
use crate::cold::Found;
use crate::panics::caught;
use crate::recovery::OpenError;

/// Entries that are read from end to end in the time that one takes which is looked for: measured, with
/// eight checkpoints beside each other, 0.15 µs and 2.8 µs.
const ENTRIES_PER_READ: u64 = 16;

/// The part of a replay after which it is decided whether this is worth it: early enough to save most reads, late
/// enough that what is used by all has been read.
const LOOKED_AT: u64 = 32;

/// Rows that are handed over together, and their bytes, which one row may pass; how many such may wait.
const TOGETHER: usize = 1_024;
const TOGETHER_BYTES: usize = 256 << 10;
const WAITING_MAX: usize = 4;

type Rows = Vec<(Granule, Bytes)>;

/// Whether a replay is worth this, by how many reads its beginning needed.
pub(crate) struct Worth {
    found: Found,
    commands: u64,
    stage: Stage,
}

enum Stage {
    /// What many commands use is read for the first time.
    Settles,
    /// Counted from so many commands and reads on.
    Counts {
        done: u64,
        found: u64,
    },
    Decided,
}

impl Worth {
    /// Of a replay of so many commands.
    pub fn new(found: Found, commands: u64) -> Self {
        Self {
            found,
            commands,
            stage: Stage::Settles,
        }
    }

    /// To be asked with how many commands ran. Says once whether the reads that are still to come, if they
    /// come as before, would take longer than all that `store` has.
    pub fn is_now(&mut self, done: u64, store: &dyn Store) -> bool {
        match self.stage {
            Stage::Settles if done >= self.commands / LOOKED_AT / 2 => {
                let found = self.found.count();
                self.stage = Stage::Counts { done, found };
                false
            }
            Stage::Counts { done: from, found } if done >= self.commands / LOOKED_AT => {
                self.stage = Stage::Decided;
                let found = u128::from(self.found.count() - found);
                let (ran, left) = (done - from, self.commands.saturating_sub(done));
                let reads = found * u128::from(left) / u128::from(ran.max(1));
                reads * u128::from(ENTRIES_PER_READ) >= store.stats().entries.max(1).into()
            }
            _ => false,
        }
    }
}

/// Takes the entities of the store into memory, as far as they fit.
pub(crate) fn warm(
    engine: &mut Engine,
    store: &dyn Store,
    budget: usize,
    ahead: ReadAhead,
) -> Result<(), OpenError> {
    engine.reserve(store.stats().keys_min, budget);
    let snapshot = store.snapshot()?;
    ahead.read(entities(&*snapshot), WAITING_MAX, |rows| {
        load(engine, budget, rows)
    })?
}

fn load(
    engine: &mut Engine,
    budget: usize,
    rows: &mut dyn Iterator<Item = Result<Rows, Error>>,
) -> Result<(), OpenError> {
    for rows in rows {
        for (granule, value) in rows? {
            if engine.memory_bytes() > budget {
                return Ok(());
            }
            // What cannot be read is left to whoever needs it: it is their fault then, and no failed start.
            let _ = caught(|| engine.load(&granule, value));
        }
    }
    Ok(())
}

/// The rows of entities, many at a time.
fn entities(snapshot: &dyn Snapshot) -> impl Iterator<Item = Result<Rows, Error>> + Send {
    let is_one = |key: &[u8]| key.starts_with(Granule::entities());
    let entries = snapshot.entries();
    let entries =
        entries.take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| is_one(key)));
    let mut entries = entries.peekable();
    std::iter::from_fn(move || {
        let (mut rows, mut bytes) = (Rows::new(), 0);
        while rows.len() < TOGETHER
            && bytes < TOGETHER_BYTES
            && let Some(Ok((key, value))) = entries.next_if(Result::is_ok)
        {
            bytes += key.len() + value.len();
            rows.push((Granule::from_bytes(&key), value));
        }
        match rows.is_empty() {
            false => Some(Ok(rows)),
            // The end, or what is wrong with the next one.
            true => entries.next().map(|entry| entry.map(|_| rows)),
        }
    })
}
