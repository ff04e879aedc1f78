//! The log from above: which segments there are, whether their headers are in order and none is
//! missing. It reads headers only; the records are read where they are needed.

use std::io::{self, ErrorKind};

use ordain_types::{Bug, Seq, planted};

use crate::cursor::Cursor;
use crate::disk::{Disk, File, Mode, read_exact_at};
use crate::error::{Damage, Flaw, OpenError, io_error};
use crate::format::{
    HEADER_BYTES, HeaderFlaw, Place, RECORD_HEADER_BYTES, RecordHeader, SegmentHeader,
};
use crate::segment::{Beginning, file_name, is_unfinished, ordinals, read_header};

/// A segment with an intact header.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub name: String,
    pub header: SegmentHeader,
    /// How long the file is.
    pub bytes: u64,
    /// The seq its first record begins with, if at least the header of that record landed.
    pub first_seq: Option<Seq>,
}

impl Found {
    /// What its first record begins with, or may begin with at the earliest.
    pub fn begins(&self) -> Seq {
        self.first_seq.unwrap_or(self.header.base_seq)
    }
}

#[derive(Debug)]
pub(crate) struct Survey {
    /// Oldest first, without a gap. Those without a first record are all at the end.
    pub segments: Vec<Found>,
    /// The newest one, if its making was interrupted.
    pub unfinished: Option<String>,
}

pub(crate) fn survey(disk: &dyn Disk) -> Result<Survey, OpenError> {
    let ordinals = ordinals(disk).map_err(io_error("list", "the log's directory"))?;
    let newest = ordinals.last().copied();
    let mut survey = Survey {
        segments: Vec::new(),
        unfinished: None,
    };
    for ordinal in ordinals {
        let name = file_name(ordinal);
        let file = match disk.open(&name, Mode::Read) {
            // The history window moved on since the directory was listed, oldest first.
            Err(error) if error.kind() == ErrorKind::NotFound && Some(ordinal) != newest => {
                survey.segments.clear();
                continue;
            }
            opened => opened.map_err(io_error("open", &name))?,
        };
        match examine(&*file, &name, ordinal, Some(ordinal) == newest)? {
            None => survey.unfinished = Some(name),
            Some(found) => {
                if let Some(previous) = survey.segments.last_mut() {
                    check_neighbours(disk, previous, &found)?;
                }
                survey.segments.push(found);
            }
        }
    }
    Ok(survey)
}

/// Reads one segment's headers; `None` if it is the newest and was never finished.
fn examine(
    file: &dyn File,
    name: &str,
    ordinal: u64,
    newest: bool,
) -> Result<Option<Found>, OpenError> {
    let io = |error| io_error("read", name)(error);
    let mut beginning = read_header(file).map_err(io)?;
    if let Beginning::Flawed(flaw) = beginning
        && newest
    {
        if is_unfinished(file, flaw).map_err(io)? {
            return Ok(None);
        }
        // Somebody who appends may have finished it since: a header is there before any record is.
        beginning = read_header(file).map_err(io)?;
    }
    let header = match beginning {
        Beginning::Header(header) => header,
        Beginning::Flawed(flaw) => return Err(header_error(name, flaw)),
    };
    if header.ordinal != ordinal {
        return Err(OpenError::OutOfOrder {
            file: name.to_string(),
            ordinal: header.ordinal,
        });
    }
    let bytes = file.bytes().map_err(io)?;
    if bytes < header.bytes {
        let file = name.to_string();
        return Err(OpenError::Truncated {
            file,
            bytes,
            expected: header.bytes,
        });
    }
    let first_seq = first_seq(file, ordinal).map_err(io)?;
    if let Some(found) = first_seq.filter(|found| *found < header.base_seq) {
        return Err(damage(
            name,
            HEADER_BYTES,
            header.base_seq,
            Flaw::Gap { found },
        ));
    }
    Ok(Some(Found {
        name: name.to_string(),
        header,
        bytes,
        first_seq,
    }))
}

/// The seq the segment's first record begins with, if the header of that record is intact.
fn first_seq(file: &dyn File, ordinal: u64) -> io::Result<Option<Seq>> {
    let mut bytes = [0; RECORD_HEADER_BYTES];
    read_exact_at(file, &mut bytes, HEADER_BYTES)?;
    let header = RecordHeader::decode(
        &bytes,
        Place {
            ordinal,
            offset: HEADER_BYTES,
        },
    );
    Ok(header.map(|header| header.first_seq))
}

fn header_error(name: &str, flaw: HeaderFlaw) -> OpenError {
    let file = name.to_string();
    match flaw {
        HeaderFlaw::Foreign => OpenError::Foreign { file },
        HeaderFlaw::Newer { version } => OpenError::NewerVersion { file, version },
        HeaderFlaw::Unfinished | HeaderFlaw::Damaged => OpenError::DamagedHeader { file },
    }
}

fn check_neighbours(disk: &dyn Disk, previous: &mut Found, found: &Found) -> Result<(), OpenError> {
    let begins = found.begins();
    let follows = found.header.ordinal == previous.header.ordinal + 1;
    if !follows && !planted(Bug::SegmentGapAccepted) {
        let first_seq = end_of(disk, previous)?.expected();
        return Err(OpenError::MissingSegments {
            first_file: file_name(previous.header.ordinal + 1),
            last_file: file_name(found.header.ordinal - 1),
            first_seq,
            last_seq: first_seq.max(Seq(begins.0.saturating_sub(1))),
        });
    }
    if previous.first_seq.is_none() && found.first_seq.is_some() {
        // Looked at before its first record was appended, or empty where it must not be.
        let cursor = begin(disk, previous, previous.header.base_seq)?;
        previous.first_seq = first_seq(cursor.file(), previous.header.ordinal)
            .map_err(io_error("read", &previous.name))?;
    }
    // Whether the seqs meet exactly is seen when the records are read.
    let in_order = match (previous.first_seq, found.first_seq) {
        (Some(before), Some(after)) => before < after,
        (None, after) => after.is_none(),
        (Some(_), None) => true,
    };
    if in_order {
        return Ok(());
    }
    Err(damage(
        &previous.name,
        HEADER_BYTES,
        previous.begins(),
        Flaw::EndsEarly { next: begins },
    ))
}

/// A cursor before the first record of a segment.
pub(crate) fn begin(disk: &dyn Disk, found: &Found, expected: Seq) -> Result<Cursor, OpenError> {
    let file = disk
        .open(&found.name, Mode::Read)
        .map_err(io_error("open", &found.name))?;
    Cursor::new(file, found.header.ordinal, expected).map_err(io_error("read", &found.name))
}

/// A cursor behind the last intact record of a segment.
fn end_of(disk: &dyn Disk, found: &Found) -> Result<Cursor, OpenError> {
    let mut cursor = begin(disk, found, found.begins())?;
    while cursor
        .step()
        .map_err(io_error("read", &found.name))?
        .is_some()
    {}
    Ok(cursor)
}

pub(crate) fn damage(file: &str, offset: u64, seq: Seq, flaw: Flaw) -> OpenError {
    Damage {
        file: file.to_string(),
        offset,
        seq,
        flaw,
    }
    .into()
}
