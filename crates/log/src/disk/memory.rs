//! A disk in memory that is as bad as a real one may be: what was not synced survives a power loss
//! sector by sector or not at all, writes and syncs fail on demand, space runs out. It knows
//! nothing of segments and records.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, File, Mode};
use inode::Inode;

mod inode;

/// A fault to come, see [`MemoryDisk::inject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A write puts only its first `landed` bytes in place and fails with `kind`.
    Write {
        /// How many bytes land all the same.
        landed: usize,
        /// What the write answers.
        kind: ErrorKind,
    },
    /// A write puts its first `landed` bytes in place and answers that number.
    ShortWrite {
        /// How many bytes land.
        landed: usize,
    },
    /// A read fails with `kind`.
    Read {
        /// What the read answers.
        kind: ErrorKind,
    },
    /// A sync fails. As on Linux, what it should have made durable stays readable and counts as
    /// written: some of it may have landed, and no later sync sees to the rest.
    Sync {
        /// What the sync answers.
        kind: ErrorKind,
    },
}

/// What a fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hits {
    Reads,
    Writes,
    Syncs,
}

impl Fault {
    fn hits(self) -> Hits {
        match self {
            Fault::Write { .. } | Fault::ShortWrite { .. } => Hits::Writes,
            Fault::Read { .. } => Hits::Reads,
            Fault::Sync { .. } => Hits::Syncs,
        }
    }
}

/// How often the disk was asked to do something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `write_at`.
    pub writes: u64,
    /// Calls of `sync`.
    pub syncs: u64,
    /// Calls of `sync_dir`.
    pub dir_syncs: u64,
    /// All of these, and files made and removed.
    pub changes: u64,
    /// Planned faults of writes that came true.
    pub failed_writes: u64,
    /// Planned faults of syncs that came true.
    pub failed_syncs: u64,
    /// Planned faults of reads that came true.
    pub failed_reads: u64,
    /// Writes that found no space.
    pub full: u64,
    /// Changes that the machine did not live to finish.
    pub stopped: u64,
}

/// A directory in memory. Clones share it; [`MemoryDisk::fork`] copies it.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    world: Arc<Mutex<World>>,
}

#[derive(Clone, Default)]
struct World {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    names_durable: BTreeMap<String, u64>,
    inode_next: u64,
    /// Counts the crashes; a handle opened before the last one is dead.
    life: u64,
    counts: Counts,
    faults: Vec<(u64, Fault)>,
    /// How many more changes the machine lives to make.
    fuse: Option<u64>,
    bytes_max: Option<u64>,
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk")
            .field("files", &self.world().names.keys())
            .finish()
    }
}

impl MemoryDisk {
    /// An empty disk without faults.
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// A copy with a life of its own: later changes to one do not show in the other.
    pub fn fork(&self) -> MemoryDisk {
        MemoryDisk {
            world: Arc::new(Mutex::new(self.world().clone())),
        }
    }

    /// Plans a fault for the write, sync or read (whichever it is about) that follows `after` others.
    pub fn inject(&self, after: u64, fault: Fault) {
        self.world().faults.push((after, fault));
    }

    /// Lets `changes` more changes (writes, syncs, files made or removed) happen; the one after
    /// fails half done, and so does all that follows, until a crash.
    pub fn stop_after(&self, changes: u64) {
        self.world().fuse = Some(changes);
    }

    /// Limits the sum of all file lengths; a write that would grow past it fails with `StorageFull`.
    pub fn limit_bytes(&self, bytes_max: Option<u64>) {
        self.world().bytes_max = bytes_max;
    }

    /// Forgets all planned faults.
    pub fn calm(&self) {
        let mut world = self.world();
        world.fuse = None;
        world.faults.clear();
    }

    /// The process dies, the machine lives on: all that was written stays. Handles opened before
    /// stop working, planned faults are forgotten.
    pub fn kill(&self) {
        self.world().end_life();
    }

    /// The machine loses power: of what was not synced, each sector (and each file made or removed)
    /// landed or did not. `choose(n)` picks one of `n` versions, 0 being the oldest.
    pub fn lose_power(&self, choose: &mut dyn FnMut(usize) -> usize) {
        let mut world = self.world();
        world.end_life();
        world.lose_names(choose);
        for inode in world.inodes.values_mut() {
            inode.lose_power(choose);
        }
    }

