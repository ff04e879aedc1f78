//! Each checker first sees the defect it is for: histories with one thing wrong, and the same without.

use std::collections::BTreeMap;

use ordain::Key;
use ordain_example_probe::{Counter, Fired, Lists, Op, Timer};
use ordain_types::{Request, Timestamp};
use serde::Serialize;

use super::{counters, isolation, order, timers};
use crate::history::{Answer, Moment, Record, raw};

/// A history in the making: moments are given, and seqs where they matter.
#[derive(Default)]
struct Made(Vec<Record>);

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn append(list: &str, value: u64) -> Op {
    Op::Append {
        key: key(list),
        value,
    }
}

fn read(list: &str) -> Op {
    Op::Read { key: key(list) }
}

fn saw(values: &[u64]) -> Option<Vec<u64>> {
    Some(values.to_vec())
}

impl Made {
    fn add<R>(&mut self, times: (u64, u64), seq: u64, request: Request<R>, answer: Answer) {
        let moment = |ticket| Moment { ticket, us: ticket };
        let parts = request.into_parts().expect("a request");
        let client = self.0.len() as u32;
        let mut record = Record::begin(client, moment(times.0), &parts);
        let known = !matches!(answer, Answer::Unknown(_));
        record.returned = known.then(|| moment(times.1));
        record.seq = known.then_some(seq);
        record.answer = answer;
        self.0.push(record);
    }

    /// A list transaction: from when to when, its seq, its steps, what they saw.
    fn lists(
        mut self,
        times: (u64, u64),
        seq: u64,
        ops: Vec<Op>,
        seen: Vec<Option<Vec<u64>>>,
    ) -> Self {
        let request = Lists::at("all").apply(ops);
        self.add(times, seq, request, value(&seen));
        self
    }

    fn unknown(mut self, times: (u64, u64), ops: Vec<Op>) -> Self {
        let unknown = Answer::Unknown("lost".into());
        self.add(times, 0, Lists::at("all").apply(ops), unknown);
        self
    }

    fn undone(mut self, times: (u64, u64), seq: u64, ops: Vec<Op>) -> Self {
        let rejected = Answer::Rejected("no".into());
        self.add(times, seq, Lists::at("all").apply(ops), rejected);
        self
    }

    fn isolation(&self) -> String {
        isolation::check(&self.0).join("\n")
    }

    fn order(&self, lists: &[(&str, &[u64])]) -> String {
        let lists = lists
            .iter()
            .map(|(name, values)| (key(name), values.to_vec()));
        order::check(&self.0, &lists.collect()).join("\n")
    }
}

fn value(value: &impl Serialize) -> Answer {
    Answer::Value(raw(&serde_json::to_string(value).expect("JSON")))
}

fn made() -> Made {
    Made::default()
}

#[track_caller]
fn sees(found: &str, what: &str) {
    assert!(found.contains(what), "{what} was not seen, but: {found:?}");
}

#[test]
fn a_history_in_order_is_found_in_order() {
    let good = made()
        .lists(
            (1, 2),
            1,
            vec![append("x", 1), read("x")],
            vec![None, saw(&[1])],
        )
        .lists(
            (3, 6),
            3,
            vec![append("x", 2), read("y")],
            vec![None, saw(&[])],
        )
        .lists(
            (4, 5),
            2,
            vec![read("x"), append("x", 9)],
            vec![saw(&[1]), None],
        )
        .lists(
            (7, 8),
            4,
            vec![read("x"), append("y", 3)],
            vec![saw(&[1, 9, 2]), None],
        )
        .lists(
            (9, 10),
            5,
            vec![read("x"), read("y")],
            vec![saw(&[1, 9, 2]), saw(&[3])],
        );
    assert_eq!(good.isolation(), "");
    assert_eq!(good.order(&[("x", &[1, 9, 2]), ("y", &[3])]), "");
}

#[test]
fn write_cycles_are_seen() {
    // G0: the two appended to x in one order and to y in the other.
    let found = made()
        .lists(
            (1, 9),
            1,
            vec![append("x", 1), append("y", 1)],
            vec![None, None],
        )
        .lists(
            (2, 9),
            2,
            vec![append("x", 2), append("y", 2)],
            vec![None, None],
        )
        .lists((3, 9), 3, vec![read("x")], vec![saw(&[1, 2])])
        .lists((4, 9), 4, vec![read("y")], vec![saw(&[2, 1])]);
    sees(&found.isolation(), "G0");
    sees(&found.order(&[("x", &[1, 2]), ("y", &[2, 1])]), "replay");
}

#[test]
fn aborted_reads_are_seen() {
    let found = made()
        .undone((1, 2), 1, vec![append("x", 1)])
        .lists(
            (3, 4),
            2,
            vec![read("x"), append("x", 2)],
            vec![saw(&[1]), None],
        )
        .lists((5, 6), 3, vec![read("x")], vec![saw(&[1, 2])]);
    sees(&found.isolation(), "G1a");
    sees(&found.order(&[("x", &[1, 2])]), "though undone");
}

