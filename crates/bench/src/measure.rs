//! What is counted: a plan of when, and a record of what came back in each of its windows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::answer::Answer;

/// When a run warms up and when it is measured: one window after another, under one steady load.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// When the load begins.
    pub begin: Instant,
    /// How long nothing is counted.
    pub warm_up: Duration,
    /// How long each window is.
    pub window: Duration,
    /// How many windows there are.
    pub windows: usize,
}

/// Where in a plan a moment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not counted yet.
    WarmUp,
    /// In the window of that number.
    Window(usize),
    /// After the last.
    Over,
}

impl Plan {
    /// Where `now` is.
    pub fn phase(&self, now: Instant) -> Phase {
        let since = now.saturating_duration_since(self.begin);
        match since.checked_sub(self.warm_up) {
            None => Phase::WarmUp,
            Some(since) => match (since.as_nanos() / self.window.as_nanos().max(1)) as usize {
                window if window < self.windows => Phase::Window(window),
                _ => Phase::Over,
            },
        }
    }

    /// When a window begins; of the one after the last: when the run is over.
    pub fn starts(&self, window: usize) -> Instant {
        self.begin + self.warm_up + self.window * window as u32
    }
}

/// What came back in one window.
#[derive(Debug, Clone)]
pub struct Counts {
    /// Nanoseconds from the start of a transaction to its durable reply; in an open loop of those that were due in
    /// the window, whenever they came back.
    pub latency: Histogram<u64>,
    /// Transactions that committed, by kind.
    pub committed: BTreeMap<&'static str, u64>,
    /// Transactions that said no, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Transactions that broke a limit or crashed.
    pub faults: u64,
    /// Requests without an answer.
    pub unanswered: u64,
    /// The first fault or failure to answer.
    pub first_trouble: Option<String>,
}

impl Default for Counts {
    fn default() -> Self {
        // Two digits are more than a latency is good for, and keep a histogram within a cache.
        let latency = Histogram::new_with_bounds(1_000, 600_000_000_000, 2);
        Self {
            latency: latency.expect("the bounds are bounds"),
            committed: BTreeMap::new(),
            rejected: BTreeMap::new(),
            faults: 0,
            unanswered: 0,
            first_trouble: None,
        }
    }
}

impl Counts {
    /// One transaction.
    pub fn add(&mut self, kind: &'static str, latency: Duration, answer: &Answer) {
        self.count(kind, answer);
        self.time(latency, answer);
    }

    /// What came of a transaction.
    fn count(&mut self, kind: &'static str, answer: &Answer) {
        match answer {
            Answer::Value(_) => *self.committed.entry(kind).or_default() += 1,
            Answer::Rejected(code) => match self.rejected.get_mut(code) {
                Some(count) => *count += 1,
                None => drop(self.rejected.insert(code.clone(), 1)),
            },
            Answer::Fault(message) => {
                self.faults += 1;
                self.first_trouble.get_or_insert_with(|| message.clone());
            }
            Answer::None(message) => {
                self.unanswered += 1;
                self.first_trouble.get_or_insert_with(|| message.clone());
            }
        }
    }

    /// How long a transaction took, if it committed.
    fn time(&mut self, latency: Duration, answer: &Answer) {
        if let Answer::Value(_) = answer {
            self.took(latency);
        }
    }

    fn took(&mut self, latency: Duration) {
        self.latency.saturating_record(latency.as_nanos() as u64);
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Counts) {
        self.latency.add(&other.latency).expect("the same bounds");
        for (kind, count) in &other.committed {
            *self.committed.entry(kind).or_default() += count;
        }
        for (code, count) in &other.rejected {
            *self.rejected.entry(code.clone()).or_default() += count;
        }
        self.faults += other.faults;
        self.unanswered += other.unanswered;
        self.first_trouble = self
            .first_trouble
            .take()
            .or_else(|| other.first_trouble.clone());
    }

    /// Transactions that committed.
    pub fn committed(&self) -> u64 {
        self.committed.values().sum()
    }

