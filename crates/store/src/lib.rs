//! Durable state: what checkpoints write and cold reads fetch.
//!
//! ```text
//!   checkpoint ──apply──▶ ┌───────────────────────────┐ ──get, scan──▶ cold entities
//!   (seq, changes)        │ keys → values, in order;  │
//!   backup ──restore────▶ │ the seq they stand for    │ ──snapshot───▶ backup, state hash
//!                         └───────────────────────────┘
//!
//!   memory    a BTreeMap: tests, the test kit, the simulator
//!   disk      an LSM tree in a directory
//!   snapshot  the file a backup is, written from a snapshot, read into an empty store
//!   hash      one number for all contents
//! ```
//!
//! The store knows ordered bytes and one seq. It does not know what a key or a value means, and it
//! is never on the path of a commit: what is lost with an unfinished checkpoint is still in the log.
//!
//! Three laws, the same for every [`Store`]:
//!
//! 1. The contents are always those of one checkpoint, whole, with its seq; whatever crashes.
//! 2. When [`Store::apply`] returns, its checkpoint survives a power cut.
//! 3. A damaged store says so. It never answers with what was not written.

use std::ops::Bound;

use bytes::Bytes;
use ordain_types::{Bug, ChangeList, Seq, planted};

mod background;
pub mod disk;
mod error;
mod hash;
mod memory;
pub mod snapshot;

pub use background::give_way;
pub use disk::{DiskStore, Options};
pub use error::Error;
pub use hash::{StateHash, state_hash};
pub use memory::MemoryStore;

/// The longest key a store takes, in bytes.
pub const KEY_BYTES_MAX: usize = u16::MAX as usize;

/// A key with its value.
pub type Entry = (Box<[u8]>, Bytes);

/// The ends of a scan.
pub type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// How much a scan gives at most: it ends with the entry that brings it to either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Entries.
    pub entries: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl Most {
    /// So many entries, whatever they hold.
    pub fn entries(entries: usize) -> Self {
        let bytes = usize::MAX;
        Self { entries, bytes }
    }

    /// Whether there is room for another entry.
    fn has_room(&self) -> bool {
        self.entries > 0 && self.bytes > 0
    }

    /// Takes an entry into account.
    fn less(&mut self, (key, value): &Entry) {
        self.entries -= 1;
        self.bytes = self.bytes.saturating_sub(key.len() + value.len());
    }
}

/// What changed since the last checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// What the contents stand for once the changes are in.
    pub seq: Seq,
    /// A key's new value, or none to delete it. Any order; of one key the last one counts.
    pub changes: ChangeList,
}

/// What metrics show of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes the contents take on disk, deleted ones not yet compacted away included; 0 in memory.
    pub bytes_on_disk: u64,
    /// What reading all of it takes in: each key as often as it was written or deleted, but for what
    /// compaction has merged.
    pub entries: u64,
    /// About how many keys there are at least, deleted ones included until compaction.
    pub keys_min: u64,
    /// Why checkpoints are refused until [`Store::reopen`]; none while all is well.
    pub failure: Option<String>,
}

/// Ordered keys and values as of one seq.
///
/// Keys are not empty, do not begin with a zero byte (the store's own) and have at most
/// [`KEY_BYTES_MAX`] bytes. Reads may run on any number of threads while a checkpoint is applied;
/// each sees the contents before it or after it, never between.
pub trait Store: Send + Sync {
    /// The seq the contents stand for; zero when new.
    fn seq(&self) -> Seq;

    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Entries of a range, in key order from its start, or `reverse` from its end, as many as `most`
    /// says.
    fn scan(&self, range: KeyRange<'_>, reverse: bool, most: Most) -> Result<Vec<Entry>, Error>;

    /// Takes in a checkpoint: all of it and its seq, or nothing. Durable on return.
    ///
    /// The seq must grow. After an I/O error it is open whether the checkpoint is in; all later
    /// ones are refused ([`Error::Poisoned`]) until [`Store::reopen`], while reads go on.
    fn apply(&self, checkpoint: &Checkpoint) -> Result<(), Error>;

    /// Fills an empty store with entries in strictly rising key order: all of them, or, on an
    /// error of theirs or ours, nothing. A store whose restore did not end is refused when opened.
    fn restore(
        &self,
        seq: Seq,
        entries: &mut dyn Iterator<Item = Result<Entry, Error>>,
    ) -> Result<(), Error>;

    /// The contents as they are now, unmoved by later checkpoints. Cheap to take; while it is
    /// held, what it shows takes space.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error>;

    /// After a failure: looks again at what is durable and takes checkpoints anew, those after
    /// [`Store::seq`], which may by then count a checkpoint whose apply failed.
    /// Refused while snapshots are held ([`Error::Busy`]).
    fn reopen(&self) -> Result<(), Error>;

    /// Figures for metrics.
    fn stats(&self) -> Stats;
}

/// The contents of a store at one seq.
pub trait Snapshot: Send + Sync {
    /// What the contents stand for.
    fn seq(&self) -> Seq;

    /// Everything, in key order. An error ends it.
    fn entries(&self) -> Box<dyn Iterator<Item = Result<Entry, Error>> + Send + '_>;
}

/// Whether a store takes this key.
fn check_key(key: &[u8]) -> Result<(), Error> {
    let sound = key.first().is_some_and(|&byte| byte != 0) && key.len() <= KEY_BYTES_MAX;
    match sound {
        true => Ok(()),
        false => Err(Error::Key {
            key: key[..key.len().min(64)].into(),
            length: key.len(),
        }),
    }
}

/// Entries to restore, checked: no store takes unsorted keys, and the tree takes them for a bug.
fn rising(
    entries: &mut dyn Iterator<Item = Result<Entry, Error>>,
) -> impl Iterator<Item = Result<Entry, Error>> {
    let mut last: Box<[u8]> = Box::default();
    (0..).zip(entries).map(move |(index, entry)| {
        let (key, value) = entry?;
        check_key(&key)?;
        if key <= last {
            return Err(Error::Order { index });
        }
        last.clone_from(&key);
        Ok((key, value))
    })
}

/// Whether a checkpoint may follow `at`.
fn check_seq(at: Seq, asked: Seq) -> Result<(), Error> {
    match asked > at || planted(Bug::SeqMayStand) {
        true => Ok(()),
        false => Err(Error::SeqNotGrown { at, asked }),
    }
}

/// Whether there is anything between the ends: some maps take an inverted range for a bug.
fn is_empty_range((start, end): KeyRange<'_>) -> bool {
    use Bound::{Excluded, Included, Unbounded};
    match (start, end) {
        (Unbounded, _) | (_, Unbounded) => false,
        (Included(start), Included(end)) => start > end,
        (Included(start) | Excluded(start), Included(end) | Excluded(end)) => start >= end,
    }
}
