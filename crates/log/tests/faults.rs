//! A disk that fills or fails: nothing is acknowledged that is not durable, a full disk is got over,
//! a failed sync is final.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ordain_log::disk::{Disk, Fault, File, MemoryDisk, Mode};
use ordain_log::{AppendError, Log, OpenError, Options};
use ordain_types::Seq;
use ordain_types::planted::{Bug, assert_caught};

mod common;
use common::{SMALL, append, log_of, open, payload, read_all, reopen, segment};

fn attempt(log: &mut Log, bytes: usize) -> Result<(), AppendError> {
    let seq = log.last_seq().next();
    log.append(seq, 1, &payload(seq, bytes))
}

/// An empty log with room for records that reach beyond the page that a short one fills with zeros.
fn roomy_log() -> (MemoryDisk, Log) {
    let disk = MemoryDisk::new();
    let options = Options {
        segment_bytes: 16_384,
    };
    let (log, _) = Log::open(Arc::new(disk.clone()), options).expect("it opens");
    (disk, log)
}

fn sizes(disk: &MemoryDisk) -> Vec<usize> {
    let records = read_all(disk).expect("it reads");
    records.iter().map(|record| record.payload.len()).collect()
}

#[test]
fn a_full_disk_is_got_over_with_a_shorter_batch() {
    let faults = [
        Fault::Write {
            landed: 0,
            kind: ErrorKind::StorageFull,
        },
        Fault::Write {
            landed: 700,
            kind: ErrorKind::QuotaExceeded,
        },
        Fault::Write {
            landed: 6_048,
            kind: ErrorKind::StorageFull,
        },
        Fault::ShortWrite { landed: 5_000 },
        Fault::ShortWrite { landed: 10 },
    ];
    for fault in faults {
        for reset in [false, true] {
            let (disk, mut log) = roomy_log();
            append(&mut log, 1, 1000);
            disk.inject(0, fault);
            let error = attempt(&mut log, 6_000).expect_err("the disk is full");
            assert!(matches!(error, AppendError::Full { .. }), "{error}");
            assert_eq!(log.last_seq(), Seq(1));
            if reset {
                log.reset_tail().expect("there is space");
            }
            append(&mut log, 1, 40);
            append(&mut log, 1, 50);
            drop(log);
            disk.lose_power(&mut |_| 0);
            assert_eq!(reopen(&disk).last_seq(), Seq(3));
            assert_eq!(sizes(&disk), [1000, 40, 50]);
        }
    }
}

/// What a full disk left is cleared away, the disk fails in the middle of that, and then the power goes, over and over:
/// of each sector any of what was written to it may be there, and some of that is parts of two writes.
#[test]
fn what_was_cleared_in_part_is_never_taken_for_damage() {
    let mut state = 1_u64;
    let mut luck = |count: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % count
    };
    for cleared in [0, 1, 31, 40, 600, 1_700, 5_000, 6_040] {
        for turn in 0..300 {
            let (disk, mut log) = roomy_log();
            if luck(3) > 0 {
                append(&mut log, 1, 1000);
            }
            let full = ErrorKind::StorageFull;
            let landed = [6_048, 6_048, 6_040, 5_000, 700, 33][luck(6)];
            disk.inject(0, written(landed, full));
            attempt(&mut log, 6_000).expect_err("the disk is full");
            disk.inject(turn % 3, written(cleared, ErrorKind::Other));
            let _ = log.reset_tail();
            drop(log);
            for _ in 0..turn % 5 {
                match luck(2) {
                    0 => disk.kill(),
                    _ => disk.lose_power(&mut luck),
                }
                let fault = match luck(2) {
                    0 => written(cleared, ErrorKind::Other),
                    _ => Fault::Sync {
                        kind: ErrorKind::Other,
                    },
                };
                disk.inject(luck(7) as u64, fault);
                drop(open(&disk));
            }
            disk.lose_power(&mut luck);
            let (log, _) = open(&disk).expect("nothing is damaged");
            // All of it may be there still: nobody was told that it is not.
            assert!(log.last_seq() <= Seq(2), "{cleared} {turn}");
        }
    }
}

fn written(landed: usize, kind: ErrorKind) -> Fault {
    Fault::Write { landed, kind }
}

