//! What is left of a transaction when everything else is taken away: transfers on a hash map.

use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::Measured;
use crate::choose::{Chooser, Spread, chance};

/// Transfers between integers in a map, each with a list of what to put back.
pub fn transfers(accounts: usize, duration: Duration, seed: u64) -> Measured {
    const START: i64 = 1_000_000;
    let mut balances: HashMap<u64, i64> = (0..accounts as u64).map(|key| (key, START)).collect();
    let (chooser, mut chance) = (Chooser::new(accounts, Spread::Uniform), chance(seed, 0));
    // As many as there are accounts: fewer would stay within a cache.
    let pairs: Vec<(u64, u64)> = (0..1 << 20)
        .map(|_| {
            (
                chooser.choose(&mut chance) as u64,
                chooser.choose(&mut chance) as u64,
            )
        })
        .collect();
    let (began, mut done, mut undo) = (Instant::now(), 0_u64, Vec::new());
    while began.elapsed() < duration {
        for &(from, to) in &pairs {
            transfer(&mut balances, &mut undo, from, to, 1 + (done % 100) as i64);
            done += 1;
        }
    }
    let rate = done as f64 / began.elapsed().as_secs_f64();
    let total: i64 = balances.values().sum();
    assert_eq!(total, START * accounts as i64, "money is conserved");
    Measured {
        per_second: rate,
        ..Measured::default()
    }
}

fn transfer(
    balances: &mut HashMap<u64, i64>,
    undo: &mut Vec<(u64, i64)>,
    from: u64,
    to: u64,
    amount: i64,
) {
    undo.clear();
    for (key, change) in [(from, -amount), (to, amount)] {
        let balance = balances.get_mut(&key).expect("every account is there");
        undo.push((key, *balance));
        *balance += change;
        if *balance < 0 {
            for (key, before) in undo.drain(..).rev() {
                balances.insert(key, before);
            }
            return;
        }
    }
}
