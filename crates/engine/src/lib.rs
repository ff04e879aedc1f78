//! The deterministic heart: command in, outcome and effects out.
//!
//! ```text
//!            Batch of commands                     Cold (what checkpoints wrote)
//!                  │                                      │ read on demand
//!   catalog ──► engine ──► transaction ──► state ──► slots (live root values), rows (fields, system tables)
//!   what can     one arm     one method      │
//!   be called    a command   and its calls   ├─ undo: before-images, newest first
//!                  │                         └─ checkpoint: what changed, encoded as of one seq
//!             outcomes, digests, pending sends
//! ```
//!
//! What always holds, between two commands:
//!
//! - **State and outcomes are a function of the commands executed so far**, their seqs and the
//!   timestamps of their batches, and of nothing else: not of when a batch began or ended, what was in
//!   memory, when a checkpoint was taken. (The digests in the log and `ordain-sim` hold it to that.)
//! - **A command that ends in a rejection or a fault leaves no trace** but its answer (deduplication,
//!   invocation record); a caught rejection undoes exactly its sub-call.
//! - **A granule's value is the one in memory, or, if there is none, the one in [`Cold`].** What
//!   changed since the last applied checkpoint never leaves memory.
//! - **A checkpoint holds every change up to its seq and none after**, although it is encoded while
//!   later commands run: whoever writes to a granule that is still to be captured captures it first.
//! - **What is not durable can be taken back**: before-images are kept until [`Engine::durable`].
//!
//! The engine knows no clock, no chance, no thread, no file, no async runtime and no host's workings.

mod catalog;
mod chance;
mod checkpoint;
mod cold;
mod commands;
mod digest;
mod engine;
mod expiry;
mod fields;
mod fit;
mod foresight;
mod known;
mod latest;
mod modules;
mod questions;
mod row_key;
mod row_map;
mod rows;
mod same;
mod sends;
mod slot_set;
mod slots;
mod state;
mod told;
mod transaction;
mod twice;
mod undo;

pub use catalog::{
    Args, ArgumentError, Catalog, CatalogError, Decoded, MethodDef, MethodIndex, Param, Run, State,
    StateType, TypeDef, TypeIndex,
};
pub use checkpoint::Changes;
pub use cold::{Cold, ColdError, ColdRows, Empty, first_checkpoint};
pub use commands::panic_text;
pub use engine::{Answer, Engine, Executed, Halt, Meta, Options};
pub use fit::Misfit;
pub use foresight::FORESEEN;
pub use modules::{Deployed, Loaded, Module, ModuleStatus, Modules};
pub use sends::{Invocation, InvocationStatus};
pub use told::{LogLine, Told};
pub use transaction::Tx;