#[test]
fn intermediate_reads_are_seen() {
    let found = made()
        .lists(
            (1, 9),
            1,
            vec![append("x", 1), append("x", 2)],
            vec![None, None],
        )
        .lists((2, 9), 2, vec![read("x")], vec![saw(&[1])])
        .lists((3, 9), 3, vec![read("x")], vec![saw(&[1, 2])]);
    sees(&found.isolation(), "G1b");
    sees(&found.order(&[("x", &[1, 2])]), "replay");
}

#[test]
fn circular_information_flow_is_seen() {
    // G1c: each read what the other appended.
    let found = made()
        .lists(
            (1, 9),
            1,
            vec![append("x", 1), read("y")],
            vec![None, saw(&[2])],
        )
        .lists(
            (2, 9),
            2,
            vec![append("y", 2), read("x")],
            vec![None, saw(&[1])],
        );
    sees(&found.isolation(), "G1c");
    sees(&found.order(&[("x", &[1]), ("y", &[2])]), "replay");
}

#[test]
fn read_skew_is_seen() {
    // G-single: the reader saw one append of a transaction and not the other.
    let found = made()
        .lists(
            (1, 9),
            1,
            vec![append("x", 1), append("y", 1)],
            vec![None, None],
        )
        .lists(
            (2, 9),
            2,
            vec![read("x"), read("y")],
            vec![saw(&[1]), saw(&[])],
        )
        .lists(
            (3, 9),
            3,
            vec![read("x"), read("y")],
            vec![saw(&[1]), saw(&[1])],
        );
    sees(&found.isolation(), "G-single");
    sees(&found.order(&[("x", &[1]), ("y", &[1])]), "replay");
}

#[test]
fn write_skew_is_seen() {
    // G2: each read what the other was about to change.
    let both = || vec![read("x"), read("y")];
    let with = |op| [both(), vec![op]].concat();
    let empty = || vec![saw(&[]), saw(&[]), None];
    let found = made()
        .lists((1, 9), 1, with(append("x", 1)), empty())
        .lists((2, 9), 2, with(append("y", 2)), empty())
        .lists((10, 11), 3, both(), vec![saw(&[1]), saw(&[2])]);
    sees(&found.isolation(), "G2");
    sees(&found.order(&[("x", &[1]), ("y", &[2])]), "replay");
}

#[test]
fn a_lost_append_is_seen() {
    let found = made()
        .lists((1, 2), 1, vec![append("x", 1)], vec![None])
        .lists((3, 4), 2, vec![append("x", 2)], vec![None])
        .lists((5, 6), 3, vec![read("x")], vec![saw(&[1])]);
    sees(&found.isolation(), "realtime");
    sees(&found.order(&[("x", &[1])]), "lost: 2");
}

#[test]
fn an_append_that_ran_twice_is_seen() {
    let found = made()
        .lists((1, 2), 1, vec![append("x", 1)], vec![None])
        .lists((3, 4), 2, vec![read("x")], vec![saw(&[1, 1])]);
    sees(&found.isolation(), "duplicate-elements");
    sees(&found.order(&[("x", &[1, 1])]), "twice");
}

#[test]
fn an_append_from_nowhere_is_seen() {
    let found = made().lists((1, 2), 1, vec![append("x", 1)], vec![None]);
    sees(&found.order(&[("x", &[1, 7])]), "nobody appended");
}

#[test]
fn a_stale_read_is_seen() {
    // Serializable, and yet the read began after the append was answered.
    let found = made()
        .lists((1, 2), 1, vec![append("x", 1)], vec![None])
        .lists((3, 4), 2, vec![append("x", 2)], vec![None])
        .lists((5, 6), 2, vec![read("x")], vec![saw(&[1])])
        .lists((7, 8), 3, vec![read("x")], vec![saw(&[1, 2])]);
    sees(&found.isolation(), "realtime");
    sees(&found.order(&[("x", &[1, 2])]), "replay");
}

#[test]
fn an_order_against_real_time_is_seen() {
    // Nothing but the seqs shows it: the two never touch the same list.
    let found = made()
        .lists((1, 2), 8, vec![append("x", 1)], vec![None])
        .lists((3, 4), 7, vec![append("y", 2)], vec![None]);
    sees(&found.order(&[("x", &[1]), ("y", &[2])]), "real time");
    let meanwhile = made()
        .lists((1, 4), 8, vec![append("x", 1)], vec![None])
        .lists((2, 3), 7, vec![append("y", 2)], vec![None]);
    assert_eq!(meanwhile.order(&[("x", &[1]), ("y", &[2])]), "");
}

#[test]
fn one_place_for_two_is_seen() {
    let found = made()
        .lists((1, 4), 1, vec![append("x", 1)], vec![None])
        .lists((2, 3), 1, vec![append("y", 2)], vec![None]);
    sees(&found.order(&[("x", &[1]), ("y", &[2])]), "seq 1 was given");
}

