//! What an engine reads from a store: rows of the system and of entities, of which the store knows only
//! that their bytes are those that were written. Whatever they hold, the engine answers or halts and
//! says why; and what it answers, it answers again.
//!
//! Input: entries, put over those of a real state; one with an empty value is taken away.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use ordain_engine::{Cold, ColdError, ColdRows, Engine, Halt, Options};
use ordain_types::{Call, Command, EntityId, Granule, IdempotencyKey, Method, SendId, Seq};

use crate::input::Input;
use crate::{entities, refused, seeds};

/// The target.
pub fn check(data: &[u8]) {
    let mut rows = seeds::state().clone();
    for (key, value) in Input(data).entries() {
        match value {
            [] => drop(rows.remove(key)),
            value => drop(rows.insert(key.to_vec(), value.to_vec())),
        }
    }
    let rows = Rows(rows);
    let first = live(rows.clone());
    assert_eq!(first, live(rows), "the same rows, another life");
}

/// All that was answered, and why it ended early if it did.
fn live(rows: Rows) -> Vec<String> {
    let mut told = Vec::new();
    if let Err(halt) = try_live(rows, &mut told) {
        refused(&halt, "");
        told.push(halt.to_string());
    }
    told
}

fn try_live(rows: Rows, told: &mut Vec<String>) -> Result<(), Halt> {
    let catalog = entities::entities().build().expect("they fit together");
    let mut engine = Engine::open(catalog, Box::new(rows), Options::default())?;
    let now = engine.meta().timestamp.plus_ms(1_000);
    engine.begin_batch(engine.seq().next(), now);
    for send in engine.due(now, 8) {
        told.push(format!(
            "{:?}",
            engine.execute(&Command::Deliver { send }, None)?
        ));
    }
    for key in ["a", "b"] {
        for command in calls(key) {
            told.push(format!("{:?}", engine.execute(&command, None)?));
        }
    }
    told.push(format!("{:?}", engine.end_batch()));
    for key in ["a", "b"] {
        let notes = call(key, "notes", br#"{"after":"a"}"#, None);
        told.push(format!("{:?}", engine.query(&notes, None, now)?));
        told.push(format!("{:?}", engine.inspect(&entity(key), None, 10)?));
    }
    for seq in 1..8 {
        let send = SendId {
            seq: Seq(seq),
            index: 0,
        };
        told.push(format!("{:?}", engine.invocation(send)?));
    }
    engine.begin_checkpoint();
    while engine.checkpointing() {
        if let Some(changes) = engine.step_checkpoint(64) {
            for (key, _) in changes.granules.iter() {
                let granule = Granule::from_bytes(key);
                assert!(granule.part().is_some(), "{granule:?} is no granule's key");
            }
            told.push(format!("{:?}", changes.granules));
            break;
        }
    }
    Ok(())
}

fn entity(key: &str) -> EntityId {
    EntityId::new("ledger", key).expect("a name and a key")
}

fn call(key: &str, method: &str, args: &'static [u8], idempotency_key: Option<&str>) -> Call {
    Call {
        entity: entity(key),
        method: Method::new(method).expect("a name"),
        args: Bytes::from_static(args),
        caller: "me".to_owned(),
        idempotency_key: idempotency_key.map(|key| IdempotencyKey::new(key).expect("a key")),
    }
}

fn calls(key: &str) -> [Command; 3] {
    let add = call(key, "add", br#"{"amount":5,"note":"b"}"#, None);
    let once = call(key, "add", br#"{"amount":1,"note":null}"#, Some("once"));
    let send = Box::new(once.clone());
    [
        Command::Call(Box::new(add)),
        Command::Call(Box::new(once)),
        Command::Send {
            call: send,
            delay_ms: 5,
        },
    ]
}

/// Rows in order.
#[derive(Clone)]
struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

impl Cold for Rows {
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError> {
        let value = self.0.get(granule.as_bytes());
        Ok(value.map(|value| Bytes::copy_from_slice(value)))
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        limit: usize,
        _bytes: usize, // what is fuzzed is smaller
    ) -> Result<ColdRows, ColdError> {
        let found = self.0.range::<[u8], _>((from, to));
        let row = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            (Granule::from_bytes(key), Bytes::copy_from_slice(value))
        };
        Ok(match reverse {
            false => found.map(row).take(limit).collect(),
            true => found.rev().map(row).take(limit).collect(),
        })
    }
}
