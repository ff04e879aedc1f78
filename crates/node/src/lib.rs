//! The driver: from a request to a durable answer.
//!
//! ```text
//!   submit ──► ingress (bounded) ──► executor thread ──────────────► committer thread ──► replies
//!   door checks                       forms a batch, hands its        one write, one sync,
//!   the request                       record to the committer,        then answers whatever is
//!                                     runs it meanwhile               durable and executed
//!                                          │ changes
//!                                          ▼
//!                                     checkpointer thread ──► store
//! ```
//!
//! What always holds:
//!
//! - **A reply leaves only when its command is executed and durable**, and a query's when all it could
//!   have seen is durable ([`committer`](self)). The door, too, knows what can be called by what is durable.
//! - **The executor thread takes whole batches and gives whole batches.** It never waits for a disk
//!   but to read a cold granule, and wakes no one but the committer, once a batch.
//! - **At most [`BATCHES_IN_FLIGHT_MAX`] batches are executed and not durable.** If the log fails they
//!   are taken back: what is read afterwards is what is durable, and their callers hear that
//!   their outcome is unknown.
//! - **The store holds the state as of one seq, never later than the log is durable.** The directory is released after
//!   it is closed, unless somebody makes a backup or a hash of it just then.
//! - **Whoever asked is answered**, whatever panics or fails: a reply that is given up says so.
//! - **The threads' work can be stepped on one thread instead**, in any order: [`Steps`] is the seam
//!   for simulations, and the same code.
//! - **Recovery is that state and the commands after it**, held against the digests in the log.
//!
//! The node knows no HTTP, no SQL and no command line. It installs nothing global: two nodes live in
//! one process.

mod ahead;
mod backup;
mod budget;
mod call;
mod checkpointer;
mod clock;
mod cold;
mod committer;
mod deploy;
mod door;
mod ending;
mod executor;
mod identity;
mod ingress;
mod listener;
mod lock;
mod node;
mod options;
mod panics;
pub mod plan;
mod preparer;
mod recovery;
mod replay;
mod reply;
mod status;
mod stepped;
mod test_node;
mod threads;
mod time;
mod warm;

pub use backup::{Backup, BackupError, restore};
pub use call::{CallError, CallOptions, Pipeline, Received};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use deploy::{Change, ChangeOptions, DeployError, Deployed, Undeployed};
pub use door::{Accepted, Past, Refused};
pub use identity::build_of_this_program;
pub use listener::{Heard, Listener};
pub use lock::{DataDir, DirError};
pub use node::{Node, Op};
pub use options::{Options, OptionsError};
pub use ordain_engine::{
    Catalog, Halt, Invocation, InvocationStatus, LogLine, MethodDef, Module, ModuleStatus, Modules,
    Told, TypeDef,
};
pub use plan::Plan;
pub use recovery::{Difference, OpenError, Progress, Recovered};
pub use reply::{Body, Pending, Reply, ReplyTo, Sink, StoreTrouble, Unavailable};
pub use status::{Counters, Health};
pub use stepped::{Stepped, Steps};
pub use test_node::TestNode;

/// Batches that may be executed and not durable: one in the making, one being synced, and room for
/// their paces to differ.
pub const BATCHES_IN_FLIGHT_MAX: usize = 4;

/// Bytes of replies that may wait for the log; beyond it nothing more is executed, reads and the rest of
/// a batch included. What is handed over at once ([`REPLY_BYTES_TOGETHER_MAX`]) may pass it.
pub const REPLY_BYTES_WAITING_MAX: usize = 256 << 20;

/// Bytes of replies after which those of a batch so far are handed over. One reply may pass it.
pub const REPLY_BYTES_TOGETHER_MAX: usize = 16 << 20;

/// So much is kept of what batches that are not durable overwrote, in bytes, to take them back with; the next
/// command may add what one may read and overwrite.
pub const IMAGE_BYTES_MAX: usize = 256 << 20;
const _: () = assert!(REPLY_BYTES_TOGETHER_MAX <= REPLY_BYTES_WAITING_MAX);
