//! The store in a directory: an LSM tree, a lock, and what happens when the disk fails.
//!
//! The tree is fjall's (`lsm-tree`) without fjall's journal, memory tables and threads: a
//! checkpoint is large, sorted and already in the log, so writing it to a journal first would only
//! write it twice. Checkpoints are ingested as tables; see `tree`. Every block read from disk is
//! verified against its 128-bit checksum by the tree; what the tree does not verify is in `manifest`.
//!
//! After a write or a merge fails, nothing is written any more until [`Store::reopen`], which
//! forgets all that is in memory and begins again from what is durable. Reads go on meanwhile.

mod compactor;
mod format;
mod manifest;
mod order;
mod tables;
mod tree;

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;
use ordain_types::{Bug, Seq, planted};

use self::compactor::Compactor;
use self::format::{State, io_error};
use self::tree::{Pinned, Tree};
use crate::{
    Checkpoint, Entry, Error, KeyRange, Most, Snapshot, Stats, Store, check_key, check_seq, rising,
};

const TREE: &str = "tree";

/// How to open a [`DiskStore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memory for blocks read from disk, in bytes. Default 64 MiB.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
        }
    }
}

/// A store in a directory.
///
/// ```
/// use ordain_store::{Checkpoint, DiskStore, Options, Store};
/// use ordain_types::Seq;
///
/// # let dir = tempfile::tempdir().unwrap();
/// # let dir = dir.path();
/// let store = DiskStore::open(dir, Options::default())?;
/// let changes = [("key", Some("value"))].into_iter().collect();
/// store.apply(&Checkpoint { seq: Seq(7), changes })?;
/// drop(store);
///
/// let store = DiskStore::open(dir, Options::default())?;
/// assert_eq!((store.seq(), store.get(b"key")?), (Seq(7), Some("value".into())));
/// # Ok::<(), ordain_store::Error>(())
/// ```
pub struct DiskStore {
    dir: PathBuf,
    options: Options,
    seq: AtomicU64,
    /// Why there is none, if reopening failed. Read while it is used, written while it is replaced.
    opened: RwLock<Result<Opened, Arc<Error>>>,
    /// Held to write; tells why writing is over.
    writing: Mutex<Option<Arc<Error>>>,
    /// Released last.
    _lock: File,
}

/// Fields in the order of their end: the thread stops before the tree goes.
struct Opened {
    compactor: Compactor,
    tree: Arc<Tree>,
}

impl DiskStore {
    /// Whether there is a store in a directory.
    pub fn exists(dir: impl AsRef<Path>) -> bool {
        format::exists(dir.as_ref())
    }

    /// Opens the store in a directory, or makes one in a directory that is empty or missing.
    ///
    /// Refuses a directory that holds other things, is in use, is of a newer format, is damaged,
    /// or into which a restore did not end.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let lock = format::lock(dir)?;
        let opened = Opened::new(dir, &options)?;
        Ok(Self {
            dir: dir.into(),
            options,
            seq: AtomicU64::new(opened.tree.seq()?.0),
            opened: RwLock::new(Ok(opened)),
            writing: Mutex::default(),
            _lock: lock,
        })
    }

    /// Reads every file from end to end and compares it with its checksum: the first damaged one
    /// is named by the error. `progress` is told the bytes read so far.
    ///
    /// Needs the store to itself, hence the directory and not an open store.
    pub fn verify(dir: impl AsRef<Path>, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
        let dir = dir.as_ref();
        let _lock = format::lock(dir)?;
        match format::state(dir)? {
            Some(State::Ready) => manifest::verify(&dir.join(TREE), progress),
            Some(State::Restoring) => Err(Error::Unfinished { path: dir.into() }),
            Some(State::Creating) | None => Ok(()),
        }
    }

    fn opened(&self) -> RwLockReadGuard<'_, Result<Opened, Arc<Error>>> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&Opened) -> Result<T, Error>) -> Result<T, Error> {
        match &*self.opened() {
            Ok(opened) => read(opened),
            Err(cause) => Err(self.poisoned(cause)),
        }
    }

    /// Runs a write, alone, unless an earlier one failed; after `poisons` errors it is the last.
    fn write(
        &self,
        write: impl FnOnce(&Opened) -> Result<(), Error>,
        poisons: impl FnOnce(&Error) -> bool,
    ) -> Result<(), Error> {
        let mut failed = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(|opened| {
            if failed.is_none() {
                *failed = opened.compactor.failure();
            }
            if let Some(cause) = &*failed {
                return Err(self.poisoned(cause));
            }
            write(opened)
        })
        .inspect_err(|error| {
            if failed.is_none() && poisons(error) {
                *failed = Some(Arc::new(self.poisoned(error)));
            }
        })
    }

    fn poisoned(&self, cause: &Error) -> Error {
        let (cause, full) = match cause {
            Error::Poisoned { cause, full, .. } => (cause.clone(), *full),
            other => (other.to_string(), other.is_full()),
        };
        Error::Poisoned {
            path: self.dir.clone(),
            cause,
            full,
        }
    }

    fn busy(&self) -> Error {
        Error::Busy {
            path: self.dir.clone(),
        }
    }

    fn set_seq(&self, seq: Seq) {
        self.seq.store(seq.0, Ordering::Release);
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore")
            .field("dir", &self.dir)
            .field("seq", &self.seq())
            .finish_non_exhaustive()
    }
}

