//! Reading records from any seq on, also while somebody appends. It changes nothing on the disk,
//! and refuses to know who is appending: it sees only files.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use ordain_types::Seq;

use crate::cursor::{Ahead, Cursor};
use crate::disk::Disk;
use crate::error::{Damage, Flaw, OpenError, ReadError, io_error};
use crate::survey::{Found, begin, survey};
use crate::tail::{Cut, judge_end};

/// One record, as it was appended, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The seq of the first command in it.
    pub first_seq: Seq,
    /// How many commands it holds.
    pub count: u32,
    /// What was appended.
    pub payload: Vec<u8>,
    /// The segment's file.
    pub file: String,
    /// Where in that file the record begins.
    pub offset: u64,
}

impl Record {
    /// The seq of the last command in it.
    pub fn last_seq(&self) -> Seq {
        Seq(self.first_seq.0 + u64::from(self.count) - 1)
    }
}

/// Reads the records in order; from [`read_from`].
///
/// It ends (`None`) after the last complete record. More may have been appended when it is asked
/// again. On a log that is being appended to, the last record it gives may not be durable yet:
/// [`Reader::until`] bounds it by what the log says is. After an error it gives the same error again.
pub struct Reader {
    disk: Arc<dyn Disk>,
    cursor: Cursor,
    file: String,
    /// Segments after the cursor's that are known to exist.
    later: VecDeque<Found>,
    from: Seq,
    until: Seq,
    /// A record that was read and reaches past `until`.
    held: Option<Record>,
    acked: Seq,
    unfinished: Option<Cut>,
}

/// Reads from the record that holds `seq` on. Asking for seqs that are not there yet is no error:
/// there are none to give.
pub fn read_from(disk: Arc<dyn Disk>, seq: Seq) -> Result<Reader, ReadError> {
    Reader::start(disk, Some(seq))
}

impl Reader {
    /// Starts at the record that holds `seq`, or at the oldest one.
    pub(crate) fn start(disk: Arc<dyn Disk>, seq: Option<Seq>) -> Result<Reader, ReadError> {
        let segments = survey(&*disk)?.segments;
        let first_seq = segments.first().ok_or(OpenError::Absent)?.begins();
        let from = seq.unwrap_or(first_seq);
        if from < first_seq {
            return Err(ReadError::Removed {
                asked: from,
                first_seq,
            });
        }
        let holds = |found: &Found| found.first_seq.is_some_and(|first_seq| first_seq <= from);
        let index = segments.iter().rposition(holds).unwrap_or(0);
        let mut later: VecDeque<Found> = segments.into_iter().skip(index).collect();
        let found = later.pop_front().ok_or(OpenError::Absent)?;
        let cursor = begin(&*disk, &found, found.begins())?;
        Ok(Reader {
            disk,
            cursor,
            file: found.name,
            later,
            from,
            until: Seq(u64::MAX),
            held: None,
            acked: Seq::ZERO,
            unfinished: None,
        })
    }

    /// Gives only records that hold no seq after `last`. May be raised again.
    pub fn until(self, last: Seq) -> Reader {
        Reader {
            until: last,
            ..self
        }
    }

    /// Treats everything up to `acked` as acknowledged when judging the end.
    pub(crate) fn acknowledged(self, acked: Seq) -> Reader {
        Reader { acked, ..self }
    }

    /// The seq that follows the last record read.
    pub fn next_seq(&self) -> Seq {
        self.held
            .as_ref()
            .map_or(self.cursor.expected(), |held| held.first_seq)
    }

    /// After the end: the unfinished write found there, if any. An open would cut it.
    pub fn unfinished(&self) -> Option<&Cut> {
        self.unfinished.as_ref()
    }

    /// The file that is being read, and where in it the next record should begin.
    pub(crate) fn position(&self) -> (&str, u64) {
        (&self.file, self.cursor.offset())
    }

