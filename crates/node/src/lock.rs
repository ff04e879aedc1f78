//! The data directory: one process at a time, and only a format this program knows.
//!
//! ```text
//!   DIR/ordain    "ordain data directory, format 2"; locked while a node is open
//!   DIR/log/      segments
//!   DIR/store/    checkpoints
//!   DIR/cache/    machine code of modules; may be removed
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const NAME: &str = "ordain";
/// What is beside the marker, in every format so far.
const PARTS: [&str; 3] = ["log", "store", "cache"];
const TEXT: &str = "ordain data directory, format ";
/// The format this program reads and writes: that of what is in it.
pub use ordain_types::granule::FORMAT;

/// More than any marker has.
const MARKER_BYTES_MAX: u64 = 4_096;

/// What follows in the marker while a restore runs.
const UNFINISHED: &str = "a restore has not ended\n";

/// What the marker of a directory says that is fit for use.
fn sound() -> String {
    format!("{TEXT}{FORMAT}\n")
}

/// A data directory, locked until dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    locked: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    /// Something else has it open.
    #[error(
        "{path} is in use, by another process or another node of this one; stop it first, or choose another \
         directory"
    )]
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
    /// It is Ordain's, and holds other things too.
    #[error(
        "{} is not Ordain's, and {path} is to be cleared: nothing was removed. Move it elsewhere, or choose another \
         directory",
        other.display()
    )]
    Mixed {
        /// The directory.
        path: PathBuf,
        /// The first of what else is in it.
        other: PathBuf,
    },
    /// A restore into it did not end.
    #[error(
        "{path} holds a part of a backup: its restore did not end; remove it and restore again"
    )]
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// What is to say whose it is says something else, or is no file.
    #[error(
        "{} is no data directory's marker, or damaged: it {what}, where it should say `{}`. If the data beside it \
         are whole, write that line to it; otherwise restore a backup, or choose another directory",
        path.display(), sound().trim_end()
    )]
    Marker {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        what: String,
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
    #[error("cannot use the data directory: {path}: {error}")]
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
        Self::open_as(path, "")
    }

    /// The same for a directory that a backup is about to be restored into. If it is new, it is refused
    /// by whoever opens it until [`DataDir::restored`].
    ///
    /// # Errors
    /// As [`DataDir::open`].
    pub(crate) fn restoring(path: &Path) -> Result<Self, DirError> {
        Self::open_as(path, UNFINISHED)
    }

    /// The restore is whole and durable. What said that it was not goes in one step.
    ///
    /// # Errors
    /// If the marker cannot be written.
    pub(crate) fn restored(self) -> Result<(), DirError> {
        let shortened = self.locked.set_len(sound().len() as u64);
        let done = shortened.and_then(|()| self.locked.sync_all());
        done.map_err(|error| DirError::Io {
            path: self.path,
            error,
        })
    }

    fn open_as(path: &Path, new: &str) -> Result<Self, DirError> {
        let io = |error| DirError::Io {
            path: path.to_owned(),
            error,
        };
        let holders = holders(path).map_err(io)?;
        fs::create_dir_all(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io(io::ErrorKind::NotADirectory.into()),
            _ => io(error),
        })?;
        let (mut file, text) = locked(path)?;
        let written = sound();
        if text.is_empty() {
            // Before the marker says anything: what dies until then is done again.
            for dir in std::iter::once(path).chain(holders.iter().map(PathBuf::as_path)) {
                sync(dir).map_err(|error| DirError::Io {
                    path: dir.to_owned(),
                    error,
                })?;
            }
            sync_above(path);
            file.write_all(format!("{written}{new}").as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(io)?;
        } else {
            check_marker(path, &text)?;
        }
        Ok(Self {
            path: path.to_owned(),
            locked: file,
        })
    }

    /// Removes all that a data directory holds, of whatever format and however whole, and leaves it empty.
    /// What says whose it is goes last: begun again, it goes on.
    ///
    /// # Errors
    /// If it is none, is in use or holds other things, for which nothing is removed; or if something in it cannot be.
    pub fn clear(path: &Path) -> Result<(), DirError> {
        let io = |error| DirError::Io {
            path: path.to_owned(),
            error,
        };
        if !path.exists() {
            return Ok(());
        }
        let (_locked, text) = locked(path)?;
        if !text.starts_with(TEXT) && !text.is_empty() {
            check_marker(path, &text)?;
        }
        let parts = parts(path)?;
        // Whoever made the marker and got no further had nothing beside it.
        if text.is_empty() && !parts.is_empty() {
            let path = path.to_owned();
            return Err(DirError::Foreign { path });
        }
        for at in parts {
            let removed = match fs::symlink_metadata(&at).map_err(io)?.is_dir() {
                true => fs::remove_dir_all(&at),
                false => fs::remove_file(&at),
            };
            removed.map_err(|error| DirError::Io { path: at, error })?;
        }
        fs::remove_file(path.join(NAME)).map_err(io)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the log is.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where hosts keep what they make again if it is gone.
    pub fn cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// Where the store is.
    pub fn store(&self) -> PathBuf {
        self.path.join("store")
    }
}

