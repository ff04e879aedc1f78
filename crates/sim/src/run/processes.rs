//! What belongs to one process of the engine's: options, which may not show; what runs modules, and what that
//! keeps warm; and what is decoded before a batch begins.

use ordain_engine::{Args, Catalog, Empty, Engine, Options};
use ordain_types::{Command, Timestamp};

use super::{World, decode};
use crate::chance::Chance;
use crate::cold::Durable;
use crate::deployments;
use crate::hosting::Cast;
use crate::oracle::Expected;

impl World {
    pub(super) fn end_process(&mut self) {
        self.hosting.end_process(&mut self.chance);
    }

    pub(super) fn catalog(&self) -> Catalog {
        self.hosting.catalog()
    }

    /// A new engine over what was checkpointed.
    pub(super) fn open(&mut self) -> Engine {
        let options = self.options();
        open(self.catalog(), &self.cold, options)
    }

    /// A new engine over nothing.
    pub(super) fn open_anew(&mut self, catalog: Catalog) -> Engine {
        let options = self.options();
        Engine::open(catalog, Box::new(Empty), options).expect("nothing can be read")
    }

    fn options(&mut self) -> Options {
        let options = options(&mut self.chance, self.hosting.cast);
        if options.twice {
            self.exercised.add("engines that run twice", 1);
        }
        options
    }

    /// What is decoded before the batch, when other versions of modules may be in force than when it runs.
    pub(super) fn decode_early(&mut self, commands: &[Command]) -> Option<Vec<Option<Args>>> {
        let early = self.hosting.cast.has_modules() && self.chance.one_in(2);
        early.then(|| commands.iter().map(|it| decode(&self.engine, it)).collect())
    }

    /// Runs a command on the oracle, and counts what came of it.
    pub(super) fn expect(&mut self, command: &Command, now: Timestamp) -> Expected {
        let before = self.oracle.met;
        let expected = self.oracle.execute(command, now);
        if !self.hosting.cast.has_modules() {
            return expected;
        }
        for (what, times) in self.oracle.met.since(before) {
            self.exercised.add(what, times);
        }
        if let Some(what) = deployments::came_of(command, &expected) {
            self.exercised.add(what, 1);
        }
        expected
    }
}

pub(super) fn open(catalog: Catalog, cold: &Durable, options: Options) -> Engine {
    Engine::open(catalog, Box::new(cold.clone()), options)
        .expect("what was checkpointed can be read")
}

/// Options, none of which may show.
pub(super) fn options(chance: &mut Chance, cast: Cast) -> Options {
    let hash_seed = chance.number();
    let twice = if cast.has_modules() { 8 } else { 16 };
    Options {
        hash_seed,
        read_back: hash_seed.is_multiple_of(4),
        twice: hash_seed.is_multiple_of(twice),
    }
}