impl Opened {
    fn new(dir: &Path, options: &Options) -> Result<Self, Error> {
        let path = dir.join(TREE);
        let tree = match format::state(dir)? {
            Some(State::Ready) => {
                manifest::check(&path)?;
                Tree::open(&path, options.cache_bytes)?
            }
            Some(State::Restoring) => return Err(Error::Unfinished { path: dir.into() }),
            Some(State::Creating) | None => {
                format::set_state(dir, State::Creating)?;
                if path.exists() {
                    fs::remove_dir_all(&path).map_err(io_error("clear", &path))?;
                }
                let tree = Tree::open(&path, options.cache_bytes)?;
                format::set_state(dir, State::Ready)?;
                tree
            }
        };
        let tree = Arc::new(tree);
        let compactor =
            Compactor::start(tree.clone()).map_err(io_error("start a thread for", dir))?;
        Ok(Self { compactor, tree })
    }
}

impl Store for DiskStore {
    fn seq(&self) -> Seq {
        Seq(self.seq.load(Ordering::Acquire))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match check_key(key) {
            Ok(()) => self.read(|opened| opened.tree.get(key)),
            Err(_) => Ok(None),
        }
    }

    fn scan(&self, range: KeyRange<'_>, reverse: bool, most: Most) -> Result<Vec<Entry>, Error> {
        self.read(|opened| opened.tree.scan(range, reverse, most))
    }

    fn apply(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Checkpoint { seq, changes } = checkpoint;
        for (key, _) in changes.iter() {
            check_key(key)?;
        }
        let changes = order::by_key(changes);
        let write = |opened: &Opened| {
            check_seq(self.seq(), *seq)?;
            let room = opened.compactor.make_room();
            room.map_err(|cause| self.poisoned(&cause))?;
            if planted(Bug::SeqFirst) {
                let none = std::iter::empty::<Result<(&[u8], Option<&[u8]>), Error>>();
                opened.tree.ingest(*seq, none)?;
            }
            opened.tree.ingest(*seq, changes.map(Ok))?;
            self.set_seq(*seq);
            opened.compactor.ask();
            Ok(())
        };
        self.write(write, |error| !matches!(error, Error::SeqNotGrown { .. }))
    }

    fn restore(
        &self,
        seq: Seq,
        entries: &mut dyn Iterator<Item = Result<Entry, Error>>,
    ) -> Result<(), Error> {
        let write = |opened: &Opened| {
            if self.seq() != Seq::ZERO {
                return Err(Error::NotEmpty { at: self.seq() });
            }
            if !planted(Bug::RestoreUnmarked) {
                format::set_state(&self.dir, State::Restoring)?;
            }
            let changes = rising(entries).map(|entry| entry.map(|(key, value)| (key, Some(value))));
            opened.tree.ingest(seq, changes)?;
            format::set_state(&self.dir, State::Ready)?;
            self.set_seq(seq);
            opened.compactor.ask();
            Ok(())
        };
        self.write(write, |error| !matches!(error, Error::NotEmpty { .. }))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, Error> {
        self.read(|opened| Ok(Box::new(Pinned::new(opened.tree.clone())?) as Box<dyn Snapshot>))
    }

    fn reopen(&self) -> Result<(), Error> {
        let mut failed = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(&*opened, Ok(old) if old.tree.is_pinned()) {
            return Err(self.busy());
        }
        // What is opened may read on a disk that nothing can be written to; a new one could not be opened there,
        // for it removes what is left over. On a full disk it can, and what is left over may be what fills it.
        format::check_writable(&self.dir).or_else(|error| match error.is_full() {
            true => Ok(()),
            false => Err(error),
        })?;
        // Gone before the new one comes: both would delete each other's files.
        *opened = Err(Arc::new(self.busy()));
        let new = Opened::new(&self.dir, &self.options)
            .and_then(|new| Ok((new.tree.seq()?, new)))
            .map_err(|error| {
                let error = Arc::new(error);
                (*failed, *opened) = (Some(error.clone()), Err(error.clone()));
                self.poisoned(&error)
            });
        let (seq, new) = new?;
        self.set_seq(seq);
        (*failed, *opened) = (None, Ok(new));
        Ok(())
    }

    fn stats(&self) -> Stats {
        // A write under way has not failed yet.
        let failed = self
            .writing
            .try_lock()
            .ok()
            .and_then(|failed| failed.clone());
        let (figures, failed) = match &*self.opened() {
            Ok(Opened { compactor, tree }) => (
                Stats {
                    bytes_on_disk: tree.bytes_on_disk(),
                    entries: tree.entries(),
                    keys_min: tree.keys_min(),
                    failure: None,
                },
                failed.or_else(|| compactor.failure()),
            ),
            Err(cause) => (Stats::default(), Some(cause.clone())),
        };
        Stats {
            failure: failed.map(|cause| cause.to_string()),
            ..figures
        }
    }
}
