//! Entities whose state has a size that is given: what a larger state costs. Each transaction counts one at a
//! note; the sum of counts is what was acknowledged.

use std::sync::Arc;

use ordain_example_probe::Note;

use super::told::Told;
use super::{Keys, Loading, Source, Task, Workload};
use crate::answer::{Answer, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// Notes of one size.
#[derive(Debug)]
pub struct Notes {
    keys: Keys,
    bytes: usize,
    chooser: Chooser,
    told: Arc<Told>,
}

impl Notes {
    /// So many, of so many bytes each.
    pub fn new(count: usize, bytes: usize, spread: Spread) -> Self {
        let keys = Keys::new("n", count.max(1));
        Self {
            keys,
            bytes,
            chooser: Chooser::new(keys.count(), spread),
            told: Arc::default(),
        }
    }
}

impl Workload for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn about(&self) -> String {
        let (count, bytes, spread) = (self.keys.count(), self.bytes, self.chooser.spread());
        format!("{count} notes of {bytes} bytes, {spread}")
    }

    fn load(&self) -> Loading<'_> {
        let bytes = self.bytes as u64;
        let fill = move |key| ask(Note::at(key).fill(bytes));
        Box::new(self.keys.iter().map(fill))
    }

    fn loaded(&self, answer: &Answer) -> bool {
        matches!(answer.value::<u64>(), Ok(0))
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Counting {
            keys: self.keys,
            chooser: self.chooser.clone(),
            chance: chance(seed, slot),
            told: self.told.clone(),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let mut total = 0;
        let requests = self.keys.iter().map(|key| Note::at(key).count());
        door::values(door, requests, |_, count: u64| total += count)?;
        Ok(self.told.violation("counts", total).into_iter().collect())
    }
}

struct Counting {
    keys: Keys,
    chooser: Chooser,
    chance: Chance,
    told: Arc<Told>,
}

impl Source for Counting {
    fn next(&mut self) -> Task {
        let key = self.keys.get(self.chooser.choose(&mut self.chance));
        Task {
            kind: "add",
            prepare: None,
            ask: ask(Note::at(key).add()),
        }
    }

    fn ended(&mut self, answer: &Answer) {
        self.told.ended(answer);
    }
}
