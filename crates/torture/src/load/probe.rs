//! What is asked of the probe: transactions over lists, counts, timers. All choices follow from a
//! seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ordain::Key;
use ordain_bench::answer::{Answer, Ask, ask};
use ordain_bench::choose::{Chance, chance};
use ordain_bench::workload::{Source, Task};
use ordain_example_probe::{Counter, Lists, Op, Timer};
use rand::RngExt;

/// Lists in use at a time: few, so that transactions meet.
const LISTS: u64 = 6;
/// Appends after which other lists are used: reads give whole lists.
const APPENDS_A_GENERATION: u64 = 240;
/// Steps of one transaction.
const STEPS_MAX: usize = 4;
/// Timers whose sends one client asks for under one key.
const SETS_A_KEY: u64 = 100;

/// Values to append: no two are the same in a run.
#[derive(Debug, Clone, Default)]
pub struct Values(Arc<AtomicU64>);

impl Values {
    /// The list transactions of one client.
    pub fn lists(&self, slot: u32, seed: u64) -> Box<dyn Source> {
        Box::new(ListSteps {
            values: self.clone(),
            chance: chance(seed, slot as usize),
        })
    }

    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn generation(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / APPENDS_A_GENERATION
    }
}

struct ListSteps {
    values: Values,
    chance: Chance,
}

impl ListSteps {
    fn key(&mut self) -> Key {
        let list = self.chance.random_range(0..LISTS);
        name(&format!("{}-{list}", self.values.generation()))
    }

    fn step(&mut self) -> Op {
        let key = self.key();
        match self.chance.random_range(0..2) {
            0 => Op::Read { key },
            _ => Op::Append {
                key,
                value: self.values.next(),
            },
        }
    }
}

impl Source for ListSteps {
    fn next(&mut self) -> Task {
        let steps = self.chance.random_range(1..=STEPS_MAX);
        if self.chance.random_range(0..4) == 0 {
            let keys = (0..steps).map(|_| self.key()).collect();
            return task("read", ask(Lists::at("all").read(keys)));
        }
        let ops = (0..steps).map(|_| self.step()).collect();
        task("apply", ask(Lists::at("all").apply(ops)))
    }
}

/// One client's counts: on a counter of its own, and on one for all.
pub fn counters(slot: u32, seed: u64) -> Box<dyn Source> {
    Box::new(Counts {
        own: name(&format!("own-{slot}")),
        chance: chance(seed, 1_000 + slot as usize),
    })
}

struct Counts {
    own: Key,
    chance: Chance,
}

impl Source for Counts {
    fn next(&mut self) -> Task {
        let counter = match self.chance.random_range(0..2) {
            0 => Counter::at(&self.own),
            _ => Counter::at("common"),
        };
        task("add", ask(counter.add()))
    }
}

/// How long timers are set for.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// At most.
    pub ms_max: u64,
}

/// One client's timers.
pub fn timers(slot: u32, delays: Delays, seed: u64) -> Box<dyn Source> {
    Box::new(Timers {
        slot,
        delays,
        number: 0,
        chance: chance(seed, 2_000 + slot as usize),
    })
}

struct Timers {
    slot: u32,
    delays: Delays,
    number: u64,
    chance: Chance,
}

/// Where the sends of a client go that it numbered so.
pub fn timer_key(slot: u32, number: u64) -> Key {
    name(&format!("{slot}-{}", number / SETS_A_KEY))
}

impl Source for Timers {
    fn next(&mut self) -> Task {
        let number = self.number;
        self.number += 1;
        let timer = Timer::at(timer_key(self.slot, number));
        let delay_ms = self.chance.random_range(0..=self.delays.ms_max);
        task("set", ask(timer.set(number, delay_ms)))
    }

    fn ended(&mut self, _: &Answer) {}
}

fn name(text: &str) -> Key {
    Key::new(text).expect("a short text is a key")
}

fn task(kind: &'static str, ask: Ask) -> Task {
    Task {
        kind,
        prepare: None,
        ask,
    }
}
