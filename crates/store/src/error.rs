//! What can go wrong with a store, each with what was attempted and what to do.

use std::io;
use std::path::PathBuf;

use ordain_types::Seq;

/// A failure of a store or of a backup's file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot {attempt} {}: {source}", path.display())]
    Io {
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// What was read is not what was written.
    #[error(
        "the store {} is damaged: {what}; check the disk, move the directory away and restore a backup, \
         or start without it to rebuild the state if the log still begins at seq 1",
        path.display()
    )]
    Damaged {
        /// The file if known, else the store's directory.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A directory with other things in it.
    #[error("{} is not empty and not a store; name a new or empty directory, or the right one", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error(
        "{} has format {found}, this program knows up to {known}; use the program that wrote it or a newer one",
        path.display()
    )]
    Newer {
        /// The store's directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// A restore that did not end.
    #[error("a restore into {} did not finish; delete the directory and restore again", path.display())]
    Unfinished {
        /// The store's directory.
        path: PathBuf,
    },
    /// Another process, or another handle of this one, has it.
    #[error("the store {} is in use; stop the other process first", path.display())]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// An earlier write failed.
    #[error("the store {} takes no checkpoints since this failed: {cause}; reopen it once that is mended", path.display())]
    Poisoned {
        /// The store's directory.
        path: PathBuf,
        /// What failed.
        cause: String,
        /// Whether it was for want of space.
        full: bool,
    },
    /// Snapshots are held.
    #[error("the store {} cannot be reopened while snapshots of it are held; drop them and try again", path.display())]
    Busy {
        /// The store's directory.
        path: PathBuf,
    },
    /// A restore into a store in use.
    #[error("cannot restore into a store that has contents (seq {at}); restore into a new one")]
    NotEmpty {
        /// What it holds.
        at: Seq,
    },
    /// A checkpoint from the past.
    #[error("the store stands at seq {at}: a checkpoint of seq {asked} cannot follow")]
    SeqNotGrown {
        /// Where the store stands.
        at: Seq,
        /// The checkpoint's seq.
        asked: Seq,
    },
    /// A key no store takes.
    #[error(
        "a key of {length} bytes beginning {key:02x?} cannot be stored: 1 to 65535 bytes, the first not zero"
    )]
    Key {
        /// Its first bytes.
        key: Box<[u8]>,
        /// All its bytes.
        length: usize,
    },
    /// Entries to restore that are out of order.
    #[error("the entries to restore are out of order at entry {index}: keys must rise")]
    Order {
        /// The entry, from 0.
        index: u64,
    },
    /// A backup's file that cannot be written or read.
    #[error("cannot {attempt} the snapshot at byte {offset}: {source}")]
    SnapshotIo {
        /// What was attempted, as an infinitive.
        attempt: &'static str,
        /// Where in the file.
        offset: u64,
        /// The answer.
        source: io::Error,
    },
    /// A backup's file that is cut short, damaged, or something else.
    #[error("not a sound snapshot, at byte {offset}: {what}; use another copy")]
    SnapshotDamaged {
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: &'static str,
    },
    /// A backup's file from an older or newer program.
    #[error(
        "the snapshot has format {found}, this program knows format {known}; use a matching version of Ordain"
    )]
    SnapshotFormat {
        /// The format found.
        found: u32,
        /// The format known.
        known: u32,
    },
}

impl Error {
    /// Whether it failed for want of space: worth a [`Store::reopen`](crate::Store::reopen) when
    /// there is some again.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::SnapshotIo { source, .. } => is_full(source),
            Self::Poisoned { full, .. } => *full,
            _ => false,
        }
    }

    /// Whether the store's or the snapshot's bytes are not what was written.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::SnapshotDamaged { .. })
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}
