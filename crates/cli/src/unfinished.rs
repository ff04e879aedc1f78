//! A file that gets its name once it is whole. Until then it is `NAME.unfinished` beside it, which is
//! removed again if the work fails or a signal ends the program.

use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::exit::{Exit, Failure};
use crate::output::tell;
use crate::signals::Signals;

/// A file on its way to its name.
pub struct Unfinished {
    path: PathBuf,
    replace: bool,
    /// The bytes so far. Locked, so that no other program takes it for one that nobody writes any more.
    pub file: File,
    bytes: Arc<Mutex<Bytes>>,
}

/// Where its bytes are.
enum Bytes {
    /// Here, until they have their name.
    Unfinished(PathBuf),
    /// At their name, durably.
    Finished,
    /// Nowhere any more, or at their name and perhaps not durably.
    Gone,
}

impl Unfinished {
    /// Begins a file for `path`; with `replace`, in place of the one that is there. What an earlier try
    /// left unfinished, which was killed, is replaced.
    ///
    /// # Errors
    /// If there is something that must not be replaced, or the system refuses.
    pub fn begin(path: &Path, replace: bool) -> Result<Self, Failure> {
        check(path, replace)?;
        let beside = beside(path)?;
        check(&beside, true)?;
        let file = lock(&beside).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Failure::new(
                Exit::Failed,
                format!(
                    "another program is writing {}; wait for it",
                    beside.display()
                ),
            ),
            _ => Failure::file("write", &beside, &error),
        })?;
        let begun = Self {
            path: path.to_owned(),
            replace,
            file,
            bytes: Arc::new(Mutex::new(Bytes::Unfinished(beside.clone()))),
        };
        let failed = |error| Failure::file("write", &beside, &error);
        begun.file.set_len(0).map_err(failed)?;
        begun.remove_at_signals().map_err(failed)?;
        Ok(begun)
    }

    /// Where the bytes are until the end.
    pub fn place(&self) -> PathBuf {
        match &*lock_bytes(&self.bytes) {
            Bytes::Unfinished(place) => place.clone(),
            Bytes::Finished | Bytes::Gone => unreachable!("it is finished only once"),
        }
    }

    /// Gives the file its name, durably. Its bytes are synced already.
    ///
    /// # Errors
    /// If something came to be there meanwhile, or the system refuses.
    pub fn finish(self) -> Result<(), Failure> {
        check(&self.path, self.replace)?;
        // A signal comes before the name or after it, never between.
        let mut bytes = lock_bytes(&self.bytes);
        let Bytes::Unfinished(from) = &*bytes else {
            unreachable!("it is finished only once");
        };
        let failed = |error| Failure::file("write", &self.path, &error);
        match self.replace {
            true => fs::rename(from, &self.path).map_err(failed)?,
            false => rename_to_nothing(from, &self.path).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => there_already(&self.path),
                _ => failed(error),
            })?,
        }
        *bytes = Bytes::Gone;
        sync_parent(&self.path).map_err(failed)?;
        *bytes = Bytes::Finished;
        Ok(())
    }

    /// A signal that would end the program ends it after the file is removed; once the file has its name, with the
    /// code of what is done, since nobody may ever read what is left to be said.
    fn remove_at_signals(&self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut signals = {
            let _within = runtime.enter();
            Signals::new()?
        };
        let (path, bytes) = (self.path.clone(), self.bytes.clone());
        let wait = move || {
            runtime.block_on(signals.next());
            // Held until the end of the process: nobody gives the file its name now.
            let mut bytes = lock_bytes(&bytes);
            let path = path.display();
            let exit = match std::mem::replace(&mut *bytes, Bytes::Gone) {
                Bytes::Unfinished(unfinished) => {
                    let _ = fs::remove_file(unfinished);
                    tell(format_args!("interrupted; {path} is not written"));
                    Exit::Failed
                }
                Bytes::Finished => {
                    tell(format_args!("interrupted; {path} is written"));
                    Exit::Done
                }
                Bytes::Gone => Exit::Failed,
            };
            std::process::exit(i32::from(exit.code()));
        };
        std::thread::Builder::new().spawn(wait).map(drop)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut bytes = lock_bytes(&self.bytes);
        if let Bytes::Unfinished(place) = &*bytes {
            // Of no use to anyone; that it cannot be removed is less than why there is no whole one.
            let _ = fs::remove_file(place);
            *bytes = Bytes::Gone;
        }
    }
}

fn lock_bytes(bytes: &Mutex<Bytes>) -> MutexGuard<'_, Bytes> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a file may come to be at `path`. A symbolic link is not followed: what it leads to was not
/// named, and may be anything.
fn check(path: &Path, replace: bool) -> Result<(), Failure> {
    let shown = path.display();
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file("write", path, &error)),
    };
    match (there.is_file(), replace) {
        (true, true) => Ok(()),
        (true, false) => Err(there_already(path)),
        (false, _) => Err(Failure::usage(format!(
            "{shown} is {}, which is never replaced; name a file",
            kind(there)
        ))),
    }
}

fn there_already(path: &Path) -> Failure {
    let shown = path.display();
    Failure::usage(format!("{shown} is there already; --force replaces it"))
}

/// Renames a file if there is nothing of the new name, in one step where the file system can.
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    let renamed = renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
    match renamed {
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

fn kind(there: FileType) -> &'static str {
    match there {
        there if there.is_symlink() => "a symbolic link",
        there if there.is_dir() => "a directory",
        there if there.is_fifo() => "a pipe",
        there if there.is_socket() => "a socket",
        there if there.is_block_device() || there.is_char_device() => "a device",
        _ => "no file",
    }
}

fn beside(path: &Path) -> Result<PathBuf, Failure> {
    let name = path
        .file_name()
        .filter(|_| !path.as_os_str().as_bytes().ends_with(b"/"));
    let Some(name) = name else {
        let message = format!("{} names no file", path.display());
        return Err(Failure::usage(message));
    };
    let mut name = name.to_owned();
    name.push(".unfinished");
    Ok(path.with_file_name(name))
}

/// Opens it, and makes it if it is not there; the bytes of an earlier one stay until it is locked.
fn lock(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.custom_flags(flags.bits() as i32).open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    file.try_lock().map_err(io::Error::from)?;
    // Whoever had it locked may have given it its name in between.
    let there = fs::symlink_metadata(path)?;
    match (there.dev(), there.ino()) == (opened.dev(), opened.ino()) {
        true => Ok(file),
        false => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Makes the new name durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent();
    match parent.filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_renamed_over_what_came_to_be_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "other").unwrap();
        let error = rename_to_nothing(&from, &to).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&to).unwrap(), b"other");
        fs::remove_file(&to).unwrap();
        rename_to_nothing(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
    }
}
