//! The command line, with the entities it is given: what `ordain::main` runs, and the `ordain`
//! program with the examples' entities in it.
//!
//! ```text
//!   settings    the one table of settings
//!   levels      which messages are told
//!   config      the settings in effect: flag, variable, file, default
//!   descriptors how many connections there are descriptors for
//!   units       64MiB, 5s
//!   command     one command: its words and what it runs
//!   run         from the words to the exit code
//!   exit        exit codes, and failures with theirs
//!   output      tables, JSON, progress bars; a broken pipe ends quietly
//!   sources     from a path to what is deployed
//!   node        opening a data directory with the settings in effect
//!   signals     what asks a process to end
//!   commands/   one file a command
//! ```
//!
//! Commands that ask a running server know its HTTP API only, through `ordain-client`. What entities
//! mean, how the log lies on the disk and how requests are served is known to other crates.

mod command;
mod commands;
mod config;
mod descriptors;
mod exit;
mod levels;
mod node;
mod output;
mod run;
pub mod settings;
mod signals;
mod sources;
mod unfinished;
mod units;

pub use command::{Context, ExtraCommand, Hosting};
pub use config::{Config, ConfigError, Origin, Said, Sources};
pub use exit::{Exit, Failure};
pub use node::modules_only;
pub use output::{Bar, Output};
pub use run::{run, run_hosting};
pub use units::{parse_duration, parse_size, show_size};
