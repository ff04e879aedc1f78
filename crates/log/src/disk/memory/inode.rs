//! One file of the disk in memory: what a reader sees, what is durable, and what is on its way. It
//! knows no names.

use std::collections::BTreeMap;

const SECTOR: usize = 512;

/// A sector's bytes; `None` stands for zeros, so that preallocated files cost nothing.
type Sector = Option<Box<[u8; SECTOR]>>;

#[derive(Clone, Default)]
pub(super) struct Inode {
    bytes: u64,
    bytes_durable: u64,
    seen: BTreeMap<u64, Box<[u8; SECTOR]>>,
    durable: BTreeMap<u64, Box<[u8; SECTOR]>>,
    /// The versions of a sector written since the last sync, oldest first.
    unsynced: BTreeMap<u64, Vec<Sector>>,
    /// The versions a failed sync left in doubt: they may have landed, and no sync sees to it any more.
    doubtful: BTreeMap<u64, Vec<Sector>>,
}

impl Inode {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let room = self.bytes.saturating_sub(offset).min(buffer.len() as u64) as usize;
        buffer[..room].fill(0);
        for (sector, within, range) in pieces(offset, room) {
            if let Some(bytes) = self.seen.get(&sector) {
                let length = range.len();
                buffer[range].copy_from_slice(&bytes[within..within + length]);
            }
        }
        room
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        for (sector, within, range) in pieces(offset, bytes.len()) {
            let mut new = self.seen.get(&sector).map_or([0; SECTOR], |old| **old);
            new[within..within + range.len()].copy_from_slice(&bytes[range]);
            let new = (new != [0; SECTOR]).then(|| Box::new(new));
            self.write_sector(sector, new);
        }
        self.bytes = self.bytes.max(offset + bytes.len() as u64);
    }

    fn write_sector(&mut self, sector: u64, new: Sector) {
        let unchanged = self.durable.get(&sector) == new.as_ref()
            && !self.unsynced.contains_key(&sector)
            && !self.doubtful.contains_key(&sector);
        if !unchanged {
            self.unsynced.entry(sector).or_default().push(new.clone());
        }
        put(&mut self.seen, sector, new);
    }

    pub(super) fn sync(&mut self) {
        for (sector, mut versions) in std::mem::take(&mut self.unsynced) {
            self.doubtful.remove(&sector);
            put(&mut self.durable, sector, versions.pop().flatten());
        }
        self.bytes_durable = self.bytes;
    }

    pub(super) fn fail_sync(&mut self) {
        for (sector, versions) in std::mem::take(&mut self.unsynced) {
            self.doubtful.entry(sector).or_default().extend(versions);
        }
    }

    pub(super) fn lose_power(&mut self, choose: &mut dyn FnMut(usize) -> usize) {
        self.fail_sync();
        for (sector, mut versions) in std::mem::take(&mut self.doubtful) {
            match choose(versions.len() + 1) {
                0 => {}
                landed => put(&mut self.durable, sector, versions.swap_remove(landed - 1)),
            }
        }
        if self.bytes != self.bytes_durable && choose(2) == 1 {
            self.bytes_durable = self.bytes;
        }
        self.bytes = self.bytes_durable;
        self.durable.split_off(&self.bytes.div_ceil(SECTOR as u64));
        self.seen = self.durable.clone();
    }
}

fn put(sectors: &mut BTreeMap<u64, Box<[u8; SECTOR]>>, sector: u64, new: Sector) {
    match new {
        Some(bytes) => sectors.insert(sector, bytes),
        None => sectors.remove(&sector),
    };
}

/// Splits a range of a file at the sectors: sector, offset within it, range within the buffer.
fn pieces(offset: u64, bytes: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == bytes {
            return None;
        }
        let place = offset + at as u64;
        let within = (place % SECTOR as u64) as usize;
        let length = (SECTOR - within).min(bytes - at);
        at += length;
        Some((place / SECTOR as u64, within, at - length..at))
    })
}
