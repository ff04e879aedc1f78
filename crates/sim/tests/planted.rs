//! Every deliberate bug that a simulated life can meet is caught by one; `docs/mutations.md` has the table.

mod common;

use std::sync::Mutex;

use common::keep_compiled;
use ordain_sim::{Scope, World};
use ordain_types::planted::{Bug, Caught, Part, catch};

/// Far more than it takes: only what escapes comes to it.
const SEEDS_MAX: u64 = 5_000;

/// Runs lives with the bug on until one fails. Says how many it took, and what failed.
fn hunt(world: World, bug: Bug) -> Result<(u64, String), String> {
    let mut met = 0;
    for seed in 0..SEEDS_MAX {
        match catch(bug, || live(world, seed)) {
            Caught::By(said) => return Ok((seed + 1, said)),
            Caught::No => met += 1,
            Caught::NotMet => {}
        }
    }
    Err(format!(
        "not caught in {SEEDS_MAX} lives, {met} of which met it"
    ))
}

fn live(world: World, seed: u64) {
    if let Err(failure) = world.run(seed, Scope::default()) {
        panic!("{}", failure.difference.what);
    }
}

fn hunt_all(world: World, part: Part, elsewhere: &[Bug]) {
    let bugs = Bug::ALL.iter().filter(|bug| bug.part() == part);
    let mut bugs = bugs.filter(|bug| !elsewhere.contains(bug));
    let escaped = hunt_each(world, &mut bugs);
    assert!(escaped.is_empty(), "{escaped:#?}");
}

/// Hunts bugs on two threads. Gives those that escaped.
fn hunt_each<'a>(
    world: World,
    bugs: &mut (dyn Iterator<Item = &'a Bug> + Send),
) -> Vec<(&'a Bug, String)> {
    keep_compiled();
    let bugs = Mutex::new(bugs);
    let escaped = Mutex::new(Vec::new());
    let work = || {
        while let Some(bug) = { bugs.lock().expect("no bug panics here").next() } {
            match hunt(world, *bug) {
                Ok((lives, said)) => println!("{bug:?}: after {lives} lives: {said}"),
                Err(why) => escaped.lock().expect("no bug panics here").push((bug, why)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            // The deepest programs need more than a thread has by default.
            let thread = std::thread::Builder::new().stack_size(64 << 20);
            thread.spawn_scoped(scope, work).expect("a thread");
        }
    });
    escaped.into_inner().expect("no bug panics here")
}

#[test]
fn every_bug_of_the_engine_is_caught() {
    let elsewhere = [&OF_MODULES[..], &OF_DEPLOYING].concat();
    hunt_all(World::Engine, Part::Engine, &elsewhere);
}

/// The engine's bugs that only lives with modules meet.
#[test]
fn every_bug_of_modules_is_caught() {
    let escaped = hunt_each(World::JavaScript, &mut OF_MODULES.iter());
    assert!(escaped.is_empty(), "{escaped:#?}");
}

/// But for those that no life meets, which the tests of the node catch.
#[test]
fn every_bug_of_the_node_is_caught() {
    let elsewhere = [&ELSEWHERE[..], &OF_DEPLOYING].concat();
    hunt_all(World::Node, Part::Node, &elsewhere);
}

/// The bugs that only lives of nodes with modules meet, or soon enough.
#[test]
fn every_bug_of_deploying_is_caught() {
    let escaped = hunt_each(World::NodeMixed, &mut OF_DEPLOYING.iter());
    assert!(escaped.is_empty(), "{escaped:#?}");
}

/// Caught in lives with modules.
const OF_MODULES: [Bug; 5] = [
    Bug::DeploymentStays,
    Bug::StaleArguments,
    Bug::StateLeftBehind,
    Bug::FirstRunStays,
    Bug::CodeStays,
];

/// Caught in lives of nodes with modules.
const OF_DEPLOYING: [Bug; 6] = [
    Bug::NewestOnStart,
    Bug::DeployedEarly,
    Bug::DoorAhead,
    Bug::DoorForgets,
    Bug::NewestReplays,
    Bug::VersionsLost,
];

const ELSEWHERE: [Bug; 5] = [
    Bug::OtherLogAccepted,  // no life is mixed with another one
    Bug::RepliesUnbounded,  // none has so much to answer
    Bug::ImagesUnbounded,   // or to overwrite
    Bug::PreparationUnseen, // one life in ten thousand comes to it
    Bug::BackupStale,       // a backup waits for a checkpoint, which no step does
];
