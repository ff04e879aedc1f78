//! Drivers: they keep a workload's transactions going, in this process or against a server.
//!
//! - [`lane`]: some slots on one connection, and their record
//! - [`closed`]: each slot waits for its reply before it begins its next transaction
//! - [`open`]: transactions begin at a fixed rate, whoever still waits

pub mod closed;
pub mod lane;
pub mod open;
