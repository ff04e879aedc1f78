//! Damage of every kind is found or does no harm: bits, lengths, missing and foreign files. And
//! an unfinished write is cut only where nothing says that it had been acknowledged.

use std::sync::Arc;

use ordain_log::disk::{Disk, MemoryDisk};
use ordain_log::{Cut, Log, verify};
use ordain_types::Seq;
use ordain_types::planted::{Bug, assert_caught};

mod common;
use common::{
    HEADER, SMALL, append, edit, last_record, log_of, open, read_all, reopen, segment, serve,
    take_away,
};

/// Opening and reading after a change: the same contents as before, or an error.
fn found_or_harmless(damaged: &MemoryDisk, whole: &MemoryDisk, what: &str) {
    let verified = verify(Arc::new(damaged.fork()), &mut |_| {});
    match serve(&damaged.fork()) {
        Ok(records) => assert_eq!(Ok(records), serve(&whole.fork()), "{what}"),
        Err(_) => assert!(
            verified.is_err(),
            "{what}: found by an open, but not by verify"
        ),
    }
}

/// Three records of several sectors, one of them of zeros, over two segments; one prepared.
fn small_log() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut log = reopen(&disk);
    append(&mut log, 2, 1200);
    log.append(Seq(3), 1, &[0; 2500]).expect("it is appended");
    append(&mut log, 1, 700);
    log.prepare_next().expect("it is made");
    disk
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let whole = small_log();
    let unacked = whole.fork();
    take_away(&unacked, "acked");
    for name in whole.list().expect("a list") {
        let bytes = whole.contents(&name).expect("a file");
        for at in 0..bytes.len() {
            // Every bit of what is written; of the zeros behind it a sample.
            let written = bytes[at..].iter().take(64).any(|byte| *byte != 0);
            let bits = if written { 8 } else { usize::from(at % 7 == 0) };
            for bit in 0..bits {
                let damaged = if bit % 2 == 0 {
                    whole.fork()
                } else {
                    unacked.fork()
                };
                if damaged.contents(&name).is_some() {
                    edit(&damaged, &name, |bytes| bytes[at] ^= 1 << ((bit + at) % 8));
                    found_or_harmless(&damaged, &whole, &format!("{name} at {at}, bit {bit}"));
                }
            }
        }
    }
}

#[test]
fn every_truncation_is_found_or_harmless() {
    let whole = small_log();
    for name in whole.list().expect("a list") {
        let bytes = whole.contents(&name).expect("a file").len();
        for length in (0..bytes).filter(|length| length % 61 == 0 || length % 512 < 2) {
            let damaged = whole.fork();
            edit(&damaged, &name, |bytes| bytes.truncate(length));
            found_or_harmless(&damaged, &whole, &format!("{name} cut to {length}"));
        }
    }
}

#[test]
fn every_extension_is_found_or_harmless() {
    let whole = small_log();
    // A record that fills its segment: a header of 32 bytes, and one behind the payload.
    let full = log_of(1, SMALL.segment_bytes as usize - HEADER - 33);
    for whole in [whole, full] {
        for name in whole.list().expect("a list") {
            for more in 1..=64 {
                for byte in [0, 1, 0xff] {
                    let damaged = whole.fork();
                    edit(&damaged, &name, |bytes| bytes.extend(vec![byte; more]));
                    let what = format!("{name} with {more} bytes of {byte} behind it");
                    found_or_harmless(&damaged, &whole, &what);
                }
            }
        }
    }
}

#[test]
fn every_lost_sector_of_an_acknowledged_record_is_found() {
    let whole = small_log();
    for ordinal in 1..3 {
        let name = segment(ordinal);
        let sectors = whole.contents(&name).expect("a file").len() / 512;
        for sector in 0..sectors {
            let damaged = whole.fork();
            edit(&damaged, &name, |bytes| {
                bytes[sector * 512..][..512].fill(0)
            });
            found_or_harmless(&damaged, &whole, &format!("{name}, sector {sector}"));
        }
    }
}

#[test]
fn garbage_neither_panics_nor_allocates_without_bound() {
    let mut chance = 7u64;
    for round in 0..300 {
        let disk = small_log();
        let name = segment(1 + round % 3);
        edit(&disk, &name, |bytes| {
            let from = if round % 2 == 0 { 0 } else { HEADER };
            for byte in &mut bytes[from..] {
                chance = chance
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *byte = (chance >> 56) as u8;
            }
        });
        serve(&disk).expect_err("garbage is not a log");
    }
}

