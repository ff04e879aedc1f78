//! Workloads: what data there is, what is asked next, and what must be true at the end.

pub mod audit;
pub mod ledger;
pub mod market;
pub mod movie;
pub mod named;
pub mod notes;
mod rest;
pub mod retwis;
pub mod smallbank;
mod told;
pub mod transfer;
pub mod travel;
mod violations;

use std::ops::RangeInclusive;

use ordain::Key;
use rand::RngExt;

use crate::answer::{Answer, Ask};
use crate::choose::chance;
use crate::door::Door;

/// A workload with its sizes.
pub trait Workload: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Its sizes and spreads, for people.
    fn about(&self) -> String;

    /// The requests that make its data, all of which must commit. They are not timed.
    fn load(&self) -> Loading<'_>;

    /// Whether the value that loading gave is that of a data directory that was empty.
    fn loaded(&self, _answer: &Answer) -> bool {
        true
    }

    /// What one of `of` slots asks, one transaction after another.
    fn source(&self, slot: usize, of: usize, seed: u64) -> Box<dyn Source>;

    /// What is wrong, when nothing is in flight any more. Empty: every invariant holds.
    ///
    /// # Errors
    /// If the data cannot be read.
    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>>;
}

/// Requests to be made, as many as it says.
pub type Loading<'a> = Box<dyn ExactSizeIterator<Item = Ask> + Send + 'a>;

/// One transaction.
pub struct Task {
    /// Which of the workload's kinds.
    pub kind: &'static str,
    /// A request to be answered first, which is not timed: a shopper fills a cart.
    pub prepare: Option<Ask>,
    /// The request.
    pub ask: Ask,
}

/// What one slot asks: its next transaction begins when the last has ended.
pub trait Source: Send {
    /// The next transaction.
    fn next(&mut self) -> Task;

    /// How it ended.
    fn ended(&mut self, _answer: &Answer) {}
}

/// The keys `prefix` and a number, padded so that they sort.
pub fn keys(prefix: &str, numbers: RangeInclusive<usize>) -> Vec<Key> {
    let key = |number| Key::new(&format!("{prefix}{number:07}")).expect("a short text is a key");
    numbers.map(key).collect()
}

/// So many letters, the same in every run: what texts are parts of.
fn letters(count: usize) -> String {
    let mut chance = chance(0, 0);
    let letter = |_| char::from(b'a' + chance.random_range(0..26_u8));
    (0..count).map(letter).collect()
}
