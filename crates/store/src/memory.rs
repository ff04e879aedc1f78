//! The store as a map in memory: the simplest thing that keeps the contract. Nothing is durable.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use ordain_types::Seq;

use crate::{
    Checkpoint, Entry, Error, KeyRange, Most, Snapshot, Stats, Store, check_key, check_seq,
    is_empty_range, rising,
};

type Map = BTreeMap<Box<[u8]>, Bytes>;

/// A store in memory.
///
/// ```
/// use ordain_store::{Checkpoint, MemoryStore, Store};
/// use ordain_types::Seq;
///
/// let store = MemoryStore::default();
/// let changes = [("key", Some("value"))].into_iter().collect();
/// store.apply(&Checkpoint { seq: Seq(7), changes })?;
/// assert_eq!(store.get(b"key")?, Some("value".into()));
/// assert_eq!(store.seq(), Seq(7));
/// # Ok::<(), ordain_store::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore(RwLock<Contents>);

/// Held by the store, and by each snapshot as it was: the map is copied on the first write after.
#[derive(Debug, Clone, Default)]
struct Contents {
    seq: Seq,
    map: Arc<Map>,
}

impl MemoryStore {
    /// A copy with a life of its own: later checkpoints to one do not show in the other.
    pub fn fork(&self) -> MemoryStore {
        MemoryStore(RwLock::new(self.read().clone()))
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn seq(&self) -> Seq {
        self.read().seq
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.read().map.get(key).cloned())
    }

    fn scan(&self, range: KeyRange<'_>, reverse: bool, most: Most) -> Result<Vec<Entry>, Error> {
        if is_empty_range(range) {
            return Ok(Vec::new());
        }
        let contents = self.read();
        let entries = contents.map.range::<[u8], _>(range);
        let entries = entries.map(|(key, value)| (key.clone(), value.clone()));
        let mut left = most;
        let mut take = |entry: &Entry| {
            let room = left.has_room();
            if room {
                left.less(entry);
            }
            room
        };
        Ok(match reverse {
            false => entries.take_while(&mut take).collect(),
            true => entries.rev().take_while(&mut take).collect(),
        })
    }

    fn apply(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let mut contents = self.write();
        check_seq(contents.seq, checkpoint.seq)?;
        for (key, _) in checkpoint.changes.iter() {
            check_key(key)?;
        }
        let map = Arc::make_mut(&mut contents.map);
        for (key, value) in checkpoint.changes.iter() {
            match value {
                Some(value) => map.insert(key.into(), Bytes::copy_from_slice(value)),
                None => map.remove(key),
            };
        }
        contents.seq = checkpoint.seq;
        Ok(())
    }

    fn restore(
        &self,
        seq: Seq,
        entries: &mut dyn Iterator<Item = Result<Entry, Error>>,
    ) -> Result<(), Error> {
        let mut contents = self.write();
        if contents.seq != Seq::ZERO {
            return Err(Error::NotEmpty { at: contents.seq });
        }
        let map: Map = rising(entries).collect::<Result<_, _>>()?;
        *contents = Contents {
            seq,
            map: Arc::new(map),
        };
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        Ok(Box::new(self.read().clone()))
    }

    fn reopen(&self) -> Result<(), Error> {
        Ok(())
    }

    fn stats(&self) -> Stats {
        let keys = self.read().map.len() as u64;
        Stats {
            entries: keys,
            keys_min: keys,
            ..Stats::default()
        }
    }
}

impl Snapshot for Contents {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn entries(&self) -> Box<dyn Iterator<Item = Result<Entry, Error>> + Send + '_> {
        let entries = self.map.iter();
        Box::new(entries.map(|(key, value)| Ok((key.clone(), value.clone()))))
    }
}