/// A log whose last record, of several sectors, was being written when the power failed.
fn torn(change: impl FnOnce(&mut [u8])) -> MemoryDisk {
    let disk = log_of(2, 1400);
    take_away(&disk, "acked");
    let (file, offset) = last_record(&disk);
    edit(&disk, &file, |bytes| change(&mut bytes[offset..]));
    disk
}

#[track_caller]
fn is_cut(disk: &MemoryDisk, bytes: u64) {
    let cut = Cut {
        file: segment(1),
        offset: 5536,
        bytes,
    };
    let report = verify(Arc::new(disk.clone()), &mut |_| {}).expect("all else is in order");
    assert_eq!(report.unfinished, Some(cut.clone()));
    let (mut log, recovered) = open(disk).expect("the log opens");
    assert_eq!((recovered.cut, recovered.last_seq), (Some(cut), Seq(1)));
    append(&mut log, 1, 100);
    drop(log);
    assert_eq!(reopen(disk).last_seq(), Seq(2));
}

#[test]
fn an_unfinished_write_is_cut() {
    // The record begins 416 bytes into a sector, so that its own sectors begin at 96 and so on.
    is_cut(&torn(|record| record[..96].fill(0)), 1440);
    is_cut(&torn(|record| record[96..608].fill(0)), 1440);
    is_cut(&torn(|record| record[1120..].fill(0)), 732);
    is_cut(&torn(|record| record[96..].fill(0)), 96);
    is_cut(&torn(|record| record[20..].fill(0)), 17);
    is_cut(&torn(|record| record[1..].fill(0)), 1);
}

#[track_caller]
fn refused(disk: &MemoryDisk, message: &str) {
    let before: Vec<_> = contents(disk);
    let error = open(disk).expect_err("the log is not in order").to_string();
    assert_eq!(error, message);
    assert_eq!(contents(disk), before, "a refused open changes nothing");
}

fn contents(disk: &MemoryDisk) -> Vec<(String, Option<Vec<u8>>)> {
    let names = disk.list().expect("a list");
    names
        .into_iter()
        .map(|name| (name.clone(), disk.contents(&name)))
        .collect()
}

const ADVICE: &str = "It may hold acknowledged commands, so nothing was cut. Restore the latest \
                      backup, or put back an intact copy of this file";

#[test]
fn a_complete_record_that_does_not_match_is_damage() {
    refused(
        &torn(|record| record[50] ^= 1),
        &format!(
            "0000000001.segment is damaged at offset 5536, where seq 2 should begin: the record is \
             complete, but does not match its checksum. {ADVICE}"
        ),
    );
    refused(
        &torn(|record| record[9] ^= 1),
        &format!(
            "0000000001.segment is damaged at offset 5536, where seq 2 should begin: the record's \
             header does not match its checksum. {ADVICE}"
        ),
    );
}

/// Whole, at its place, and not the next one: as of another log, whose first record held more.
#[test]
fn a_record_that_does_not_follow_is_damage() {
    let other = MemoryDisk::new();
    let mut log = reopen(&other);
    append(&mut log, 2, 1400);
    append(&mut log, 1, 1400);
    let (file, offset) = last_record(&other);
    let record = other.contents(&file).expect("a file")[offset..].to_vec();
    let disk = log_of(2, 1400);
    edit(&disk, &file, |bytes| {
        bytes[offset..].copy_from_slice(&record)
    });
    refused(
        &disk,
        &format!(
            "0000000001.segment is damaged at offset 5536, where seq 2 should begin: the record \
             begins with seq 3. {ADVICE}"
        ),
    );
}

/// Sectors that are zero by right are no sign of an unfinished write.
#[test]
fn damage_in_a_record_of_zeros_is_damage() {
    let disk = MemoryDisk::new();
    let mut log = reopen(&disk);
    log.append(Seq(1), 1, &[0; 3000]).expect("it is appended");
    drop(log);
    take_away(&disk, "acked");
    edit(&disk, &segment(1), |bytes| bytes[5000] ^= 1);
    refused(
        &disk,
        &format!(
            "0000000001.segment is damaged at offset 4096, where seq 1 should begin: the record is \
             complete, but does not match its checksum. {ADVICE}"
        ),
    );
}

