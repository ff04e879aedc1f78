//! Opening a log: find its end, decide whether what follows may be cut, and only then change
//! anything. It knows the laws of the crate's page and nothing of what the payloads mean.

use ordain_types::{Bug, Seq, planted};

use crate::acked::{self, Acked};
use crate::cursor::Cursor;
use crate::disk::{Disk, Mode, read_exact_at, write_whole_at};
use crate::error::{OpenError, io_error};
use crate::format::{HEADER_BYTES, Place, RECORD_HEADER_BYTES, RecordHeader};
use crate::segment::{Ready, clear_record, file_name, header_for, make_ready, zero};
use crate::survey::{Found, Survey, begin, survey};
use crate::tail::{Cut, judge_end};

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
    let header = header_for(1, base_seq, segment_bytes);
    let current = make_ready(disk, header).map_err(|error| {
        // No record was ever in it, and whoever shares the disk misses what it takes.
        let _ = disk.remove(&file_name(1));
        OpenError::at_start(error, segment_bytes)
    })?;
    let last_seq = Seq(base_seq.0 - 1);
    let acked = Acked::create(disk)?;
    acked.settle(last_seq);
    let (header, bytes) = (current.header, current.bytes);
    let first = Found {
        name: file_name(1),
        header,
        bytes,
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
    let known = acked::read(disk)?;
    let Survey {
        mut segments,
        unfinished,
    } = survey(disk)?;
    if segments.is_empty() {
        refuse_if_acknowledged(known.seq, &file_name(1), 0, Seq::ZERO)?;
        remove_unused(disk, unfinished)?;
        return create(disk, Seq(1), segment_bytes);
    }
    let end = find_end(disk, &segments, known.seq)?;
    let last_seq = end.last_seq();

    // Nothing was changed up to here. Each step below may be interrupted and done again.
    let acked = Acked::create(disk)?;
    let settled = known.settled && known.seq == last_seq && end.cut.is_none();
    if !settled {
        acked.unsettle(known.seq);
    }
    let unused = segments
        .split_off(end.index + 1)
        .into_iter()
        .map(|found| found.name);
    remove_unused(disk, unused.chain(unfinished).rev())?;
    let last = &mut segments[end.index];
    let current = if settled || planted(Bug::EndNotRewritten) {
        reuse(disk, last)?
    } else {
        settle(disk, last, &end)?
    };
    disk.sync_dir()
        .map_err(io_error("sync the directory of", &last.name))?;
    acked.settle(last_seq);

    last.first_seq = last.first_seq.filter(|_| end.last_record.is_some());
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
    let found = &segments[index];
    let later = &segments[index + 1..];
    let cut = judge_end(disk, &mut cursor, &found.name, later, acked)?;
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

fn refuse_if_acknowledged(
    acked: Seq,
    file: &str,
    offset: u64,
    last_seq: Seq,
) -> Result<(), OpenError> {
    if acked <= last_seq || planted(Bug::CutsAcknowledged) {
        return Ok(());
    }
    Err(OpenError::AcknowledgedMissing {
        file: file.to_string(),
        offset,
        last_seq,
        acked,
    })
}

fn reuse(disk: &dyn Disk, found: &Found) -> Result<Ready, OpenError> {
    let file = disk
        .open(&found.name, Mode::Write)
        .map_err(io_error("open", &found.name))?;
    Ok(Ready {
        header: found.header,
        file,
        bytes: found.bytes,
    })
}

/// Clears away what is to be cut, step by step. A header that is there tells how far: an earlier try may have
/// cleared what follows it, and the disk may not have it so.
fn clear_cut(disk: &dyn Disk, found: &Found, cut: &Cut) -> Result<(), OpenError> {
    let file = reuse(disk, found)?.file;
    let place = Place {
        ordinal: found.header.ordinal,
        offset: cut.offset,
    };
    let clear = |offset, bytes| zero(&*file, offset, bytes).and_then(|()| file.sync());
    let all = || {
        let mut header = [0; RECORD_HEADER_BYTES];
        read_exact_at(&*file, &mut header, cut.offset)?;
        let header = RecordHeader::decode(&header, place);
        let bytes = header.map_or(cut.bytes, |header| header.record_bytes());
        let end = (cut.offset + bytes).min(found.bytes);
        clear_record(cut.offset, end, clear)
    };
    all().map_err(io_error("cut the end of", &found.name))
}

/// Makes the end of the log durable as it was read: after a failed sync, neither the last record nor
/// the zeros behind it need be what the disk holds.
fn settle(disk: &dyn Disk, found: &Found, end: &End) -> Result<Ready, OpenError> {
    if let Some(cut) = end.cut.as_ref().filter(|cut| cut.file == found.name) {
        clear_cut(disk, found, cut)?;
    }
    let Some(last_record) = end.last_record else {
        let bytes = found.header.bytes;
        return make_ready(disk, found.header).map_err(|error| OpenError::at_start(error, bytes));
    };
    let ready = reuse(disk, found)?;
    let rewrite = || {
        let file = &*ready.file;
        let mut offset = end.cursor.offset();
        if end.cut.is_some() && planted(Bug::CutsTooMuch) {
            offset = last_record;
        }
        zero(file, offset, ready.bytes - offset)?;
        let mut record = vec![0; (offset - last_record) as usize];
        read_exact_at(file, &mut record, last_record)?;
        write_whole_at(file, &record, last_record)?;
        file.sync()
    };
    rewrite().map_err(io_error("write again the end of", &found.name))?;
    Ok(ready)
}
