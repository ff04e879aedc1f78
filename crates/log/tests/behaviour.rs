//! What every disk must give a log: one suite, run over a real directory and over memory.

use std::sync::Arc;

use ordain_log::disk::{Dir, Disk, MemoryDisk};
use ordain_log::{Log, Options, ReadError, read_from, verify};
use ordain_types::Seq;
use ordain_types::planted::{Bug, assert_caught};

mod common;
use common::{SMALL, append, payload, read_on, segment};

struct Bench {
    disk: Arc<dyn Disk>,
    /// Keeps the directory until the test is over.
    _dir: Option<tempfile::TempDir>,
}

fn on_every_disk(check: impl Fn(Arc<dyn Disk>)) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let real: Arc<dyn Disk> = Arc::new(Dir::open(dir.path().join("log")).expect("a directory"));
    let memory: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    for bench in [
        Bench {
            disk: real,
            _dir: Some(dir),
        },
        Bench {
            disk: memory,
            _dir: None,
        },
    ] {
        check(bench.disk);
    }
}

fn open(disk: &Arc<dyn Disk>) -> Log {
    let (log, recovered) = Log::open(disk.clone(), SMALL).expect("the log opens");
    assert_eq!(recovered.cut, None);
    assert_eq!(
        (recovered.first_seq, recovered.last_seq),
        (log.first_seq(), log.last_seq())
    );
    log
}

#[test]
fn a_new_log_is_empty_and_stays_so() {
    on_every_disk(|disk| {
        for _ in 0..3 {
            let log = open(&disk);
            assert_eq!((log.first_seq(), log.last_seq()), (Seq(1), Seq::ZERO));
            assert_eq!(read_on(disk.clone(), Seq(1)).expect("it reads"), []);
        }
    });
}

#[test]
fn what_was_appended_is_read_back_from_any_seq() {
    on_every_disk(|disk| {
        let mut log = open(&disk);
        let sizes = [0, 1, 31, 32, 479, 480, 2000, 3000, 3000, 5, 1000, 4000];
        let mut ranges = Vec::new();
        for (index, bytes) in sizes.into_iter().enumerate() {
            let (first, count) = (log.last_seq().next(), index as u32 + 1);
            append(&mut log, count, bytes);
            ranges.push((first, log.last_seq(), bytes));
            if index % 4 == 3 {
                drop(log);
                log = open(&disk);
            }
        }
        assert!(log.segments().count() > 3, "the log rolled");
        for seq in 1..=log.last_seq().0 {
            let records = read_on(disk.clone(), Seq(seq)).expect("it reads");
            let wanted = ranges.iter().filter(|(_, last, _)| last.0 >= seq);
            assert_eq!(records.len(), wanted.clone().count());
            for (record, (first, last, bytes)) in records.iter().zip(wanted) {
                assert_eq!((record.first_seq, record.last_seq()), (*first, *last));
                assert_eq!(record.payload, payload(*first, *bytes));
            }
        }
        assert_eq!(read_on(disk, log.last_seq().next()).expect("it reads"), []);
    });
}

#[test]
fn a_record_larger_than_a_segment_gets_its_own() {
    on_every_disk(|disk| {
        let mut log = open(&disk);
        for bytes in [100_000, 10, 70_000, 50_000, 1] {
            append(&mut log, 1, bytes);
            log.prepare_next().expect("the next segment is made");
        }
        drop(log);
        let log = open(&disk);
        assert_eq!(log.last_seq(), Seq(5));
        let records = read_on(disk, Seq(1)).expect("it reads");
        let sizes: Vec<usize> = records.iter().map(|record| record.payload.len()).collect();
        assert_eq!(sizes, [100_000, 10, 70_000, 50_000, 1]);
    });
}

#[test]
fn a_large_segment_goes_to_the_disk_piece_by_piece() {
    let disk = MemoryDisk::new();
    let options = Options {
        segment_bytes: 8 << 20,
    };
    let opened = Log::open(Arc::new(disk.clone()), options);
    let (log, _) = opened.expect("the log opens");
    let before = disk.counts();
    log.preparer().prepare().expect("the next segment is made");
    // Whoever syncs a record meanwhile waits for one piece, not for all of it.
    let syncs = disk.counts().syncs - before.syncs;
    assert!(syncs >= 8, "{syncs} syncs for 8 MiB");
}

#[test]
fn a_prepared_segment_is_used_and_an_unused_one_does_no_harm() {
    on_every_disk(|disk| {
        let mut log = open(&disk);
        assert!(!log.needs_next());
        append(&mut log, 1, 3000);
        assert!(log.needs_next());
        log.preparer().prepare().expect("the next segment is made");
        assert!(!log.needs_next());
        drop(log);
        let mut log = open(&disk);
        assert_eq!(log.segments().count(), 1);
        log.prepare_next().expect("the next segment is made");
        append(&mut log, 1, 3000);
        assert_eq!(log.segments().last().expect("one").file, segment(2));
        log.prepare_next().expect("the next segment is made");
        drop(log);
        assert_eq!(open(&disk).last_seq(), Seq(2));
    });
}

