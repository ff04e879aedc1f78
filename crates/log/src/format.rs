//! The bytes on disk: segment header, record, `acked`. It encodes and decodes slices; it
//! refuses to know files.
//!
//! All numbers are little-endian. A segment is a header of 4 KiB, records, and zeros to its end:
//!
//! ```text
//! header   0 "ORDAINLG"   8 version u32    12 zero u32     16 ordinal u64   24 base seq u64
//!         32 size u64    40 a sentence for whoever opens the file in an editor, zeros
//!        504 CRC-32C of 0..504            508 zeros       511 end mark     512 zeros to 4096
//!
//! record   0 "OREC"       4 payload length u32             8 first seq u64
//!         16 count u32   20 zero sectors u32              24 CRC-32C of 32..end
//!         28 CRC-32C of 0..28, ordinal, offset            32 payload, zeros, end mark
//!
//! acked    0 "ORDACKED"   8 version u32    12 settled u32  16 seq u64       24 CRC-32C of 0..24
//! ```
//!
//! Records begin at multiples of 32, so a record's header lies in one sector. The end mark is
//! the last byte of the record and never zero: if it is, the end of the record never landed. The
//! zero sectors are those the record itself fills with zeros; if more are zero, some never landed.

use ordain_types::{Bug, Seq, planted};

/// The version of the files this program writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;

/// The largest payload a record takes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 30;

pub(crate) const SECTOR_BYTES: u64 = 512;
pub(crate) const HEADER_BYTES: u64 = 4096;
pub(crate) const RECORD_ALIGN: u64 = 32;
pub(crate) const RECORD_HEADER_BYTES: usize = 32;
pub(crate) const ACKED_BYTES: usize = 28;

// A record's header must not straddle a sector, and records begin right after the segment's header.
const _: () = assert!(SECTOR_BYTES.is_multiple_of(RECORD_ALIGN));
const _: () = assert!(RECORD_HEADER_BYTES as u64 == RECORD_ALIGN);
const _: () = assert!(HEADER_BYTES.is_multiple_of(SECTOR_BYTES));
const _: () = assert!(PAYLOAD_BYTES_MAX < u32::MAX as usize - RECORD_HEADER_BYTES);

const SEGMENT_MAGIC: &[u8; 8] = b"ORDAINLG";
const RECORD_MAGIC: &[u8; 4] = b"OREC";
const ACKED_MAGIC: &[u8; 8] = b"ORDACKED";
const END_MARK: u8 = 0xE5;
const NOTE: &[u8] = b"A segment of an Ordain log. Do not edit; read it with: ordain log dump\n";
const NOTE_AT: usize = 40;
const CRC_AT: usize = 504;
const END_AT: usize = 511;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// The segment's number, counted from 1; also its file's name.
    pub ordinal: u64,
    /// No seq before this one is in the segment. Exact for a log's very first segment.
    pub base_seq: Seq,
    /// How long the file was made, zeros included. It may have grown since, for a large record.
    pub bytes: u64,
}

/// Why the first bytes of a file are not a segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFlaw {
    Foreign,
    Newer {
        version: u32,
    },
    /// Nothing or only the beginning of it was written.
    Unfinished,
    Damaged,
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.ordinal.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.base_seq.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[NOTE_AT..NOTE_AT + NOTE.len()].copy_from_slice(NOTE);
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        bytes[END_AT] = END_MARK;
        bytes
    }

    pub fn decode(bytes: &[u8; HEADER_BYTES as usize]) -> Result<SegmentHeader, HeaderFlaw> {
        let complete = bytes[..8] == *SEGMENT_MAGIC;
        if !complete && !is_beginning(&bytes[..8], SEGMENT_MAGIC) {
            return Err(HeaderFlaw::Foreign);
        }
        let version = u32_at(bytes, 8);
        if complete && version > FORMAT_VERSION {
            return Err(HeaderFlaw::Newer { version });
        }
        if bytes[END_AT] == 0 {
            return Err(HeaderFlaw::Unfinished);
        }
        let header = SegmentHeader {
            ordinal: u64_at(bytes, 16),
            base_seq: Seq(u64_at(bytes, 24)),
            bytes: u64_at(bytes, 32),
        };
        // The encoding is canonical: whatever else a byte may say is damage.
        let intact = header.encode() == bytes && header.bytes > HEADER_BYTES;
        if intact && header.ordinal > 0 && header.base_seq > Seq::ZERO {
            Ok(header)
        } else {
            Err(HeaderFlaw::Damaged)
        }
    }
}

/// Where a record lies; part of its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub ordinal: u64,
    pub offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub payload_bytes: u32,
    pub first_seq: Seq,
    pub count: u32,
    pub zero_sectors: u32,
    pub body_crc: u32,
}

