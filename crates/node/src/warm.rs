//! What a long replay needs, read from the store before it begins: from end to end, which costs a small
//! part of reading it key by key. It changes nothing but where things are.

use bytes::Bytes;
use ordain_engine::Engine;
use ordain_store::{Error, Snapshot, Store};
use ordain_types::Granule;

use crate::ahead::ReadAhead;
use crate::panics::caught;
use crate::recovery::OpenError;

/// Keys of the store for each command of the replay up to which this is worth it: most of them are then
/// needed.
const KEYS_PER_COMMAND_MAX: u64 = 4;

/// Rows that are handed over together, and their bytes, which one row may pass; how many such may wait.
const TOGETHER: usize = 1_024;
const TOGETHER_BYTES: usize = 256 << 10;
const WAITING_MAX: usize = 4;

type Rows = Vec<(Granule, Bytes)>;

/// Takes the entities of the store into memory, as far as they fit, if the replay of so many commands is
/// long enough.
pub(crate) fn warm(
    engine: &mut Engine,
    store: &dyn Store,
    commands: u64,
    budget: usize,
    ahead: ReadAhead,
) -> Result<(), OpenError> {
    let keys = store.stats().keys_approx.max(1);
    if commands.saturating_mul(KEYS_PER_COMMAND_MAX) < keys {
        return Ok(());
    }
    engine.reserve(keys, budget);
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
