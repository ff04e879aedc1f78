//! What an engine reads from a store: rows of the system and of entities, of which the store knows only
//! that their bytes are those that were written. Whatever they hold, the engine answers or halts and
//! says why; and what it answers, it answers again.
//!
//! Input: entries, put over those of a real state; one with an empty value is taken away.

use std::collections::BTreeMap;

use bytes::Bytes;
use ordain_engine::{Engine, Halt, Options};
use ordain_types::{Call, Command, EntityId, Granule, IdempotencyKey, Method, SendId, Seq};

use crate::input::Input;
use crate::{entities, refused, seeds};

type Rows = BTreeMap<Granule, Bytes>;

/// The target.
pub fn check(data: &[u8]) {
    let row =
        |(key, value): (&[u8], &[u8])| (Granule::from_bytes(key), Bytes::copy_from_slice(value));
    let real = seeds::state().iter();
    let mut rows: Rows = real.map(|(key, value)| row((key, value))).collect();
    for (key, value) in Input(data).entries() {
        match value {
            [] => drop(rows.remove(key)),
            value => rows.extend([row((key, value))]),
        }
    }
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
