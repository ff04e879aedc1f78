//! Backups: one file with the whole state as of one seq, taken while the node runs, and data
//! directories made from them.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use ordain_log::Log;
use ordain_log::disk::Dir;
use ordain_store::snapshot::{self, Progress, Summary};
use ordain_store::{DiskStore, Snapshot, Store};
use ordain_types::{Bug, planted};

use crate::lock::{DataDir, DirError};
use crate::node::Node;
use crate::options::Options;
use crate::reply::Unavailable;

/// Why a backup could not be written or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// No checkpoint could be taken.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The state could not be read, or the file not written or read.
    #[error(transparent)]
    Store(#[from] ordain_store::Error),
    /// The directory cannot be used.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The directory holds a node's data already.
    #[error("{0} holds data already; restore into an empty directory")]
    NotEmpty(String),
    /// The log cannot be made.
    #[error(transparent)]
    Log(#[from] ordain_log::OpenError),
    /// The log's directory cannot be used.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

impl Node {
    /// Writes the whole state, as of a checkpoint taken now, while the node goes on. Syncing `out` is
    /// the caller's.
    ///
    /// # Errors
    /// If no checkpoint can be taken or `out` cannot be written.
    pub fn backup(
        &self,
        out: impl Write,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Summary, BackupError> {
        self.begin_backup()?.write(out, progress)
    }

    /// The first part of a backup, which finds out whether there can be one: takes the checkpoint and
    /// holds it fast.
    ///
    /// # Errors
    /// If no checkpoint can be taken.
    pub fn begin_backup(&self) -> Result<Backup, BackupError> {
        if !planted(Bug::BackupStale) {
            self.checkpoint()?;
        }
        let snapshot = self.store().ok_or(Unavailable::Stopping)?.snapshot()?;
        Ok(Backup(snapshot))
    }
}

/// A backup that is begun: the state as of its checkpoint, whatever comes after.
pub struct Backup(Box<dyn Snapshot>);

impl Backup {
    /// Writes it. Syncing `out` is the caller's.
    ///
    /// # Errors
    /// If the state cannot be read or `out` not be written.
    pub fn write(
        self,
        out: impl Write,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Summary, BackupError> {
        Ok(snapshot::write(&*self.0, out, progress)?)
    }
}

/// Makes a data directory from a backup. `dir` must be empty or not exist. The log goes on after the
/// seq of the backup; of the options only the size of its segments counts.
///
/// # Errors
/// If the backup is damaged or the directory cannot be used; a directory whose restore did not end
/// is refused when it is opened.
pub fn restore(
    input: impl Read,
    dir: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, BackupError> {
    let dir = DataDir::restoring(dir)?;
    if dir.log().exists() || dir.store().exists() {
        return Err(BackupError::NotEmpty(dir.path().display().to_string()));
    }
    let store = DiskStore::open(dir.store(), ordain_store::Options::default())?;
    let summary = snapshot::read(input, &store, progress)?;
    let path = dir.log();
    let io = |error| BackupError::Io {
        path: path.display().to_string(),
        error,
    };
    let disk = Arc::new(Dir::open(&path).map_err(io)?);
    let segments = ordain_log::Options {
        segment_bytes: options.segment_bytes,
    };
    Log::create(disk, segments, store.seq().next())?;
    // Neither may be reached by its own handle once another process may open the directory.
    drop(store);
    dir.restored()?;
    Ok(summary)
}