#[test]
fn an_acknowledged_record_is_not_cut() {
    let disk = log_of(2, 1400);
    edit(&disk, &segment(1), |bytes| bytes[6144..6656].fill(0));
    refused(
        &disk,
        &format!(
            "0000000001.segment is damaged at offset 5536, where seq 2 should begin: the record \
             cannot be read, though seqs up to 2 were acknowledged. {ADVICE}"
        ),
    );
    let disk = log_of(2, 1400);
    edit(&disk, &segment(1), |bytes| bytes[5536..].fill(0));
    refused(
        &disk,
        "acknowledged commands are missing: the log ends with seq 1 (0000000001.segment, offset \
         5536), but seqs up to 2 were durable. Put back the files that were removed, or restore the \
         latest backup",
    );
}

#[test]
fn a_record_with_a_later_one_is_not_cut() {
    for change in [4096..4608, 4608..5120] {
        let disk = log_of(2, 1400);
        take_away(&disk, "acked");
        edit(&disk, &segment(1), |bytes| bytes[change].fill(0));
        refused(
            &disk,
            &format!(
                "0000000001.segment is damaged at offset 4096, where seq 1 should begin: the record \
                 cannot be read, but the one at offset 5536 can (seq 2), so it had been durable. {ADVICE}"
            ),
        );
    }
}

#[test]
fn a_record_before_a_begun_segment_is_not_cut() {
    let disk = log_of(3, 1400);
    take_away(&disk, "acked");
    let lost_head = disk.fork();
    edit(&lost_head, &segment(2), |bytes| {
        bytes[HEADER..HEADER + 512].fill(0)
    });
    edit(&disk, &segment(2), |bytes| bytes[HEADER + 512..].fill(0));
    for (disk, flaw) in [
        (
            disk,
            "there is no intact record, but the next segment begins with seq 3",
        ),
        (
            lost_head,
            "the record cannot be read, but the next segment has been begun, so it had been durable",
        ),
    ] {
        let recovered = open(&disk.fork()).expect("it opens").1;
        assert_eq!(recovered.cut.expect("a cut").file, segment(2));
        edit(&disk, &segment(1), |bytes| bytes[6144..6656].fill(0));
        refused(
            &disk,
            &format!(
                "0000000001.segment is damaged at offset 5536, where seq 2 should begin: {flaw}. \
                 {ADVICE}"
            ),
        );
    }
}

#[test]
fn damage_in_an_older_segment_stops_the_reader() {
    let disk = log_of(6, 1400);
    edit(&disk, &segment(1), |bytes| bytes[5000] ^= 4);
    reopen(&disk);
    assert_eq!(
        read_all(&disk).expect_err("a damaged record").to_string(),
        format!(
            "0000000001.segment is damaged at offset 4096, where seq 1 should begin: the record is \
             complete, but does not match its checksum. {ADVICE}"
        )
    );
    let disk = log_of(6, 1400);
    edit(&disk, &segment(1), |bytes| bytes[5536..].fill(0));
    let error = read_all(&disk).expect_err("a lost record");
    assert_eq!(
        error.to_string(),
        format!(
            "0000000001.segment is damaged at offset 5536, where seq 2 should begin: there is no \
             intact record, but the next segment begins with seq 3. {ADVICE}"
        )
    );
}

#[test]
fn a_missing_segment_is_named_with_its_seqs() {
    let disk = log_of(8, 1400);
    take_away(&disk, &segment(2));
    take_away(&disk, &segment(3));
    refused(
        &disk,
        "segments are missing: 0000000002.segment to 0000000003.segment, with seqs 3 to 6. Put them \
         back, or restore the latest backup",
    );
    let disk = log_of(8, 1400);
    take_away(&disk, &segment(4));
    refused(
        &disk,
        "acknowledged commands are missing: the log ends with seq 6 (0000000003.segment, offset \
         6976), but seqs up to 8 were durable. Put back the files that were removed, or restore the \
         latest backup",
    );
}

