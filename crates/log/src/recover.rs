//! Opening a log: find its end, decide whether what follows may be cut, and only then change
//! anything. It knows the laws of the crate's page and nothing of what the payloads mean.

use std::io;

use ordain_types::Seq;

use crate::acked::{self, Acked};
use crate::cursor::Cursor;
use crate::disk::{Disk, File, Mode, read_exact_at, write_whole_at};
use crate::error::{OpenError, io_error};
use crate::format::HEADER_BYTES;
use crate::segment::{Ready, file_name, header_for, make_ready};
use crate::survey::{Found, Survey, begin, damage, survey};
use crate::tail::{Evidence, Tail, judge};

/// What an open found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The oldest seq in the log; one more than `last_seq` if the log is empty.
    pub first_seq: Seq,
    /// The last seq in the log. All up to here is durable.
    pub last_seq: Seq,
    /// The unfinished write at the end that was cut, if there was one.
    pub cut: Option<Cut>,
}

/// An unfinished write, never acknowledged, at the end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The segment's file.
    pub file: String,
    /// Where the write began.
    pub offset: u64,
    /// How far it reached.
    pub bytes: u64,
}

/// All the appending side needs to go on.
pub(crate) struct Opened {
    /// Oldest first; the last takes the next record.
    pub segments: Vec<Found>,
    pub current: Ready,
    /// Where in the last segment the next record goes.
    pub offset: u64,
    pub acked: Acked,
    pub recovered: Recovered,
}

/// Makes a new log that will begin with `base_seq`. There must be no segment.
pub(crate) fn create(
    disk: &dyn Disk,
    base_seq: Seq,
    segment_bytes: u64,
) -> Result<Opened, OpenError> {
    let current = make_ready(disk, header_for(1, base_seq, segment_bytes))?;
    let last_seq = Seq(base_seq.0 - 1);
    let acked = Acked::create(disk)?;
    acked.note(last_seq);
    let first = Found {
        name: file_name(1),
        header: current.header,
        first_seq: None,
    };
    Ok(Opened {
        segments: vec![first],
        current,
        offset: HEADER_BYTES,
        acked,
        recovered: Recovered {
            first_seq: base_seq,
            last_seq,
            cut: None,
        },
    })
}

/// Opens the log, or makes a new one where there is none.
pub(crate) fn open(disk: &dyn Disk, segment_bytes: u64) -> Result<Opened, OpenError> {
    let acked = acked::read(disk)?;
    let Survey {
        mut segments,
        unfinished,
    } = survey(disk)?;
    if segments.is_empty() {
        refuse_if_acknowledged(acked, &file_name(1), 0, Seq::ZERO)?;
        remove_unused(disk, unfinished)?;
        return create(disk, Seq(1), segment_bytes);
    }
    let end = find_end(disk, &segments, acked)?;

    // Nothing was changed up to here. Each step below may be interrupted and done again.
    let unused = segments
        .split_off(end.index + 1)
        .into_iter()
        .map(|found| found.name);
    remove_unused(disk, unused.chain(unfinished).rev())?;
    let last = &mut segments[end.index];
    let current = settle(disk, last, &end, segment_bytes)?;
    disk.sync_dir()
        .map_err(io_error("sync the directory of", &last.name))?;
    last.header = current.header;
    last.first_seq = last.first_seq.filter(|_| end.last_record.is_some());

    let last_seq = end.last_seq();
    let acked = Acked::create(disk)?;
    acked.note(last_seq);
    let first_seq = segments[0].first_seq.unwrap_or(last_seq.next());
    let recovered = Recovered {
        first_seq,
        last_seq,
        cut: end.cut,
    };
    Ok(Opened {
        segments,
        current,
        offset: end.cursor.offset(),
        acked,
        recovered,
    })
}

/// Removes segments that hold no whole record, newest first, so that a crash leaves no hole.
fn remove_unused(
    disk: &dyn Disk,
    names: impl IntoIterator<Item = String>,
) -> Result<(), OpenError> {
    for name in names {
        disk.remove(&name)
            .map_err(io_error("remove the unused", &name))?;
        disk.sync_dir()
            .map_err(io_error("sync the directory of", &name))?;
    }
    Ok(())
}

/// Where the log ends.
struct End {
    /// The segment that holds the last record; the first one if there is none.
    index: usize,
    /// Behind that record.
    cursor: Cursor,
    /// Where that record begins.
    last_record: Option<u64>,
    cut: Option<Cut>,
}

