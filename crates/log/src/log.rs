//! The appending side: one write and one sync a record, the roll to the next segment, and what
//! happens when the disk is full or fails. It knows nothing of how the log was recovered.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use ordain_types::{Bug, Seq, planted};

use crate::acked::Acked;
use crate::disk::{Disk, write_whole_at};
use crate::error::{AppendError, OpenError, RemoveError, io_error};
use crate::format::{HEADER_BYTES, PAYLOAD_BYTES_MAX, Place, encode_record, record_bytes};
use crate::next::Preparer;
use crate::recover::{self, Opened, Recovered};
use crate::segment::{Ready, clear_record, file_name, ordinals, zero};

/// Of the system's memory, on most machines. Nothing but speed depends on it.
const PAGE_BYTES: u64 = 4096;

/// The buffer for a record is not kept any larger than this between appends.
const RECORD_BUFFER_BYTES_MAX: usize = 8 << 20;

/// How a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How large a segment is made, in bytes; rounded up to whole pages. A record that is
    /// larger gets a segment of its own size.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            segment_bytes: 64 << 20,
        }
    }
}

/// A log, open for appending. The caller sees to it that only one is open on a disk at a time.
pub struct Log {
    disk: Arc<dyn Disk>,
    /// Oldest first; the last is `current`.
    segments: Vec<Segment>,
    current: Ready,
    /// Where in `current` the next record goes.
    offset: u64,
    last_seq: Seq,
    /// How long the record is that a failed append may have left something of at `offset`.
    unclean_bytes: u64,
    acked: Acked,
    next: Preparer,
    record: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    ordinal: u64,
    first_seq: Option<Seq>,
    bytes: u64,
}

/// One segment, for limits and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its file's name.
    pub file: String,
    /// The first seq in it; `None` if it holds no record yet.
    pub first_seq: Option<Seq>,
    /// Its size, zeros included.
    pub bytes: u64,
}

impl Log {
    /// Whether there is a log on `disk`. Changes nothing, which an open would, where there is none.
    pub fn exists(disk: &dyn Disk) -> Result<bool, OpenError> {
        let ordinals = ordinals(disk).map_err(io_error("list", "the log's directory"))?;
        Ok(!ordinals.is_empty())
    }

