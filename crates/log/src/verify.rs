//! Reads a whole log and says whether all of it is in order. It changes nothing, and stops at the
//! first problem.

use std::sync::Arc;

use ordain_types::Seq;

use crate::acked;
use crate::disk::Disk;
use crate::error::{OpenError, ReadError};
use crate::read::Reader;
use crate::survey::survey;
use crate::tail::Cut;

/// How often progress is told, in bytes read.
const PROGRESS_BYTES: u64 = 1 << 20;

/// How far [`verify`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of payload read so far.
    pub bytes: u64,
    /// The size of all segments, zeros included: `bytes` comes near it at best.
    pub bytes_total: u64,
    /// The last seq read.
    pub last_seq: Seq,
}

/// A log that is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many segments there are.
    pub segments: u64,
    /// How many records they hold.
    pub records: u64,
    /// The oldest seq; one more than `last_seq` if there is none.
    pub first_seq: Seq,
    /// The last seq.
    pub last_seq: Seq,
    /// The payloads' bytes.
    pub bytes: u64,
    /// An unfinished write at the end, which was never acknowledged and which an open would cut.
    pub unfinished: Option<Cut>,
}

/// Reads every record and checks everything an open and a reader check, and that nothing that
/// was acknowledged is missing at the end.
pub fn verify(
    disk: Arc<dyn Disk>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ReadError> {
    // Read first, since the log may be growing: what is acknowledged now is there later.
    let acked = acked::read(&*disk)?.seq;
    let segments = survey(&*disk)?.segments;
    let bytes_total = segments.iter().map(|found| found.bytes).sum();
    let mut reader = Reader::start(disk, None)?.acknowledged(acked);
    let first_seq = reader.next_seq();
    let (mut records, mut bytes, mut told) = (0, 0, 0);
    while let Some(record) = reader.next().transpose()? {
        records += 1;
        bytes += record.payload.len() as u64;
        if bytes - told >= PROGRESS_BYTES {
            told = bytes;
            progress(Progress {
                bytes,
                bytes_total,
                last_seq: record.last_seq(),
            });
        }
    }
    let last_seq = Seq(reader.next_seq().0 - 1);
    progress(Progress {
        bytes,
        bytes_total,
        last_seq,
    });
    if acked > last_seq {
        let (file, offset) = reader.position();
        let file = file.to_string();
        return Err(OpenError::AcknowledgedMissing {
            file,
            offset,
            last_seq,
            acked,
        }
        .into());
    }
    let unfinished = reader.unfinished().cloned();
    let segments = segments.len() as u64;
    Ok(Report {
        segments,
        records,
        first_seq,
        last_seq,
        bytes,
        unfinished,
    })
}
