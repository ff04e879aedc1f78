//! Sends with delays: each arrives once, if and only if it was asked for; none before it is due, and none long
//! after it; and no transaction is told an earlier time than one before it.

use std::collections::{BTreeMap, HashMap};

use ordain_example_probe::Timer;
use ordain_types::Timestamp;

use super::Found;
use crate::history::{Answer, Record};

/// What is wrong with the timers. `timers` is what was read at the end, when all had arrived.
pub fn check(records: &[Record], timers: &BTreeMap<String, Timer>) -> Vec<String> {
    let mut found = Found::default();
    let mut arrived: HashMap<(&str, u64), Timestamp> = HashMap::new();
    for (key, timer) in timers {
        found.unless(timer.went_back == 0, || {
            format!("time went back {} times at {key}", timer.went_back)
        });
        for fired in &timer.fired {
            let due = fired.set.plus_ms(fired.delay_ms);
            found.unless(fired.now >= due, || format!("early at {key}: {fired:?}"));
            let again = arrived.insert((key, fired.number), fired.set);
            found.unless(again.is_none(), || format!("twice at {key}: {fired:?}"));
        }
    }
    let sets = records
        .iter()
        .filter(|it| it.entity_type() == "probe_timer");
    for record in sets.filter(|record| record.method == "set") {
        let number = record.arg("number").unwrap_or(u64::MAX);
        let sent = arrived.remove(&(record.entity_key(), number));
        match &record.answer {
            Answer::Value(_) => found.unless(sent.is_some() && sent == record.value(), || {
                format!("arrived as {sent:?} of {record:?}")
            }),
            Answer::Unknown(_) => {}
            Answer::Rejected(_) | Answer::Fault(_) => found.unless(sent.is_none(), || {
                format!("arrived, though undone: {record:?}")
            }),
        }
    }
    for (key, number) in arrived.keys() {
        found.add(format!("{number} arrived at {key}, and nobody sent it"));
    }
    found.into_lines()
}

/// A send that was asked for, as its transaction said.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// Which.
    pub number: u64,
    /// When it was asked for, by the log's time.
    pub set: Timestamp,
    /// How much later it was to arrive.
    pub delay_ms: u64,
}

/// What is wrong with what had arrived when the timer was `told`: the log's time was `before` a while before that,
/// and `after` just after it.
pub fn by_now(sets: &[Set], told: &Timer, before: Timestamp, after: Timestamp) -> Vec<String> {
    let mut found = Found::default();
    let arrived: HashMap<u64, Timestamp> =
        (told.fired.iter().map(|fired| (fired.number, fired.now))).collect();
    for set in sets {
        let due = set.set.plus_ms(set.delay_ms);
        match arrived.get(&set.number) {
            None => found.unless(due > before, || {
                format!("late: {set:?} has not arrived and it was {before:?}")
            }),
            Some(now) => found.unless(due <= *now && *now <= after, || {
                format!("early: {set:?} has arrived at {now:?} and it was {after:?}")
            }),
        }
    }
    found.into_lines()
}