impl End {
    fn last_seq(&self) -> Seq {
        Seq(self.cursor.expected().0 - 1)
    }
}

/// Finds the end without changing anything; fails if what follows it may have been acknowledged.
fn find_end(disk: &dyn Disk, segments: &[Found], acked: Seq) -> Result<End, OpenError> {
    let begun = segments.iter().rposition(|found| found.first_seq.is_some());
    let mut index = begun.unwrap_or(0);
    let (mut cursor, mut last_record) = walk(disk, &segments[index])?;
    if last_record.is_none() && index > 0 {
        // Of the newest segment's first record not all landed: the log ends in the one before.
        index -= 1;
        (cursor, last_record) = walk(disk, &segments[index])?;
    }
    let mut cut = None;
    for found in segments[index + 1..].iter().rev() {
        let mut cursor = begin(disk, found, cursor.expected())?;
        cut = judge_segment(&mut cursor, found, acked, cut)?;
    }
    cut = judge_segment(&mut cursor, &segments[index], acked, cut)?;
    let end = End {
        index,
        cursor,
        last_record,
        cut,
    };
    refuse_if_acknowledged(
        acked,
        &segments[index].name,
        end.cursor.offset(),
        end.last_seq(),
    )?;
    Ok(end)
}

/// Reads to the end of a segment's intact records; answers where the last one begins.
fn walk(disk: &dyn Disk, found: &Found) -> Result<(Cursor, Option<u64>), OpenError> {
    let mut cursor = begin(disk, found, found.begins())?;
    let mut last_record = None;
    while let Some(record) = cursor.step().map_err(io_error("read", &found.name))? {
        last_record = Some(record.offset);
    }
    Ok((cursor, last_record))
}

fn judge_segment(
    cursor: &mut Cursor,
    found: &Found,
    acked: Seq,
    later: Option<Cut>,
) -> Result<Option<Cut>, OpenError> {
    let evidence = Evidence {
        acked,
        later_segment: later.is_some(),
    };
    let (offset, file) = (cursor.offset(), found.name.clone());
    match judge(cursor, evidence).map_err(io_error("read", &file))? {
        Tail::Empty => Ok(later),
        Tail::Torn { bytes } => Ok(Some(Cut {
            file,
            offset,
            bytes,
        })),
        Tail::Damaged(flaw) => Err(damage(&file, offset, cursor.expected(), flaw)),
    }
}

fn refuse_if_acknowledged(
    acked: Seq,
    file: &str,
    offset: u64,
    last_seq: Seq,
) -> Result<(), OpenError> {
    if acked <= last_seq {
        return Ok(());
    }
    Err(OpenError::AcknowledgedMissing {
        file: file.to_string(),
        offset,
        last_seq,
        acked,
    })
}

/// Makes the end of the log durable and ready to go on.
fn settle(
    disk: &dyn Disk,
    found: &Found,
    end: &End,
    segment_bytes: u64,
) -> Result<Ready, OpenError> {
    let header = found.header;
    let Some(last_record) = end.last_record else {
        // No record at all. Made again, since nobody knows whether its making was ever synced.
        let bytes = segment_bytes.max(header.bytes);
        return Ok(make_ready(
            disk,
            header_for(header.ordinal, header.base_seq, bytes),
        )?);
    };
    let file = disk
        .open(&found.name, Mode::Write)
        .map_err(io_error("open", &found.name))?;
    if let Some(cut) = end.cut.as_ref().filter(|cut| cut.file == found.name) {
        zero(&*file, cut.offset, cut.bytes).map_err(io_error("cut the end of", &found.name))?;
    }
    let rewrite = || {
        let mut record = vec![0; (end.cursor.offset() - last_record) as usize];
        read_exact_at(&*file, &mut record, last_record)?;
        write_whole_at(&*file, &record, last_record)?;
        file.sync()
    };
    rewrite().map_err(io_error("make durable the last record of", &found.name))?;
    Ok(Ready { header, file })
}

/// Writes zeros over a part of a file; the caller syncs.
pub(crate) fn zero(file: &dyn File, offset: u64, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; bytes.min(HEADER_BYTES << 8) as usize];
    let mut done = 0;
    while done < bytes {
        let length = (bytes - done).min(zeros.len() as u64);
        write_whole_at(file, &zeros[..length as usize], offset + done)?;
        done += length;
    }
    Ok(())
}
