//! The LSM tree as the store uses it: atomic checkpoints by ingestion, reads, pinned snapshots.
//!
//! A checkpoint is written straight to new tables, which one replacement of the manifest puts in
//! force: sorted, checked and synced once, with memory for a few blocks however large it is. There
//! is no journal and nothing in memory to lose. The seq lies in the tree under the store's own key,
//! so it comes into force with the entries. This file does not know directories, locks or failures.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use lsm_tree::compaction::Leveled;
use lsm_tree::config::PartitioningPolicy;
use lsm_tree::{AbstractTree, AnyIngestion, AnyTree, Cache, Config, Guard, SeqNo, Slice};
use lsm_tree::{KvPair, SequenceNumberCounter};
use ordain_types::{Bug, Seq, planted};

use super::tables::Tables;
use crate::{Entry, Error, KEY_BYTES_MAX, KeyRange, Most, Snapshot, is_empty_range};

/// The store's own key: smaller than any other.
const SEQ_KEY: &[u8] = b"\0seq";
/// Small enough for a merge of a few to be short, large enough for few files.
const TABLE_BYTES: u64 = 32 << 20;
/// How many tables of level 0, each from another checkpoint, are worth a merge.
const MERGE_AFTER: u8 = 8;

/// The tree, opened.
pub(super) struct Tree {
    path: PathBuf,
    tree: AnyTree,
    /// The number after the newest the tree's readers may see; it numbers writes, not commands.
    visible: SequenceNumberCounter,
    /// How many snapshots are held at which number.
    pins: Mutex<BTreeMap<SeqNo, usize>>,
    strategy: Arc<Leveled>,
    /// What is read: at least all that the last checkpoint or merge which ended put in force.
    tables: ArcSwap<Tables>,
}

impl Tree {
    /// Opens the tree in a directory, or makes one.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let (next, visible) = <(SequenceNumberCounter, SequenceNumberCounter)>::default();
        // The library asks for the current directory even where a path needs none, and panics without one.
        std::env::current_dir().map_err(|source| Error::Io {
            attempt: "find the current directory to open",
            path: path.into(),
            source,
        })?;
        let tree = guard("open", path, || {
            // In pieces: of a table of a million keys, one filter is more than a small cache has room for, and each
            // read would take it from the disk anew.
            Config::new(path, next.clone(), visible.clone())
                .filter_block_partitioning_policy(PartitioningPolicy::all(true))
                .index_block_partitioning_policy(PartitioningPolicy::all(true))
                .use_cache(Arc::new(Cache::with_capacity_bytes(cache_bytes)))
                .open()
        })?;
        let used = tree.get_highest_seqno().map_or(0, |highest| highest + 1);
        next.set(used);
        visible.set(used);
        Ok(Self {
            path: path.into(),
            tables: ArcSwap::from_pointee(Tables::of(&tree)),
            tree,
            visible,
            pins: Mutex::default(),
            strategy: Arc::new(
                Leveled::default()
                    .with_table_target_size(TABLE_BYTES)
                    .with_l0_threshold(MERGE_AFTER),
            ),
        })
    }

    /// The seq of the contents.
    pub(super) fn seq(&self) -> Result<Seq, Error> {
        self.seq_of(guard("read", &self.path, || {
            self.tables.load().get(SEQ_KEY)
        })?)
    }

    fn seq_at(&self, number: SeqNo) -> Result<Seq, Error> {
        self.seq_of(guard("read", &self.path, || {
            self.tree.get(SEQ_KEY, number)
        })?)
    }

    fn seq_of(&self, value: Option<Slice>) -> Result<Seq, Error> {
        match value.as_deref().map(<[u8; 8]>::try_from) {
            None => Ok(Seq::ZERO),
            Some(Ok(bytes)) => Ok(Seq(u64::from_le_bytes(bytes))),
            Some(Err(_)) => Err(self.damaged("its seq has not eight bytes")),
        }
    }

    /// The newest value of a key, which is not empty.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = guard("read", &self.path, || self.tables.load().get(key))?;
        // Copied: a slice would keep its whole block in memory.
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(super) fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        mut most: Most,
    ) -> Result<Vec<Entry>, Error> {
        if is_empty_range(range) || !most.has_room() {
            return Ok(Vec::new());
        }
        let mut range = of_keys(range);
        if let Bound::Excluded(end) = range.1
            && planted(Bug::ScanEndsLate)
        {
            range.1 = Bound::Included(end);
        }
        if is_empty_range(range) {
            return Ok(Vec::new());
        }
        guard("read", &self.path, || {
            let tables = self.tables.load();
            let mut found = tables.range(range);
            let mut entries = Vec::new();
            while most.has_room() {
                let next = match reverse {
                    false => found.next(),
                    true => found.next_back(),
                };
                let Some(next) = next else { break };
                let entry = entry(next?);
                most.less(&entry);
                entries.push(entry);
            }
            Ok(entries)
        })
    }

    /// Takes in changes in strictly rising key order and the seq, all or nothing, durably.
    pub(super) fn ingest<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        seq: Seq,
        changes: impl Iterator<Item = Result<(K, Option<V>), Error>>,
    ) -> Result<(), Error> {
        let mut writer = guard("write", &self.path, || self.tree.ingestion())?;
        guard("write", &self.path, || {
            writer.write(SEQ_KEY, seq.0.to_le_bytes())
        })?;
        for change in changes {
            let (key, value) = change?;
            let value = value.as_ref().map(AsRef::as_ref);
            guard("write", &self.path, || {
                write(&mut writer, key.as_ref(), value)
            })?;
        }
        guard("sync", &self.path, || {
            writer.finish()?;
            self.publish();
            Ok(())
        })
    }

    /// What is in force now is what is read. Of two at once, whoever comes second looks again.
    fn publish(&self) {
        self.tables.rcu(|_| Tables::of(&self.tree));
    }

    /// Does one merge if one is worth it. Tells whether it did.
    pub(super) fn compact(&self) -> Result<bool, Error> {
        let oldest = {
            let pins = self.pins();
            let first = pins.first_key_value().map(|(&number, _)| number);
            first.unwrap_or_else(|| self.visible.get())
        };
        guard("compact", &self.path, || {
            let before = self.tree.current_version().id();
            self.tree
                .compact(self.strategy.clone(), oldest.saturating_sub(1))?;
            let merged = self.tree.current_version().id() != before;
            if merged {
                self.publish();
            }
            Ok(merged)
        })
    }

    /// How many checkpoints lie beside each other, unmerged: each is one more place to look in.
    pub(super) fn unmerged(&self) -> usize {
        self.tree.l0_run_count()
    }

    pub(super) fn bytes_on_disk(&self) -> u64 {
        self.tree.disk_space()
    }

    /// What is in all tables.
    pub(super) fn entries(&self) -> u64 {
        self.tree.approximate_len() as u64
    }

    /// What is in the largest run of tables, in which each key is once, less the store's own.
    pub(super) fn keys_min(&self) -> u64 {
        let version = self.tree.current_version();
        let runs = version.iter_levels().flat_map(|level| level.iter());
        let keys = runs.map(|run| run.iter().map(|table| table.metadata.item_count).sum());
        keys.max().unwrap_or(0_u64).saturating_sub(1)
    }

    pub(super) fn is_pinned(&self) -> bool {
        !self.pins().is_empty()
    }

    pub(super) fn damaged(&self, what: &str) -> Error {
        damaged(&self.path, what)
    }

    fn pins(&self) -> MutexGuard<'_, BTreeMap<SeqNo, usize>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds what the tree showed at one number.
