//! Every deliberate bug of the engine is caught by simulated lives; `docs/mutations.md` has the table.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use ordain_sim::{Scope, World};
use ordain_types::planted::{Bug, Caught, Part, catch};

const SEEDS_MAX: u64 = 1_000;
const TIME_MAX: Duration = Duration::from_secs(20);

/// Runs lives with the bug on until one fails. Says how many it took, and what failed.
fn hunt(bug: Bug) -> Result<(u64, String), String> {
    let (began, mut met) = (Instant::now(), 0);
    for seed in 0..SEEDS_MAX {
        match catch(bug, || live(seed)) {
            Caught::By(said) => return Ok((seed + 1, said)),
            Caught::No => met += 1,
            Caught::NotMet => {}
        }
        if began.elapsed() > TIME_MAX {
            return Err(format!(
                "not caught in {} lives, {met} of which met it",
                seed + 1
            ));
        }
    }
    Err(format!(
        "not caught in {SEEDS_MAX} lives, {met} of which met it"
    ))
}

fn live(seed: u64) {
    if let Err(failure) = World::Engine.run(seed, Scope::default()) {
        panic!("{}", failure.difference.what);
    }
}

#[test]
fn every_bug_of_the_engine_is_caught() {
    let bugs = Bug::ALL.iter().filter(|bug| bug.part() == Part::Engine);
    let (bugs, escaped) = (Mutex::new(bugs), Mutex::new(Vec::new()));
    let work = || {
        while let Some(bug) = { bugs.lock().expect("no bug panics here").next() } {
            match hunt(*bug) {
                Ok((lives, said)) => println!("{bug:?}: after {lives} lives: {said}"),
                Err(why) => escaped.lock().expect("no bug panics here").push((bug, why)),
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let escaped = escaped.into_inner().expect("no bug panics here");
    assert!(escaped.is_empty(), "{escaped:#?}");
}
