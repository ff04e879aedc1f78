//! The judgement over what follows the last intact record: nothing, an unfinished write that may be
//! cut, or damage that must not be. It reads and never changes anything.

use std::io;

use ordain_types::{Bug, Seq, planted};

use crate::cursor::{Ahead, Cursor};
use crate::disk::{Disk, read_exact_at};
use crate::error::{Flaw, OpenError, io_error};
use crate::format::{Place, RECORD_ALIGN, RECORD_HEADER_BYTES, RecordHeader};
use crate::segment::nonzero_end;
use crate::survey::{Found, begin, damage};

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

/// What follows the last intact record of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Zeros to the segment's end.
    Empty,
    /// A write that never finished, so that it cannot have been acknowledged.
    Torn {
        /// From the last intact record to the last byte that is not zero.
        bytes: u64,
    },
    /// Anything else.
    Damaged(Flaw),
}

/// What else is known of the log when a tail is judged.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    /// Everything up to here was durable.
    acked: Seq,
    /// Something was written to a later segment.
    later_segment: bool,
}

/// Judges the end of a log: what lies at the cursor, behind the last intact record, and in the
/// segments after it, which hold no whole record. Answers what may be cut, if anything.
pub(crate) fn judge_end(
    disk: &dyn Disk,
    cursor: &mut Cursor,
    file: &str,
    later: &[Found],
    acked: Seq,
) -> Result<Option<Cut>, OpenError> {
    let expected = cursor.expected();
    if let Some(next) = later
        .iter()
        .find_map(|found| found.first_seq)
        .filter(|it| *it != expected)
    {
        return Err(damage(
            file,
            cursor.offset(),
            expected,
            Flaw::EndsEarly { next },
        ));
    }
    let mut cut = None;
    for found in later.iter().rev() {
        let mut cursor = begin(disk, found, expected)?;
        cut = judge_segment(&mut cursor, &found.name, acked, cut)?;
    }
    judge_segment(cursor, file, acked, cut)
}

fn judge_segment(
    cursor: &mut Cursor,
    file: &str,
    acked: Seq,
    later: Option<Cut>,
) -> Result<Option<Cut>, OpenError> {
    let evidence = Evidence {
        acked,
        later_segment: later.is_some(),
    };
    match judge(cursor, evidence).map_err(io_error("read", file))? {
        Tail::Empty => Ok(later),
        Tail::Torn { bytes } => Ok(Some(Cut {
            file: file.to_string(),
            offset: cursor.offset(),
            bytes,
        })),
        Tail::Damaged(flaw) => Err(damage(file, cursor.offset(), cursor.expected(), flaw)),
    }
}

/// Judges what lies at the cursor, which must have stopped there.
fn judge(cursor: &mut Cursor, evidence: Evidence) -> io::Result<Tail> {
    cursor.refresh()?;
    let Some(end) = nonzero_end(cursor.file(), cursor.offset(), cursor.end())? else {
        return Ok(Tail::Empty);
    };
    if !cursor.has_header(cursor.offset()) {
        return Ok(Tail::Damaged(Flaw::Foreign));
    }
    let flaw = match cursor.ahead()? {
        Ahead::Record(_) => return Ok(Tail::Empty), // Appended since; only a reader sees this.
        Ahead::Bad(flaw @ (Flaw::Gap { .. } | Flaw::Length { .. })) => {
            return Ok(Tail::Damaged(flaw));
        }
        Ahead::Bad(flaw) => Some(flaw),
        Ahead::End => None,
    };
    let bytes = end - cursor.offset();
    let unfinished = match flaw {
        Some(Flaw::Checksum) => judge_record(cursor, end)?,
        // Everything from some point within the header on is zero: the write broke off there.
        Some(flaw) if bytes > RECORD_HEADER_BYTES as u64 => Err(flaw),
        // The header's sector did not land, or not all of it, or nothing else did.
        _ => Ok(()),
    };
    // Proof that it had been durable outweighs every look of being unfinished.
    if evidence.acked >= cursor.expected() && !planted(Bug::CutsAcknowledged) {
        return Ok(Tail::Damaged(Flaw::Acknowledged {
            acked: evidence.acked,
        }));
    }
    if evidence.later_segment {
        return Ok(Tail::Damaged(Flaw::LaterSegment));
    }
    if let Some(later) = later_record(cursor, end)?.filter(|_| !planted(Bug::CutsBeforeLater)) {
        return Ok(Tail::Damaged(later));
    }
    Ok(match unfinished {
        Ok(()) => Tail::Torn { bytes },
        Err(flaw) => Tail::Damaged(flaw),
    })
}

/// Whether a record with an intact header is merely unfinished.
fn judge_record(cursor: &mut Cursor, end: u64) -> io::Result<Result<(), Flaw>> {
    let offset = cursor.offset();
    let Some(header) = header_at(cursor)? else {
        return Ok(Err(Flaw::Header));
    };
    let record_bytes = header.record_bytes();
    if !header.is_unfinished(cursor.look(record_bytes as usize)?, offset) {
        return Ok(Err(Flaw::Checksum));
    }
    Ok(if end > offset + record_bytes {
        Err(Flaw::Followed)
    } else {
        Ok(())
    })
}

fn header_at(cursor: &mut Cursor) -> io::Result<Option<RecordHeader>> {
    let place = cursor.place();
    Ok(RecordHeader::decode(
        cursor.look(RECORD_HEADER_BYTES)?,
        place,
    ))
}

/// Looks for the header of a later record before `end`. An intact header is proof enough: its
/// checksum holds its place, and it was written only after everything before it was synced.
fn later_record(cursor: &mut Cursor, end: u64) -> io::Result<Option<Flaw>> {
    const CHUNK_BYTES: usize = 256 << 10;
    let Place { ordinal, .. } = cursor.place();
    // The inside of a record whose header is intact holds only its payload.
    let known = header_at(cursor)?.map(|header| header.record_bytes());
    let mut offset = cursor.offset() + known.unwrap_or(RECORD_ALIGN);
    let mut chunk = Vec::new();
    while offset < end && cursor.has_header(offset) {
        let room = cursor.end() - offset;
        chunk.resize(CHUNK_BYTES.min(room as usize), 0);
        read_exact_at(cursor.file(), &mut chunk, offset)?;
        for bytes in chunk.chunks_exact(RECORD_HEADER_BYTES) {
            match RecordHeader::decode(bytes, Place { ordinal, offset }) {
                Some(header) if header.first_seq > cursor.expected() => {
                    return Ok(Some(Flaw::LaterRecord {
                        seq: header.first_seq,
                        offset,
                    }));
                }
                _ => offset += RECORD_HEADER_BYTES as u64,
            }
        }
    }
    Ok(None)
}
