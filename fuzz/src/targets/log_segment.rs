//! The log's segments and `acked`: whatever the files hold, a record that is given out has right
//! checksums and lies where it says; what an open refuses it leaves as it was; what it takes is in order
//! from then on.
//!
//! Input: mode, acked seq, then the segment (two, if the mode says so).

use std::sync::Arc;

use ordain_log::disk::{Disk, MemoryDisk};
use ordain_log::{Log, Options, ReadError, Record, read_from, verify};
use ordain_types::Seq;

use crate::input::Input;
use crate::{refused, seal};

/// The segment's header is made; the input begins with the first record.
pub const HEADED: u8 = 1;
/// The records' checksums are put right.
pub const SEALED: u8 = 2;
/// The checksums of all records but the last found are put right.
pub const LAST_UNSEALED: u8 = 4;
/// There is a file `acked`.
pub const ACKED: u8 = 8;
/// `acked` says that nothing failed.
pub const SETTLED: u8 = 16;
/// The second half of the input is a second segment.
pub const TWO: u8 = 32;

const OPTIONS: Options = Options {
    segment_bytes: 8192,
};

/// The target.
pub fn check(data: &[u8]) {
    judge(&disk(data));
}

/// The disk that an input stands for.
pub fn disk(data: &[u8]) -> MemoryDisk {
    let mut input = Input(data);
    let (mode, acked) = (input.byte(), input.byte());
    let disk = MemoryDisk::new();
    if mode & ACKED != 0 {
        let settled = mode & SETTLED != 0;
        disk.set_contents("acked", &seal::acked(acked.into(), settled));
    }
    let parts = match mode & TWO {
        0 => vec![input.0],
        _ => Vec::from(<[&[u8]; 2]>::from(input.0.split_at(input.0.len() / 2))),
    };
    for (part, ordinal) in parts.into_iter().zip(1..) {
        disk.set_contents(&name(ordinal), &segment(mode, ordinal, part));
    }
    disk
}

fn name(ordinal: u64) -> String {
    format!("{ordinal:010}.segment")
}

fn segment(mode: u8, ordinal: u64, part: &[u8]) -> Vec<u8> {
    let mut bytes = match mode & HEADED {
        0 => part.to_vec(),
        _ => seal::segment(ordinal, 1, part),
    };
    let records = bytes.windows(4).filter(|four| four == b"OREC").count();
    match mode & (SEALED | LAST_UNSEALED) {
        0 => {}
        SEALED => seal::records(&mut bytes, ordinal, usize::MAX),
        _ => seal::records(&mut bytes, ordinal, records.saturating_sub(1)),
    }
    bytes
}

fn judge(disk: &MemoryDisk) {
    let whole = disk.fork();
    let verified = verify(Arc::new(disk.fork()), &mut |_| {});
    let before = read_all(disk);
    if let Ok(records) = &before {
        genuine(records, &whole);
    }
    match Log::open(Arc::new(disk.clone()), OPTIONS) {
        Err(error) => {
            refused(&error, "");
            assert!(verified.is_err(), "verify did not find: {error}");
            assert_eq!(
                files(disk),
                files(&whole),
                "refused and yet changed: {error}"
            );
        }
        Ok((mut log, recovered)) => {
            let after = read_all(disk);
            match (&before, &after) {
                (Ok(before), Ok(after)) => assert_eq!(before, after, "an open changed records"),
                (Err(_), Ok(after)) => assert!(after.is_empty(), "damage was read after an open"),
                (_, Err(_)) => assert!(verified.is_err() && before.is_err(), "an open damaged"),
            }
            if let Ok(report) = &verified {
                let seqs = (report.first_seq, report.last_seq);
                assert_eq!(seqs, (recovered.first_seq, recovered.last_seq));
                assert_eq!(report.unfinished, recovered.cut);
            }
            if after.is_ok() && recovered.last_seq < Seq(u64::MAX - 2) {
                goes_on(disk, &mut log);
            }
        }
    }
}

/// What was opened takes a record more, which is then the last.
fn goes_on(disk: &MemoryDisk, log: &mut Log) {
    let next = log.last_seq().next();
    log.append(next, 1, b"one more")
        .expect("an open log takes a record");
    let last = read_all(disk).expect("an open log reads").pop();
    let last = last.expect("a record");
    assert_eq!(
        (last.first_seq, &last.payload[..]),
        (next, &b"one more"[..])
    );
    let opened = Log::open(Arc::new(disk.fork()), OPTIONS);
    let (_, again) = opened.expect("it opens again");
    assert_eq!((again.cut, again.last_seq), (None, next));
}

fn read_all(disk: &MemoryDisk) -> Result<Vec<Record>, ReadError> {
    let disk = Arc::new(disk.fork());
    // From the oldest there is: asking for the first tells it.
    let first = match read_from(disk.clone(), Seq(0)) {
        Err(ReadError::Removed { first_seq, .. }) => first_seq,
        Err(error) => return Err(error),
        Ok(reader) => return reader.collect(),
    };
    read_from(disk, first)?.collect()
}

/// Whether every record is in its file where it says, with right checksums, and none is missing between.
pub fn genuine(records: &[Record], disk: &MemoryDisk) {
    for record in records {
        let file = disk.contents(&record.file).expect("the file it names");
        let ordinal = record.file[..10].parse().expect("a number");
        let stored = seal::payload(&file, record.offset as usize, ordinal);
        assert_eq!(stored, Some(&record.payload[..]), "not what the file holds");
    }
    for two in records.windows(2) {
        assert_eq!(two[0].last_seq().next(), two[1].first_seq, "a gap");
    }
}

fn files(disk: &MemoryDisk) -> Vec<(String, Option<Vec<u8>>)> {
    let mut names = disk.list().expect("a list");
    names.sort();
    let read = |name: String| (name.clone(), disk.contents(&name));
    names.into_iter().map(read).collect()
}
