//! A simulated life of a whole node: clients that ask, repeat and give up; a disk, a store and a clock
//! that are as bad as the guarantees allow; the steps of the node's threads in any order; crashes
//! between any two of them, and in the middle of a write.
//!
//! ```text
//!   clients ──ask──► node, stepped ──► MemoryDisk   writes and syncs that fail, tear, find no space
//!      ▲               │      └──────► FaultyStore  applies and reads that fail, damage
//!      └───replies─────┘                    clock   jumps, also back
//!            │
//!         history ◄── the log, as the disk has it ──► oracle, one command at a time
//! ```
//!
//! All that is checked is seen from outside: what clients were told and when, what the disk and the
//! store hold. The history runs the oracle over the log and holds against it every reply, every
//! checkpoint, and in the end replays from nothing and from each checkpoint, and backups.
//!
//! What always holds, in every world:
//!
//! - what was durable is in the log after every crash, byte for byte, and nothing was repeated;
//! - a reply is what the oracle says at its seq, and that seq was durable by then;
//! - whoever asks after another was answered comes after it, and a query sees at least that;
//! - whoever asked is answered or told that nothing is known, and nothing ever hangs;
//! - after a failed sync nothing more becomes durable until the node is opened again; after a full disk
//!   has room the node goes on by itself;
//! - digests come to the log in the order of their batches, and none is left out;
//! - the log has all that a start would replay;
//! - a checkpoint is the oracle's state as of its seq, and never ahead of the durable log;
//! - what can be called after a start, and whenever the node comes to rest, is what the log has put in force:
//!   a deployment is in force if it was answered, and otherwise all of it or nothing;
//! - another build refuses to run what this one ran, and made to, tells all that came out differently;
//! - damage at rest is told of by name and place, or does no harm.
//!
//! The world knows no clock, no thread and no file: a store that has files comes from outside, as a
//! [`Medium`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::chance::Chance;
use crate::compare::Difference;
use crate::hosting::Cast;
use crate::report::{Failure, Report, Scope};

mod asks;
mod builds;
mod clients;
mod crashes;
mod damage;
mod faults;
mod finish;
mod history;
mod look;
mod modules;
mod replies;
mod store;
mod world;

pub use store::{InMemory, Medium};

use world::World;

/// A breach of the guarantees, pretended to the checks: by these they are shown to notice breaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// A restart lost the last record.
    AckLost,
    /// A request was executed twice.
    RanTwice,
    /// A query saw less than was answered before it was asked.
    StaleQuery,
    /// An update was placed before one that was answered before it was asked.
    OutOfOrder,
    /// An update was answered and is not durable.
    AnsweredEarly,
    /// An answer is not what the command came to.
    AnswerChanged,
    /// Someone who asked was never answered.
    Unanswered,
    /// A send was delivered twice.
    SentTwice,
    /// A state is not what the log comes to.
    StateDiffers,
    /// Commands became durable after a sync had failed.
    WentOnAfterFailedSync,
    /// A disk that has room again is not noticed.
    Stuck,
    /// A damaged log was cut short and served.
    DamageServed,
}

impl Lapse {
    /// Every breach.
    pub const ALL: [Lapse; 12] = [
        Lapse::AckLost,
        Lapse::RanTwice,
        Lapse::StaleQuery,
        Lapse::OutOfOrder,
        Lapse::AnsweredEarly,
        Lapse::AnswerChanged,
        Lapse::Unanswered,
        Lapse::SentTwice,
        Lapse::StateDiffers,
        Lapse::WentOnAfterFailedSync,
        Lapse::Stuck,
        Lapse::DamageServed,
    ];
}

/// Lives one life, with the entity types that `cast` makes native and all others in modules. The medium
/// must be new.
///
/// # Errors
/// The first breach of what must hold.
pub fn run(
    chance: Chance,
    seed: u64,
    scope: Scope,
    cast: impl FnOnce(&mut Chance) -> Cast,
    medium: &mut dyn Medium,
) -> Result<Report, Box<Failure>> {
    let mut world = World::new(chance, seed, scope, cast, medium);
    let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
    let lived = lived.unwrap_or_else(|panic| Err(Difference::panicked(&*panic)));
    world.abandon();
    match lived {
        Ok(()) => Ok(Report {
            exercised: world.exercised,
            trace: world.trace,
            digests: Vec::new(),
        }),
        Err(difference) => Err(Box::new(Failure {
            seed,
            step: world.step,
            difference,
            trace: world.trace,
            tape: world.chance.into_tape(),
        })),
    }
}
