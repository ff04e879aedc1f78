//! What can go wrong, one enum an operation. Every message says what was attempted, where, and what
//! to do. It knows no recovery: it only words what recovery, reading and appending found.

use std::fmt;
use std::io;

use ordain_types::Seq;

use crate::format::FORMAT_VERSION;

/// Why a log cannot be opened. None of these is mended silently.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The disk answered with an error.
    #[error(
        "could not {attempted} {file}: {source}. Check that the disk is present and that this \
         user may read and write the log's directory"
    )]
    Io {
        /// What was attempted, as a verb.
        attempted: &'static str,
        /// On which file.
        file: String,
        /// What the disk answered.
        source: io::Error,
    },
    /// There is no space for the first segment.
    #[error(
        "the disk is full: could not {attempted} {file}: {reason}. A start needs space for one segment \
         ({bytes} bytes): free space on this disk, or make segments smaller, and start again"
    )]
    NoSpace {
        /// What was attempted, as a verb.
        attempted: &'static str,
        /// On which file.
        file: String,
        /// What the disk answered.
        reason: String,
        /// How long a segment is.
        bytes: u64,
    },
    /// The first segment could not be made ready.
    #[error(transparent)]
    Prepare(AppendError),
    /// There is no segment at all.
    #[error("there is no log here: the directory holds no segment. Check the path")]
    Absent,
    /// Segments are already there.
    #[error("cannot make a new log: {file} exists already. Choose an empty directory")]
    NotEmpty {
        /// One of them.
        file: String,
    },
    /// A file named like a segment holds something else.
    #[error(
        "{file} is not a segment of an Ordain log, or its first bytes are damaged. Take it out of \
         the directory if it does not belong there; otherwise restore the latest backup"
    )]
    Foreign {
        /// The file.
        file: String,
    },
    /// A newer program wrote the segment.
    #[error(
        "{file} is in log format {version}, this program reads up to {FORMAT_VERSION}. Start the \
         newer program that wrote it"
    )]
    NewerVersion {
        /// The file.
        file: String,
        /// The version it says.
        version: u32,
    },
    /// A segment's header does not match its checksum.
    #[error(
        "{file} is damaged at offset 0: its header does not match its checksum. Restore the latest \
         backup, or put back an intact copy of this file"
    )]
    DamagedHeader {
        /// The file.
        file: String,
    },
    /// A segment carries another segment's name.
    #[error(
        "{file} says at offset 16 that it is segment {ordinal}: it was renamed or overwritten. Give \
         it back its name, or restore the latest backup"
    )]
    OutOfOrder {
        /// The file.
        file: String,
        /// Which segment it says it is.
        ordinal: u64,
    },
    /// A segment is shorter than it was made.
    #[error(
        "{file} ends at offset {bytes}, but was made {expected} bytes long: it was cut short. \
         Restore the latest backup, or put back an intact copy of this file"
    )]
    Truncated {
        /// The file.
        file: String,
        /// How long it is.
        bytes: u64,
        /// How long its header says it is.
        expected: u64,
    },
    /// Segments between others are gone.
    #[error(
        "segments are missing: {first_file} to {last_file}, with seqs {first_seq} to {last_seq}. \
         Put them back, or restore the latest backup"
    )]
    MissingSegments {
        /// The first file that is missing.
        first_file: String,
        /// The last file that is missing.
        last_file: String,
        /// The first seq that is missing.
        first_seq: Seq,
        /// The last seq that is missing.
        last_seq: Seq,
    },
    /// A record that may have been acknowledged cannot be read.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The log ends before a seq that was acknowledged.
    #[error(
        "acknowledged commands are missing: the log ends with seq {last_seq} ({file}, offset \
         {offset}), but seqs up to {acked} were durable. Put back the files that were removed, or \
         restore the latest backup"
    )]
    AcknowledgedMissing {
        /// The file in which the log ends.
        file: String,
        /// Where in it.
        offset: u64,
        /// The last seq there is.
        last_seq: Seq,
        /// The last seq that was durable.
        acked: Seq,
    },
}

impl OpenError {
    /// Of making the first segment, of so many bytes, ready. Nobody is there yet to try again.
    pub(crate) fn at_start(error: AppendError, bytes: u64) -> Self {
        match error {
            AppendError::Full {
                attempted,
                file,
                reason,
            } => OpenError::NoSpace {
                attempted,
                file,
                reason,
                bytes,
            },
            failed => OpenError::Prepare(failed),
        }
    }
}

