//! The data directory: one process at a time, and only a format this program knows.
//!
//! ```text
//!   DIR/ordain    "ordain data directory, format 1"; locked while a node is open
//!   DIR/log/      segments
//!   DIR/store/    checkpoints
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const NAME: &str = "ordain";
const TEXT: &str = "ordain data directory, format ";
/// The format this program reads and writes.
pub const FORMAT: u32 = 1;

/// A data directory, locked until dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _locked: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Something else has it open.
    #[error("{path} is in use by another process; stop it first, or choose another directory")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It holds other things.
    #[error("{path} is not empty and not an Ordain data directory; choose an empty directory")]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Another program wrote it.
    #[error(
        "{path} has format {found}, this program knows format {FORMAT}; use a matching version of Ordain"
    )]
    Format {
        /// The directory.
        path: PathBuf,
        /// As it says.
        found: String,
    },
    /// The file system said no.
    #[error("{path}: {error}")]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl DataDir {
    /// Opens or creates, checks and locks.
    ///
    /// # Errors
    /// Why it cannot be used; nothing is changed then.
    pub fn open(path: &Path) -> Result<Self, DirError> {
        let io = |error| DirError::Io {
            path: path.to_owned(),
            error,
        };
        fs::create_dir_all(path).map_err(io)?;
        let marker = path.join(NAME);
        if !marker.exists() && fs::read_dir(path).map_err(io)?.next().is_some() {
            return Err(DirError::Foreign {
                path: path.to_owned(),
            });
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&marker)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(DirError::InUse {
                    path: path.to_owned(),
                });
            }
            Err(fs::TryLockError::Error(error)) => return Err(io(error)),
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(io)?;
        let written = format!("{TEXT}{FORMAT}\n");
        if text.is_empty() {
            file.write_all(written.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(io)?;
            File::open(path)
                .and_then(|dir| dir.sync_all())
                .map_err(io)?;
        } else if text != written {
            let found = text
                .trim()
                .strip_prefix(TEXT)
                .unwrap_or("unknown")
                .to_owned();
            return Err(DirError::Format {
                path: path.to_owned(),
                found,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            _locked: file,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the store is.
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }
}
