//! How much a scan, an inspection and a transaction may read: the same whether it is in memory or not.

mod common;

use std::ops::Bound;

use common::{World, call, entity, field, request};
use ordain_engine::Tx;
use ordain_types::{EntityId, FaultKind, FieldKey, Json, Outcome, Rejection, limits};
use serde_json::{Value, json};

fn number(args: &Value) -> usize {
    args.as_u64().expect("a number") as usize
}

fn text(length: usize) -> Json {
    format!("\"{}\"", "x".repeat(length - 2)).into()
}

/// Puts fields whose keys and values have `bytes` bytes together.
fn put_bytes(tx: &mut Tx, bytes: &Value) -> Result<Value, Rejection> {
    let mut left = number(bytes);
    for at in 0.. {
        let key = format!("{at:04}");
        let part = left.min(limits::VALUE_BYTES_MAX + key.len());
        tx.field_put(&field(&key), text(part - key.len()));
        left -= part;
        if left == 0 {
            break;
        }
    }
    Ok(Value::Null)
}

fn scan_down(tx: &mut Tx, limit: &Value) -> Result<Value, Rejection> {
    use std::ops::Bound::Unbounded;
    let rows = tx.field_scan(Unbounded, Unbounded, true, number(limit));
    Ok(json!(rows.len()))
}

fn scan(tx: &mut Tx, limit: &Value) -> Result<Value, Rejection> {
    use std::ops::Bound::Unbounded;
    let rows = tx.field_scan(Unbounded, Unbounded, false, number(limit));
    Ok(json!(rows.len()))
}

/// Whether the rows are in memory or in the store makes no difference.
#[test]
fn scan_bytes() {
    let methods: [(&str, common::Body); 3] =
        [("put", put_bytes), ("q_up", scan), ("q_down", scan_down)];
    let mut world = World::new(&methods);
    let most = limits::SCAN_BYTES_MAX;
    world.value("a", "put", json!(most));
    world.value("b", "put", json!(most + 1));
    for _ in 0..2 {
        for name in ["q_up", "q_down"] {
            let mut check = |key, limit, expected: Result<usize, FaultKind>| {
                let found = match world.query(key, name, json!(limit)) {
                    Outcome::Value(rows) => Ok(serde_json::from_slice(&rows).expect("a number")),
                    Outcome::Fault(fault) => Err(fault.kind),
                    Outcome::Rejected(rejection) => panic!("{rejection}"),
                };
                assert_eq!(found, expected, "{name} of {key}");
            };
            check("a", 100, Ok(8));
            check("b", 100, Err(FaultKind::ReadBytes));
            check("b", 7, Ok(7));
        }
        world.checkpoint();
        world.reopen();
    }
}

fn put_three(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    for key in ["a", "ab", "b"] {
        tx.field_put(&field(key), "1".into());
    }
    Ok(Value::Null)
}

/// The keys between `from` and `to`, without these.
fn between(tx: &mut Tx, bounds: &Value) -> Result<Value, Rejection> {
    let bound = |name: &str| match bounds[name].as_str() {
        Some(at) => Bound::Excluded(at),
        None => Bound::Unbounded,
    };
    let rows = tx.field_scan(bound("from"), bound("to"), false, 10);
    Ok(rows.iter().map(|(key, _)| key.as_str()).collect())
}

/// A bound may be of any length, while the store takes none beyond that of its keys: see the world's own.
#[test]
fn bounds_are_of_any_length() {
    let mut world = World::new(&[("put", put_three), ("q_between", between)]);
    for key in ["x", "y", "z"] {
        world.value(key, "put", json!(null));
    }
    for _ in 0..2 {
        for length in [513, 514, 70_000] {
            let long = "a".repeat(length);
            for (bounds, keys) in [
                (json!({ "from": long }), json!(["ab", "b"])),
                (json!({ "to": long }), json!(["a"])),
                (json!({ "from": long, "to": format!("{long}b") }), json!([])),
                (
                    json!({ "from": long, "to": "b".repeat(length) }),
                    json!(["ab", "b"]),
                ),
                (json!({ "from": "b".repeat(length), "to": long }), json!([])),
            ] {
                let found = world.query("y", "q_between", bounds);
                assert_eq!(found, Outcome::Value(keys.to_string().into()), "{length}");
            }
        }
        world.checkpoint();
        world.reopen();
    }
}

