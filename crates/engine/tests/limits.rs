//! Each limit: kept to when reached, a fault of its own kind when passed, and nothing left behind.

mod common;

use common::{World, call, field, root_mut, send, value};
use ordain_engine::{Answer, Tx};
use ordain_types::{Command, FaultKind, Json, Outcome, Rejection, limits};
use serde_json::{Value, json};

fn number(args: &Value) -> usize {
    args.as_u64().expect("a number") as usize
}

/// Calls itself so often in itself.
fn dive(tx: &mut Tx, levels: &Value) -> Result<Value, Rejection> {
    match number(levels) {
        0 => Ok(Value::Null),
        levels => call(tx, "a", "dive", json!(levels - 1)),
    }
}

#[test]
fn call_depth() {
    let mut world = World::new(&[("dive", dive)]);
    let most = limits::CALL_DEPTH_MAX;
    world.value("a", "dive", json!(most - 1));
    world.faults("a", "dive", json!(most), FaultKind::CallDepth, "box/a.dive");
}

fn call_often(tx: &mut Tx, times: &Value) -> Result<Value, Rejection> {
    for _ in 0..number(times) {
        call(tx, "b", "get", Value::Null)?;
    }
    Ok(Value::Null)
}

#[test]
fn calls() {
    let mut world = World::new(&[("often", call_often)]);
    let most = limits::CALLS_MAX;
    world.value("a", "often", json!(most - 1));
    world.faults("a", "often", json!(most), FaultKind::Calls, "box/a.often");
}

fn text(length: usize) -> Json {
    format!("\"{}\"", "x".repeat(length - 2)).into()
}

fn put(tx: &mut Tx, length: &Value) -> Result<Value, Rejection> {
    tx.field_put(&field("f"), text(number(length)));
    Ok(Value::Null)
}

fn grow(tx: &mut Tx, length: &Value) -> Result<Value, Rejection> {
    *root_mut(tx) = json!("x".repeat(number(length) - 2));
    Ok(Value::Null)
}

fn say(_: &mut Tx, length: &Value) -> Result<Value, Rejection> {
    Ok(json!("x".repeat(number(length) - 2)))
}

#[test]
fn value_bytes() {
    let mut world = World::new(&[("put", put), ("grow", grow), ("say", say)]);
    let most = limits::VALUE_BYTES_MAX;
    for name in ["put", "grow", "say"] {
        world.value("a", name, json!(most));
        let (fields, root) = (world.fields("a"), world.root("a"));
        let at = format!("box/a.{name}");
        world.faults("a", name, json!(most + 1), FaultKind::ValueBytes, &at);
        assert_eq!(
            (world.fields("a"), world.root("a")),
            (fields, root),
            "{name}"
        );
    }
}

fn reject(_: &mut Tx, length: &Value) -> Result<Value, Rejection> {
    Err(Rejection {
        code: "no".to_owned(),
        message: "ü".repeat(limits::MESSAGE_BYTES_MAX),
        details: Some(text(number(length))),
    })
}

#[test]
fn a_rejections_message_is_cut_and_its_details_are_a_value() {
    let mut world = World::new(&[("reject", reject)]);
    let most = limits::VALUE_BYTES_MAX;
    let Outcome::Rejected(rejection) = world.call("a", "reject", json!(most)) else {
        panic!("it rejects");
    };
    assert_eq!(rejection.message, "ü".repeat(limits::MESSAGE_BYTES_MAX / 2));
    let (kind, at) = (FaultKind::ValueBytes, "box/a.reject");
    world.faults("a", "reject", json!(most + 1), kind, at);
}

fn fill(tx: &mut Tx, bytes: &Value) -> Result<Value, Rejection> {
    let mut left = number(bytes);
    for at in 0.. {
        let key = format!("{at:04}");
        let beside = key.len() + limits::WRITE_BYTES;
        let length = left.min(limits::VALUE_BYTES_MAX + beside) - beside;
        tx.field_put(&field(&key), text(length));
        left -= length + beside;
        if left == 0 {
            break;
        }
    }
    Ok(Value::Null)
}

#[test]
fn written_bytes() {
    let mut world = World::new(&[("fill", fill)]);
    let most = limits::WRITTEN_BYTES_MAX;
    world.faults(
        "b",
        "fill",
        json!(most + 1),
        FaultKind::WrittenBytes,
        "box/b.fill",
    );
    assert_eq!(world.fields("b"), [""; 0]);
    world.value("a", "fill", json!(most));
    assert!(world.fields("a").len() > 1);
}

fn write_often(tx: &mut Tx, times: &Value) -> Result<Value, Rejection> {
    for _ in 0..number(times) {
        tx.field_put(&field("f"), text(2));
    }
    Ok(Value::Null)
}