impl RecordHeader {
    /// `None` if these are not the intact bytes of a record's header at this place.
    pub fn decode(bytes: &[u8], place: Place) -> Option<RecordHeader> {
        let checked = u32_at(bytes, 28) == header_crc(bytes, place);
        let intact = bytes[..4] == *RECORD_MAGIC && (checked || planted(Bug::HeaderUnchecked));
        if !intact {
            return None;
        }
        let header = RecordHeader {
            payload_bytes: u32_at(bytes, 4),
            first_seq: Seq(u64_at(bytes, 8)),
            count: u32_at(bytes, 16),
            zero_sectors: u32_at(bytes, 20),
            body_crc: u32_at(bytes, 24),
        };
        let range = header.first_seq.0.checked_add(header.count.into());
        (header.count > 0 && range.is_some()).then_some(header)
    }

    pub fn last_seq(&self) -> Seq {
        Seq(self.first_seq.0 + u64::from(self.count) - 1)
    }

    /// How many bytes the whole record takes.
    pub fn record_bytes(&self) -> u64 {
        record_bytes(self.payload_bytes as usize)
    }

    /// Whether `record`, header included, is complete and intact.
    pub fn matches(&self, record: &[u8]) -> bool {
        crc32c::crc32c(&record[RECORD_HEADER_BYTES..]) == self.body_crc
            || planted(Bug::ContentUnchecked)
    }

    pub fn payload<'a>(&self, record: &'a [u8]) -> &'a [u8] {
        &record[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + self.payload_bytes as usize]
    }

    /// Whether some of `record` never landed: its end, or a sector that is not zero by right.
    pub fn is_unfinished(&self, record: &[u8], offset: u64) -> bool {
        record.last() == Some(&0) || zero_sectors(record, offset) > self.zero_sectors
    }
}

/// How many bytes a record with this payload takes: header, payload, end mark, rounded up.
pub(crate) fn record_bytes(payload_bytes: usize) -> u64 {
    (RECORD_HEADER_BYTES as u64 + payload_bytes as u64 + 1).next_multiple_of(RECORD_ALIGN)
}

/// Puts a whole record into `record`, replacing what it held.
pub(crate) fn encode_record(
    record: &mut Vec<u8>,
    place: Place,
    first_seq: Seq,
    count: u32,
    payload: &[u8],
) {
    record.clear();
    record.extend_from_slice(RECORD_MAGIC);
    record.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    record.extend_from_slice(&first_seq.0.to_le_bytes());
    record.extend_from_slice(&count.to_le_bytes());
    record.resize(RECORD_HEADER_BYTES, 0);
    record.extend_from_slice(payload);
    record.resize(record_bytes(payload.len()) as usize - 1, 0);
    record.push(END_MARK);
    let zero_sectors = zero_sectors(record, place.offset);
    record[20..24].copy_from_slice(&zero_sectors.to_le_bytes());
    let body_crc = crc32c::crc32c(&record[RECORD_HEADER_BYTES..]);
    record[24..28].copy_from_slice(&body_crc.to_le_bytes());
    let crc = header_crc(record, place);
    record[28..32].copy_from_slice(&crc.to_le_bytes());
}

fn header_crc(bytes: &[u8], place: Place) -> u32 {
    let crc = crc32c::crc32c(&bytes[..28]);
    let crc = crc32c::crc32c_append(crc, &place.ordinal.to_le_bytes());
    crc32c::crc32c_append(crc, &place.offset.to_le_bytes())
}

/// How many of the file's sectors that `bytes` touches are zero as far as it touches them.
fn zero_sectors(bytes: &[u8], offset: u64) -> u32 {
    let first = (SECTOR_BYTES - offset % SECTOR_BYTES).min(bytes.len() as u64) as usize;
    let (head, rest) = bytes.split_at(first);
    let zeros = rest
        .chunks(SECTOR_BYTES as usize)
        .filter(|sector| is_zero(sector));
    u32::from(is_zero(head)) + zeros.count() as u32
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; SECTOR_BYTES as usize] = [0; SECTOR_BYTES as usize];
    bytes
        .chunks(ZEROS.len())
        .all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// Whether `bytes` is what a write of `whole` over zeros leaves when it breaks off.
fn is_beginning(bytes: &[u8], whole: &[u8]) -> bool {
    let landed = bytes
        .iter()
        .zip(whole)
        .take_while(|(is, should)| is == should)
        .count();
    is_zero(&bytes[landed..])
}

/// What the file `acked` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AckedNote {
    /// Everything up to here is durable.
    pub seq: Seq,
    /// No write or sync has failed since: what a reader sees of the log is what the disk holds.
    pub settled: bool,
}

pub(crate) fn encode_acked(note: AckedNote) -> [u8; ACKED_BYTES] {
    let mut bytes = [0; ACKED_BYTES];
    bytes[..8].copy_from_slice(ACKED_MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&u32::from(note.settled).to_le_bytes());
    bytes[16..24].copy_from_slice(&note.seq.0.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..24]);
    bytes[24..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// `None` for anything but an intact one: it proves nothing then, as if it were lost.
pub(crate) fn decode_acked(bytes: &[u8; ACKED_BYTES]) -> Option<AckedNote> {
    let note = AckedNote {
        seq: Seq(u64_at(bytes, 16)),
        settled: u32_at(bytes, 12) == 1,
    };
    (encode_acked(note) == *bytes).then_some(note)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