    /// What a file holds, as a reader sees it; `None` if there is no such file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        let inode = &world.inodes[world.names.get(name)?];
        let mut bytes = vec![0; inode.bytes() as usize];
        inode.read(&mut bytes, 0);
        Some(bytes)
    }

    /// Replaces (or makes) a file, durably and regardless of faults: how a test plants damage.
    pub fn set_contents(&self, name: &str, bytes: &[u8]) {
        let mut world = self.world();
        let id = world.entry(name);
        world.names_durable.insert(name.to_string(), id);
        let mut inode = Inode::default();
        inode.write(bytes, 0);
        inode.sync();
        world.inodes.insert(id, inode);
    }

    /// The sum of all files' lengths: what [`MemoryDisk::limit_bytes`] limits.
    pub fn bytes(&self) -> u64 {
        self.world().taken_without(None)
    }

    /// How often the disk was asked so far.
    pub fn counts(&self) -> Counts {
        self.world().counts
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A test that panicked elsewhere must not hide its message behind a second panic here.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn end_life(&mut self) {
        self.life += 1;
        self.fuse = None;
        self.faults.clear();
    }

    fn entry(&mut self, name: &str) -> u64 {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = self.inode_next;
        self.inode_next += 1;
        self.names.insert(name.to_string(), id);
        self.inodes.insert(id, Inode::default());
        id
    }

    fn lose_names(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        let mut survived = self.names_durable.clone();
        let mut all: Vec<String> = self.names.keys().chain(survived.keys()).cloned().collect();
        all.sort();
        all.dedup();
        for name in all {
            let (new, old) = (self.names.get(&name), self.names_durable.get(&name));
            if new != old && choose(2) == 1 {
                match new {
                    Some(id) => survived.insert(name, *id),
                    None => survived.remove(&name),
                };
            }
        }
        self.inodes
            .retain(|id, _| survived.values().any(|kept| kept == id));
        self.names = survived.clone();
        self.names_durable = survived;
    }

    /// Counts one change; `Err` if the machine does not live to finish it.
    fn change(&mut self) -> io::Result<()> {
        self.counts.changes += 1;
        match &mut self.fuse {
            Some(0) => {
                self.counts.stopped += 1;
                Err(io::Error::other("the machine has stopped"))
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The fault planned for this write, sync or read, if any.
    fn fault(&mut self, hits: Hits) -> Option<Fault> {
        let mut due = None;
        for (index, (after, fault)) in self.faults.iter_mut().enumerate() {
            if fault.hits() != hits {
                continue;
            }
            if *after == 0 && due.is_none() {
                due = Some(index);
            } else {
                *after = after.saturating_sub(1);
            }
        }
        let fault = due.map(|index| self.faults.remove(index).1)?;
        match hits {
            Hits::Reads => self.counts.failed_reads += 1,
            Hits::Writes => self.counts.failed_writes += 1,
            Hits::Syncs => self.counts.failed_syncs += 1,
        }
        Some(fault)
    }

    fn write(&mut self, id: u64, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.counts.writes += 1;
        let alive = self.change();
        let (landed, answer) = match self.fault(Hits::Writes) {
            Some(Fault::Read { .. } | Fault::Sync { .. }) | None => (bytes.len(), Ok(bytes.len())),
            Some(Fault::ShortWrite { landed }) => (landed, Ok(landed.min(bytes.len()))),
            Some(Fault::Write { landed, kind }) => (landed, Err(kind.into())),
        };
        let landed = landed.min(bytes.len());
        self.check_space(id, offset + landed as u64)?;
        if let Some(inode) = self.inodes.get_mut(&id) {
            inode.write(&bytes[..landed], offset);
        }
        alive.and(answer)
    }

    /// Bytes that all files but one take: those that have a name, or may have one again after a power cut.
    fn taken_without(&self, without: Option<u64>) -> u64 {
        let named = self.names.values().chain(self.names_durable.values());
        let named: BTreeSet<_> = named.filter(|id| Some(**id) != without).collect();
        let inodes = named.into_iter().filter_map(|id| self.inodes.get(id));
        inodes.map(Inode::bytes).sum()
    }

    fn check_space(&mut self, id: u64, end: u64) -> io::Result<()> {
        let Some(bytes_max) = self.bytes_max else {
            return Ok(());
        };
        let used = self.taken_without(Some(id));
        let grows = self
            .inodes
            .get(&id)
            .is_some_and(|inode| end > inode.bytes());
        if grows && used + end > bytes_max {
            self.counts.full += 1;
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self, id: u64) -> io::Result<()> {
        self.counts.syncs += 1;
        self.change()?;
        let fault = self.fault(Hits::Syncs);
        let Some(inode) = self.inodes.get_mut(&id) else {
            return Ok(());
        };
        match fault {
            Some(Fault::Sync { kind }) => {
                inode.fail_sync();
                Err(kind.into())
            }
            _ => {
                inode.sync();
                Ok(())
            }
        }
    }
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.world().names.keys().cloned().collect())
    }

    fn open(&self, name: &str, mode: Mode) -> io::Result<Box<dyn File>> {
        let mut world = self.world();
        let id = match world.names.get(name) {
            Some(id) => *id,
            None if mode == Mode::Create => {
                world.change()?;
                world.entry(name)
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        Ok(Box::new(Handle {
            world: self.world.clone(),
            id,
            life: world.life,
            mode,
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.change()?;
        world
            .names
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.world();
        world.counts.dir_syncs += 1;
        world.change()?;
        world.names_durable = world.names.clone();
        Ok(())
    }
}

struct Handle {
    world: Arc<Mutex<World>>,
    id: u64,
    life: u64,
    mode: Mode,
}

impl Handle {
    fn world(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        if world.life != self.life {
            return Err(io::Error::other("this file was opened before the crash"));
        }
        Ok(world)
    }
}

impl File for Handle {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.world()?.inodes.get(&self.id).map_or(0, Inode::bytes))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.world()?;
        if let Some(Fault::Read { kind }) = world.fault(Hits::Reads) {
            return Err(kind.into());
        }
        Ok(world
            .inodes
            .get(&self.id)
            .map_or(0, |inode| inode.read(buffer, offset)))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.mode == Mode::Read {
            return Err(ErrorKind::PermissionDenied.into());
        }
        self.world()?.write(self.id, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.world()?.sync(self.id)
    }
}
