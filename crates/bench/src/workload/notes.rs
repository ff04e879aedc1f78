//! Entities whose state has a size that is given: what a larger state costs. Each transaction counts one at a
//! note; the sum of counts is what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ordain::Key;
use ordain_example_probe::Note;

use super::{Loading, Source, Task, Workload, keys};
use crate::answer::{Answer, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// Notes of one size.
#[derive(Debug)]
pub struct Notes {
    keys: Arc<Vec<Key>>,
    bytes: usize,
    spread: Spread,
    told: Arc<Told>,
}

/// What replies said.
#[derive(Debug, Default)]
struct Told {
    counted: AtomicU64,
    unanswered: AtomicU64,
}

impl Notes {
    /// So many, of so many bytes each.
    pub fn new(count: usize, bytes: usize, spread: Spread) -> Self {
        Self {
            keys: Arc::new(keys("n", 1..=count.max(1))),
            bytes,
            spread,
            told: Arc::default(),
        }
    }
}

impl Workload for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn about(&self) -> String {
        let (count, bytes, spread) = (self.keys.len(), self.bytes, self.spread);
        format!("{count} notes of {bytes} bytes, {spread}")
    }

    fn load(&self) -> Loading<'_> {
        let bytes = self.bytes as u64;
        Box::new(
            self.keys
                .iter()
                .map(move |key| ask(Note::at(key).fill(bytes))),
        )
    }

    fn loaded(&self, answer: &Answer) -> bool {
        matches!(answer.value::<u64>(), Ok(0))
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Counting {
            keys: self.keys.clone(),
            chooser: Chooser::new(self.keys.len(), self.spread),
            chance: chance(seed, slot),
            told: self.told.clone(),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let mut total = 0;
        let requests = self.keys.iter().map(|key| Note::at(key).count());
        door::values(door, requests, |_, count: u64| total += count)?;
        let counted = self.told.counted.load(Ordering::Relaxed);
        let unanswered = self.told.unanswered.load(Ordering::Relaxed);
        Ok(violation(total, counted, unanswered).into_iter().collect())
    }
}

/// What was not answered may have happened.
fn violation(total: u64, counted: u64, unanswered: u64) -> Option<String> {
    let held = (counted..=counted + unanswered).contains(&total);
    let said =
        format!("the notes count {total}; acknowledged were {counted}, {unanswered} not answered");
    (!held).then_some(said)
}

struct Counting {
    keys: Arc<Vec<Key>>,
    chooser: Chooser,
    chance: Chance,
    told: Arc<Told>,
}

impl Source for Counting {
    fn next(&mut self) -> Task {
        let key = &self.keys[self.chooser.choose(&mut self.chance)];
        Task {
            kind: "add",
            prepare: None,
            ask: ask(Note::at(key).add()),
        }
    }

    fn ended(&mut self, answer: &Answer) {
        match answer {
            Answer::Value(_) => self.told.counted.fetch_add(1, Ordering::Relaxed),
            Answer::None(_) => self.told.unanswered.fetch_add(1, Ordering::Relaxed),
            Answer::Rejected(_) | Answer::Fault(_) => 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_happens_twice_is_seen() {
        assert_eq!(violation(5, 5, 0), None);
        assert_eq!(violation(6, 5, 1), None);
        assert!(violation(4, 5, 1).is_some() && violation(7, 5, 1).is_some());
    }
}
