//! Real server processes under faults: load from clients that try again, every operation recorded, a
//! fault, healing, and then every check there is.
//!
//! ```text
//!   server    the real program as a child process
//!   control   faults of disk and clock, by a preloaded library (preload/faults.c)
//!   load/     concurrent clients and what they ask
//!   history   what they asked and were told, and when
//!   check/    what must be true of that
//!   scene     one run: server, clients, fault, healing, checks
//!   faults/   the faults, one a file
//!   report    repetitions and the verdict; a run that shows nothing is void
//! ```
//!
//! Knows a server as any client does, its process as the system does, and of a data directory what
//! its pages say. It touches no process but those it started.

pub mod check;
pub mod control;
pub mod faults;
pub mod history;
pub mod load;
pub mod report;
pub mod scene;
pub mod server;