    /// Transactions that said no.
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// Counts by a plan. A transaction counts in the window in which its reply came; its latency, in an open loop, in
/// the window in which it was due.
#[derive(Debug, Clone)]
pub struct Record {
    plan: Plan,
    /// What came back before the first window and after the last: not measured, but a fault there is
    /// a fault.
    pub outside: Counts,
    /// What came back in each window.
    pub windows: Vec<Counts>,
    /// What committed in each [`TICK`] since the load began.
    pub ticks: Vec<u64>,
}

/// How finely a run is shown over time.
pub const TICK: Duration = Duration::from_millis(100);

impl Record {
    /// Nothing yet.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            outside: Counts::default(),
            windows: vec![Counts::default(); plan.windows],
            ticks: Vec::new(),
        }
    }

    /// A transaction that began at `began` came back at `now`.
    pub fn add(&mut self, kind: &'static str, began: Instant, now: Instant, answer: &Answer) {
        self.count(kind, now, answer);
        self.at(now)
            .time(now.saturating_duration_since(began), answer);
    }

    /// A transaction of an open loop that was due at `due` came back at `now`: a stall is felt where it was,
    /// and also if it lasts beyond the end.
    pub fn add_due(&mut self, kind: &'static str, due: Instant, now: Instant, answer: &Answer) {
        self.count(kind, now, answer);
        self.at(due)
            .time(now.saturating_duration_since(due), answer);
    }

    /// A transaction of an open loop that was due at `due` had not begun at `now`, and never will: it would have
    /// taken at least so long.
    pub fn add_late(&mut self, due: Instant, now: Instant) {
        self.at(due).took(now.saturating_duration_since(due));
    }

    /// The counts of a moment.
    fn at(&mut self, moment: Instant) -> &mut Counts {
        match self.plan.phase(moment) {
            Phase::Window(window) => &mut self.windows[window],
            Phase::WarmUp | Phase::Over => &mut self.outside,
        }
    }

    fn count(&mut self, kind: &'static str, now: Instant, answer: &Answer) {
        self.at(now).count(kind, answer);
        if let Answer::Value(_) = answer {
            let since = now.saturating_duration_since(self.plan.begin);
            let tick = (since.as_nanos() / TICK.as_nanos()) as usize;
            if tick >= self.ticks.len() {
                self.ticks.resize(tick + 1, 0);
            }
            self.ticks[tick] += 1;
        }
    }

    /// Adds what was recorded by a plan that came after this one: its windows follow.
    pub fn append(&mut self, later: Record) {
        self.outside.merge(&later.outside);
        self.windows.extend(later.windows);
        self.ticks.extend(later.ticks);
    }

    /// Adds what another recorded by the same plan.
    pub fn merge(&mut self, other: &Record) {
        self.outside.merge(&other.outside);
        for (mine, theirs) in self.windows.iter_mut().zip(&other.windows) {
            mine.merge(theirs);
        }
        if self.ticks.len() < other.ticks.len() {
            self.ticks.resize(other.ticks.len(), 0);
        }
        for (mine, theirs) in self.ticks.iter_mut().zip(&other.ticks) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let (warm_up, window) = (Duration::from_secs(5), Duration::from_secs(10));
        Plan {
            begin: Instant::now(),
            warm_up,
            window,
            windows: 3,
        }
    }

    #[test]
    fn a_moment_is_in_one_phase() {
        let plan = plan();
        let at = |seconds: f64| plan.phase(plan.begin + Duration::from_secs_f64(seconds));
        assert_eq!((at(0.0), at(4.9)), (Phase::WarmUp, Phase::WarmUp));
        assert_eq!((at(5.0), at(14.9)), (Phase::Window(0), Phase::Window(0)));
        assert_eq!((at(34.9), at(35.0)), (Phase::Window(2), Phase::Over));
        assert_eq!(plan.phase(plan.starts(1)), Phase::Window(1));
        assert_eq!(plan.phase(plan.starts(3)), Phase::Over);
    }

    #[test]
    fn a_stall_beyond_the_end_of_an_open_loop_is_felt() {
        let plan = plan();
        let mut record = Record::new(plan);
        let (second, value) = (Duration::from_secs(1), Answer::Value("1".into()));
        let due = plan.starts(3) - second;
        record.add_due("a", due, plan.starts(3) + 4 * second, &value);
        record.add_late(due, plan.starts(3) + 9 * second);
        let last = &record.windows[2];
        assert_eq!((last.committed(), record.outside.committed()), (0, 1));
        assert_eq!((last.latency.len(), record.outside.latency.len()), (2, 0));
        let took = |q| (last.latency.value_at_quantile(q) as f64 / 1e9).round() as u64;
        assert_eq!((took(0.5), took(1.0)), (5, 10));
        // What came back within the run counts where it came, and is felt where it was due.
        record.add_due("a", plan.starts(0), plan.starts(1), &value);
        assert_eq!(record.windows[1].committed(), 1);
        assert_eq!(record.windows[0].latency.len(), 1);
    }

    #[test]
    fn transactions_count_where_their_replies_come() {
        let plan = plan();
        let mut record = Record::new(plan);
        let second = Duration::from_secs(1);
        let value = Answer::Value("1".into());
        record.add("a", plan.begin, plan.begin + second, &value);
        record.add(
            "a",
            plan.starts(0) - second,
            plan.starts(0) + second,
            &value,
        );
        record.add(
            "b",
            plan.starts(1),
            plan.starts(1),
            &Answer::Rejected("no".into()),
        );
        record.add(
            "b",
            plan.starts(1),
            plan.starts(1),
            &Answer::Fault("boom".into()),
        );
        let mut both = Record::new(plan);
        both.merge(&record);
        both.merge(&record);
        assert_eq!(
            (both.outside.committed(), both.windows[0].committed()),
            (2, 2)
        );
        let [_, window, _] = &both.windows[..] else {
            panic!("three windows")
        };
        assert_eq!(
            (window.rejected(), window.faults, window.committed()),
            (2, 2, 0)
        );
        assert_eq!(window.first_trouble.as_deref(), Some("boom"));
        let ticks = both.ticks.iter().zip(0..).filter(|(count, _)| **count > 0);
        let ticks: Vec<_> = ticks.map(|(count, at)| (at, *count)).collect();
        assert_eq!(ticks, [(10, 2), (60, 2)], "a second in, and six");
        let p50 = both.windows[0].latency.value_at_quantile(0.5) as f64;
        assert!(
            (p50 / 2e9 - 1.0).abs() < 0.02,
            "{p50} ns is not about two seconds"
        );
    }
}
