//! Where in a log's files commands of each kind lie: by what `ordain log dump` prints, and by the page that says what
//! a segment is (log/src/format.rs).

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::server::Setup;

/// Records begin at multiples of this, after a header of the segment.
const ALIGN: usize = 32;
const SEGMENT_HEADER_BYTES: usize = 4_096;
/// What a record begins with, and how long its header is.
const MAGIC: &[u8] = b"OREC";
const HEADER_BYTES: usize = 32;

/// A record that holds a command of a kind.
#[derive(Debug, Clone)]
pub struct Place {
    /// The kind, as `log dump` calls it.
    pub kind: String,
    /// The command.
    pub seq: u64,
    /// The segment.
    pub file: PathBuf,
    /// Where in it the header lies, and where what was appended.
    pub header: Range<u64>,
    pub payload: Range<u64>,
}

/// Of each kind the last command that the log of this directory holds.
///
/// # Errors
/// If the log cannot be printed or read.
pub fn last_of_each_kind(setup: &Setup, dir: &Path) -> anyhow::Result<Vec<Place>> {
    let records = records(&dir.join("log"))?;
    let mut places = Vec::new();
    for (kind, seq) in kinds(setup, dir)? {
        let holds = |record: &&Record| record.seqs.contains(&seq);
        let record = records.iter().find(holds);
        let record = record.with_context(|| format!("no record holds the {kind} of seq {seq}"))?;
        let payload = record.at + HEADER_BYTES as u64;
        places.push(Place {
            kind,
            seq,
            file: record.file.clone(),
            header: record.at..payload,
            payload: payload..payload + record.payload_bytes,
        });
    }
    Ok(places)
}

/// A line of `log dump`.
#[derive(Deserialize)]
struct Line {
    seq: u64,
    command: String,
}

/// The kinds there are, and the last command of each.
fn kinds(setup: &Setup, dir: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let dir = dir.to_str().context("a path is no text")?;
    let done = setup.command(&["log", "dump", "--dir", dir]).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "the log cannot be printed: {said}");
    let lines = String::from_utf8(done.stdout)?;
    let lines = lines.lines().map(serde_json::from_str::<Line>);
    let seqs = lines.map(|line| line.map(|line| (line.command, line.seq)));
    Ok(seqs.collect::<Result<_, _>>()?)
}

struct Record {
    file: PathBuf,
    at: u64,
    payload_bytes: u64,
    seqs: Range<u64>,
}

fn records(log: &Path) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for entry in fs::read_dir(log)? {
        let file = entry?.path();
        if file.extension().is_none_or(|it| it != "segment") {
            continue;
        }
        let bytes = fs::read(&file)?;
        let mut at = SEGMENT_HEADER_BYTES;
        while let Some(header) = bytes.get(at..at + HEADER_BYTES) {
            let number = |from: usize| {
                let bytes = header[from..from + 4].try_into().expect("four bytes");
                u64::from(u32::from_le_bytes(bytes))
            };
            if !header.starts_with(MAGIC) {
                at += ALIGN;
                continue;
            }
            let (payload_bytes, first) = (number(4), number(8) | number(12) << 32);
            records.push(Record {
                file: file.clone(),
                at: at as u64,
                payload_bytes,
                seqs: first..first + number(16),
            });
            at += (HEADER_BYTES + payload_bytes as usize).next_multiple_of(ALIGN);
        }
    }
    Ok(records)
}
