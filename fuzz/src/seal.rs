//! Checksums of the formats on disk, so that mutations get past them to what they guard, and so that
//! what a decoder gives out can be held against the bytes without asking that decoder.

use xxhash_rust::xxh3::Xxh3Default;

const SEGMENT_HEADER: usize = 4096;
const RECORD_HEADER: usize = 32;
const END_MARK: u8 = 0xE5;

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// A segment file with a right header and what follows it, filled up with zeros.
pub fn segment(ordinal: u64, base_seq: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; SEGMENT_HEADER];
    bytes[..8].copy_from_slice(b"ORDAINLG");
    bytes[8] = 1;
    bytes[16..24].copy_from_slice(&ordinal.to_le_bytes());
    bytes[24..32].copy_from_slice(&base_seq.to_le_bytes());
    let note = b"A segment of an Ordain log. Do not edit; read it with: ordain log dump\n";
    bytes[40..40 + note.len()].copy_from_slice(note);
    let length = (SEGMENT_HEADER + body.len().max(1)).next_multiple_of(SEGMENT_HEADER);
    bytes[32..40].copy_from_slice(&(length as u64).to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..504]);
    bytes[504..508].copy_from_slice(&crc.to_le_bytes());
    bytes[511] = END_MARK;
    bytes.extend_from_slice(body);
    bytes.resize(length, 0);
    bytes
}

/// How long a record is, header and end mark included; none if there is none at `at` or not all of it.
pub fn record_bytes(segment: &[u8], at: usize) -> Option<usize> {
    let header = segment.get(at..at + RECORD_HEADER)?;
    let payload = word(header, 4) as usize;
    let bytes = (RECORD_HEADER + payload + 1).next_multiple_of(RECORD_HEADER);
    (header.starts_with(b"OREC") && at + bytes <= segment.len()).then_some(bytes)
}

/// Puts right the checksums of the first `most` things that look like records.
pub fn records(segment: &mut [u8], ordinal: u64, most: usize) {
    let mut at = SEGMENT_HEADER;
    let mut sealed = 0;
    while at + RECORD_HEADER <= segment.len() && sealed < most {
        match record_bytes(segment, at) {
            None => at += RECORD_HEADER,
            Some(bytes) => {
                let (body, head) = record_sums(segment, at, bytes, ordinal);
                segment[at + 24..at + 28].copy_from_slice(&body.to_le_bytes());
                let head = head.unwrap_or_else(|| header_sum(&segment[at..], ordinal, at));
                segment[at + 28..at + 32].copy_from_slice(&head.to_le_bytes());
                at += bytes;
                sealed += 1;
            }
        }
    }
}

/// The payload of a record whose checksums are right.
pub fn payload(segment: &[u8], at: usize, ordinal: u64) -> Option<&[u8]> {
    let bytes = record_bytes(segment, at)?;
    let (body, head) = record_sums(segment, at, bytes, ordinal);
    let right = word(segment, at + 24) == body && Some(word(segment, at + 28)) == head;
    let payload = at + RECORD_HEADER..at + RECORD_HEADER + word(segment, at + 4) as usize;
    right.then(|| &segment[payload])
}

/// The checksum a record's body has; and its header's, if the header names that body's.
fn record_sums(segment: &[u8], at: usize, bytes: usize, ordinal: u64) -> (u32, Option<u32>) {
    let body = crc32c::crc32c(&segment[at + RECORD_HEADER..at + bytes]);
    let named = word(segment, at + 24) == body;
    (body, named.then(|| header_sum(&segment[at..], ordinal, at)))
}

fn header_sum(header: &[u8], ordinal: u64, at: usize) -> u32 {
    let crc = crc32c::crc32c(&header[..28]);
    let crc = crc32c::crc32c_append(crc, &ordinal.to_le_bytes());
    crc32c::crc32c_append(crc, &(at as u64).to_le_bytes())
}

/// The file `acked`.
pub fn acked(seq: u64, settled: bool) -> Vec<u8> {
    let mut bytes = b"ORDACKED\x01\0\0\0".to_vec();
    bytes.extend_from_slice(&u32::from(settled).to_le_bytes());
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// A snapshot file whose checksums, count and state hash are right, `per_block` entries a block.
pub fn snapshot(seq: u64, entries: &[(&[u8], &[u8])], per_block: usize) -> Vec<u8> {
    let mut out = b"ORDSNAPS\x02\0\0\0".to_vec();
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    let mut hasher = Xxh3Default::new();
    for block in entries.chunks(per_block.max(1)) {
        let mut bytes = Vec::new();
        for (key, value) in block {
            bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
            for part in [key, value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        let length = (bytes.len() as u32).to_le_bytes();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&length), &bytes);
        out.extend_from_slice(&length);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&bytes);
    }
    let mut trailer = vec![0; 4];
    trailer.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    trailer.extend_from_slice(&hasher.digest128().to_le_bytes());
    trailer.extend_from_slice(&crc32c::crc32c(&trailer).to_le_bytes());
    out.extend_from_slice(&trailer);
    out
}
