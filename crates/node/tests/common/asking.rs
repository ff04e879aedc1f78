//! A store and a disk that ask before they write: tests make them wait, fail and panic.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, PoisonError};

use ordain_log::disk::{Disk, File, MemoryDisk, Mode};
use ordain_store::{
    Checkpoint, Entry, Error as StoreError, KeyRange, MemoryStore, Most, Snapshot, Stats, Store,
};
use ordain_types::Seq;

type Hook<R> = Mutex<Box<dyn Fn() -> R + Send>>;

fn run_hook<R>(hook: &Hook<R>) -> R {
    hook.lock().unwrap_or_else(PoisonError::into_inner)()
}

/// A store in memory that asks before it applies a checkpoint.
pub struct AskingStore {
    pub inner: MemoryStore,
    before_apply: Hook<Result<(), StoreError>>,
}

impl AskingStore {
    pub fn new(before_apply: impl Fn() -> Result<(), StoreError> + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::default(),
            before_apply: Mutex::new(Box::new(before_apply)),
        })
    }
}

impl Store for AskingStore {
    fn seq(&self) -> Seq {
        self.inner.seq()
    }
    fn get(&self, key: &[u8]) -> Result<Option<bytes::Bytes>, StoreError> {
        self.inner.get(key)
    }
    fn scan(&self, range: KeyRange<'_>, rev: bool, most: Most) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(range, rev, most)
    }
    fn apply(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        run_hook(&self.before_apply)?;
        self.inner.apply(checkpoint)
    }
    fn restore(
        &self,
        seq: Seq,
        entries: &mut dyn Iterator<Item = Result<Entry, StoreError>>,
    ) -> Result<(), StoreError> {
        self.inner.restore(seq, entries)
    }
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot()
    }
    fn reopen(&self) -> Result<(), StoreError> {
        self.inner.reopen()
    }
    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

pub fn store_failure() -> StoreError {
    StoreError::Io {
        attempt: "write",
        path: "checkpoint".into(),
        source: ErrorKind::StorageFull.into(),
    }
}

/// A disk in memory that asks, by the file's name, before each write.
pub struct AskingDisk {
    pub inner: MemoryDisk,
    before_write: Arc<dyn Fn(&str) + Send + Sync>,
}

struct AskingFile {
    inner: Box<dyn File>,
    name: String,
    before_write: Arc<dyn Fn(&str) + Send + Sync>,
}

impl AskingDisk {
    pub fn new(before_write: impl Fn(&str) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryDisk::new(),
            before_write: Arc::new(before_write),
        })
    }
}

impl Disk for AskingDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }
    fn open(&self, name: &str, mode: Mode) -> io::Result<Box<dyn File>> {
        Ok(Box::new(AskingFile {
            inner: self.inner.open(name, mode)?,
            name: name.to_owned(),
            before_write: self.before_write.clone(),
        }))
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()
    }
}

impl File for AskingFile {
    fn bytes(&self) -> io::Result<u64> {
        self.inner.bytes()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        (self.before_write)(&self.name);
        self.inner.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}