/// Undoing a write costs memory however small the write is.
#[test]
fn tiny_writes_count_what_they_cost() {
    let mut world = World::new(&[("often", write_often)]);
    let most = limits::WRITTEN_BYTES_MAX / (3 + limits::WRITE_BYTES);
    world.value("a", "often", json!(most));
    let kind = FaultKind::WrittenBytes;
    world.faults("b", "often", json!(most + 1), kind, "box/b.often");
}

fn pass_on(tx: &mut Tx, length: &Value) -> Result<Value, Rejection> {
    let args = text(number(length));
    tx.call_dynamic(&common::entity("b"), &common::method("get"), &args)?;
    Ok(Value::Null)
}

#[test]
fn argument_bytes() {
    let mut world = World::new(&[("pass", pass_on)]);
    let most = limits::ARGUMENT_BYTES_MAX;
    world.value("a", "pass", json!(most));
    world.faults(
        "a",
        "pass",
        json!(most + 1),
        FaultKind::ArgumentBytes,
        "box/a.pass",
    );
}

fn send_often(tx: &mut Tx, times: &Value) -> Result<Value, Rejection> {
    for _ in 0..number(times) {
        send(tx, "b", "get", Value::Null, 0);
    }
    Ok(Value::Null)
}

fn send_late(tx: &mut Tx, delay: &Value) -> Result<Value, Rejection> {
    send(tx, "b", "get", Value::Null, number(delay) as u64);
    Ok(Value::Null)
}

#[test]
fn sends_and_their_delay() {
    let mut world = World::new(&[("often", send_often), ("late", send_late)]);
    let (most, longest) = (limits::SENDS_MAX, limits::SEND_DELAY_MS_MAX);
    world.faults(
        "a",
        "often",
        json!(most + 1),
        FaultKind::Sends,
        "box/a.often",
    );
    world.faults(
        "a",
        "late",
        json!(longest + 1),
        FaultKind::Sends,
        "box/a.late",
    );
    assert_eq!(world.engine.sends_pending(), 0);
    world.value("a", "often", json!(most));
    world.value("a", "late", json!(longest));
    assert_eq!(world.engine.sends_pending(), most + 1);
}

#[test]
fn the_delay_of_a_send_from_outside() {
    let mut world = World::new(&[]);
    let mut send = |delay_ms| {
        world.run(Command::Send {
            call: Box::new(common::request("a", "get", json!(0), None)),
            delay_ms,
        })
    };
    assert_eq!(
        send(limits::SEND_DELAY_MS_MAX),
        Answer::Done(value(json!("2.0"))),
        "its value is the send's id"
    );
    match send(limits::SEND_DELAY_MS_MAX + 1) {
        Answer::Done(Outcome::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Sends),
        answer => panic!("{answer:?}"),
    }
}

fn scan(tx: &mut Tx, limit: &Value) -> Result<Value, Rejection> {
    use std::ops::Bound::Unbounded;
    let rows = tx.field_scan(Unbounded, Unbounded, false, number(limit));
    Ok(json!(rows.len()))
}

#[test]
fn scan_rows() {
    let mut world = World::new(&[("scan", scan)]);
    let most = limits::SCAN_ROWS_MAX;
    assert_eq!(world.value("a", "scan", json!(most)), json!(0));
    world.faults(
        "a",
        "scan",
        json!(most + 1),
        FaultKind::ScanRows,
        "box/a.scan",
    );
}

fn call_wrong(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
    let entity = ordain_types::EntityId::new(args[0].as_str().expect("a type"), "a");
    let method = common::method(args[1].as_str().expect("a method"));
    let entity = entity.expect("a sound entity");
    tx.call_dynamic(&entity, &method, args[2].to_string().as_bytes())?;
    Ok(Value::Null)
}

#[test]
fn calls_of_nothing_and_with_nonsense() {
    let mut world = World::new(&[("wrong", call_wrong)]);
    let mut check = |args: Value, kind| world.faults("b", "wrong", args, kind, "box/b.wrong");
    check(json!(["bag", "get", 0]), FaultKind::UnknownEntity);
    check(json!(["box", "got", 0]), FaultKind::UnknownMethod);
    check(json!(["box", "get", "wrong"]), FaultKind::Arguments);
}

#[test]
fn a_state_that_cannot_be_written_or_read() {
    let mut world = World::new(&[]);
    world.faults(
        "a",
        "set",
        json!("not JSON"),
        FaultKind::Encoding,
        "box/a.set",
    );
    assert_eq!(world.root("a"), Value::Null);
    world.value("a", "set", json!("unreadable"));
    world.checkpoint();
    world.reopen();
    world.faults("a", "get", json!(0), FaultKind::StoredValue, "");
}
