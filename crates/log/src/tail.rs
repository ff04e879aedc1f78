//! The judgement over what follows the last intact record: nothing, an unfinished write that may be
//! cut, or damage that must not be. It reads and never changes anything.

use std::io;

use ordain_types::Seq;

use crate::cursor::{Ahead, Cursor};
use crate::disk::read_exact_at;
use crate::error::Flaw;
use crate::format::{Place, RECORD_ALIGN, RECORD_HEADER_BYTES, RecordHeader};
use crate::segment::nonzero_end;

/// What follows the last intact record of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
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
pub(crate) struct Evidence {
    /// Everything up to here was durable.
    pub acked: Seq,
    /// Something was written to a later segment.
    pub later_segment: bool,
}

/// Judges what lies at the cursor, which must have stopped there.
pub(crate) fn judge(cursor: &mut Cursor, evidence: Evidence) -> io::Result<Tail> {
    let segment = cursor.segment();
    let Some(end) = nonzero_end(cursor.file(), cursor.offset(), segment.bytes)? else {
        return Ok(Tail::Empty);
    };
    cursor.refresh();
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
    if evidence.acked >= cursor.expected() {
        return Ok(Tail::Damaged(Flaw::Acknowledged {
            acked: evidence.acked,
        }));
    }
    if evidence.later_segment {
        return Ok(Tail::Damaged(Flaw::LaterSegment));
    }
    if let Some(later) = later_record(cursor, end)? {
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
    let place = Place {
        ordinal: cursor.segment().ordinal,
        offset: cursor.offset(),
    };
    Ok(RecordHeader::decode(
        cursor.look(RECORD_HEADER_BYTES)?,
        place,
    ))
}

/// Looks for the header of a later record before `end`. An intact header is proof enough: its
/// checksum holds its place, and it was written only after everything before it was synced.
fn later_record(cursor: &mut Cursor, end: u64) -> io::Result<Option<Flaw>> {
    const CHUNK_BYTES: usize = 256 << 10;
    let ordinal = cursor.segment().ordinal;
    // The inside of a record whose header is intact holds only its payload.
    let known = header_at(cursor)?.map(|header| header.record_bytes());
    let mut offset = cursor.offset() + known.unwrap_or(RECORD_ALIGN);
    let mut chunk = Vec::new();
    while offset < end {
        let room = cursor.segment().bytes - offset;
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
