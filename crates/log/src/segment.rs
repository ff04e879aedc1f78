//! One segment file: its name, how it is made ready for use, how its header is read. It knows
//! nothing of the records in it.

use std::io::{self, ErrorKind};

use ordain_types::{Bug, Seq, planted};

use crate::AppendError;
use crate::disk::{Disk, File, Mode, read_exact_at, write_whole_at};
use crate::format::{HEADER_BYTES, HeaderFlaw, RECORD_HEADER_BYTES, SegmentHeader, is_zero};

const SUFFIX: &str = ".segment";
const CHUNK_BYTES: u64 = 1 << 20;
/// What a write past the system's cache answers where there are none.
const NOT_DIRECT: [ErrorKind; 2] = [ErrorKind::InvalidInput, ErrorKind::Unsupported];

pub(crate) fn file_name(ordinal: u64) -> String {
    format!("{ordinal:010}{SUFFIX}")
}

/// The number of the segment with this name; `None` if it is no segment's name.
pub(crate) fn ordinal_of(name: &str) -> Option<u64> {
    let ordinal = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (file_name(ordinal) == name).then_some(ordinal)
}

/// The numbers of all segments on the disk, ascending.
pub(crate) fn ordinals(disk: &dyn Disk) -> io::Result<Vec<u64>> {
    let mut ordinals: Vec<u64> = disk
        .list()?
        .iter()
        .filter_map(|name| ordinal_of(name))
        .collect();
    ordinals.sort_unstable();
    Ok(ordinals)
}

/// A segment that is ready to take records.
pub(crate) struct Ready {
    pub header: SegmentHeader,
    pub file: Box<dyn File>,
    /// How long the file is.
    pub bytes: u64,
}