pub(super) struct Pinned {
    tree: Arc<Tree>,
    number: SeqNo,
    seq: Seq,
}

impl Pinned {
    /// Pins the present.
    pub(super) fn new(tree: Arc<Tree>) -> Result<Self, Error> {
        let number = {
            let mut pins = tree.pins();
            let number = tree.visible.get();
            *pins.entry(number).or_default() += 1;
            number
        };
        let mut pinned = Self {
            tree,
            number,
            seq: Seq::ZERO,
        };
        pinned.seq = pinned.tree.seq_at(number)?;
        Ok(pinned)
    }
}

impl Snapshot for Pinned {
    fn seq(&self) -> Seq {
        self.seq
    }

    fn entries(&self) -> Box<dyn Iterator<Item = Result<Entry, Error>> + Send + '_> {
        let path = &self.tree.path;
        let all = of_keys((Bound::Unbounded, Bound::Unbounded));
        let number = if planted(Bug::SnapshotMoves) {
            SeqNo::MAX
        } else {
            self.number
        };
        let opened = guard("read", path, || {
            Ok(self.tree.tree.range::<&[u8], _>(all, number, None))
        });
        let mut found = match opened {
            Ok(found) => Some(found),
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        Box::new(std::iter::from_fn(move || {
            let iterator = found.as_mut()?;
            let next = guard("read", path, || {
                iterator.next().map(|next| next.into_inner()).transpose()
            });
            if !matches!(next, Ok(Some(_))) {
                found = None;
            }
            next.map(|pair| pair.map(entry)).transpose()
        }))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut pins = self.tree.pins();
        if let Some(count) = pins.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.number);
            }
        }
    }
}

fn write(
    writer: &mut AnyIngestion<'_>,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), lsm_tree::Error> {
    match value {
        Some(value) => writer.write(key, Slice::from(value)),
        None if planted(Bug::DeleteLost) => Ok(()),
        None => writer.write_tombstone(key),
    }
}

fn entry((key, value): KvPair) -> Entry {
    (key[..].into(), Bytes::copy_from_slice(&value))
}