/// A record that cannot be read: where, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file} is damaged at offset {offset}, where seq {seq} should begin: {flaw}. It may hold \
     acknowledged commands, so nothing was cut. Restore the latest backup, or put back an intact \
     copy of this file"
)]
pub struct Damage {
    /// The segment's file.
    pub file: String,
    /// Where the record begins.
    pub offset: u64,
    /// The seq that should begin there.
    pub seq: Seq,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong with a record, and why it was not taken for an unfinished write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The header is not one.
    #[error("the record's header does not match its checksum")]
    Header,
    /// The header is intact and the rest is not.
    #[error("the record is complete, but does not match its checksum")]
    Checksum,
    /// The record would reach past the end of the segment.
    #[error("the record is {bytes} bytes long, but only {room} are left in the file")]
    Length {
        /// How long the record is.
        bytes: u64,
        /// How much there is.
        room: u64,
    },
    /// The record is intact and holds other seqs.
    #[error("the record begins with seq {found}")]
    Gap {
        /// What it begins with.
        found: Seq,
    },
    /// The segment's records end too early.
    #[error("there is no intact record, but the next segment begins with seq {next}")]
    EndsEarly {
        /// What the next segment begins with.
        next: Seq,
    },
    /// It would pass for an unfinished write if it had not been durable.
    #[error("the record cannot be read, though seqs up to {acked} were acknowledged")]
    Acknowledged {
        /// The last seq known to have been durable.
        acked: Seq,
    },
    /// It would pass for an unfinished write if nothing had been written after it.
    #[error(
        "the record cannot be read, but the one at offset {offset} can (seq {seq}), so it had been \
         durable"
    )]
    LaterRecord {
        /// The later record's first seq.
        seq: Seq,
        /// Where it begins.
        offset: u64,
    },
    /// It would pass for an unfinished write if the next segment had not been begun.
    #[error(
        "the record cannot be read, but the next segment has been begun, so it had been durable"
    )]
    LaterSegment,
    /// It would pass for an unfinished write if there were not more behind it.
    #[error("the record is unfinished, but something follows it")]
    Followed,
    /// No record begins so near the segment's end.
    #[error("something follows the last record, and there is no room for another")]
    Foreign,
}

/// Why reading stops. What stops an open stops a reader too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The log is not in order.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The records asked for were removed, being older than the history window.
    #[error(
        "seq {asked} is no longer in the log, which begins with seq {first_seq}. Ask for a later \
         one, or look in a backup"
    )]
    Removed {
        /// What was asked for.
        asked: Seq,
        /// The oldest there is.
        first_seq: Seq,
    },
}

impl From<Damage> for ReadError {
    fn from(damage: Damage) -> ReadError {
        ReadError::Log(damage.into())
    }
}

/// Why a batch was not made durable. In both cases nothing of it may be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk or the quota is full, or took only a part; or there is no descriptor for one more
    /// file. The log goes on when there is space.
    #[error(
        "the disk is full: could not {attempted} {file}: {reason}. Nothing of it was acknowledged; \
         free space on this disk and the log goes on by itself"
    )]
    Full {
        /// What was attempted, as a verb.
        attempted: &'static str,
        /// On which file.
        file: String,
        /// What the disk answered.
        reason: String,
    },
    /// The disk failed. Nothing is appended any more, whatever the disk answers later.
    #[error(
        "the disk failed: could not {attempted} {file}: {reason}. What reached the disk is unknown, \
         so nothing more is acknowledged; check the disk, then restart"
    )]
    Failed {
        /// What was attempted, as a verb.
        attempted: &'static str,
        /// On which file.
        file: String,
        /// What the disk answered.
        reason: String,
    },
}

/// Why old segments were not removed. The log itself is as it was.
#[derive(Debug, thiserror::Error)]
#[error("could not remove the old segment {file}: {source}. It will be tried again")]
pub struct RemoveError {
    /// The segment's file.
    pub file: String,
    /// What the disk answered.
    pub source: io::Error,
}

/// Words a failed attempt on a file as an [`OpenError`].
pub(crate) fn io_error(
    attempted: &'static str,
    file: impl fmt::Display,
) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io {
        attempted,
        file: file.to_string(),
        source,
    }
}

/// The process, or the whole system, has no descriptor left: `EMFILE` and `ENFILE`, the same numbers on
/// all systems we run on.
const NO_DESCRIPTOR: [i32; 2] = [24, 23];

impl AppendError {
    /// For opening a file, when nothing was written to it yet: a want of descriptors passes.
    pub(crate) fn from_open(attempted: &'static str, file: &str, error: &io::Error) -> AppendError {
        let passes = error.raw_os_error();
        match passes.is_some_and(|code| NO_DESCRIPTOR.contains(&code)) {
            true => AppendError::Full {
                attempted,
                file: file.to_string(),
                reason: error.to_string(),
            },
            false => AppendError::from_write(attempted, file, error),
        }
    }

    /// For writes: a full disk and a short write can be got over, nothing else can.
    pub(crate) fn from_write(
        attempted: &'static str,
        file: &str,
        error: &io::Error,
    ) -> AppendError {
        use io::ErrorKind::{QuotaExceeded, StorageFull, WriteZero};
        let (file, reason) = (file.to_string(), error.to_string());
        match error.kind() {
            StorageFull | QuotaExceeded | WriteZero => AppendError::Full {
                attempted,
                file,
                reason,
            },
            _ => AppendError::Failed {
                attempted,
                file,
                reason,
            },
        }
    }

    /// For syncs: every failure is final.
    pub(crate) fn from_sync(attempted: &'static str, file: &str, error: &io::Error) -> AppendError {
        AppendError::Failed {
            attempted,
            file: file.to_string(),
            reason: error.to_string(),
        }
    }
}
