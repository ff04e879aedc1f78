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
pub mod told;
pub mod transfer;
pub mod travel;
mod violations;

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

/// Keys of a prefix and a number from 1 on, padded so that they sort. They are made when they are wanted: a look
/// into a table of a million would be a wait for memory, of the program that asks.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    prefix: &'static str,
    count: usize,
}

/// The fewest digits that a number has.
const DIGITS: usize = 7;

impl Keys {
    /// So many.
    ///
    /// # Panics
    /// If the prefix has more than eight bytes.
    pub fn new(prefix: &'static str, count: usize) -> Self {
        assert!(prefix.len() <= 8, "{prefix} is short");
        Self { prefix, count }
    }

    /// How many.
    pub fn count(self) -> usize {
        self.count
    }

    /// The one at this place, from 0: its number is one more.
    pub fn get(self, at: usize) -> Key {
        let (mut text, mut left) = ([0; 32], at + 1);
        let mut begin = text.len();
        while left > 0 || text.len() - begin < DIGITS {
            begin -= 1;
            text[begin] = b'0' + (left % 10) as u8;
            left /= 10;
        }
        let end = begin;
        begin -= self.prefix.len();
        text[begin..end].copy_from_slice(self.prefix.as_bytes());
        let text = str::from_utf8(&text[begin..]).expect("texts and digits");
        Key::new(text).expect("a short text is a key")
    }

    /// All of them.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Key> + Send {
        (0..self.count).map(move |at| self.get(at))
    }
}

/// The same, all made.
pub fn keys(prefix: &'static str, count: usize) -> Vec<Key> {
    Keys::new(prefix, count).iter().collect()
}

/// So many letters, the same in every run: what texts are parts of.
fn letters(count: usize) -> String {
    let mut chance = chance(0, 0);
    let letter = |_| char::from(b'a' + chance.random_range(0..26_u8));
    (0..count).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_padded_numbers() {
        for at in [0, 8, 9, 41, 999_999, 9_999_998, 9_999_999, 123_456_788] {
            let key = Keys::new("name", at + 1).get(at);
            assert_eq!(key.as_str(), format!("name{:07}", at + 1));
        }
        let all: Vec<_> = Keys::new("", 3).iter().map(|key| key.to_string()).collect();
        assert_eq!(all, ["0000001", "0000002", "0000003"]);
    }
}