#[test]
fn files_that_are_not_ours_are_refused() {
    let disk = log_of(4, 1400);
    disk.set_contents("notes.txt", b"not a segment's name, and no matter");
    let foreign = disk.fork();
    foreign.set_contents(&segment(3), &[b'x'; 9000]);
    refused(
        &foreign,
        "0000000003.segment is not a segment of an Ordain log, or its first bytes are damaged. Take \
         it out of the directory if it does not belong there; otherwise restore the latest backup",
    );
    let newer = disk.fork();
    edit(&newer, &segment(2), |bytes| bytes[8] = 2);
    refused(
        &newer,
        "0000000002.segment is in log format 2, this program reads up to 1. Start the newer program \
         that wrote it",
    );
    let damaged = disk.fork();
    edit(&damaged, &segment(1), |bytes| bytes[30] = 2);
    refused(
        &damaged,
        "0000000001.segment is damaged at offset 0: its header does not match its checksum. Restore \
         the latest backup, or put back an intact copy of this file",
    );
    let renamed = disk.fork();
    renamed.set_contents(&segment(2), &disk.contents(&segment(1)).expect("a file"));
    refused(
        &renamed,
        "0000000002.segment says at offset 16 that it is segment 1: it was renamed or overwritten. \
         Give it back its name, or restore the latest backup",
    );
    let short = disk.fork();
    edit(&short, &segment(2), |bytes| bytes.truncate(6000));
    refused(
        &short,
        "0000000002.segment ends at offset 6000, but was made 8192 bytes long: it was cut short. \
         Restore the latest backup, or put back an intact copy of this file",
    );
    assert_eq!(
        Log::create(Arc::new(disk), SMALL, Seq(1))
            .expect_err("there is one")
            .to_string(),
        "cannot make a new log: 0000000001.segment exists already. Choose an empty directory"
    );
}

#[test]
fn what_an_interrupted_preparation_leaves_is_removed() {
    let whole = log_of(2, 1400);
    let mut log = reopen(&whole);
    log.prepare_next().expect("it is made");
    let ready = whole.contents(&segment(2)).expect("a file");
    for (length, header) in [
        (0, 0),
        (100, 0),
        (5000, 0),
        (8192, 0),
        (8192, 7),
        (8192, 300),
        (8192, 511),
    ] {
        let disk = whole.fork();
        let mut bytes = ready[..length].to_vec();
        bytes[header..].fill(0);
        disk.set_contents(&segment(2), &bytes);
        assert_eq!(reopen(&disk).last_seq(), Seq(2));
        assert_eq!(disk.contents(&segment(2)), None);
    }
}

#[test]
fn a_record_inside_a_payload_is_not_taken_for_one() {
    let whole = log_of(3, 300);
    let segment_bytes = whole.contents(&segment(1)).expect("a file");
    let disk = MemoryDisk::new();
    let mut log = reopen(&disk);
    log.append(Seq(1), 1, &segment_bytes[HEADER..HEADER + 2000])
        .expect("it is appended");
    drop(log);
    take_away(&disk, "acked");
    edit(&disk, &segment(1), |bytes| {
        bytes[HEADER..HEADER + 512].fill(0)
    });
    let (_, recovered) = open(&disk).expect("the log opens");
    assert_eq!(
        (recovered.cut.expect("a cut").offset, recovered.last_seq),
        (4096, Seq::ZERO)
    );
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (
            Bug::ContentUnchecked,
            every_flipped_bit_is_found_or_harmless,
        ),
        (Bug::HeaderUnchecked, every_flipped_bit_is_found_or_harmless),
        (Bug::CutsAcknowledged, an_acknowledged_record_is_not_cut),
        (Bug::CutsBeforeLater, a_record_with_a_later_one_is_not_cut),
        (
            Bug::SegmentGapAccepted,
            a_missing_segment_is_named_with_its_seqs,
        ),
        (Bug::GapAccepted, a_record_that_does_not_follow_is_damage),
    ]);
}

/// The checksum of a header says that it is as it was written, not that this program wrote it.
#[test]
fn a_segment_that_would_begin_before_the_first_seq_is_refused() {
    let disk = log_of(0, 0);
    edit(&disk, &segment(1), |bytes| {
        bytes[24..32].fill(0);
        let crc = crc32c::crc32c(&bytes[..504]);
        bytes[504..508].copy_from_slice(&crc.to_le_bytes());
    });
    take_away(&disk, "acked");
    let refused = verify(Arc::new(disk.fork()), &mut |_| {});
    let refused = refused.expect_err("no seq is before the first").to_string();
    assert!(refused.contains(&segment(1)), "{refused}");
    assert!(open(&disk).is_err());
}
