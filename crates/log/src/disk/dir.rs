//! A real directory of the file system as a [`Disk`]. It knows the system's calls and nothing of
//! what the files hold.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Disk, File, Mode};

/// A directory of the file system. Who may use it at a time (the lock) is the caller's business.
#[derive(Debug, Clone)]
pub struct Dir {
    path: PathBuf,
    /// Open all the time: a sync of it must not fail for want of a descriptor.
    dir: Arc<fs::File>,
}

impl Dir {
    /// Opens the directory, making it and its parents if they are missing. The entries of the parents
    /// are synced for the directory itself; those above it are the caller's.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Dir> {
        let path = path.as_ref().to_path_buf();
        fs::create_dir_all(&path)?;
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            fs::File::open(parent)?.sync_all()?;
        }
        Dir::of(path)
    }

    /// Opens an existing directory and makes none: for tools that only read.
    pub fn existing(path: impl AsRef<Path>) -> io::Result<Dir> {
        let path = path.as_ref().to_path_buf();
        if !fs::metadata(&path)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Dir::of(path)
    }

    fn of(path: PathBuf) -> io::Result<Dir> {
        let dir = Arc::new(fs::File::open(&path)?);
        Ok(Dir { path, dir })
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Disk for Dir {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str, mode: Mode) -> io::Result<Box<dyn File>> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(mode != Mode::Read);
        options.create(mode == Mode::Create).truncate(false);
        let file = match mode {
            // Not every file system takes the flag.
            Mode::Fill => direct(&options, &path).or_else(|_| options.open(&path)),
            _ => options.open(&path),
        };
        Ok(Box::new(file?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.dir.sync_all()
    }
}

impl File for fs::File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        uninterrupted(|| FileExt::read_at(self, buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        uninterrupted(|| FileExt::write_at(self, bytes, offset))
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Opens a file whose writes go to the disk by themselves.
#[cfg(target_os = "linux")]
fn direct(options: &OpenOptions, path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flag = rustix::fs::OFlags::DIRECT.bits();
    options.clone().custom_flags(flag as i32).open(path)
}

#[cfg(not(target_os = "linux"))]
fn direct(_: &OpenOptions, _: &Path) -> io::Result<fs::File> {
    Err(ErrorKind::Unsupported.into())
}

/// Repeats a call that a signal interrupted before it did anything.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}
