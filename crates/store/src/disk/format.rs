//! What a store's directory must look like before it is opened: whose it is, in which format, and
//! how far it has come.
//!
//! ```text
//!   STORE    magic "ORDSTORE" · format u32 · state u32 · CRC-32C u32 of all before
//!   LOCK     empty, locked while a process has the store
//!   tree/    the LSM tree
//! ```
//!
//! The first sixteen bytes of the marker keep their meaning in all formats. This file does not know
//! what is in the tree.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use crate::Error;

/// The format this program writes, and the newest it reads.
const FORMAT: u32 = 1;
const MAGIC: &[u8; 8] = b"ORDSTORE";
const MARKER: &str = "STORE";
const MARKER_NEW: &str = "STORE.new";
const LOCK: &str = "LOCK";

/// How far a store's directory has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The tree may be missing or half made: nothing is in it yet.
    Creating,
    /// A restore runs, or did not end.
    Restoring,
    /// Fit for use.
    Ready,
}

/// Whether a store was made there.
pub(super) fn exists(dir: &Path) -> bool {
    dir.join(MARKER).exists()
}

/// Takes the directory for this process until the handle is dropped. Makes it if it is missing;
/// leaves one alone that holds other things.
pub(super) fn lock(dir: &Path) -> Result<File, Error> {
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    if !exists(dir) && !is_bare(dir)? {
        return Err(Error::NotAStore { path: dir.into() });
    }
    let path = dir.join(LOCK);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: dir.into() }),
        Err(TryLockError::Error(source)) => Err(io_error("lock", &path)(source)),
    }
}

/// Whether there is nothing but what a creation cut short leaves behind.
fn is_bare(dir: &Path) -> Result<bool, Error> {
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let name = entry.map_err(io_error("list", dir))?.file_name();
        if name != LOCK && name != MARKER_NEW {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The state the marker tells; none without a marker.
pub(super) fn state(dir: &Path) -> Result<Option<State>, Error> {
    let path = dir.join(MARKER);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("read", &path)(error)),
    };
    let damaged = |what: &str| Error::Damaged {
        path: path.clone(),
        what: what.into(),
    };
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else {
        return Err(damaged("the marker is cut short"));
    };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..8] != MAGIC[..] {
        return Err(damaged("the marker is not one of a store"));
    }
    if rest != crc32c::crc32c(head).to_le_bytes() {
        return Err(damaged("the marker's checksum is wrong"));
    }
    match (word(8), word(12)) {
        (FORMAT, 1) => Ok(Some(State::Creating)),
        (FORMAT, 2) => Ok(Some(State::Restoring)),
        (FORMAT, 3) => Ok(Some(State::Ready)),
        (FORMAT, _) => Err(damaged("the marker tells an unknown state")),
        (found, _) => Err(Error::Newer {
            path: dir.into(),
            found,
            known: FORMAT,
        }),
    }
}

/// Writes the marker, durably and at once.
pub(super) fn set_state(dir: &Path, state: State) -> Result<(), Error> {
    let number: u32 = match state {
        State::Creating => 1,
        State::Restoring => 2,
        State::Ready => 3,
    };
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    let (path, new) = (dir.join(MARKER), dir.join(MARKER_NEW));
    write_synced(&new, &bytes).map_err(io_error("write", &new))?;
    fs::rename(&new, &path).map_err(io_error("replace", &path))?;
    sync_dir(dir)?;
    // A new directory's own name is only durable with its parent.
    match dir.canonicalize().ok().as_deref().and_then(Path::parent) {
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Whether anything can be written here: a file is, and goes again.
pub(super) fn check_writable(dir: &Path) -> Result<(), Error> {
    let path = dir.join(MARKER_NEW);
    write_synced(&path, MAGIC).map_err(io_error("write", &path))?;
    fs::remove_file(&path).map_err(io_error("remove", &path))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir)
        .and_then(|handle| handle.sync_all())
        .map_err(io_error("sync", dir))
}

/// Puts an I/O error into words.
pub(super) fn io_error<'a>(
    attempt: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io {
        attempt,
        path: path.into(),
        source,
    }
}
