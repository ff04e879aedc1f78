//! One order, by what the server says of it: every answer carries its seq.
//!
//! - No two updates have the same seq.
//! - **Real time**: an operation that began after another was answered has a later seq; a query, one
//!   no earlier. This holds over all entities and applications, not only over lists.
//! - **Replay**: the list transactions, run one at a time in the order of their seqs, read what their
//!   clients were told. Where an operation was never answered its place is not known; then only this
//!   is checked: of all reads of one list, each is the beginning of the next longer one.
//! - **Nothing lost, nothing twice**: what was acknowledged is in the lists that are read at the end,
//!   once, and there is nothing that nobody asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ordain::Key;
use ordain_example_probe::Op;
use ordain_types::MethodKind;

use super::Found;
use super::isolation::{Seen, seen, steps};
use crate::history::{Answer, Record};

/// Everything that is wrong with the order of these. `lists` is what was read at the end.
pub fn check(records: &[Record], lists: &BTreeMap<Key, Vec<u64>>) -> Vec<String> {
    let mut found = Found::default();
    distinct(records, &mut found);
    real_time(records, &mut found);
    let transactions = transactions(records);
    match records.iter().any(Record::unknown) {
        true => beginnings(&transactions, &mut found),
        false => replay(&transactions, &mut found),
    }
    appended(&transactions, lists, &mut found);
    found.into_lines()
}

fn distinct(records: &[Record], found: &mut Found) {
    let mut places: HashMap<u64, &Record> = HashMap::new();
    let updates = records.iter().filter(|it| it.kind == MethodKind::Update);
    for record in updates {
        let Some(seq) = record.seq else { continue };
        if let Some(other) = places.insert(seq, record) {
            found.add(format!(
                "seq {seq} was given to {other:?} and to {record:?}"
            ));
        }
    }
}

fn real_time(records: &[Record], found: &mut Found) {
    let mut begins: Vec<&Record> = records.iter().filter(|it| it.seq.is_some()).collect();
    let mut ends = begins.clone();
    begins.sort_by_key(|record| record.invoked);
    ends.sort_by_key(|record| record.returned);
    let mut ended = ends.into_iter().peekable();
    // The operation with the latest seq among those that were answered before this one began.
    let mut latest: Option<&Record> = None;
    for record in begins {
        while let Some(before) = ended.next_if(|end| end.returned < Some(record.invoked)) {
            if latest.is_none_or(|latest| latest.seq < before.seq) {
                latest = Some(before);
            }
        }
        let Some(latest) = latest else { continue };
        // A query's seq is that of the last update it saw: one before it may have the same.
        let in_order = match (record.kind, latest.kind) {
            (MethodKind::Update, MethodKind::Update) => latest.seq < record.seq,
            (MethodKind::Update, MethodKind::Query) => latest.seq < record.seq,
            (MethodKind::Query, _) => latest.seq <= record.seq,
        };
        found.unless(in_order, || {
            format!("real time: {record:?} began after {latest:?} was answered")
        });
    }
}

/// A list transaction.
struct Transaction<'a> {
    record: &'a Record,
    steps: Vec<Op>,
    seen: Option<Seen>,
}

fn transactions(records: &[Record]) -> Vec<Transaction<'_>> {
    let transaction = |record| {
        let steps = steps(record)?;
        let seen = seen(record, &steps);
        Some(Transaction {
            record,
            steps,
            seen,
        })
    };
    records.iter().filter_map(transaction).collect()
}

fn replay(transactions: &[Transaction<'_>], found: &mut Found) {
    let mut committed: Vec<_> = transactions.iter().filter(|it| it.seen.is_some()).collect();
    // A query runs after the update whose seq it gives.
    committed.sort_by_key(|it| (it.record.seq, it.record.kind == MethodKind::Query));
    let mut lists: HashMap<&Key, Vec<u64>> = HashMap::new();
    for transaction in committed {
        let seen = transaction.seen.iter().flatten();
        for (step, seen) in transaction.steps.iter().zip(seen) {
            match step {
                Op::Append { key, value } => lists.entry(key).or_default().push(*value),
                Op::Read { key } => {
                    let list = lists.entry(key).or_default();
                    found.unless(seen.as_ref() == Some(list), || {
                        let record = transaction.record;
                        format!("replay: {key} was {list:?} at {record:?}")
                    });
                }
            }
        }
    }
}

/// Every read of a list is the beginning of every longer one.
fn beginnings(transactions: &[Transaction<'_>], found: &mut Found) {
    let mut reads: HashMap<&Key, Vec<&Vec<u64>>> = HashMap::new();
    for transaction in transactions {
        let seen = transaction.seen.iter().flatten();
        for (step, seen) in transaction.steps.iter().zip(seen) {
            if let (Op::Read { key }, Some(list)) = (step, seen) {
                reads.entry(key).or_default().push(list);
            }
        }
    }
    for (key, mut lists) in reads {
        lists.sort_by_key(|list| list.len());
        for pair in lists.windows(2) {
            found.unless(pair[1].starts_with(pair[0]), || {
                format!("{key} was read as {:?} and as {:?}", pair[0], pair[1])
            });
        }
    }
}

/// What was appended is there at the end.
fn appended(transactions: &[Transaction<'_>], lists: &BTreeMap<Key, Vec<u64>>, found: &mut Found) {
    let mut there: BTreeSet<(&Key, u64)> = BTreeSet::new();
    for (key, list) in lists {
        for value in list {
            let new = there.insert((key, *value));
            found.unless(new, || format!("{value} is twice in {key}"));
        }
    }
    for transaction in transactions {
        for step in &transaction.steps {
            let Op::Append { key, value } = step else {
                continue;
            };
            let present = there.remove(&(key, *value));
            let record = transaction.record;
            match &record.answer {
                Answer::Value(_) => found.unless(present, || {
                    format!("lost: {value} is not in {key}, acknowledged by {record:?}")
                }),
                Answer::Rejected(_) | Answer::Fault(_) => found.unless(!present, || {
                    format!("{value} is in {key}, though undone: {record:?}")
                }),
                Answer::Unknown(_) => {}
            }
        }
    }
    for (key, value) in there {
        found.add(format!("{value} is in {key}, and nobody appended it"));
    }
}
