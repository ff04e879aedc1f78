//! Many seeds on several threads, and what they keep.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ordain_sim::{Exercised, Failure, Report};

/// Machine code of modules is kept from one test to the next, and for the next run of all.
pub fn keep_compiled() {
    ordain_sim::hosting::keep_compiled_in(env!("CARGO_TARGET_TMPDIR"));
}

/// Runs seeds on so many threads; all of them must come through.
pub fn all_come_through(
    threads: usize,
    seeds: impl IntoIterator<Item = u64>,
    run: impl Fn(u64) -> Result<Report, Box<Failure>> + Sync,
) -> Exercised {
    keep_compiled();
    let seeds: Vec<u64> = seeds.into_iter().collect();
    let (next, all) = (AtomicUsize::new(0), Mutex::<Exercised>::default());
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            match run(*seed) {
                Ok(report) => {
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.merge(&report.exercised);
                }
                Err(failure) => panic!("{failure}"),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            // The deepest programs need more than a thread has by default.
            let thread = thread::Builder::new().stack_size(64 << 20);
            thread.spawn_scoped(scope, work).expect("a thread");
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}
