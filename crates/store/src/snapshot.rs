//! The file a backup is: all entries of a store at one seq, in key order, checked throughout.
//!
//! ```text
//!   header    magic "ORDSNAPS" · format u32 · seq u64 · CRC-32C u32 of all before
//!   block     length u32 (not 0) · CRC-32C u32 of length and entries · entries
//!   entry     key length u32 · value length u32 · key · value
//!   trailer   length u32 = 0 · count of entries u64 · state hash u128 · CRC-32C u32 of all before
//! ```
//!
//! The format is that of the entries as well, which is a data directory's. Numbers are little endian. Entries do not cross blocks. Nothing follows the trailer. Writing and
//! reading hold one block in memory. This file does not know where the bytes go or come from.

use std::io::{self, Read, Write};

use bytes::Bytes;
use ordain_types::granule::FORMAT;
use ordain_types::{Bug, Seq, planted};

use crate::hash::StateHasher;
use crate::{Entry, Error, Snapshot, StateHash, Store, rising};

const MAGIC: &[u8; 8] = b"ORDSNAPS";
const BLOCK_HEAD_BYTES: usize = 4 + 4;
const ENTRY_HEAD_BYTES: usize = 4 + 4;
/// A block is written once it has as many bytes; its last entry may make it larger.
const BLOCK_BYTES: usize = 256 << 10;

/// What a snapshot's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// What the contents stand for.
    pub seq: Seq,
    /// How many entries.
    pub entries: u64,
    /// How long the file is.
    pub bytes: u64,
    /// The hash of the contents.
    pub hash: StateHash,
}

/// How far writing or reading has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries so far.
    pub entries: u64,
    /// Bytes of the file so far.
    pub bytes: u64,
}

/// Writes a snapshot and flushes `out`; to sync it is the caller's. Told its progress with each block.
pub fn write(
    snapshot: &dyn Snapshot,
    out: impl Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, Error> {
    let mut out = Output { out, at: 0 };
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&snapshot.seq().0.to_le_bytes());
    out.put_checked(header)?;

    let mut hasher = StateHasher::default();
    let mut entries = 0;
    let mut block = new_block();
    for entry in snapshot.entries() {
        let (key, value) = entry?;
        hasher.update(&key, &value);
        entries += 1;
        push_entry(&mut block, &key, &value)?;
        if block.len() >= BLOCK_BYTES {
            out.put_block(std::mem::replace(&mut block, new_block()))?;
            let bytes = out.at;
            progress(Progress { entries, bytes });
        }
    }
    if block.len() > BLOCK_HEAD_BYTES {
        out.put_block(block)?;
    }

    let hash = hasher.finish();
    let mut trailer = 0u32.to_le_bytes().to_vec();
    trailer.extend_from_slice(&entries.to_le_bytes());
    trailer.extend_from_slice(&hash.0.to_le_bytes());
    out.put_checked(trailer)?;
    out.flush()?;
    let bytes = out.at;
    progress(Progress { entries, bytes });
    Ok(Summary {
        seq: snapshot.seq(),
        entries,
        bytes,
        hash,
    })
}

