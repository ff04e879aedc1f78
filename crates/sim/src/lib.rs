//! Seeded worlds, faults and the oracle.
//!
//! ```text
//!   seed ──► chance ──► generate: programs, calls, queries
//!               │            │
//!               │   run ─────┼──► an engine alone: batches, checkpoints in pieces, roll-backs, restarts
//!               │   node ────┤──► whole nodes, stepped: clients, bad disk and store, crashes, backups
//!               │            └──► oracle: the program on plain maps, one command at a time, copies for undo
//!               └──► tape ──► shrink: the smallest life that fails alike
//! ```
//!
//! What always holds:
//!
//! - **A seed is all there is.** The same seed makes the same world, the same commands and the same trace;
//!   so does the tape of what was drawn.
//! - **The oracle shares the language of [`program`] and the vocabulary of `ordain-types` with what it
//!   judges, and nothing else.** What it knows of limits, deduplication, sends and forgetting it has from
//!   their documentation. Only the prose of a fault's message is left out of the comparison (its kind
//!   and its place are not).
//! - **A world with a node is judged from outside**: by replies, the log, the store. See [`node`].
//! - **Only such faults happen as the guarantees promise to survive or to tell of.**
//! - **What was exercised is counted** ([`Exercised`]): a fault that never came true shows nothing. And each
//!   check is shown what it is for: [`Defect`] makes the oracle err, [`Lapse`] breaches a guarantee.
//!
//! This crate knows no clock, no thread, no file; nothing imports it. `ordain-sim`, its program, knows the
//! first two: it runs many seeds. Both say where the host of WebAssembly may keep machine code.

pub mod chance;
pub mod cold;
pub mod compare;
mod deployments;
pub mod dump;
pub mod generate;
pub mod host;
pub mod hosting;
pub mod modules;
pub mod node;
pub mod oracle;
pub mod program;
pub mod report;
pub mod run;
pub mod shrink;

pub use node::Lapse;
pub use oracle::Defect;
pub use report::{Exercised, Failure, Report, Scope, World};
