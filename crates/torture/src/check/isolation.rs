//! Strict serializability of the list transactions, judged by the `adya` crate: it knows nothing of
//! Ordain, its log or its seqs, only what clients did and read, and when.
//!
//! It infers the dependencies of Adya's thesis from the lists (write-write, write-read, read-write) and
//! adds real-time order; a cycle of any of these is an anomaly. Its findings are held against our own
//! check in `order`, which uses another evidence: the seqs.

use std::collections::HashMap;
use std::time::Duration;

use adya::check::{Opts, Valid, check as judge};
use adya::history::{Interner, Mop, Op as AdyaOp, OpType, ReadValue, Scalar};
use adya::{History, Workload};
use ordain::Key;
use ordain_example_probe::Op;

use super::Found;
use crate::history::{Answer, Record};

/// How long the search for a cycle's kind may take; that there is one is always found.
const SEARCH_MAX: Duration = Duration::from_secs(10);
/// Characters of an explanation that are shown.
const EXPLAINED_MAX: usize = 1_500;

/// What is wrong with the list transactions among these.
pub fn check(records: &[Record]) -> Vec<String> {
    let mut found = Found::default();
    let history = history(records, &mut found);
    let options = Opts {
        models: vec!["strict-serializable".into()],
        timeout: SEARCH_MAX,
        ..Opts::default()
    };
    let report = judge(&history, Workload::ListAppend, &options);
    if report.valid != Valid::True {
        let named = report.anomaly_types.join(", ");
        found.add(format!("lists are not strictly serializable: {named}"));
    }
    for anomaly in report.anomalies.values().flatten() {
        let text: String = anomaly.explanation.chars().take(EXPLAINED_MAX).collect();
        found.add(format!("{}: {text}", anomaly.kind));
    }
    found.into_lines()
}

/// One event of the history, as `adya` wants them: in the order in which they happened.
struct Event {
    ticket: u64,
    op: AdyaOp,
}

fn history(records: &[Record], found: &mut Found) -> History {
    let mut interner = Interner::default();
    let mut events = Vec::new();
    // A client that does not know what became of an operation goes on as another process.
    let mut lives: HashMap<u32, i64> = HashMap::new();
    for record in records {
        let Some(steps) = steps(record) else { continue };
        let life = lives.entry(record.client).or_default();
        let process = i64::from(record.client) + *life * 100_000;
        let (kind, seen) = match &record.answer {
            Answer::Value(_) => match seen(record, &steps) {
                Some(seen) => (OpType::Ok, Some(seen)),
                None => {
                    found.add(format!("an answer that is none: {record:?}"));
                    continue;
                }
            },
            Answer::Rejected(_) | Answer::Fault(_) => (OpType::Fail, None),
            Answer::Unknown(_) => (OpType::Info, None),
        };
        *life += i64::from(kind == OpType::Info);
        let ended = record.returned.map_or(u64::MAX, |moment| moment.ticket);
        let mut event = |ticket, kind, seen: Option<&Seen>| {
            let op = AdyaOp {
                index: ticket,
                kind,
                process: Some(process),
                value: mops(&steps, seen, &mut interner),
                time: None,
            };
            events.push(Event { ticket, op });
        };
        event(record.invoked.ticket, OpType::Invoke, None);
        event(ended, kind, seen.as_ref());
    }
    events.sort_by_key(|event| event.ticket);
    History::from_ops(events.into_iter().map(|event| event.op).collect(), interner)
}

/// What each step read; none for an append.
pub type Seen = Vec<Option<Vec<u64>>>;

/// The steps of a list transaction; none: it is another operation.
pub fn steps(record: &Record) -> Option<Vec<Op>> {
    match (record.entity_type(), record.method.as_str()) {
        ("probe_lists", "apply") => record.arg("ops"),
        ("probe_lists", "read") => {
            let keys: Vec<Key> = record.arg("keys")?;
            Some(keys.into_iter().map(|key| Op::Read { key }).collect())
        }
        _ => None,
    }
}

/// What a committed transaction says that its steps read. None if that is no answer to these steps.
pub fn seen(record: &Record, steps: &[Op]) -> Option<Seen> {
    let seen: Seen = match record.method.as_str() {
        "read" => record
            .value::<Vec<Vec<u64>>>()?
            .into_iter()
            .map(Some)
            .collect(),
        _ => record.value()?,
    };
    let fits = |(step, seen): (&Op, &Option<_>)| matches!(step, Op::Read { .. }) == seen.is_some();
    (seen.len() == steps.len() && steps.iter().zip(&seen).all(fits)).then_some(seen)
}

fn mops(steps: &[Op], seen: Option<&Seen>, interner: &mut Interner) -> Vec<Mop> {
    let mop = |(at, step): (usize, &Op)| match step {
        Op::Append { key, value } => Mop::Append {
            key: interner.intern(Scalar::Str(key.to_string())),
            value: interner.intern(Scalar::Int(*value as i64)),
        },
        Op::Read { key } => {
            let list = seen.and_then(|seen| seen[at].as_ref());
            let key = interner.intern(Scalar::Str(key.to_string()));
            let value = list.map_or(ReadValue::Nil, |list| {
                let ids = list
                    .iter()
                    .map(|&value| interner.intern(Scalar::Int(value as i64)));
                ReadValue::List(ids.collect())
            });
            Mop::Read { key, value }
        }
    };
    steps.iter().enumerate().map(mop).collect()
}
