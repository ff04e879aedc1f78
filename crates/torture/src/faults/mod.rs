//! The faults, one a file: each brings its scene to the point where the server is whole again, and
//! says whether it bit.

mod backup;
mod clients;
mod clock;
mod damage;
mod disk_full;
mod errors;
mod kill;
mod kill_at;
mod limits;
mod pause;
mod planted;
mod records;
mod restart;

use crate::scene::Scene;

/// A fault.
pub struct Fault {
    /// Its name, for the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Repetitions in the test suite.
    pub ci: u32,
    /// Repetitions by hand.
    pub hand: u32,
    /// Brings a new scene to where it is healed.
    pub run: fn(&mut Scene) -> anyhow::Result<()>,
}

pub use backup::copy;
pub use planted::{PLANTED, PLANTED_CHECKS};

/// All of them.
pub const FAULTS: &[Fault] = &[
    kill::KILL,
    kill_at::LOG_WRITE,
    kill_at::LOG_SYNC,
    kill_at::STORE_WRITE,
    kill_at::STORE_SYNC,
    restart::RESTART,
    pause::PAUSE,
    clock::CLOCK,
    clients::CLIENTS,
    limits::DESCRIPTORS_FEW,
    limits::MEMORY_LITTLE,
    backup::BACKUP,
    damage::DAMAGE,
    disk_full::DISK_FULL,
    errors::LOG_SYNC,
    errors::LOG_WRITE,
    errors::LOG_SHORT,
    errors::NOTE_WRITE,
    errors::STORE_SYNC,
    errors::STORE_WRITE,
];

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name)
}