/// Reads a snapshot into an empty store: the store takes all of it, or, if the file is cut short,
/// damaged or of another format, nothing. Told its progress with each block.
pub fn read(
    input: impl Read,
    into: &dyn Store,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, Error> {
    read_with(input, progress, |seq, entries| into.restore(seq, entries))
}

/// Reads a snapshot to its end and keeps nothing: whether it is sound, and what it holds.
pub fn verify(input: impl Read, progress: &mut dyn FnMut(Progress)) -> Result<Summary, Error> {
    read_with(input, progress, |_, entries| {
        rising(entries).try_for_each(|entry| entry.map(drop))
    })
}

fn read_with(
    input: impl Read,
    progress: &mut dyn FnMut(Progress),
    take: impl FnOnce(Seq, &mut dyn Iterator<Item = Result<Entry, Error>>) -> Result<(), Error>,
) -> Result<Summary, Error> {
    let mut reader = Reader::new(Input { input, at: 0 }, progress)?;
    let seq = reader.seq;
    take(seq, &mut std::iter::from_fn(|| reader.next().transpose()))?;
    Ok(Summary {
        seq,
        entries: reader.entries,
        bytes: reader.input.at,
        hash: reader.hasher.finish(),
    })
}

fn new_block() -> Vec<u8> {
    vec![0; BLOCK_HEAD_BYTES]
}

fn push_entry(block: &mut Vec<u8>, key: &[u8], value: &[u8]) -> Result<(), Error> {
    for part in [key, value] {
        let length = u32::try_from(part.len()).map_err(|_| Error::SnapshotIo {
            attempt: "put an entry of four gigabytes into",
            offset: 0,
            source: io::ErrorKind::InvalidInput.into(),
        })?;
        block.extend_from_slice(&length.to_le_bytes());
    }
    block.extend_from_slice(key);
    block.extend_from_slice(value);
    Ok(())
}

/// The checksum of a block: of its length as well.
fn block_checksum(length: [u8; 4], entries: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), entries)
}

struct Output<W> {
    out: W,
    at: u64,
}

impl<W: Write> Output<W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out
            .write_all(bytes)
            .map_err(|source| self.error(source))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn put_checked(&mut self, mut bytes: Vec<u8>) -> Result<(), Error> {
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        self.put(&bytes)
    }

    fn put_block(&mut self, mut block: Vec<u8>) -> Result<(), Error> {
        let (head, entries) = block.split_at_mut(BLOCK_HEAD_BYTES);
        let length = u32::try_from(entries.len())
            .map_err(|_| self.error(io::ErrorKind::InvalidInput.into()))?
            .to_le_bytes();
        head[..4].copy_from_slice(&length);
        head[4..].copy_from_slice(&block_checksum(length, entries).to_le_bytes());
        self.put(&block)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.out.flush().map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> Error {
        Error::SnapshotIo {
            attempt: "write",
            offset: self.at,
            source,
        }
    }
}

struct Input<R> {
    input: R,
    at: u64,
}

impl<R: Read> Input<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.input
            .read_exact(&mut bytes)
            .map_err(|error| self.error(error))?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// Makes room for what comes, not for what a damaged length promises.
    fn take_many(&mut self, length: u32) -> Result<Bytes, Error> {
        let mut bytes = Vec::new();
        let limit = u64::from(length);
        let read = self.input.by_ref().take(limit).read_to_end(&mut bytes);
        match read.map_err(|error| self.error(error))? as u64 == limit {
            true => self.at += limit,
            false => return Err(self.damaged("it ends in the middle")),
        }
        Ok(bytes.into())
    }

    fn at_end(&mut self) -> Result<bool, Error> {
        let read = self.input.by_ref().take(1).read_to_end(&mut Vec::new());
        Ok(read.map_err(|error| self.error(error))? == 0)
    }

    fn error(&self, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends in the middle"),
            _ => Error::SnapshotIo {
                attempt: "read",
                offset: self.at,
                source,
            },
        }
    }

    fn damaged(&self, what: &'static str) -> Error {
        Error::SnapshotDamaged {
            offset: self.at,
            what,
        }
    }
}

struct Reader<'a, R> {
    input: Input<R>,
    progress: &'a mut dyn FnMut(Progress),
    seq: Seq,
    /// What is left of the block.
    block: Bytes,
    entries: u64,
    hasher: StateHasher,
    ended: bool,
}

