//! The checksums of the tree's files that the tree itself takes on trust.
//!
//! ```text
//!   current      number of the manifest u64 · XXH3-128 of the manifest · type u8
//!   v<n>         the manifest, an archive: its part "tables" names the tables, with XXH3-128 of each
//!   tables/<n>   an archive of blocks; each block carries a checksum
//!   archive      parts · contents ("TOC!", count u32, then position, length, name of each part)
//!                · trailer ("SFA!", version, type, XXH3-128 of the contents, their position, length)
//! ```
//!
//! The tree verifies the XXH3-128 of every block it reads from disk, index and filter blocks
//! included: a flipped bit in one is an error of that read. It does not verify `current` nor the
//! manifest, where one would drop tables, or hide newer entries behind older ones, in silence; and
//! it makes room for an archive's contents before it checks them. So both are checked here before
//! it is opened. This file knows the layout of lsm-tree 3 and nothing of what is in the blocks.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use ordain_types::{Bug, planted};

use super::format::io_error;
use crate::Error;

const TRAILER_BYTES: usize = 4 + 1 + 1 + 16 + 8 + 8;
/// More than any archive of the tree has for contents.
const CONTENTS_BYTES_MAX: usize = 1 << 20;
const CURRENT_BYTES: usize = 8 + 16 + 1;

/// Checks the manifest, and that each table it names is there and its contents are whole.
pub(super) fn check(tree: &Path) -> Result<(), Error> {
    for table in tables(tree)? {
        let mut file = File::open(&table.path).map_err(read_error(&table.path))?;
        contents(&mut file).map_err(read_error(&table.path))?;
    }
    Ok(())
}

/// Reads every table from end to end and compares it with the checksum the manifest tells.
pub(super) fn verify(tree: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), Error> {
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    for table in tables(tree)? {
        let mut file = File::open(&table.path).map_err(read_error(&table.path))?;
        let mut hasher = Xxh3Default::new();
        loop {
            let read = file.read(&mut buffer).map_err(read_error(&table.path))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            done += read as u64;
            progress(done);
        }
        if hasher.digest128() != table.checksum {
            return Err(damaged(&table.path, "its checksum is wrong"));
        }
    }
    Ok(())
}

struct Table {
    path: PathBuf,
    checksum: u128,
}

/// The tables of the manifest in force.
fn tables(tree: &Path) -> Result<Vec<Table>, Error> {
    let path = tree.join("current");
    let current = fs::read(&path).map_err(read_error(&path))?;
    let Ok(current) = <[u8; CURRENT_BYTES]>::try_from(current) else {
        return Err(damaged(&path, "it has not the right length"));
    };
    let mut fields = Fields(&current);
    let (Some(id), Some(checksum), Some(0)) = (fields.u64(), fields.u128(), fields.u8()) else {
        return Err(damaged(&path, "its checksum has an unknown type"));
    };
    let path = tree.join(format!("v{id}"));
    let manifest = fs::read(&path).map_err(read_error(&path))?;
    if xxh3_128(&manifest) != checksum && !planted(Bug::ManifestUnchecked) {
        return Err(damaged(
            &path,
            "its checksum is not the one `current` tells",
        ));
    }
    let parts = contents(&mut io::Cursor::new(&manifest)).map_err(read_error(&path))?;
    let listed = part(&parts, b"tables").and_then(|(at, length)| {
        let end = at.checked_add(length)?;
        parse_tables(
            manifest.get(at as usize..end as usize)?,
            &tree.join("tables"),
        )
    });
    listed.ok_or_else(|| damaged(&path, "it does not list its tables"))
}

/// Levels u8, of each: runs u8, of each: tables u32, of each: number, type, checksum, offset.
fn parse_tables(bytes: &[u8], dir: &Path) -> Option<Vec<Table>> {
    let mut fields = Fields(bytes);
    let mut tables = Vec::new();
    for _ in 0..fields.u8()? {
        for _ in 0..fields.u8()? {
            for _ in 0..fields.u32()? {
                let path = dir.join(fields.u64()?.to_string());
                let (0, checksum, _) = (fields.u8()?, fields.u128()?, fields.u64()?) else {
                    return None;
                };
                tables.push(Table { path, checksum });
            }
        }
    }
    Some(tables)
}

/// An archive's contents, verified.
fn contents(file: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let unsound = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let end = file.seek(SeekFrom::End(0))?;
    let Some(trailer_at) = end.checked_sub(TRAILER_BYTES as u64) else {
        return Err(unsound("it is cut short"));
    };
    file.seek(SeekFrom::Start(trailer_at))?;
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact(&mut trailer)?;
    let mut fields = Fields(&trailer);
    let (Some(b"SFA!"), Some(1), Some(0), Some(checksum), Some(at), Some(length)) = (
        fields.take(),
        fields.u8(),
        fields.u8(),
        fields.u128(),
        fields.u64(),
        fields.u64(),
    ) else {
        return Err(unsound("its trailer is not one"));
    };
    if length > CONTENTS_BYTES_MAX as u64 || at.checked_add(length) != Some(trailer_at) {
        return Err(unsound("its trailer points nowhere"));
    }
    file.seek(SeekFrom::Start(at))?;
    let mut contents = vec![0; length as usize];
    file.read_exact(&mut contents)?;
    match xxh3_128(&contents) == checksum {
        true => Ok(contents),
        false => Err(unsound("the checksum of its contents is wrong")),
    }
}

/// Where a part is, and how long.
fn part(contents: &[u8], name: &[u8]) -> Option<(u64, u64)> {
    let mut fields = Fields(contents);
    fields.take::<4>()?;
    for _ in 0..fields.u32()? {
        let (at, length) = (fields.u64()?, fields.u64()?);
        let name_length = u16::from_le_bytes(*fields.take()?);
        let (found, rest) = fields.0.split_at_checked(name_length.into())?;
        fields = Fields(rest);
        if found == name {
            return Some((at, length));
        }
    }
    None
}

/// Little-endian numbers off the front of bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(|&[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().copied().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().copied().map(u64::from_le_bytes)
    }

    fn u128(&mut self) -> Option<u128> {
        self.take().copied().map(u128::from_le_bytes)
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::Damaged {
        path: path.into(),
        what: what.into(),
    }
}

/// A file that is missing or shorter than it says is damage; other errors are the disk's.
fn read_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    move |error| match error.kind() {
        NotFound | UnexpectedEof | InvalidData => damaged(path, &error.to_string()),
        _ => io_error("read", path)(error),
    }
}
