//! What reading memory takes that is in none of a core's own caches, each read waiting for the one before: whatever
//! looks things up among a million others, or takes over what another thread wrote, does so all the time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom;

use super::Measured;
use crate::choose::chance;

/// Numbers in a line of the processor's caches.
const LINE: usize = 8;
/// Reads between two looks at the clock.
const STEPS: u32 = 100_000;

/// Follows a path through all lines of so much memory, over and over.
pub fn reads(bytes: usize, duration: Duration, seed: u64) -> Measured {
    let next = path(bytes / (LINE * size_of::<u64>()), seed);
    let (began, mut reads, mut at) = (Instant::now(), 0_u64, 0);
    while began.elapsed() < duration {
        for _ in 0..STEPS {
            at = next[at as usize * LINE];
        }
        reads += u64::from(STEPS);
    }
    black_box(at);
    Measured {
        per_second: reads as f64 / began.elapsed().as_secs_f64(),
        ..Measured::default()
    }
}

/// So many lines, the first number of each the next line's: one way round through all of them.
fn path(lines: usize, seed: u64) -> Vec<u64> {
    let mut order: Vec<u64> = (0..lines as u64).collect();
    order.shuffle(&mut chance(seed, 0));
    let mut next = vec![0; lines * LINE];
    let after = order.iter().skip(1).chain(order.first());
    for (line, after) in order.iter().zip(after) {
        next[*line as usize * LINE] = *after;
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_one_and_has_all_lines() {
        let lines = 1_000;
        let next = path(lines, 7);
        let mut at = 0;
        for step in 1..=lines {
            at = next[at as usize * LINE];
            assert_eq!(at == 0, step == lines, "after {step} steps");
        }
    }
}