#[test]
fn old_segments_go_whole_and_the_last_stays() {
    on_every_disk(|disk| {
        let mut log = open(&disk);
        for _ in 0..10 {
            append(&mut log, 2, 1500);
        }
        let all: Vec<_> = log.segments().collect();
        let second = all[1].first_seq.expect("it holds records");
        assert_eq!(log.remove_before(Seq(second.0 - 1)).expect("it removes"), 0);
        assert_eq!(log.remove_before(second).expect("it removes"), all[0].bytes);
        assert_eq!(log.first_seq(), second);
        log.remove_before(Seq(1000)).expect("it removes");
        assert_eq!(log.segments().count(), 1);
        assert_eq!(log.bytes(), all.last().expect("one").bytes);
        drop(log);
        let log = open(&disk);
        assert_eq!(log.last_seq(), Seq(20));
        let error = read_from(disk, Seq(1)).expect_err("it is gone");
        assert!(
            matches!(error, ReadError::Removed { first_seq, .. } if first_seq == log.first_seq())
        );
    });
}

#[test]
fn a_log_may_begin_at_any_seq() {
    on_every_disk(|disk| {
        let mut log = Log::create(disk.clone(), SMALL, Seq(501)).expect("a new log");
        assert_eq!((log.first_seq(), log.last_seq()), (Seq(501), Seq(500)));
        drop(log);
        log = open(&disk);
        append(&mut log, 3, 10);
        drop(log);
        assert_eq!(
            (open(&disk).first_seq(), open(&disk).last_seq()),
            (Seq(501), Seq(503))
        );
        Log::create(disk, SMALL, Seq(1)).expect_err("there is a log already");
    });
}

#[test]
fn a_reader_follows_and_stops_where_it_is_told() {
    on_every_disk(|disk| {
        let mut log = open(&disk);
        append(&mut log, 1, 10);
        let mut reader = read_from(disk.clone(), Seq(1)).expect("it reads");
        for round in 1..20 {
            assert_eq!(
                reader.next().expect("one").expect("it reads").first_seq,
                Seq(round)
            );
            assert!(reader.next().is_none());
            append(&mut log, 1, 900);
        }
        append(&mut log, 5, 900);
        reader = reader.until(Seq(22));
        assert_eq!(
            reader.next().expect("one").expect("it reads").last_seq(),
            Seq(20)
        );
        assert!(reader.next().is_none());
        reader = reader.until(Seq(25));
        assert_eq!(
            reader.next().expect("one").expect("it reads").last_seq(),
            Seq(25)
        );
        assert!(reader.next().is_none());
    });
}

#[test]
fn reading_while_appending_misses_nothing() {
    on_every_disk(|disk| {
        let mut log = open(&disk);
        append(&mut log, 1, 100);
        let reading = std::thread::spawn({
            let disk = disk.clone();
            move || {
                let mut reader = read_from(disk, Seq(1)).expect("it reads");
                while reader.next_seq() <= Seq(300) {
                    match reader.next() {
                        Some(record) => {
                            let record = record.expect("what was read is whole");
                            assert_eq!(
                                record.payload,
                                payload(record.first_seq, record.payload.len())
                            );
                        }
                        None => std::thread::yield_now(),
                    }
                }
            }
        });
        for seq in 2..=300 {
            append(&mut log, 1, seq * 7 % 1500);
        }
        reading.join().expect("the reader came to the end");
    });
}

#[test]
fn verify_counts_all_there_is() {
    on_every_disk(|disk| {
        let mut log = open(&disk);
        for _ in 0..7 {
            append(&mut log, 3, 1500);
        }
        let mut told = Vec::new();
        let report = verify(disk, &mut |progress| told.push(progress)).expect("all is in order");
        assert_eq!(
            (report.records, report.first_seq, report.last_seq),
            (7, Seq(1), Seq(21))
        );
        assert_eq!(
            (report.bytes, report.segments),
            (7 * 1500, log.segments().count() as u64)
        );
        assert_eq!(report.unfinished, None);
        assert_eq!(told.last().expect("the end is told").last_seq, Seq(21));
    });
}

#[test]
fn one_append_is_one_write_and_one_sync() {
    let disk = MemoryDisk::new();
    let (mut log, _) = Log::open(Arc::new(disk.clone()), Options::default()).expect("it opens");
    for bytes in [0, 100, 1_000_000] {
        let before = disk.counts();
        append(&mut log, 1, bytes);
        let after = disk.counts();
        // The second write is that of `acked`, which is never synced.
        assert_eq!(after.writes - before.writes, 2);
        assert_eq!(
            (after.syncs - before.syncs, after.dir_syncs),
            (1, before.dir_syncs)
        );
    }
}

#[test]
fn a_roll_to_a_prepared_segment_is_one_write_and_one_sync() {
    let disk = MemoryDisk::new();
    let mut log = common::reopen(&disk);
    append(&mut log, 1, 3000);
    log.prepare_next().expect("the next segment is made");
    let before = disk.counts();
    append(&mut log, 1, 3000);
    let after = disk.counts();
    assert_eq!(log.segments().count(), 2);
    assert_eq!(
        (after.syncs - before.syncs, after.dir_syncs),
        (1, before.dir_syncs)
    );
    assert_eq!(after.changes - before.changes, 3);
}

#[test]
#[should_panic(expected = "a batch must follow the last one")]
fn a_gap_is_the_callers_mistake() {
    let mut log = common::reopen(&MemoryDisk::new());
    let _ = log.append(Seq(2), 1, b"");
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[(
        Bug::RemovesTooMuch,
        old_segments_go_whole_and_the_last_stays,
    )]);
}
