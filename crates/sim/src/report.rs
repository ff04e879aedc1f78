//! What comes of running one seed.

use std::collections::BTreeMap;
use std::fmt;

use ordain_types::BatchDigest;
use ordain_types::module::Language;

use crate::chance::Chance;
use crate::compare::Difference;
use crate::hosting::Cast;
use crate::node::Lapse;
use crate::oracle::Defect;

/// What to run beside the seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope {
    /// A mistake for the oracle to make.
    pub defect: Option<Defect>,
    /// A breach of the guarantees to be pretended: a world with a node must object to it.
    pub lapse: Option<Lapse>,
    /// Whether the report tells every step.
    pub trace: bool,
}

/// How often what happened: a run in which nothing did shows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exercised(BTreeMap<&'static str, u64>);

impl Exercised {
    /// Counts `times` more of something.
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// Counts all of another run.
    pub fn merge(&mut self, other: &Exercised) {
        other
            .0
            .iter()
            .for_each(|(what, times)| self.add(what, *times));
    }

    /// How often something happened.
    pub fn times(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Exercised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<_> = self
            .0
            .iter()
            .map(|(what, n)| format!("{what} {n}"))
            .collect();
        f.write_str(&counts.join(", "))
    }
}

/// A seed on which all was as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What happened, counted.
    pub exercised: Exercised,
    /// What happened, a line a step; empty unless asked for.
    pub trace: Vec<String>,
    /// The digests of all batches of the log in the end, where the world sees them.
    pub digests: Vec<BatchDigest>,
}

/// A seed on which it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The step of its run.
    pub step: u64,
    /// What was found to be wrong.
    pub difference: Difference,
    /// What happened before, if it was asked for.
    pub trace: Vec<String>,
    /// All that was drawn from chance.
    pub tape: Vec<u64>,
}

impl Failure {
    /// What kind of failure it is: what was compared, without the names and numbers in it.
    pub fn kind(&self) -> String {
        let words = self.difference.what.split_whitespace();
        let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == ',');
        words.take_while(plain).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        let Difference {
            what,
            found,
            expected,
        } = &self.difference;
        writeln!(f, "seed {} step {}: {what}", self.seed, self.step)?;
        writeln!(f, "  found:    {found}")?;
        write!(f, "  expected: {expected}")
    }
}

impl std::error::Error for Failure {}

/// A kind of simulated world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// An engine alone.
    Engine,
    /// A whole node, its checkpoints in memory.
    Node,
    /// An engine alone, all entity types in modules in JavaScript.
    JavaScript,
    /// An engine alone, all entity types in modules of WebAssembly.
    Wasm,
    /// An engine alone, with entity types of several kinds: native, and in modules in one language or both.
    Mixed,
    /// A whole node with entity types of several kinds.
    NodeMixed,
}

impl World {
    /// Every kind.
    pub const ALL: [World; 6] = [
        World::Engine,
        World::Node,
        World::JavaScript,
        World::Wasm,
        World::Mixed,
        World::NodeMixed,
    ];

    /// As the command line calls it.
    pub fn name(self) -> &'static str {
        match self {
            World::Engine => "engine",
            World::Node => "node",
            World::JavaScript => "javascript",
            World::Wasm => "wasm",
            World::Mixed => "mixed",
            World::NodeMixed => "node-mixed",
        }
    }

    /// Lives the life of a seed.
    ///
    /// # Errors
    /// The first thing that is not as it must be.
    pub fn run(self, seed: u64, scope: Scope) -> Result<Report, Box<Failure>> {
        self.run_on(Chance::new(seed), seed, scope)
    }

    /// Lives the life that a tape says, of the world of a seed.
    ///
    /// # Errors
    /// As [`World::run`].
    pub fn replay(self, tape: Vec<u64>, seed: u64, scope: Scope) -> Result<Report, Box<Failure>> {
        self.run_on(Chance::of_tape(tape), seed, scope)
    }

    fn run_on(self, chance: Chance, seed: u64, scope: Scope) -> Result<Report, Box<Failure>> {
        match self {
            World::Engine => crate::run::run(chance, seed, scope, |_| Cast::NATIVE),
            World::JavaScript => crate::run::run(chance, seed, scope, |_| Cast {
                native: &[],
                languages: &[Language::JavaScript],
            }),
            World::Wasm => crate::run::run(chance, seed, scope, |_| Cast {
                native: &[],
                languages: &[Language::Wasm],
            }),
            World::Mixed => crate::run::run(chance, seed, scope, Cast::mixed),
            World::Node => {
                let mut medium = crate::node::InMemory::new();
                crate::node::run(chance, seed, scope, |_| Cast::NATIVE, &mut medium)
            }
            World::NodeMixed => {
                let mut medium = crate::node::InMemory::new();
                crate::node::run(chance, seed, scope, Cast::mixed, &mut medium)
            }
        }
    }

    /// Makes the tape of a failure smaller, as long as it fails alike and `go_on` says so; and tells
    /// every step of what is left.
    pub fn shrink(
        self,
        failure: Failure,
        scope: Scope,
        go_on: &mut dyn FnMut(u64) -> bool,
    ) -> Failure {
        let (seed, kind, tape) = (failure.seed, failure.kind(), failure.tape.clone());
        let mut fails = |tape: &[u64]| {
            let failed = self.replay(tape.to_vec(), seed, scope).err()?;
            (failed.kind() == kind).then(|| (failed.tape.clone(), *failed))
        };
        let shrunk = crate::shrink::shrink(tape, failure, &mut fails, go_on);
        let told = Scope {
            trace: true,
            ..scope
        };
        match self.replay(shrunk.tape, seed, told) {
            Err(failure) => *failure,
            Ok(_) => shrunk.failure,
        }
    }
}
