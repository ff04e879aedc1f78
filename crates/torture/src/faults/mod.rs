//! The faults, one a file: each brings its scene to the point where the server is whole again, and
//! says whether it bit.

mod kill;

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

/// All of them.
pub const FAULTS: &[Fault] = &[kill::KILL];

/// The fault of this name.
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name)
}
