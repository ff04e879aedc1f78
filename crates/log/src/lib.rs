//! The durable log: segments on disk, one write and one sync a batch.
//!
//! It stores opaque payloads, each standing for a run of consecutive seqs, and answers one
//! question truthfully: which of them are durable. It knows files, sectors and checksums; it
//! refuses to know commands, entities, methods, clocks and threads.
//!
//! ```text
//!   0000000001.segment   0000000002.segment   0000000003.segment      acked
//!   ┌──────┬───┬───┬─┐   ┌──────┬───┬─────┐   ┌──────┬──────────┐   ┌───────┐
//!   │header│ r │ r │0│   │header│ r │0 0 0│   │header│0 0 0 0 0 │   │ seq   │
//!   └──────┴───┴───┴─┘   └──────┴───┴─────┘   └──────┴──────────┘   └───────┘
//!        older                  last            prepared, unused     unsynced
//! ```
//!
//! # Laws
//!
//! 1. **A segment is ready before it is used.** Its size is written out with zeros, its header
//!    follows, file and directory are synced; only then does it take a record. A later
//!    `fdatasync` has no metadata to write, and a full disk shows before a batch is accepted.
//!    The zeros go past the system's cache where it has a way, and a record is written to the end of
//!    its page, so that none has to be read for it.
//!    Segments are numbered, not named by seq, because one is made before anybody knows which
//!    seq it will begin with, and the roll must stay one write and one sync.
//! 2. **A record is one write and one sync**, and the next is not written before the sync
//!    has succeeded. Therefore at most one record, the last, is ever in doubt, and any sign of a
//!    later record proves that an earlier one was durable.
//! 3. **A write lands in sectors.** After a power loss each 512-byte sector of an unsynced write
//!    either landed or did not; after a failed or short write some prefix of it did. A record's
//!    header never straddles a sector, its last byte is never zero, and the header counts
//!    the sectors that are zero by right. So a record that is *unfinished* and one that is
//!    *damaged* can be told apart.
//! 4. **`acked` holds the last durable seq**, written after each sync and never itself synced:
//!    exact after a kill, old or gone after a power loss, never ahead of the truth.
//! 5. **Only an unfinished record is cut**, at the very end of the log, when `acked` does not
//!    claim it and nothing follows it ([`Recovered::cut`] says so). Everything else that
//!    cannot be read stops the open with file, offset, seq and what to do.
//! 6. **What was recovered is made durable again before it is served**: after a failed sync the
//!    system may show bytes the disk never got. Unless `acked` says that nothing of the kind
//!    happened, an open rewrites and syncs the last record and the zeros behind it.
//! 7. **A failed sync is final.** It is never retried; every further append answers
//!    [`AppendError::Failed`]. A full disk or a short write ([`AppendError::Full`]) is not: the tail
//!    is zeroed and the log goes on at the same seq. What is cleared is unfinished after each step of
//!    that, whatever a crash makes of the next: first it has no end any more, then no body, then no header.
//! 8. **Garbage neither panics nor allocates**: lengths are checked against the file before
//!    anything is read. The checksum of a record covers its segment and offset, so that a
//!    copy of a record inside a payload is never taken for one.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use ordain_log::{Log, Options, disk::MemoryDisk, read_from};
//! use ordain_types::Seq;
//!
//! let disk = Arc::new(MemoryDisk::new());
//! let (mut log, recovered) = Log::open(disk.clone(), Options::default())?;
//! assert!(recovered.cut.is_none());
//! log.append(Seq(1), 2, b"two commands")?;
//! assert_eq!(log.last_seq(), Seq(2));
//!
//! let record = read_from(disk, Seq(1))?.next().expect("one record")?;
//! assert_eq!(record.payload, b"two commands");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod disk;

mod error;
mod format;

mod acked;
mod cursor;
mod segment;
mod survey;
mod tail;

mod log;
mod next;
mod read;
mod recover;
mod verify;

pub use error::{AppendError, Damage, Flaw, OpenError, ReadError, RemoveError};
pub use format::{FORMAT_VERSION, PAYLOAD_BYTES_MAX};
pub use log::{Log, Options, SegmentInfo};
pub use next::Preparer;
pub use read::{Reader, Record, read_from};
pub use recover::Recovered;
pub use tail::Cut;
pub use verify::{Progress, Report, verify};
