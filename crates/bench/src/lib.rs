//! The bench and the demo: load data, drive it, measure, check what must be true at the end.
//!
//! ```text
//!   choose      which of n things: uniform, Zipf, hotspot; seeded
//!   workload/   transfer, smallbank, marketplace, travel, …: data, requests, invariants
//!   answer      what came of a request, from a node or from a server
//!   door        where requests go when time does not matter: loading and checking
//!   measure     windows of time, and what came back in each
//!   drive/      where requests go when it does: closed loop, open loop
//!   language    what methods are written in; the modules of the examples
//!   subject     a workload in one language, loaded and ready to be driven
//!   process     what a process costs; one that ends with its owner
//!   server      a server as a child process
//!   echo        a server that answers without doing anything
//!   recovery    how soon a server that was killed is ready, and how fast it replays
//!   memory      what an entity takes, and what a server takes that does nothing
//!   modules/    what deploying takes, cold calls, many modules, upgrades under load, hostile modules
//!   run         a run's directory, its seed, its end when somebody wants one
//!   report      results, for people and as JSON
//!   side_by_side  results of several languages in one table
//!   pick        which of many, by name
//!   limits/     what the machine allows
//!   words       the words of `bench`
//!   bench       the command `bench`
//!   compare/    the command `bench compare`: all of it, beside the limits and a peer
//!   guard/      the command `bench guard`: instructions of the hot paths
//!   demo        the command `demo`
//! ```
//!
//! Knows applications and clients. How the log or the engine works it does not know: it measures from
//! outside, but for the guard, which steps a node on one thread. Nothing imports it but the program that has its commands, and the torture harness, which
//! drives the same workloads and audits them.

pub mod answer;
mod bench;
pub mod choose;
mod compare;
mod demo;
pub mod door;
mod drive;
mod echo;
mod guard;
mod language;
mod limits;
mod measure;
mod memory;
mod modules;
mod pick;
mod process;
mod recovery;
mod report;
mod run;
mod server;
mod side_by_side;
mod subject;
#[cfg(test)]
mod tests;
mod words;
pub mod workload;

use ordain_cli::ExtraCommand;

/// The commands `bench` and `demo`. The program that has them must have the entities of the examples.
pub fn commands() -> Vec<ExtraCommand> {
    vec![demo::command(), bench::command()]
}