impl<'a, R: Read> Reader<'a, R> {
    fn new(mut input: Input<R>, progress: &'a mut dyn FnMut(Progress)) -> Result<Self, Error> {
        let magic = input.take::<8>()?;
        let format = input.take::<4>()?;
        let at_start = |what| Error::SnapshotDamaged { offset: 0, what };
        if magic != *MAGIC {
            return Err(at_start("it does not begin as a snapshot"));
        }
        // Before the checksum: a newer header may be longer.
        let (found, known) = (u32::from_le_bytes(format), FORMAT);
        if found > known {
            return Err(Error::SnapshotFormat { found, known });
        }
        let seq = input.take::<8>()?;
        let checksum = [&magic[..], &format, &seq].concat();
        if input.take()? != crc32c::crc32c(&checksum).to_le_bytes() {
            return Err(at_start("the checksum of its header is wrong"));
        }
        if found != known {
            return Err(Error::SnapshotFormat { found, known });
        }
        let seq = Seq(u64::from_le_bytes(seq));
        if seq > Seq::MAX {
            return Err(at_start("no log comes to its seq"));
        }
        Ok(Self {
            input,
            progress,
            seq,
            block: Bytes::new(),
            entries: 0,
            hasher: StateHasher::default(),
            ended: false,
        })
    }

    /// The next entry; none once the trailer is read and right.
    fn next(&mut self) -> Result<Option<Entry>, Error> {
        if self.block.is_empty() {
            if self.ended {
                return Ok(None);
            }
            let length = self.input.take::<4>()?;
            match u32::from_le_bytes(length) {
                0 => self.take_trailer()?,
                _ => self.take_block(length)?,
            }
            let (entries, bytes) = (self.entries, self.input.at);
            (self.progress)(Progress { entries, bytes });
            if self.ended {
                return Ok(None);
            }
        }
        let Some((key, value)) = split_entry(&mut self.block) else {
            return Err(self.input.damaged("an entry crosses its block"));
        };
        self.hasher.update(&key, &value);
        self.entries += 1;
        Ok(Some((key, value)))
    }

    fn take_block(&mut self, length: [u8; 4]) -> Result<(), Error> {
        let offset = self.input.at - length.len() as u64;
        let checksum = self.input.take::<4>()?;
        let block = self.input.take_many(u32::from_le_bytes(length))?;
        let sound = block_checksum(length, &block).to_le_bytes() == checksum;
        if !sound && !planted(Bug::BlockUnchecked) {
            let what = "the checksum of the block is wrong";
            return Err(Error::SnapshotDamaged { offset, what });
        }
        self.block = block;
        Ok(())
    }

    fn take_trailer(&mut self) -> Result<(), Error> {
        let offset = self.input.at - 4;
        let entries = self.input.take::<8>()?;
        let hash = self.input.take::<16>()?;
        let checksum = self.input.take::<4>()?;
        let damaged = |what| Err(Error::SnapshotDamaged { offset, what });
        let all = [&[0; 4][..], &entries, &hash].concat();
        if crc32c::crc32c(&all).to_le_bytes() != checksum {
            return damaged("the checksum of the trailer is wrong");
        }
        if u64::from_le_bytes(entries) != self.entries {
            return damaged("the trailer counts other entries");
        }
        if u128::from_le_bytes(hash) != self.hasher.finish().0 {
            return damaged("the trailer tells another state hash");
        }
        if !self.input.at_end()? {
            return Err(self.input.damaged("something follows the trailer"));
        }
        self.ended = true;
        Ok(())
    }
}

/// Takes an entry off the front of a block. Its value is copied: it may be kept long after.
fn split_entry(block: &mut Bytes) -> Option<Entry> {
    let (head, rest) = block.split_first_chunk::<ENTRY_HEAD_BYTES>()?;
    let [k0, k1, k2, k3, v0, v1, v2, v3] = *head;
    let key = u32::from_le_bytes([k0, k1, k2, k3]) as usize;
    let value = u32::from_le_bytes([v0, v1, v2, v3]) as usize;
    let (key, rest) = rest.split_at_checked(key)?;
    let (value, rest) = rest.split_at_checked(value)?;
    let entry = (key.into(), Bytes::copy_from_slice(value));
    *block = block.slice(block.len() - rest.len()..);
    Some(entry)
}
