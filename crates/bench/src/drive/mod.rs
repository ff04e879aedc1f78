//! Drivers: they keep a workload's transactions going, in this process or against a server.
//!
//! - [`lane`]: some slots on one connection, and their record
//! - [`closed`]: each slot waits for its reply before it begins its next transaction
//! - [`open`]: transactions begin at a fixed rate, whoever still waits
//! - [`paced`]: the same for a node in this process, from one thread

pub mod closed;
pub mod lane;
pub mod open;
pub mod paced;