    /// The next record, wherever it is; `None` at the end.
    fn advance(&mut self) -> Result<Option<Record>, ReadError> {
        while self.next_seq() <= self.until {
            if let Some(record) = self.step()? {
                if record.last_seq() > self.until {
                    self.held = Some(record);
                    return Ok(None);
                }
                if record.last_seq() >= self.from {
                    return Ok(Some(record));
                }
                continue;
            }
            // Somebody may have appended here and rolled since. Whether there is a next segment
            // is looked up first: once there is, nothing is appended here any more.
            let next = self.next_begun()?;
            self.refresh()?;
            match (self.ahead()?, next) {
                (Ahead::Record(_), _) => {}
                (Ahead::Bad(flaw), Some(_)) => return Err(self.damage(flaw)),
                (Ahead::End, Some(next)) => self.enter(next)?,
                (_, None) if self.is_end()? => return Ok(None),
                (_, None) => {}
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Result<Option<Record>, OpenError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let passed = self.cursor.step().map_err(io_error("read", &self.file))?;
        Ok(passed.map(|passed| Record {
            first_seq: passed.header.first_seq,
            count: passed.header.count,
            payload: passed.payload.to_vec(),
            file: self.file.clone(),
            offset: passed.offset,
        }))
    }

    fn refresh(&mut self) -> Result<(), OpenError> {
        self.cursor.refresh().map_err(io_error("read", &self.file))
    }

    fn ahead(&mut self) -> Result<Ahead, OpenError> {
        self.cursor.ahead().map_err(io_error("read", &self.file))
    }

    /// The next segment, if a record was begun in it.
    fn next_begun(&mut self) -> Result<Option<Found>, OpenError> {
        let begun = |found: &&Found| found.first_seq.is_some();
        if self.later.front().filter(begun).is_none() {
            let ordinal = self.cursor.place().ordinal;
            let all = survey(&*self.disk)?.segments;
            self.later = all
                .into_iter()
                .filter(|found| found.header.ordinal > ordinal)
                .collect();
        }
        Ok(self.later.front().filter(begun).cloned())
    }

    /// Goes on in the next segment; the cursor stands where this one's records end.
    fn enter(&mut self, next: Found) -> Result<(), ReadError> {
        let (begins, expected) = (next.begins(), self.cursor.expected());
        if next.header.ordinal != self.cursor.place().ordinal + 1 {
            // The history window overtook this reader.
            return Err(ReadError::Removed {
                asked: expected,
                first_seq: begins,
            });
        }
        if begins != expected {
            return Err(self.damage(Flaw::EndsEarly { next: begins }));
        }
        self.cursor = begin(&*self.disk, &next, expected)?;
        self.file = next.name;
        self.later.pop_front();
        Ok(())
    }

    /// Nothing intact follows and no later segment was begun: is this the end? `false` if a record
    /// has come meanwhile.
    fn is_end(&mut self) -> Result<bool, ReadError> {
        let later: Vec<Found> = self.later.iter().cloned().collect();
        let judged = judge_end(
            &*self.disk,
            &mut self.cursor,
            &self.file,
            &later,
            self.acked,
        );
        // What was judged may have been a record in the making, which is complete by now.
        self.refresh()?;
        let grown = matches!(self.ahead()?, Ahead::Record(_));
        if grown || (judged.is_err() && self.next_begun()?.is_some()) {
            return Ok(false);
        }
        self.unfinished = judged?;
        Ok(true)
    }

    fn damage(&self, flaw: Flaw) -> ReadError {
        let (offset, seq) = (self.cursor.offset(), self.cursor.expected());
        Damage {
            file: self.file.clone(),
            offset,
            seq,
            flaw,
        }
        .into()
    }
}

impl Iterator for Reader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("file", &self.file)
            .field("offset", &self.cursor.offset())
            .field("next_seq", &self.cursor.expected())
            .finish_non_exhaustive()
    }
}