/// An inspection gives no more than a scan may, but for the field that passes it, and goes on from there.
#[test]
fn an_inspection_comes_in_pages() {
    let mut world = World::new(&[("put", put_bytes)]);
    world.value("a", "put", json!(12 << 20));
    for _ in 0..2 {
        let entity = common::entity("a");
        let first = world
            .engine
            .inspect(&entity, None, 1_000)
            .expect("cold can be read")
            .1;
        let bytes = |fields: &[(FieldKey, Json)]| -> usize {
            fields
                .iter()
                .map(|(key, value)| key.as_str().len() + value.len())
                .sum()
        };
        let (last, before) = first.split_last().expect("there are fields");
        assert!(bytes(before) <= limits::SCAN_BYTES_MAX && bytes(&first) > limits::SCAN_BYTES_MAX);
        let rest = world.engine.inspect(&entity, Some(&last.0), 1_000);
        let rest = rest.expect("cold can be read").1;
        assert_eq!(bytes(&first) + bytes(&rest), 12 << 20);
        world.checkpoint();
        world.reopen();
    }
}

fn get_often(tx: &mut Tx, times: &Value) -> Result<Value, Rejection> {
    for _ in 0..number(times) {
        assert!(tx.field_get(&field("f")).is_some());
    }
    Ok(Value::Null)
}

fn put_long(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    tx.field_put(&field("f"), text(limits::VALUE_BYTES_MAX - 1));
    Ok(Value::Null)
}

fn nothing(_: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    Ok(Value::Null)
}

fn call_often(tx: &mut Tx, times: &Value) -> Result<Value, Rejection> {
    for _ in 0..number(times) {
        call(tx, "b", "q_nothing", Value::Null)?;
    }
    Ok(Value::Null)
}

#[test]
fn read_bytes() {
    let methods: [(&str, common::Body); 4] = [
        ("put", put_long),
        ("get_often", get_often),
        ("call_often", call_often),
        ("q_nothing", nothing),
    ];
    let mut world = World::new(&methods);
    let most = limits::READ_BYTES_MAX / limits::VALUE_BYTES_MAX;
    world.value("a", "put", json!(0));
    world.value("a", "get_often", json!(most));
    let (kind, at) = (FaultKind::ReadBytes, "box/a.get_often");
    world.faults("a", "get_often", json!(most + 1), kind, at);

    let state = "x".repeat(limits::VALUE_BYTES_MAX - 2);
    world.value("b", "set", json!(state));
    for _ in 0..2 {
        world.value("c", "call_often", json!(most));
        let at = "box/c.call_often";
        world.faults("c", "call_often", json!(most + 1), kind, at);
        world.checkpoint();
        world.reopen();
    }
}

/// What is looked at ahead may be anything: entities and types that are not there, arguments that are no JSON.
#[test]
fn looking_ahead_changes_nothing() {
    let mut world = World::new(&[]);
    for at in 0..5_000 {
        world.value(&at.to_string(), "set", json!(at));
    }
    let strange = [
        &b""[..],
        b"\"",
        b"{\"to\":\"7\",\"and\":\"8\",\"or\":\"9\"}",
        b"{\"to\":\"\\u0037\",\"and\":\"\xff\"}",
        b":\":\":\":\"",
        &[b'"'; 200],
    ];
    let other = EntityId::new("other", "7").expect("a sound entity");
    let of = [entity("7"), entity("nobody"), other];
    let calls = of.into_iter().flat_map(|entity| {
        strange.map(|args| {
            let mut call = request("7", "get", Value::Null, None);
            (call.entity, call.args) = (entity.clone(), Json::copy_from_slice(args));
            call
        })
    });
    let calls: Vec<_> = calls.collect();
    let memory = |world: &World| {
        (
            world.engine.memory_bytes(),
            world.engine.entities_in_memory(),
        )
    };
    let before = memory(&world);
    for many in [0, 1, 8, 100] {
        world.engine.foresee(calls.iter().cycle().take(many));
    }
    assert_eq!(memory(&world), before);
    assert_eq!(world.root("7"), json!(7));
}
