//! What a long replay needs, read from the store once it has shown that it needs much of it: from
//! end to end, which costs a small part of looking for each. It changes nothing but where things are.

use bytes::Bytes;
use ordain_engine::Engine;
use ordain_store::{Error, Snapshot, Store};
use ordain_types::Granule;

use crate::ahead::ReadAhead;
use crate::cold::Reads;
use crate::panics::caught;
use crate::recovery::OpenError;

/// Entries that are read from end to end in the time that one takes which is looked for, measured with eight
/// checkpoints beside each other. All entries of the store count: how many are entities' it does not say.
const ENTRIES_PER_READ: u64 = 16;

/// So many stretches a replay has: after each but the first it is asked whether this is worth it.
const STRETCHES: u64 = 64;

/// Rows that are handed over together, and their bytes, which one row may pass; how many such may wait.
const TOGETHER: usize = 1_024;
const TOGETHER_BYTES: usize = 256 << 10;
const WAITING_MAX: usize = 4;

type Rows = Vec<(Granule, Bytes)>;

/// Whether a replay is worth this, by the reads that it needed so far. How many of two stretches of it found entities
/// that had not been read before says how many others there still are.
pub(crate) struct Worth {
    reads: Reads,
    commands: u64,
    /// The commands and reads before the stretch under way.
    begun: Stretch,
    /// Those of the stretch before it.
    last: Option<Stretch>,
    said: bool,
}

#[derive(Clone, Copy, Default)]
struct Stretch {
    commands: u64,
    reads: u64,
}

impl Worth {
    /// Of a replay of so many commands.
    pub fn new(reads: Reads, commands: u64) -> Self {
        Self {
            reads,
            commands,
            begun: Stretch::default(),
            last: None,
            said: false,
        }
    }

    /// To be asked with how many commands ran. Says, once at most, that the reads which are still to come would
    /// take longer than all that `store` has.
    pub fn is_now(&mut self, done: u64, store: &dyn Store) -> bool {
        let commands = done - self.begun.commands;
        if self.said || commands < (self.commands / STRETCHES).max(1) {
            return false;
        }
        let count = self.reads.count();
        let reads = count - self.begun.reads;
        self.begun = Stretch {
            commands: done,
            reads: count,
        };
        let stretch = Stretch { commands, reads };
        let Some(last) = self.last.replace(stretch) else {
            return false; // what many commands use is read for the first time
        };
        let left = self.commands.saturating_sub(done);
        let reads = still_to_come(last, stretch, left);
        self.said = reads.saturating_mul(ENTRIES_PER_READ) >= store.stats().entries.max(1);
        self.said
    }
}

/// Reads in the commands that are left after two stretches: as many as in the second, or fewer and fewer, if they
/// became fewer from the first to the second.
fn still_to_come(first: Stretch, second: Stretch, left: u64) -> u64 {
    let rate = |of: Stretch| of.reads as f64 / of.commands.max(1) as f64;
    let (before, now) = (rate(first), rate(second));
    let as_now = now * left as f64;
    let fewer = (before > now).then(|| now / (before - now) * second.reads as f64);
    fewer.map_or(as_now, |fewer| fewer.min(as_now)) as u64
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

#[cfg(test)]
mod tests {
    use super::{Stretch, still_to_come};

    /// Of so many entities, drawn evenly, how many are met first in which draw.
    fn evenly(entities: f64, draws: f64) -> u64 {
        (entities * (1.0 - (-draws / entities).exp())) as u64
    }

    #[test]
    fn what_is_still_to_come_is_told_from_what_came() {
        for (entities, draws) in [(1e6, 2e6), (1e5, 3.2e6), (1e7, 3e6), (1e4, 1e6)] {
            let (half, whole) = (draws / 64.0, draws / 32.0);
            let first = evenly(entities, half);
            let second = evenly(entities, whole) - first;
            let left = evenly(entities, draws) - first - second;
            let stretch = |reads| Stretch {
                commands: half as u64,
                reads,
            };
            let told = still_to_come(stretch(first), stretch(second), (draws - whole) as u64);
            let close =
                told as f64 >= left as f64 * 0.8 && told as f64 <= left as f64 * 1.3 + 100.0;
            assert!(
                close,
                "{entities} entities, {draws} draws: {left}, not {told}"
            );
        }
        let hundred = |reads| Stretch {
            commands: 100,
            reads,
        };
        assert_eq!(still_to_come(hundred(0), hundred(0), 1_000), 0);
        let none = Stretch::default();
        assert_eq!(still_to_come(none, none, 1_000), 0);
        let more = still_to_come(hundred(10), hundred(20), 1_000);
        assert_eq!(more, 200, "at the rate of the second");
    }
}