/// The marker of a directory, made if there is nothing at all, locked; and what it says.
fn locked(path: &Path) -> Result<(File, String), DirError> {
    let io = |error| DirError::Io {
        path: path.to_owned(),
        error,
    };
    let marker = path.join(NAME);
    if !marker.exists() && fs::read_dir(path).map_err(io)?.next().is_some() {
        return Err(DirError::Foreign {
            path: path.to_owned(),
        });
    }
    // Opening a pipe would wait for somebody else.
    if fs::metadata(&marker).is_ok_and(|there| !there.is_file()) {
        let what = "is no file".to_owned();
        return Err(DirError::Marker { path: marker, what });
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&marker)
        .map_err(|error| DirError::Io {
            path: marker.clone(),
            error,
        })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            return Err(DirError::InUse {
                path: path.to_owned(),
            });
        }
        Err(fs::TryLockError::Error(error)) => return Err(io(error)),
    }
    let mut text = Vec::new();
    // What has more is none, however much there is of it.
    let read = (&mut file).take(MARKER_BYTES_MAX).read_to_end(&mut text);
    read.map_err(io)?;
    let text = String::from_utf8_lossy(&text);
    Ok((file, text.into_owned()))
}

/// What is beside the marker, which is all to be Ordain's.
fn parts(path: &Path) -> Result<Vec<PathBuf>, DirError> {
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| DirError::Io {
        path: path.to_owned(),
        error,
    })?;
    let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.retain(|name| name != NAME);
    names.sort();
    match names
        .iter()
        .find(|name| PARTS.iter().all(|part| name != part))
    {
        None => Ok(names.iter().map(|name| path.join(name)).collect()),
        Some(other) => Err(DirError::Mixed {
            path: path.to_owned(),
            other: path.join(other),
        }),
    }
}

/// Holds what the marker of a directory says against what it is to say.
fn check_marker(path: &Path, text: &str) -> Result<(), DirError> {
    let sound = sound();
    if text == sound {
        return Ok(());
    }
    if text.strip_prefix(&*sound) == Some(UNFINISHED) {
        return Err(DirError::Unfinished {
            path: path.to_owned(),
        });
    }
    let found = text
        .strip_prefix(TEXT)
        .and_then(|rest| rest.lines().next())
        .filter(|found| found.parse().is_ok_and(|found: u32| found != FORMAT));
    Err(match found {
        Some(found) => DirError::Format {
            path: path.to_owned(),
            found: found.to_owned(),
        },
        None => DirError::Marker {
            path: path.join(NAME),
            what: format!("says {:?}", text.chars().take(60).collect::<String>()),
        },
    })
}

/// The directories in which a new data directory is only durable once they are synced: its parent, and
/// above that those that are missing and the one that holds the first of them.
fn holders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let path = std::path::absolute(path)?;
    let parents = path.ancestors().skip(1).map(Path::to_owned);
    let mut holders: Vec<PathBuf> = Vec::new();
    for parent in parents {
        let there = parent.exists();
        holders.push(parent);
        if there {
            break;
        }
    }
    Ok(holders)
}

