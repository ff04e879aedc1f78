//! What measurements said, round by round.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::report::{median, show};

/// What one measurement said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Its figures, by their keys.
    pub figures: BTreeMap<String, f64>,
    /// What committed in each tenth of a second.
    pub ticks: Vec<f64>,
    /// Parts of the transactions, and the microseconds within which they were answered.
    pub distribution: Vec<(f64, f64)>,
    /// Why there are no figures: something is not installed.
    pub skipped: Option<String>,
    /// What went wrong: a violated invariant, a fault, a request that was not answered.
    pub failure: Option<String>,
}

impl Sample {
    /// Of what a command of `bench` printed as JSON: an object with figures, or a list of one limit.
    pub fn of(said: &Value) -> Self {
        let said = said.get(0).unwrap_or(said);
        if let Some(why) = said["skipped"].as_str() {
            return Self {
                skipped: Some(why.to_owned()),
                ..Self::default()
            };
        }
        let violations = said["violations"].as_array().into_iter().flatten();
        let violated: Vec<_> = violations.map(Value::to_string).collect();
        let violated = (!violated.is_empty()).then(|| format!("VIOLATED: {}", violated.join(", ")));
        if let Some(why) = violated.or_else(|| trouble(said)) {
            return Self::failed(why);
        }
        let mut figures = BTreeMap::new();
        for (key, value) in said.as_object().into_iter().flatten() {
            figures.extend(value.as_f64().map(|value| (key.clone(), value)));
        }
        for figure in said["figures"].as_array().into_iter().flatten() {
            let Some(key) = figure["key"].as_str() else {
                continue;
            };
            for (prefix, value) in [("", "median"), ("first_", "first"), ("last_", "last")] {
                let value = figure[value].as_f64();
                figures.extend(value.map(|value| (format!("{prefix}{key}"), value)));
            }
        }
        let list = |name: &str| serde_json::from_value(said[name].clone()).unwrap_or_default();
        Self {
            figures,
            ticks: list("ticks"),
            distribution: serde_json::from_value(said["distribution"].clone()).unwrap_or_default(),
            skipped: None,
            failure: None,
        }
    }

    /// One that could not be made, or came to nothing that counts: it has no figures, and nothing to be drawn.
    pub fn failed(why: String) -> Self {
        let failure = Some(why);
        Self {
            failure,
            ..Self::default()
        }
    }
}

/// Transactions that were not what was measured: what is over sooner makes figures better.
fn trouble(said: &Value) -> Option<String> {
    let count = |name: &str| said[name].as_u64().unwrap_or_default();
    let (faults, unanswered) = (count("faults"), count("unanswered"));
    if faults + unanswered == 0 {
        return None;
    }
    let first = said["first_trouble"].as_str().unwrap_or_default();
    Some(format!(
        "{faults} faults, {unanswered} unanswered, the first: {first}"
    ))
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.failure {
            return write!(f, "FAILED: {why}");
        }
        if let Some(why) = &self.skipped {
            return write!(f, "skipped: {why}");
        }
        const SHOWN: [&str; 8] = [
            "per_second",
            "p50_us",
            "p99_us",
            "cpu_own_us",
            "cpu_server_us",
            "ready_ms",
            "bytes",
            "cpu_percent",
        ];
        let shown = SHOWN
            .iter()
            .filter_map(|key| Some((key, self.figures.get(*key)?)));
        let shown: Vec<_> = shown
            .map(|(key, value)| format!("{key} {}", show(*value)))
            .collect();
        f.write_str(&shown.join(", "))
    }
}

/// All measurements, once each.
#[derive(Debug, Default)]
pub struct Round {
    samples: BTreeMap<&'static str, Sample>,
}

impl Round {
    /// A round with one sample more.
    pub fn put(&mut self, measure: &'static str, sample: Sample) {
        self.samples.insert(measure, sample);
    }

    /// A figure of a measurement; none if it failed or does not have it.
    pub fn get(&self, measure: &str, key: &str) -> Option<f64> {
        self.samples.get(measure)?.figures.get(key).copied()
    }

    /// Its committed transactions a second; of a limit, how often it was done.
    pub fn rate(&self, measure: &str) -> Option<f64> {
        self.get(measure, "per_second")
    }

    /// 99 in 100 of its transactions took no longer, in microseconds.
    pub fn p99(&self, measure: &str) -> Option<f64> {
        self.get(measure, "p99_us")
    }

    /// A figure in milliseconds, in microseconds.
    pub fn micros(&self, measure: &str, key: &str) -> Option<f64> {
        Some(self.get(measure, key)? * 1e3)
    }

    /// The rate of the slowest of these.
    pub fn slowest(&self, measures: &[&str]) -> Option<f64> {
        let rates: Option<Vec<f64>> = measures.iter().map(|measure| self.rate(measure)).collect();
        rates?.into_iter().min_by(f64::total_cmp)
    }

    /// Its p50 as so many times what the way there and back takes and a sync of 4 KiB.
    pub fn p50_to_limits(&self, measure: &str, echo: &str) -> Option<f64> {
        let p50 = |measure: &str| self.get(measure, "p50_us");
        Some(p50(measure)? / (p50(echo)? + p50("sync-4k")?))
    }

    /// Its rate as a part of the smaller of two others'.
    pub fn to_smaller(&self, measure: &str, one: &str, other: &str) -> Option<f64> {
        Some(self.rate(measure)? / self.slowest(&[one, other])?)
    }

    /// Its rate as a part of another's.
    pub fn ratio(&self, measure: &str, to: &str) -> Option<f64> {
        Some(self.rate(measure)? / self.rate(to)?)
    }
}

/// All rounds.
#[derive(Debug, Default)]
pub struct Session {
    /// In order.
    pub rounds: Vec<Round>,
}

impl Session {
    /// How many measurements failed.
    pub fn failures(&self) -> usize {
        let samples = self.samples();
        samples
            .filter(|(_, sample)| sample.failure.is_some())
            .count()
    }

    /// Every sample with the name of its measurement.
    pub fn samples(&self) -> impl Iterator<Item = (&'static str, &Sample)> {
        let rounds = self.rounds.iter();
        rounds.flat_map(|round| round.samples.iter().map(|(name, sample)| (*name, sample)))
    }

    /// Why a measurement has no figures: the first reason.
    pub fn why_not(&self, measure: &str) -> Option<&str> {
        let mut samples = self.samples().filter(|(name, _)| *name == measure);
        samples.find_map(|(_, sample)| sample.failure.as_deref().or(sample.skipped.as_deref()))
    }

    /// Of each round's value, the one in the middle, the least and the greatest.
    pub fn over(&self, value: impl Fn(&Round) -> Option<f64>) -> Option<Over> {
        let mut values: Vec<f64> = self.rounds.iter().filter_map(value).collect();
        values.sort_by(f64::total_cmp);
        Some(Over {
            min: *values.first()?,
            max: *values.last()?,
            median: median(&values),
        })
    }
}

/// A value over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Over {
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}