/// A disk that opens files in its own way.
struct Opening<F> {
    disk: MemoryDisk,
    open: F,
}

impl<F> Disk for Opening<F>
where
    F: Fn(&MemoryDisk, &str, Mode) -> io::Result<Box<dyn File>> + Send + Sync,
{
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str, mode: Mode) -> io::Result<Box<dyn File>> {
        (self.open)(&self.disk, name, mode)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }
}

/// A file whose header, looked at for the first time, is not there yet: somebody who appends writes it only then.
struct FinishedOnce {
    file: Box<dyn File>,
    looked: AtomicBool,
}

impl File for FinishedOnce {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.file.read_at(buffer, offset)?;
        if offset == 0 && !self.looked.swap(true, Ordering::Relaxed) {
            buffer[..read].fill(0);
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

#[test]
fn a_segment_finished_and_used_while_it_is_looked_at_is_no_damage() {
    let disk = log_of(6, 1400);
    let names = disk.list().expect("it lists");
    let name = names.into_iter().filter(|name| name.ends_with(".segment"));
    let name = name.max().expect("there are segments");
    assert_ne!(name, segment(1));
    let finishing = Opening {
        disk,
        open: move |disk: &MemoryDisk, file: &str, mode| {
            let looked = AtomicBool::new(file != name);
            let file = disk.open(file, mode)?;
            Ok(Box::new(FinishedOnce { file, looked }) as Box<dyn File>)
        },
    };
    let records = ordain_log::read_from(Arc::new(finishing), Seq(1)).expect("it reads");
    assert_eq!(records.filter(Result::is_ok).count(), 6);
}

/// A file that refuses writes past the system's cache, for which it was opened.
struct Refusing(Box<dyn File>, ErrorKind);

impl File for Refusing {
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(self.1.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn segments_are_made_where_no_write_passes_by_the_cache() {
    for refused in [ErrorKind::InvalidInput, ErrorKind::Unsupported] {
        let disk = MemoryDisk::new();
        let without = Opening {
            disk: disk.clone(),
            open: move |disk: &MemoryDisk, name: &str, mode| {
                let file = disk.open(name, mode)?;
                Ok(match mode {
                    Mode::Fill => Box::new(Refusing(file, refused)),
                    _ => file,
                })
            },
        };
        let (mut log, _) = Log::open(Arc::new(without), SMALL).expect("it opens");
        (0..6).for_each(|_| append(&mut log, 1, 1400));
        drop(log);
        assert_eq!(sizes(&disk), [1400; 6]);
    }
}

#[test]
fn a_want_of_descriptors_passes() {
    let (disk, none_left) = (log_of(1, 1000), Arc::<AtomicBool>::default());
    let without = Opening {
        disk: disk.clone(),
        open: {
            let none_left = none_left.clone();
            move |disk: &MemoryDisk, name: &str, mode| match none_left.load(Ordering::Relaxed) {
                true => Err(io::Error::from_raw_os_error(24)), // EMFILE
                false => disk.open(name, mode),
            }
        },
    };
    let (mut log, _) = Log::open(Arc::new(without), SMALL).expect("it opens");
    none_left.store(true, Ordering::Relaxed);
    // Until the next segment is needed it does without.
    let error = loop {
        if let Err(error) = attempt(&mut log, 1400) {
            break error;
        }
    };
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    let last = log.last_seq();
    none_left.store(false, Ordering::Relaxed);
    append(&mut log, 1, 1400);
    drop(log);
    assert_eq!(reopen(&disk).last_seq(), last.next());
}

#[test]
fn a_full_disk_shows_when_the_next_segment_is_made() {
    let disk = log_of(2, 1400);
    let mut log = reopen(&disk);
    disk.limit_bytes(Some(8192 + 6000));
    let error = log.prepare_next().expect_err("the disk is full");
    assert_eq!(
        error.to_string(),
        "the disk is full: could not preallocate 0000000002.segment: no storage space. Nothing of it \
         was acknowledged; free space on this disk and the log goes on by itself"
    );
    assert_eq!(
        disk.contents(&segment(2)),
        None,
        "what it took is given back"
    );
    assert!(log.needs_next());
    append(&mut log, 1, 900);
    let error = attempt(&mut log, 900).expect_err("the segment is full, and the disk");
    assert!(matches!(error, AppendError::Full { .. }), "{error}");
    disk.limit_bytes(None);
    log.prepare_next().expect("there is space");
    append(&mut log, 1, 900);
    drop(log);
    assert_eq!(reopen(&disk).last_seq(), Seq(4));
}

#[test]
fn a_failed_sync_is_final() {
    let disk = log_of(1, 1000);
    let mut log = reopen(&disk);
    disk.inject(
        0,
        Fault::Sync {
            kind: ErrorKind::StorageFull,
        },
    );
    let first = attempt(&mut log, 100).expect_err("the sync fails");
    assert_eq!(
        first.to_string(),
        "the disk failed: could not sync 0000000001.segment: no storage space. What reached the disk \
         is unknown, so nothing more is acknowledged; check the disk, then restart"
    );
    let before = disk.counts();
    assert_eq!(attempt(&mut log, 1), Err(first.clone()));
    assert_eq!(log.reset_tail(), Err(first.clone()));
    assert_eq!(log.prepare_next(), Err(first.clone()));
    assert_eq!(log.preparer().prepare(), Err(first));
    assert_eq!(disk.counts(), before, "the disk is left alone");
    assert_eq!(log.last_seq(), Seq(1));
}

#[test]
fn a_failed_preparation_stops_the_log() {
    let disk = log_of(1, 1000);
    let mut log = reopen(&disk);
    disk.inject(
        1,
        Fault::Sync {
            kind: ErrorKind::Other,
        },
    );
    let failed = log.preparer().prepare().expect_err("the sync fails");
    assert_eq!(attempt(&mut log, 1), Err(failed));
}

#[test]
fn a_broken_write_is_final() {
    let disk = log_of(1, 1000);
    let mut log = reopen(&disk);
    disk.inject(
        0,
        Fault::Write {
            landed: 500,
            kind: ErrorKind::Other,
        },
    );
    let first = attempt(&mut log, 1400).expect_err("the write fails");
    assert!(matches!(first, AppendError::Failed { .. }));
    assert_eq!(attempt(&mut log, 1), Err(first));
    disk.kill();
    let (_, recovered) = open(&disk).expect("it opens");
    assert_eq!(
        (recovered.last_seq, recovered.cut.is_some()),
        (Seq(1), true)
    );
}

/// After a failed sync the record can be read for as long as the machine runs. A log that serves it
/// after a restart must have made it durable first.
#[test]
fn what_only_the_page_cache_holds_is_written_again_before_it_is_served() {
    let disk = log_of(1, 1000);
    let mut log = reopen(&disk);
    disk.inject(
        0,
        Fault::Sync {
            kind: ErrorKind::Other,
        },
    );
    attempt(&mut log, 1400).expect_err("the sync fails");
    disk.kill();
    assert_eq!(reopen(&disk).last_seq(), Seq(2));
    disk.lose_power(&mut |_| 0);
    assert_eq!(reopen(&disk).last_seq(), Seq(2));
    assert_eq!(sizes(&disk), [1000, 1400]);
}

/// The same for zeros: what a cut or a reset cleared must not come back behind later records.
#[test]
fn what_was_cleared_does_not_come_back() {
    let disk = log_of(1, 1000);
    let mut log = reopen(&disk);
    disk.inject(0, Fault::ShortWrite { landed: 1200 });
    attempt(&mut log, 1400).expect_err("the write is short");
    disk.inject(
        2, // those before are of its end and its body
        Fault::Sync {
            kind: ErrorKind::Other,
        },
    );
    log.reset_tail().expect_err("the sync fails");
    disk.kill();
    let mut log = reopen(&disk);
    append(&mut log, 1, 10);
    // All that may have landed did: the short write, not the zeros over it.
    disk.lose_power(&mut |versions| usize::from(versions > 1));
    assert_eq!(reopen(&disk).last_seq(), Seq(2));
}

/// And when it was an open that cleared it, whose sync failed.
#[test]
fn what_an_open_cut_does_not_come_back() {
    let disk = log_of(1, 1000);
    let mut log = reopen(&disk);
    disk.inject(0, Fault::ShortWrite { landed: 1200 });
    attempt(&mut log, 1400).expect_err("the write is short");
    // As if the process had been killed in the middle of the write: it noted nothing.
    let acked = log_of(1, 1000).contents("acked").expect("a file");
    disk.kill();
    disk.set_contents("acked", &acked);
    disk.inject(
        2, // those before are of its end and its body
        Fault::Sync {
            kind: ErrorKind::Other,
        },
    );
    open(&disk).expect_err("the sync fails");
    disk.kill();
    let mut log = reopen(&disk);
    append(&mut log, 1, 10);
    disk.lose_power(&mut |versions| usize::from(versions > 1));
    assert_eq!(reopen(&disk).last_seq(), Seq(2));
}

/// And when the segment held nothing else, so that it is made again: be it that the sector with the record's header
/// did not land, but others did.
#[test]
fn what_was_cut_from_the_first_segment_does_not_come_back() {
    for lost in 0..6 {
        let (disk, mut log) = roomy_log();
        disk.inject(0, Fault::ShortWrite { landed: 5_000 });
        attempt(&mut log, 6_000).expect_err("the write is short");
        let mut sector = 0;
        disk.lose_power(&mut |versions| {
            sector += 1;
            if sector == lost { 0 } else { versions - 1 }
        });
        let kind = ErrorKind::Other;
        disk.inject(1, Fault::Sync { kind }); // the one before is of its end
        open(&disk).expect_err("the sync of its body fails");
        disk.kill();
        let (mut log, _) = open(&disk).expect("it opens");
        append(&mut log, 1, 10);
        drop(log);
        disk.lose_power(&mut |_| 0);
        assert_eq!(reopen(&disk).last_seq(), Seq(1));
    }
}

/// An open that removes two unused segments may stop anywhere, and lose any part of what it did.
#[test]
fn removing_unused_segments_leaves_no_hole() {
    let disk = log_of(2, 1400);
    let mut log = reopen(&disk);
    log.prepare_next().expect("it is made");
    disk.inject(
        0,
        Fault::Write {
            landed: 0,
            kind: ErrorKind::StorageFull,
        },
    );
    attempt(&mut log, 1400).expect_err("the disk is full");
    log.prepare_next().expect("it is made");
    disk.kill();
    assert!(disk.contents(&segment(3)).is_some());
    for changes in 0..8 {
        for luck in 0..4 {
            let disk = disk.fork();
            disk.stop_after(changes);
            drop(open(&disk));
            let mut luck = [luck % 2, luck / 2].into_iter().cycle();
            disk.lose_power(&mut |_| luck.next().unwrap_or(0));
            assert_eq!(reopen(&disk).last_seq(), Seq(2));
        }
    }
}

#[test]
fn a_settled_log_is_opened_without_a_write_to_it() {
    let disk = log_of(2, 1400);
    let before = disk.counts();
    reopen(&disk);
    let after = disk.counts();
    assert_eq!(
        (after.writes - before.writes, after.syncs - before.syncs),
        (1, 0)
    );
}

#[test]
fn an_open_on_a_full_or_absent_disk_says_so() {
    let disk = MemoryDisk::new();
    disk.limit_bytes(Some(100));
    let error = open(&disk).expect_err("no space");
    assert!(
        matches!(error, OpenError::NoSpace { .. }) && !error.to_string().contains("by itself"),
        "{error}"
    );
    // What was begun is of no use to anyone, and fills the disk for everyone.
    assert_eq!(disk.list().expect("it is there"), [""; 0]);
    disk.limit_bytes(None);
    reopen(&disk);
    let nothing = ordain_log::read_from(Arc::new(MemoryDisk::new()), Seq(1));
    assert_eq!(
        nothing.expect_err("no log").to_string(),
        "there is no log here: the directory holds no segment. Check the path"
    );
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (
            Bug::UsedUnzeroed,
            what_was_cut_from_the_first_segment_does_not_come_back,
        ),
        (
            Bug::TailNotReset,
            a_full_disk_is_got_over_with_a_shorter_batch,
        ),
        (
            Bug::ClearedAtOnce,
            what_was_cleared_in_part_is_never_taken_for_damage,
        ),
        (Bug::FailedSyncForgotten, a_failed_sync_is_final),
        (
            Bug::EndNotRewritten,
            what_only_the_page_cache_holds_is_written_again_before_it_is_served,
        ),
    ]);
}