    /// Opens the log on `disk`, or makes a new one that begins with seq 1 if the disk is empty.
    /// An unfinished write at the end is cut and reported; anything else that cannot be read is an
    /// error and changes nothing. Reads the headers of all segments and the last one as a whole.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<(Log, Recovered), OpenError> {
        let opened = recover::open(&*disk, options.segment_bytes)?;
        let recovered = opened.recovered.clone();
        Ok((Log::new(disk, options, opened), recovered))
    }

    fn new(disk: Arc<dyn Disk>, options: Options, opened: Opened) -> Log {
        let Opened {
            segments,
            current,
            offset,
            acked,
            recovered,
        } = opened;
        let base_seq = current.header.base_seq;
        let ordinal = current.header.ordinal + 1;
        let next = Preparer::new(disk.clone(), options.segment_bytes, ordinal, base_seq);
        let segments = segments.iter().map(|found| Segment {
            ordinal: found.header.ordinal,
            first_seq: found.first_seq,
            bytes: found.bytes,
        });
        Log {
            segments: segments.collect(),
            disk,
            current,
            offset,
            last_seq: recovered.last_seq,
            unclean_bytes: 0,
            acked,
            next,
            record: Vec::new(),
        }
    }

    /// Makes a new log that begins with `first_seq`, as when a backup is restored that holds a
    /// checkpoint and the log after it. Refuses a disk that holds a segment.
    pub fn create(disk: Arc<dyn Disk>, options: Options, first_seq: Seq) -> Result<Log, OpenError> {
        assert!(first_seq > Seq::ZERO, "seqs begin with 1");
        let list = io_error("list", "the log's directory");
        if let Some(ordinal) = ordinals(&*disk).map_err(list)?.first() {
            return Err(OpenError::NotEmpty {
                file: file_name(*ordinal),
            });
        }
        let opened = recover::create(&*disk, first_seq, options.segment_bytes)?;
        Ok(Log::new(disk, options, opened))
    }

    /// Makes `count` commands, from `first_seq` on, durable: one write and one sync, but for a roll
    /// whose segment was not prepared. When it answers `Ok`, they may be acknowledged; otherwise
    /// none of them may.
    ///
    /// After [`AppendError::Full`] the next append takes up at the same seq, once what the failed
    /// one left is cleaned up ([`Log::reset_tail`]; done by itself if it was not called). After
    /// [`AppendError::Failed`] every further append answers the same.
    ///
    /// # Panics
    ///
    /// If `first_seq` does not follow [`Log::last_seq`], `count` is 0 or the payload is larger than
    /// [`PAYLOAD_BYTES_MAX`]: the caller has lost count, and nothing it writes can be trusted.
    pub fn append(
        &mut self,
        first_seq: Seq,
        count: u32,
        payload: &[u8],
    ) -> Result<(), AppendError> {
        assert_eq!(
            first_seq,
            self.last_seq.next(),
            "a batch must follow the last one"
        );
        assert!(count > 0, "a batch holds at least one command");
        assert!(
            payload.len() <= PAYLOAD_BYTES_MAX,
            "the payload is too large for the log"
        );
        self.reset_tail()?;
        self.make_room(record_bytes(payload.len()))
            .map_err(|error| self.doubt(error))?;
        let place = Place {
            ordinal: self.current.header.ordinal,
            offset: self.offset,
        };
        encode_record(&mut self.record, place, first_seq, count, payload);
        let bytes = self.record.len() as u64;
        self.unclean_bytes = bytes;
        self.fill_page();
        self.write_record().map_err(|error| self.doubt(error))?;

        let segment = self.segments.last_mut().expect("a log has a segment");
        if segment.first_seq.is_none() {
            segment.first_seq = Some(first_seq);
            self.next.raise_base(first_seq);
        }
        self.offset += bytes;
        self.last_seq = Seq(first_seq.0 + u64::from(count) - 1);
        self.acked.settle(self.last_seq);
        self.record.clear();
        self.record.shrink_to(RECORD_BUFFER_BYTES_MAX);
        Ok(())
    }

    /// Clears away what an append that answered [`AppendError::Full`] may have left, durably. Does
    /// nothing if there is nothing to clear.
    pub fn reset_tail(&mut self) -> Result<(), AppendError> {
        self.next.check()?;
        if self.unclean_bytes == 0 || planted(Bug::TailNotReset) {
            return Ok(());
        }
        let end = self.offset + self.unclean_bytes;
        clear_record(self.offset, end, |offset, bytes| self.clear(offset, bytes))?;
        self.unclean_bytes = 0;
        self.acked.settle(self.last_seq);
        Ok(())
    }

    /// Puts zeros over a part of the current segment, durably.
    fn clear(&self, offset: u64, bytes: u64) -> Result<(), AppendError> {
        let file = &*self.current.file;
        zero(file, offset, bytes).map_err(|error| self.write_error("clear the end of", &error))?;
        file.sync().map_err(|error| self.sync_error(&error))
    }

    /// Makes the next segment ready ahead of need, so that a full disk is noticed before a batch is
    /// accepted. Takes as long as writing a segment does; see [`Log::preparer`].
    pub fn prepare_next(&mut self) -> Result<(), AppendError> {
        self.next.prepare()
    }

    /// Whether it is time to prepare the next segment: the current one is half full, and the next
    /// neither ready nor being made.
    pub fn needs_next(&self) -> bool {
        self.offset > self.current.bytes / 2 && !self.next.is_prepared()
    }

    /// For preparing the next segment on another thread.
    pub fn preparer(&self) -> Preparer {
        self.next.clone()
    }

    /// The last durable seq; one less than the seq the log begins with if nothing was appended yet.
    pub fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// The oldest seq still kept; one more than [`Log::last_seq`] if the log is empty.
    pub fn first_seq(&self) -> Seq {
        self.segments[0].first_seq.unwrap_or(self.last_seq.next())
    }

    /// Removes the segments that hold only seqs before `seq`, oldest first, but never the last one.
    /// Answers how many bytes that gave back. If the directory cannot be synced, the log has failed.
    pub fn remove_before(&mut self, seq: Seq) -> Result<u64, RemoveError> {
        let mut bytes = 0;
        while let [oldest, next, ..] = self.segments[..]
            && let upto = seq.plus(planted(Bug::RemovesTooMuch).into())
            && next.first_seq.is_some_and(|first_seq| first_seq <= upto)
        {
            let file = file_name(oldest.ordinal);
            match self.disk.remove(&file) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(RemoveError { file, source });
                }
                _ => {}
            }
            // One at a time: a crash must not leave a hole in the middle.
            if let Err(source) = self.disk.sync_dir() {
                self.next.note(AppendError::from_sync(
                    "sync the directory of",
                    &file,
                    &source,
                ));
                return Err(RemoveError { file, source });
            }
            self.segments.remove(0);
            bytes += oldest.bytes;
        }
        Ok(bytes)
    }

    /// The size of all segments together, zeros included, without a prepared one.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// All segments, oldest first, without a prepared one.
    pub fn segments(&self) -> impl Iterator<Item = SegmentInfo> + '_ {
        self.segments.iter().map(|segment| SegmentInfo {
            file: file_name(segment.ordinal),
            first_seq: segment.first_seq,
            bytes: segment.bytes,
        })
    }

    /// Sees to it that `bytes` fit behind the last record, rolling to the next segment if need be.
    fn make_room(&mut self, bytes: u64) -> Result<(), AppendError> {
        if self.current.bytes - self.offset >= bytes {
            return Ok(());
        }
        if self.offset > HEADER_BYTES {
            self.current = self.next.take(HEADER_BYTES + bytes)?;
            self.offset = HEADER_BYTES;
        } else {
            // An empty segment must not be followed by one with records: it is made larger.
            let grown = self.current.grow(HEADER_BYTES + bytes);
            grown.map_err(|error| self.next.note(error))?;
            self.segments.pop();
        }
        let (ordinal, bytes) = (self.current.header.ordinal, self.current.bytes);
        self.segments.push(Segment {
            ordinal,
            first_seq: None,
            bytes,
        });
        Ok(())
    }

    /// Lengthens the record by zeros, which are there already, to the end of its page: the system would have to
    /// read a page that it does not know, of which only a part is written.
    fn fill_page(&mut self) {
        let end = self.offset + self.record.len() as u64;
        let page_end = end.next_multiple_of(PAGE_BYTES).min(self.current.bytes);
        self.record.resize((page_end - self.offset) as usize, 0);
    }

    fn write_record(&mut self) -> Result<(), AppendError> {
        let file = &*self.current.file;
        write_whole_at(file, &self.record, self.offset)
            .map_err(|error| self.write_error("append to", &error))?;
        if !planted(Bug::AppendUnsynced) {
            file.sync().map_err(|error| self.sync_error(&error))?;
        }
        self.unclean_bytes = 0;
        Ok(())
    }

    /// Notes that the disk and what it shows may differ from now on.
    fn doubt(&self, error: AppendError) -> AppendError {
        self.acked.unsettle(self.last_seq);
        error
    }

    fn write_error(&self, attempted: &'static str, error: &io::Error) -> AppendError {
        let file = file_name(self.current.header.ordinal);
        self.next
            .note(AppendError::from_write(attempted, &file, error))
    }

    fn sync_error(&self, error: &io::Error) -> AppendError {
        let file = file_name(self.current.header.ordinal);
        self.next.note(AppendError::from_sync("sync", &file, error))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("segments", &self.segments)
            .field("offset", &self.offset)
            .field("last_seq", &self.last_seq)
            .finish_non_exhaustive()
    }
}