impl Ready {
    /// Lengthens a segment that holds no record yet. Its header stays as it is, so that a crash at
    /// any point leaves a segment.
    pub fn grow(&mut self, bytes: u64) -> Result<(), AppendError> {
        let bytes = bytes.next_multiple_of(HEADER_BYTES);
        if bytes > self.bytes {
            let name = file_name(self.header.ordinal);
            zero(&*self.file, self.bytes, bytes - self.bytes)
                .map_err(|error| AppendError::from_write("lengthen", &name, &error))?;
            let synced = self.file.sync();
            synced.map_err(|error| AppendError::from_sync("sync", &name, &error))?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

/// Makes a segment ready: zeros to its end, header, both synced, directory synced. One that is
/// already there must hold no record and have the same header or none; it is made again. A crash at
/// any point leaves either a segment or what [`is_unfinished`] recognises.
pub(crate) fn make_ready(disk: &dyn Disk, header: SegmentHeader) -> Result<Ready, AppendError> {
    let name = file_name(header.ordinal);
    let file = disk
        .open(&name, Mode::Create)
        .map_err(|error| AppendError::from_open("make", &name, &error))?;
    let preallocate = |error| AppendError::from_write("preallocate", &name, &error);
    let sync = || {
        file.sync()
            .map_err(|error| AppendError::from_sync("sync", &name, &error))
    };
    let found = file.bytes().map_err(preallocate)?;
    let bytes = found.max(header.bytes);
    let kept = found == bytes && planted(Bug::UsedUnzeroed);
    let start = if kept { bytes } else { HEADER_BYTES };
    // Piece by piece: whoever syncs records meanwhile waits for what this sync has to write.
    let filler = disk
        .open(&name, Mode::Fill)
        .map_err(|error| AppendError::from_open("preallocate", &name, &error))?;
    for offset in (start..bytes).step_by(CHUNK_BYTES as usize) {
        let piece = CHUNK_BYTES.min(bytes - offset);
        let filled = match zero(&*filler, offset, piece) {
            Err(error) if NOT_DIRECT.contains(&error.kind()) => zero(&*file, offset, piece),
            filled => filled,
        };
        filled.map_err(preallocate)?;
        sync()?;
    }
    write_whole_at(&*file, &header.encode(), 0)
        .map_err(|error| AppendError::from_write("write the header of", &name, &error))?;
    sync()?;
    if !planted(Bug::EntryUnsynced) {
        disk.sync_dir()
            .map_err(|error| AppendError::from_sync("sync the directory of", &name, &error))?;
    }
    Ok(Ready {
        header,
        file,
        bytes,
    })
}

/// In whole pages, as [`Mode::Fill`] wants it.
#[repr(align(4096))]
struct Zeros([u8; CHUNK_BYTES as usize]);

/// Writes zeros over a part of a file; the caller syncs.
pub(crate) fn zero(file: &dyn File, offset: u64, bytes: u64) -> io::Result<()> {
    static ZEROS: Zeros = Zeros([0; CHUNK_BYTES as usize]);
    let mut done = 0;
    while done < bytes {
        let length = CHUNK_BYTES.min(bytes - done);
        write_whole_at(file, &ZEROS.0[..length as usize], offset + done)?;
        done += length;
    }
    Ok(())
}

/// Clears away a record that does not count, of which `clear` makes zeros of so many bytes at an offset, durably. After
/// each step it is unfinished, whatever lands of the next, and be it parts of sectors: first it has no end any
/// more, then nothing but a header, then nothing.
pub(crate) fn clear_record<E>(
    from: u64,
    to: u64,
    clear: impl Fn(u64, u64) -> Result<(), E>,
) -> Result<(), E> {
    if planted(Bug::ClearedAtOnce) {
        return clear(from, to - from);
    }
    clear(to - 1, 1)?;
    let body = (from + RECORD_HEADER_BYTES as u64).min(to);
    if body < to {
        clear(body, to - body)?;
    }
    clear(from, body - from)
}

/// What the beginning of a segment file says.
pub(crate) enum Beginning {
    Header(SegmentHeader),
    Flawed(HeaderFlaw),
}

pub(crate) fn read_header(file: &dyn File) -> io::Result<Beginning> {
    let mut bytes = [0; HEADER_BYTES as usize];
    match read_exact_at(file, &mut bytes, 0) {
        Ok(()) => Ok(match SegmentHeader::decode(&bytes) {
            Ok(header) => Beginning::Header(header),
            Err(flaw) => Beginning::Flawed(flaw),
        }),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            // The header is written after the file has its length, so a short file has none yet.
            let zero = nonzero_end(file, 0, file.bytes()?)?.is_none();
            let flaw = if zero {
                HeaderFlaw::Unfinished
            } else {
                HeaderFlaw::Damaged
            };
            Ok(Beginning::Flawed(flaw))
        }
        Err(error) => Err(error),
    }
}

/// Whether a file without a whole header is a segment whose making was interrupted: then nothing
/// was ever written behind the header.
pub(crate) fn is_unfinished(file: &dyn File, flaw: HeaderFlaw) -> io::Result<bool> {
    Ok(flaw == HeaderFlaw::Unfinished && nonzero_end(file, HEADER_BYTES, file.bytes()?)?.is_none())
}

/// Where the last byte that is not zero ends between `from` and `to`; `None` if all are zero.
pub(crate) fn nonzero_end(file: &dyn File, from: u64, to: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; CHUNK_BYTES.min(to.saturating_sub(from)) as usize];
    let mut end = None;
    let mut offset = from;
    while offset < to {
        let length = buffer.len().min((to - offset) as usize);
        let chunk = &mut buffer[..length];
        read_exact_at(file, chunk, offset)?;
        if !is_zero(chunk) {
            let last = chunk.iter().rposition(|byte| *byte != 0);
            end = last.map(|last| offset + last as u64 + 1);
        }
        offset += length as u64;
    }
    Ok(end)
}

/// The header of a segment to come.
pub(crate) fn header_for(ordinal: u64, base_seq: Seq, bytes: u64) -> SegmentHeader {
    let bytes = bytes.max(2 * HEADER_BYTES).next_multiple_of(HEADER_BYTES);
    SegmentHeader {
        ordinal,
        base_seq,
        bytes,
    }
}
