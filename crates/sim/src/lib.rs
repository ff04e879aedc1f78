//! Seeded worlds, faults and the oracle.
//!
//! ```text
//!   seed ──► generate: commands, programs, queries, jumps of time, restarts, roll-backs …
//!                 │
//!        run ─────┼──► host:   the program through the engine's seams ──► ordain-engine over `cold`
//!                 │                        answers, granules, digests: byte for byte
//!                 └──► oracle: the program on plain maps, one command at a time, copies for undo
//! ```
//!
//! A seed is all there is: the same seed makes the same world, the same commands and the same trace.
//! The oracle shares the language of [`program`] and the vocabulary of `ordain-types` with the engine
//! and nothing else: what it knows of limits, deduplication, sends and forgetting it has from their
//! documentation. Only the prose of a fault's message is left out of the comparison (its kind and its
//! place are not).
//!
//! This crate knows no clock, no thread, no file; nothing imports it.

pub mod chance;
pub mod cold;
pub mod compare;
pub mod dump;
pub mod generate;
pub mod host;
pub mod node;
pub mod oracle;
pub mod program;
pub mod report;
pub mod run;
pub mod shrink;

pub use node::Lapse;
pub use oracle::Defect;
pub use report::{Exercised, Failure, Report, Scope, World};
