//! What belongs to one process of the engine's: options, which may not show; what runs modules, and what that
//! keeps warm; and what is decoded before a batch begins.

use std::sync::Arc;

use ordain_engine::{Args, Catalog, Empty, Engine, Modules, Options};
use ordain_types::{Command, FaultKind, Outcome, Timestamp};

use super::{World, decode};
use crate::chance::Chance;
use crate::cold::Durable;
use crate::modules::{self, Cast};
use crate::oracle::Expected;

impl World {
    /// Ends the process: what it kept warm is gone, or at times still there, which must not show.
    pub(super) fn end_process(&mut self) {
        if !self.cast.has_modules() {
            return;
        }
        if self.chance.one_in(2) {
            modules::forget();
        }
        if self.chance.one_in(8) {
            self.modules = Some(modules::new_host()); // it has to compile what is deployed
        }
    }

    pub(super) fn catalog(&self) -> Catalog {
        self.cast.catalog(self.modules.as_ref())
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
        let options = options(&mut self.chance, self.cast);
        if options.twice {
            self.exercised.add("engines that run twice", 1);
        }
        options
    }

    /// What is decoded before the batch, when other versions of modules may be in force than when it runs.
    pub(super) fn decode_early(&mut self, commands: &[Command]) -> Option<Vec<Option<Args>>> {
        let early = self.cast.has_modules() && self.chance.one_in(2);
        early.then(|| commands.iter().map(|it| decode(&self.engine, it)).collect())
    }

    /// Runs a command on the oracle, and counts what came of it.
    pub(super) fn expect(&mut self, command: &Command, now: Timestamp) -> Expected {
        let taken = self.oracle.taken;
        let expected = self.oracle.execute(command, now);
        if !self.cast.has_modules() {
            return expected;
        }
        self.exercised
            .add("careful runs", self.oracle.taken - taken);
        if let Command::Deploy(_) | Command::Undeploy(_) = command {
            self.count_deployment(command, &expected);
        }
        if let Expected::Done(Outcome::Fault(fault)) = &expected {
            let what = match fault.kind {
                FaultKind::UnknownEntity => "faults: unknown entity",
                FaultKind::Arguments => "faults: arguments",
                FaultKind::Exception => "faults: exception",
                FaultKind::Trap => "faults: trap",
                FaultKind::Memory => "faults: memory",
                FaultKind::Stack => "faults: stack",
                FaultKind::StoredValue => "faults: stored value",
                FaultKind::CallDepth => "faults: call depth",
                FaultKind::WriteInQuery => "faults: write in query",
                FaultKind::Panic => "faults: panic",
                _ => "faults: others",
            };
            self.exercised.add(what, 1);
        }
        expected
    }
}

/// What runs modules, if there are any, with nothing warm.
pub(super) fn first_host(cast: Cast) -> Option<Arc<dyn Modules>> {
    cast.has_modules().then(|| {
        modules::forget();
        modules::new_host()
    })
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
