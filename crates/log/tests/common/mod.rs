//! What the log's suites share: small segments, numbered payloads, reading everything back. It
//! reaches the log only through its public door.

#![allow(dead_code)] // Each suite uses its part.

use std::sync::Arc;

use ordain_log::disk::{Disk, MemoryDisk};
use ordain_log::{Log, OpenError, Options, ReadError, Record, Recovered, read_from};
use ordain_types::Seq;

/// The smallest segment there is: a page of header and a page of records.
pub const SMALL: Options = Options {
    segment_bytes: 8192,
};

pub const HEADER: usize = 4096;

pub fn open(disk: &MemoryDisk) -> Result<(Log, Recovered), OpenError> {
    Log::open(Arc::new(disk.clone()), SMALL)
}

/// Opens a log that must be in order.
pub fn reopen(disk: &MemoryDisk) -> Log {
    let (log, recovered) = open(disk).expect("the log opens");
    assert_eq!(recovered.cut, None);
    log
}

/// A payload that tells its seq and has zeros where a record may go wrong about them.
pub fn payload(seq: Seq, bytes: usize) -> Vec<u8> {
    let mut payload = vec![0; bytes];
    for (index, byte) in payload
        .iter_mut()
        .enumerate()
        .filter(|(index, _)| index % 1500 < 700)
    {
        *byte = (seq.0 as usize + index) as u8;
    }
    payload
}

/// Appends one batch after the last one.
pub fn append(log: &mut Log, count: u32, bytes: usize) {
    let seq = log.last_seq().next();
    log.append(seq, count, &payload(seq, bytes))
        .expect("the batch is appended");
}

/// A log of as many single-command records of `bytes` each.
pub fn log_of(records: u32, bytes: usize) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut log = reopen(&disk);
    for _ in 0..records {
        append(&mut log, 1, bytes);
    }
    disk
}

pub fn read_all(disk: &MemoryDisk) -> Result<Vec<Record>, ReadError> {
    read_on(Arc::new(disk.clone()), Seq(1))
}

pub fn read_on(disk: Arc<dyn Disk>, seq: Seq) -> Result<Vec<Record>, ReadError> {
    read_from(disk, seq)?.collect()
}

/// What a user of the log would be told if it were opened and read as a whole: all records, or
/// the first error's message.
pub fn serve(disk: &MemoryDisk) -> Result<Vec<Record>, String> {
    open(disk).map_err(|error| error.to_string())?;
    read_all(disk).map_err(|error| error.to_string())
}

pub fn segment(ordinal: u64) -> String {
    format!("{ordinal:010}.segment")
}

/// Changes a file's bytes, durably.
pub fn edit(disk: &MemoryDisk, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.contents(file).expect("the file is there");
    change(&mut bytes);
    disk.set_contents(file, &bytes);
}

/// Takes a file away, durably.
pub fn take_away(disk: &MemoryDisk, file: &str) {
    disk.remove(file).expect("the file is there");
    disk.sync_dir().expect("the directory is synced");
}

/// Where the last record of a log begins: file and offset.
pub fn last_record(disk: &MemoryDisk) -> (String, usize) {
    let record = read_all(disk)
        .expect("the log is in order")
        .pop()
        .expect("a record");
    (record.file, record.offset as usize)
}