/// A directory that may be entered and not read cannot be synced; then its file system must do without.
fn sync(dir: &Path) -> io::Result<()> {
    match File::open(dir) {
        Ok(dir) => dir.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// A start that died may have made any of the directories above. Those it found are as durable as they ever were, and
/// some file systems have nothing to sync: that is no reason not to start.
fn sync_above(path: &Path) {
    let path = std::path::absolute(path);
    for dir in path.iter().flat_map(|path| path.ancestors().skip(2)) {
        let _ = sync(dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_directories_that_are_made_are_made_durable() {
        let dir = tempfile::tempdir().expect("a directory");
        let under = |path: &str| dir.path().join(path);
        assert_eq!(holders(&under("new")).expect("known"), [dir.path()]);
        assert_eq!(
            holders(&under("a/b/new")).expect("known"),
            [under("a/b"), under("a"), dir.path().to_owned()]
        );
        drop(DataDir::open(&under("a/b/new")).expect("a new one"));
        assert_eq!(holders(&under("a/b/new")).expect("known"), [under("a/b")]);
    }

    #[test]
    fn a_restore_that_did_not_end_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(DataDir::restoring(dir.path()).expect("a new one"));
        for open in [DataDir::open, DataDir::restoring] {
            let error = open(dir.path()).expect_err("half a restore");
            assert!(matches!(error, DirError::Unfinished { .. }), "{error}");
        }
        let other = tempfile::tempdir().expect("a directory");
        let restoring = DataDir::restoring(other.path()).expect("a new one");
        restoring.restored().expect("it ended");
        drop(DataDir::open(other.path()).expect("it is whole"));
    }

    #[test]
    fn what_is_cleared_is_a_data_directory_of_any_format_that_nobody_uses() {
        let home = tempfile::tempdir().expect("a directory");
        let (dir, marker) = (home.path().join("data"), home.path().join("data/ordain"));
        DataDir::clear(&dir).expect("nothing is there");
        let left = || fs::read_dir(&dir).expect("it is there").count();
        for format in ["1", "2", "77", "2\na restore has not ended"] {
            fs::create_dir_all(dir.join("log/a")).expect("it is made");
            fs::write(dir.join("log/a/b"), "x").expect("it is written");
            fs::write(&marker, format!("{TEXT}{format}\n")).expect("it is written");
            DataDir::clear(&dir).expect("it goes");
            assert_eq!(left(), 0, "{format}");
        }
        let used = DataDir::open(&dir).expect("a new one");
        let error = DataDir::clear(&dir).expect_err("it is in use");
        assert!(matches!(error, DirError::InUse { .. }), "{error}");
        drop(used);
        fs::create_dir_all(dir.join("log")).expect("it is made");
        for other in ["bank.ts", "zoo"] {
            fs::write(dir.join(other), "x").expect("it is written");
            let error = DataDir::clear(&dir).expect_err("one is another's");
            let said = error.to_string();
            assert!(
                said.starts_with(&format!("{}/bank.ts is not Ordain's", dir.display())),
                "{said}"
            );
        }
        assert_eq!(left(), 4, "nothing is removed");
        for other in ["bank.ts", "zoo"] {
            fs::remove_file(dir.join(other)).expect("it is there");
        }
        DataDir::clear(&dir).expect("all is Ordain's");
        fs::write(dir.join("mine"), "x").expect("it is written");
        for text in ["", "#!/bin/sh\n"] {
            fs::write(&marker, text).expect("it is written");
            DataDir::clear(&dir).expect_err("it is another's");
            assert_eq!(left(), 2, "{text}");
        }
        fs::remove_file(&marker).expect("it was there");
        DataDir::clear(&dir).expect_err("it is another's");
        assert_eq!(left(), 1);
    }

    #[test]
    fn a_marker_that_says_something_else_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        drop(DataDir::open(dir.path()).expect("a new one"));
        let marker = dir.path().join(NAME);
        let mut bytes = fs::read(&marker).expect("it is there");
        bytes[25] ^= 0x80;
        fs::write(&marker, &bytes).expect("it is written");
        let error = DataDir::open(dir.path()).expect_err("it is damaged");
        assert!(matches!(error, DirError::Marker { .. }), "{error}");
        assert_eq!(fs::read(&marker).expect("it is there"), bytes);
        for text in [
            &b"ordain data dir"[..],
            b"ordain data directory, format 2",
            &[b'x'; 9_999],
        ] {
            fs::write(&marker, text).expect("it is written");
            let error = DataDir::open(dir.path()).expect_err("it says less, or more");
            assert!(matches!(error, DirError::Marker { .. }), "{error}");
            assert!(!error.to_string().contains("this program knows"), "{error}");
        }
        for other in ["1", "3", "77"] {
            fs::write(&marker, format!("{TEXT}{other}\n")).expect("it is written");
            let error = DataDir::open(dir.path()).expect_err("another format");
            assert!(matches!(error, DirError::Format { .. }), "{error}");
        }
        fs::remove_file(&marker).expect("it was there");
        fs::create_dir(&marker).expect("its place is free");
        let error = DataDir::open(dir.path()).expect_err("no file");
        assert!(error.to_string().contains("it is no file"), "{error}");
    }
}