/// The part of a range that is the user's, between bounds that the tree takes: it has no keys of more than
/// [`KEY_BYTES_MAX`], and panics where it is asked for one.
fn of_keys(range: KeyRange<'_>) -> KeyRange<'_> {
    let above_own_key = Bound::Included(&[1][..]);
    let (start, end) = range;
    let start = match start {
        Bound::Unbounded => above_own_key,
        Bound::Included(at) | Bound::Excluded(at) if at.first().is_none_or(|&byte| byte == 0) => {
            above_own_key
        }
        // No key lies between such a bound and what it begins with, and this is below it.
        Bound::Included(at) | Bound::Excluded(at) if at.len() > KEY_BYTES_MAX => {
            Bound::Excluded(&at[..KEY_BYTES_MAX])
        }
        start => start,
    };
    let end = match end {
        Bound::Included(at) | Bound::Excluded(at) if at.len() > KEY_BYTES_MAX => {
            Bound::Included(&at[..KEY_BYTES_MAX])
        }
        end => end,
    };
    (start, end)
}

/// Runs something of the tree's; what it panics about is an error of ours. What it keeps may be in
/// any state after, but it holds no answers: those it reads anew, and checks, from the disk.
fn guard<T>(
    attempt: &'static str,
    path: &Path,
    run: impl FnOnce() -> Result<T, lsm_tree::Error>,
) -> Result<T, Error> {
    let result = catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        damaged(path, &format!("to {attempt} it failed: {what}"))
    })?;
    result.map_err(|error| {
        use std::io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
        match error {
            lsm_tree::Error::Io(error)
                if matches!(error.kind(), NotFound | UnexpectedEof | InvalidData) =>
            {
                damaged(path, &format!("cannot {attempt} it: {error}"))
            }
            lsm_tree::Error::Io(source) => Error::Io {
                attempt,
                path: path.into(),
                source,
            },
            other => damaged(path, &format!("cannot {attempt} it: {}", words(&other))),
        }
    })
}

/// What the tree says of what it found: its own text is its structure.
fn words(error: &lsm_tree::Error) -> String {
    use lsm_tree::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::ChecksumMismatch { .. } => "a block is not what its checksum says".to_owned(),
        Error::Decompress(_) => "a block cannot be unpacked".to_owned(),
        Error::InvalidHeader(what) => format!("the head of a {what} is none"),
        Error::InvalidTrailer => "a block has no end".to_owned(),
        Error::InvalidTag((what, tag)) => format!("a {what} has the kind {tag}, which is none"),
        Error::InvalidVersion(version) => format!("it has format {version}, which is none"),
        Error::Unrecoverable => "files that belong to it are missing or damaged".to_owned(),
        Error::Utf8(error) => error.to_string(),
        _ => "it is not what was written".to_owned(),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::Damaged {
        path: path.into(),
        what: what.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Whoever puts tables in force holds the tree's lock over its syncs.
    #[test]
    fn reads_do_not_wait_for_whoever_changes_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(&dir.path().join("tree"), 1 << 20).unwrap();
        let changes = [(b"a", Some(b"1"))].into_iter().map(Ok);
        tree.ingest(Seq(1), changes).unwrap();
        let (tell, told) = channel();
        thread::scope(|scope| {
            let held = tree.tree.get_version_history_lock();
            scope.spawn(|| {
                let all = (Bound::Unbounded, Bound::Unbounded);
                let entries = tree.scan(all, false, Most::entries(9)).unwrap();
                let read = (tree.seq().unwrap(), tree.get(b"a").unwrap(), entries.len());
                tell.send(read).unwrap();
            });
            let read = told.recv_timeout(Duration::from_secs(10));
            drop(held);
            let one = Bytes::from_static(b"1");
            assert_eq!(read.expect("it waits"), (Seq(1), Some(one), 1));
        });
    }

    /// What a merge replaces goes when nobody holds it any more, and not while it is read.
    #[test]
    fn what_is_read_stays_while_it_is_merged() {
        let dir = tempfile::tempdir().unwrap();
        let tree = Tree::open(&dir.path().join("tree"), 0).unwrap();
        let value = [b'v'; 100];
        let ingest = |seq| {
            let keys = (0..5_000).map(|number| format!("{number:08}"));
            let changes = keys.map(|key| Ok((key, Some(value))));
            tree.ingest(Seq(seq), changes).unwrap();
        };
        ingest(1);
        let tables = tree.tables.load();
        let all = of_keys((Bound::Unbounded, Bound::Unbounded));
        let mut found = tables.range(all);
        found.next().expect("the first").unwrap();
        for seq in 2..30 {
            ingest(seq);
            while tree.compact().unwrap() {}
        }
        let others: Result<Vec<_>, _> = found.collect();
        assert_eq!(others.expect("they are there").len(), 4_999);
    }
}
