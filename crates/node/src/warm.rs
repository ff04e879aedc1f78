//! What a long replay needs, read from the store before it begins: from end to end, which costs a small
//! part of reading it key by key. It changes nothing but where things are.

use std::sync::mpsc::sync_channel;
use std::thread;

use bytes::Bytes;
use ordain_engine::Engine;
use ordain_store::{Error, Snapshot, Store};
use ordain_types::Granule;

use crate::panics::caught;
use crate::recovery::OpenError;
use crate::replay::ReadAhead;
use crate::threads::spawn_within;

/// Keys of the store for each command of the replay up to which this is worth it: most of them are then
/// needed.
const KEYS: u64 = 4;

/// Rows that are handed over together, and their bytes, which one row may pass; how many such may wait.
const TOGETHER: usize = 1_024;
const TOGETHER_BYTES: usize = 256 << 10;
const WAITING_MAX: usize = 4;

type Rows = Vec<(Granule, Bytes)>;

/// Takes the entities of the store into memory, as far as they fit, if the replay is long enough.
pub(crate) fn warm(
    engine: &mut Engine,
    store: &dyn Store,
    replayed: u64,
    budget: usize,
    ahead: ReadAhead,
) -> Result<(), OpenError> {
    let keys = store.stats().keys_approx.max(1);
    if replayed.saturating_mul(KEYS) < keys {
        return Ok(());
    }
    engine.reserve(keys, budget);
    let snapshot = store.snapshot()?;
    let mut rows = entities(&*snapshot);
    // Whether there is room for more.
    let mut load = |rows: Result<Rows, Error>| -> Result<bool, OpenError> {
        for (granule, value) in rows? {
            if engine.memory_bytes() > budget {
                return Ok(false);
            }
            // What cannot be read is left to whoever needs it: it is their fault then, and no failed start.
            let _ = caught(|| engine.load(&granule, value));
        }
        Ok(true)
    };
    match ahead {
        ReadAhead::Never => until_full(rows, load),
        ReadAhead::OnAThread => thread::scope(|scope| {
            let (give, take) = sync_channel(WAITING_MAX);
            let name = "ordain-reader";
            // It ends when there is no more to read, or when nobody takes it.
            spawn_within(scope, name, thread::Builder::new(), move || {
                rows.all(|rows| give.send(rows).is_ok())
            })?;
            until_full(take.into_iter(), &mut load)
        }),
    }
}

fn until_full(
    rows: impl Iterator<Item = Result<Rows, Error>>,
    mut load: impl FnMut(Result<Rows, Error>) -> Result<bool, OpenError>,
) -> Result<(), OpenError> {
    for rows in rows {
        if !load(rows)? {
            break;
        }
    }
    Ok(())
}

/// The rows of entities, many at a time.
fn entities(snapshot: &dyn Snapshot) -> impl Iterator<Item = Result<Rows, Error>> + Send {
    let is_one = |key: &[u8]| key.starts_with(Granule::entities());
    let mut entries = snapshot
        .entries()
        .take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| is_one(key)));
    std::iter::from_fn(move || {
        let (mut rows, mut bytes) = (Rows::new(), 0);
        while rows.len() < TOGETHER && bytes < TOGETHER_BYTES {
            match entries.next() {
                None => break,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok((key, value))) => {
                    bytes += key.len() + value.len();
                    rows.push((Granule::from_bytes(&key), value));
                }
            }
        }
        (!rows.is_empty()).then_some(Ok(rows))
    })
}
