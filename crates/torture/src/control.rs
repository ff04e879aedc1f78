//! The preload library and the file that tells it what to do: the twin of `preload/faults.c`. A change
//! is seen by the running server at once.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

const SOURCE: &str = include_str!("../preload/faults.c");

/// Where in the file each number is.
#[derive(Clone, Copy)]
enum At {
    Part,
    Event,
    First,
    Last,
    Action,
    Seen,
    Bites,
    Clock,
    Limited,
    Space,
}

const NUMBERS: u64 = 10;

/// A part of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The log's segments.
    Segments = 1,
    /// Checkpoints.
    Store = 2,
    /// The log's note of what was acknowledged, which is never synced.
    Note = 4,
    /// All of the log: segments and note.
    Log = 5,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Writes.
    Write = 1,
    /// Syncs, of files and directories.
    Sync = 2,
}

/// What is done to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process is killed, and it does not happen.
    KillBefore = 1,
    /// It happens, and the process is killed.
    KillAfter = 2,
    /// Half of a write happens, and the process is killed.
    KillHalfway = 3,
    /// It does not happen, and fails with an I/O error.
    Fail = 4,
    /// Half of a write happens, and it says so.
    Short = 5,
}

/// The control file of one server.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    file: File,
    library: PathBuf,
}

impl Control {
    /// A new one, in that directory, that does nothing yet.
    ///
    /// # Errors
    /// If it cannot be written, or the library cannot be built: it takes a C compiler.
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        let library = build(dir)?;
        let path = dir.join("control");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true);
        let file = file.open(&path);
        let file = file.with_context(|| format!("cannot make {}", path.display()))?;
        file.set_len(NUMBERS * 8)?;
        Ok(Self {
            path,
            file,
            library,
        })
    }

    /// What a server's environment must have for this to act on it.
    ///
    /// # Errors
    /// If a path is no text.
    pub fn environment(&self) -> anyhow::Result<Vec<(String, String)>> {
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .context("a path is no text")
        };
        Ok(vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)?),
            ("TORTURE_CONTROL".to_owned(), text(&self.path)?),
        ])
    }

    /// From now on counts these events, and does that to those from `first` to `last`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn arm(
        &self,
        part: Part,
        event: Event,
        events: std::ops::RangeInclusive<u64>,
        action: Action,
    ) -> anyhow::Result<()> {
        self.disarm()?;
        self.put(At::Seen, 0)?;
        self.put(At::Bites, 0)?;
        self.put(At::Part, part as u64)?;
        self.put(At::Action, action as u64)?;
        self.put(At::First, *events.start())?;
        self.put(At::Last, *events.end())?;
        self.put(At::Event, event as u64)
    }

    /// From now on passes all events on.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn disarm(&self) -> anyhow::Result<()> {
        self.put(At::Event, 0)?;
        self.put(At::First, 0)
    }

    /// Moves the wall clock by so much from what it is.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn clock(&self, offset_ms: i64) -> anyhow::Result<()> {
        self.put(At::Clock, offset_ms as u64)
    }

    /// Files may grow by so much more; none: by as much as they like.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn space(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        self.put(At::Space, bytes.unwrap_or_default())?;
        self.put(At::Limited, u64::from(bytes.is_some()))
    }

    /// How often something was done.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn bites(&self) -> anyhow::Result<u64> {
        self.get(At::Bites)
    }

    /// How many events there were.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn seen(&self) -> anyhow::Result<u64> {
        self.get(At::Seen)
    }

    fn put(&self, at: At, number: u64) -> anyhow::Result<()> {
        Ok(self
            .file
            .write_all_at(&number.to_ne_bytes(), at as u64 * 8)?)
    }

    fn get(&self, at: At) -> anyhow::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, at as u64 * 8)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

/// Builds the library in that directory.
fn build(dir: &Path) -> anyhow::Result<PathBuf> {
    let (source, library) = (dir.join("faults.c"), dir.join("faults.so"));
    std::fs::write(&source, SOURCE)?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]);
    let done = cc.arg(&library).arg(&source).arg("-ldl").output();
    let done = done.context("there is no C compiler `cc` for the preload library")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "the preload library does not build: {said}"
    );
    Ok(library)
}