#[test]
fn what_is_unknown_may_have_happened_or_not() {
    let history = || {
        made().unknown((1, 2), vec![append("x", 1)]).lists(
            (3, 4),
            2,
            vec![append("x", 2)],
            vec![None],
        )
    };
    assert_eq!(history().order(&[("x", &[1, 2])]), "");
    assert_eq!(history().order(&[("x", &[2])]), "");
    let read_last = history().lists((5, 6), 3, vec![read("x")], vec![saw(&[2])]);
    assert_eq!(read_last.isolation(), "");
    let reads = history()
        .lists((5, 6), 3, vec![read("x")], vec![saw(&[1, 2])])
        .lists((7, 8), 4, vec![read("x")], vec![saw(&[2])]);
    sees(&reads.order(&[("x", &[1, 2])]), "was read as");
    sees(&reads.isolation(), "incompatible-order");
}

/// Counts that were told these numbers, and so many that were not answered.
fn counted(told: &[u64], unknown: usize, count: u64) -> String {
    let mut made = made();
    for (at, number) in told.iter().enumerate() {
        let at = 2 * at as u64;
        made.add((at, at + 1), at, Counter::at("c").add(), value(number));
    }
    for _ in 0..unknown {
        let unknown = Answer::Unknown("lost".into());
        made.add((0, 1), 0, Counter::at("c").add(), unknown);
    }
    let counts = BTreeMap::from([("c".to_owned(), count)]);
    counters::check(&made.0, &counts).join("\n")
}

#[test]
fn a_history_that_shows_nothing_is_no_good_one() {
    let found = made().lists((1, 2), 1, vec![append("x", 1)], vec![None]);
    sees(&found.isolation(), "empty-transaction-graph");
}

#[test]
fn counts_that_are_lost_or_doubled_are_seen() {
    assert_eq!(counted(&[1, 2, 3], 0, 3), "");
    assert_eq!(counted(&[1, 3], 2, 4), "");
    sees(&counted(&[1, 2, 3], 0, 2), "is 2: 3 acknowledged");
    sees(&counted(&[1, 2, 3], 0, 4), "is 4: 3 acknowledged");
    sees(&counted(&[1, 2], 1, 4), "is 4: 2 acknowledged, 1 unknown");
    sees(&counted(&[1, 2, 2], 0, 3), "told before");
    sees(&counted(&[1, 5], 2, 4), "someone was told 5");
    let unread = counters::check(&made().0, &BTreeMap::new());
    assert!(unread.is_empty());
}

/// One timer set at 100 for 50 ms, and these arrivals.
fn timed(fired: &[(u64, u64)], went_back: u64) -> String {
    let mut made = made();
    let set = Timestamp(100);
    made.add((1, 2), 1, Timer::at("t").set(1, 50), value(&set));
    let fired = fired.iter().map(|&(number, now)| Fired {
        number,
        set,
        delay_ms: 50,
        now: Timestamp(now),
    });
    let timer = Timer {
        set: 1,
        fired: fired.collect(),
        latest: Timestamp(0),
        went_back,
    };
    timers::check(&made.0, &BTreeMap::from([("t".to_owned(), timer)])).join("\n")
}

#[test]
fn sends_that_are_early_doubled_or_lost_are_seen() {
    assert_eq!(timed(&[(1, 150)], 0), "");
    sees(&timed(&[(1, 149)], 0), "early");
    sees(&timed(&[(1, 150), (1, 151)], 0), "twice");
    sees(&timed(&[], 0), "arrived as None");
    sees(&timed(&[(1, 150), (2, 150)], 0), "nobody sent it");
    sees(&timed(&[(1, 150)], 1), "time went back");
}

/// A timer set at 100 for 50 ms, looked at when the log's time was between these two, and its arrival.
fn looked_at(fired: Option<u64>, before: u64, after: u64) -> String {
    let set = timers::Set {
        number: 1,
        set: Timestamp(100),
        delay_ms: 50,
    };
    let fired = fired.map(|now| Fired {
        number: 1,
        set: set.set,
        delay_ms: 50,
        now: Timestamp(now),
    });
    let timer = Timer {
        set: 1,
        fired: fired.into_iter().collect(),
        ..Timer::default()
    };
    timers::by_now(&[set], &timer, Timestamp(before), Timestamp(after)).join("\n")
}

#[test]
fn sends_that_come_too_late_or_before_the_logs_time_are_seen() {
    assert_eq!(looked_at(None, 149, 149), "");
    assert_eq!(looked_at(None, 149, 999), "");
    assert_eq!(looked_at(Some(150), 149, 150), "");
    assert_eq!(looked_at(Some(700), 600, 800), "");
    sees(&looked_at(None, 150, 150), "late");
    sees(&looked_at(Some(149), 149, 149), "early");
    // It says that it was in time, and the log's time is not there yet.
    sees(&looked_at(Some(150), 149, 149), "early");
}
