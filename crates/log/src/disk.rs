//! The one seam of this crate: a flat directory of files that can be written at an offset and
//! synced. It knows nothing of segments and records.
//!
//! Two implementations: [`Dir`], a real directory, and [`MemoryDisk`], which forgets what was not
//! synced when it is told to lose power, and fails when it is told to fail.

use std::io;

mod dir;
mod memory;

pub use dir::Dir;
pub use memory::{Counts, Fault, MemoryDisk};

/// A directory of files. All methods may be called from several threads.
pub trait Disk: Send + Sync {
    /// The names of the files in the directory, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file. [`Mode::Create`] makes an empty one if there is none; the others answer
    /// `NotFound`. The new entry is durable only after [`Disk::sync_dir`].
    fn open(&self, name: &str, mode: Mode) -> io::Result<Box<dyn File>>;

    /// Removes a file's entry; durable only after [`Disk::sync_dir`]. Open handles stay usable.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all entries made and removed so far durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For reading only.
    Read,
    /// For reading and writing; the file must exist.
    Write,
    /// For reading and writing; made if missing, never truncated.
    Create,
    /// For writing whole pages, from memory in whole pages, that nobody reads soon; the file must exist. Where the
    /// system can, they do not pass through its memory. Where it cannot after all, a write answers
    /// `InvalidInput` or `Unsupported`.
    Fill,
}

/// An open file.
pub trait File: Send + Sync {
    /// The file's length.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads into `buffer` from `offset`; answers how many bytes were read, 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes `bytes` at `offset`, in one call to the system, growing the file if needed; answers
    /// how many were written. Readers see them at once, a power loss may lose them.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes everything written to this file so far durable (`fdatasync`). After an error, what was
    /// written may never become durable, whatever a later call answers.
    fn sync(&self) -> io::Result<()>;
}

/// Fills `buffer` from `offset`, or fails with `UnexpectedEof`.
pub(crate) fn read_exact_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    Ok(())
}

/// Writes all of `bytes` in one write; a short one is an error of kind `WriteZero`.
pub(crate) fn write_whole_at(file: &dyn File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let written = file.write_at(bytes, offset)?;
    if written < bytes.len() {
        let reason = format!("only {written} of {} bytes were written", bytes.len());
        return Err(io::Error::new(io::ErrorKind::WriteZero, reason));
    }
    Ok(())
}
