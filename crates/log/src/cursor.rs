//! Walks the records of one segment from one to the next, through a window of the file. It says
//! where the intact records end, and refuses to judge why.

use std::io;

use ordain_types::{Bug, Seq, planted};

use crate::disk::{File, read_exact_at};
use crate::error::Flaw;
use crate::format::{HEADER_BYTES, Place, RECORD_HEADER_BYTES, RecordHeader, is_zero};

const WINDOW_BYTES: u64 = 256 << 10;

pub(crate) struct Cursor {
    file: Box<dyn File>,
    ordinal: u64,
    /// How long the segment is.
    bytes: u64,
    offset: u64,
    expected: Seq,
    window: Vec<u8>,
    window_at: u64,
}

/// What lies at the cursor.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ahead {
    /// An intact record.
    Record(RecordHeader),
    /// No record: zeros, or the end of the segment.
    End,
    /// Something that is not an intact record.
    Bad(Flaw),
}

/// An intact record the cursor went over.
pub(crate) struct Passed<'a> {
    pub header: RecordHeader,
    pub offset: u64,
    pub payload: &'a [u8],
}

impl Cursor {
    /// Stands before the first record, which should begin with `expected`.
    pub fn new(file: Box<dyn File>, ordinal: u64, expected: Seq) -> io::Result<Cursor> {
        Ok(Cursor {
            bytes: file.bytes()?,
            file,
            ordinal,
            offset: HEADER_BYTES,
            expected,
            window: Vec::new(),
            window_at: HEADER_BYTES,
        })
    }

    pub fn file(&self) -> &dyn File {
        &*self.file
    }

    /// Where a record that lies ahead would be.
    pub fn place(&self) -> Place {
        Place {
            ordinal: self.ordinal,
            offset: self.offset,
        }
    }

    /// Where the segment ends.
    pub fn end(&self) -> u64 {
        self.bytes
    }

    /// Where the next record begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The seq that should come next.
    pub fn expected(&self) -> Seq {
        self.expected
    }

    /// Forgets what was read ahead, since somebody may have written there.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.window.clear();
        self.bytes = self.file.bytes()?;
        Ok(())
    }

    /// Goes over the record ahead; `None` if there is no intact one, and the cursor stays.
    pub fn step(&mut self) -> io::Result<Option<Passed<'_>>> {
        let Ahead::Record(header) = self.ahead()? else {
            return Ok(None);
        };
        let offset = self.offset;
        let bytes = header.record_bytes();
        self.offset += bytes;
        self.expected = header.last_seq().next();
        let start = (offset - self.window_at) as usize;
        let payload = header.payload(&self.window[start..start + bytes as usize]);
        Ok(Some(Passed {
            header,
            offset,
            payload,
        }))
    }

    /// What lies ahead; if it is a record, the window holds all of it.
    pub fn ahead(&mut self) -> io::Result<Ahead> {
        let place = self.place();
        if !self.has_header(self.offset) {
            return Ok(Ahead::End);
        }
        let bytes = self.look(RECORD_HEADER_BYTES)?;
        let Some(header) = RecordHeader::decode(bytes, place) else {
            let zero = is_zero(bytes);
            return Ok(if zero {
                Ahead::End
            } else {
                Ahead::Bad(Flaw::Header)
            });
        };
        if header.first_seq != self.expected && !planted(Bug::GapAccepted) {
            return Ok(Ahead::Bad(Flaw::Gap {
                found: header.first_seq,
            }));
        }
        let (bytes, room) = (header.record_bytes(), self.bytes - self.offset);
        if bytes > room {
            return Ok(Ahead::Bad(Flaw::Length { bytes, room }));
        }
        if !header.matches(self.look(bytes as usize)?) {
            return Ok(Ahead::Bad(Flaw::Checksum));
        }
        Ok(Ahead::Record(header))
    }

    /// Whether there is room for a header between an offset and the segment's end.
    pub fn has_header(&self, offset: u64) -> bool {
        self.bytes.saturating_sub(offset) >= RECORD_HEADER_BYTES as u64
    }

    /// The next `length` bytes, which the caller knows to be within the segment.
    pub fn look(&mut self, length: usize) -> io::Result<&[u8]> {
        let end = self.offset + length as u64;
        if end > self.window_at + self.window.len() as u64 || self.offset < self.window_at {
            let room = self.bytes - self.offset;
            let window_bytes = WINDOW_BYTES.max(length as u64).min(room);
            self.window.clear();
            self.window.resize(window_bytes as usize, 0);
            self.window_at = self.offset;
            if let Err(error) = read_exact_at(&*self.file, &mut self.window, self.offset) {
                self.window.clear();
                return Err(error);
            }
        }
        let start = (self.offset - self.window_at) as usize;
        Ok(&self.window[start..start + length])
    }
}
