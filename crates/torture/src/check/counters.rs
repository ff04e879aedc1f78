//! Each acknowledged count ran once: no two were told the same number, the value at the end is at
//! least what was acknowledged and at most that and what is unknown, and exactly that if nothing is.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use crate::history::{Answer, Record};

#[derive(Default)]
struct Told {
    acknowledged: u64,
    unknown: u64,
    numbers: BTreeSet<u64>,
}

/// What is wrong with the counters. `counts` is what was read at the end.
pub fn check(records: &[Record], counts: &BTreeMap<String, u64>) -> Vec<String> {
    let mut found = Found::default();
    let mut counters: BTreeMap<&str, Told> = BTreeMap::new();
    let adds = records
        .iter()
        .filter(|it| it.entity_type() == "probe_counter");
    for record in adds.filter(|record| record.method == "add") {
        let told = counters.entry(record.entity_key()).or_default();
        match &record.answer {
            Answer::Value(_) => {
                told.acknowledged += 1;
                let new = record
                    .value()
                    .is_some_and(|number| told.numbers.insert(number));
                found.unless(new, || format!("told before, or no number: {record:?}"));
            }
            Answer::Unknown(_) => told.unknown += 1,
            Answer::Rejected(_) | Answer::Fault(_) => {}
        }
    }
    for (key, told) in &counters {
        let Some(&count) = counts.get(*key) else {
            found.add(format!("the counter {key} was not read"));
            continue;
        };
        let most = told.acknowledged + told.unknown;
        found.unless((told.acknowledged..=most).contains(&count), || {
            let Told {
                acknowledged,
                unknown,
                ..
            } = told;
            format!("the counter {key} is {count}: {acknowledged} acknowledged, {unknown} unknown")
        });
        let highest = told.numbers.last().copied().unwrap_or_default();
        found.unless(highest <= count, || {
            format!("the counter {key} is {count}, and someone was told {highest}")
        });
    }
    found.into_lines()
}
