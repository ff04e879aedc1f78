//! All or nothing, nested and re-entrant calls, held state, faults that nobody catches, queries.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use common::{Body, World, call, field, push, root, send, value};
use ordain_engine::Tx;
use ordain_types::{FaultKind, Outcome, Rejection};
use serde_json::{Value, json};

/// Pushes, puts a field and sends, calls the next of the list, and rejects if it is told to.
fn step(tx: &mut Tx, plan: &Value) -> Result<Value, Rejection> {
    let name = plan["name"].clone();
    push(tx, &name)?;
    tx.field_put(&field(name.as_str().expect("a name")), "1".into());
    send(tx, "inbox", "push", name.clone(), 0);
    for next in plan["calls"].as_array().into_iter().flatten() {
        let key = next["key"].as_str().expect("a key");
        let result = call(tx, key, "step", next.clone());
        if next["catch"] != json!(true) {
            result?;
        }
    }
    match plan["reject"] == json!(true) {
        true => Err(Rejection::new("no", "told to")),
        false => Ok(Value::Null),
    }
}

#[test]
fn a_caught_rejection_undoes_exactly_its_call() {
    let mut world = World::new(&[("step", step)]);
    let inner = json!({"name": "inner", "key": "b"});
    let again = json!({"name": "again", "key": "a"});
    let caught = json!({
        "name": "caught", "key": "b", "catch": true, "reject": true, "calls": [inner, again],
    });
    let after = json!({"name": "after", "key": "b"});
    world.value(
        "a",
        "step",
        json!({"name": "outer", "calls": [caught, after]}),
    );
    assert_eq!(world.root("a"), json!(["outer"]));
    assert_eq!(world.root("b"), json!(["after"]));
    assert_eq!(
        (world.fields("a"), world.fields("b")),
        (vec!["outer".into()], vec!["after".into()])
    );
    world.deliver_due();
    assert_eq!(world.root("inbox"), json!(["outer", "after"]));
}

#[test]
fn a_rejection_at_the_top_undoes_everything() {
    let mut world = World::new(&[("step", step)]);
    world.value("a", "push", json!("before"));
    let inner = json!({"name": "inner", "key": "b"});
    let plan = json!({"name": "outer", "reject": true, "calls": [inner]});
    let outcome = world.call("a", "step", plan);
    assert_eq!(
        outcome,
        Outcome::Rejected(Box::new(Rejection::new("no", "told to")))
    );
    assert_eq!(
        (world.root("a"), world.root("b")),
        (json!(["before"]), Value::Null)
    );
    assert_eq!(world.fields("a").len() + world.fields("b").len(), 0);
    assert_eq!(world.engine.sends_pending(), 0);
}

fn push_around(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    push(tx, &json!(1))?;
    let inner = call(tx, "a", "push", json!(2))?;
    push(tx, &json!(3))?;
    Ok(json!([inner, root(tx).clone()]))
}

#[test]
fn a_call_that_comes_back_sees_and_is_seen() {
    let mut world = World::new(&[("around", push_around)]);
    assert_eq!(
        world.value("a", "around", json!(0)),
        json!([[1, 2], [1, 2, 3]])
    );
}

/// Holds the state across a call, as hosts do for methods that take `self` and a context.
fn hold(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
    let held = match args["write"] == json!(true) {
        true => tx.hold_mut(),
        false => tx.hold(),
    };
    let (key, name) = (args["key"].as_str(), args["call"].as_str());
    let ended = catch_unwind(AssertUnwindSafe(|| {
        call(tx, key.expect("a key"), name.expect("a name"), json!(5))
    }));
    tx.put_back(held);
    ended.unwrap_or_else(|unwinding| resume_unwind(unwinding))
}

fn panics(_: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    resume_unwind(Box::new("at the disco"))
}

#[test]
fn an_entity_whose_state_is_held_is_not_come_back_to() {
    let mut world = World::new(&[("hold", hold), ("panics", panics)]);
    world.value("a", "set", json!(1));
    for write in [false, true] {
        for name in ["get", "set"] {
            let args = json!({"write": write, "key": "a", "call": name});
            let at = format!("box/a.{name}");
            world.faults("a", "hold", args, FaultKind::EntityHeld, &at);
        }
        let args = json!({"write": write, "key": "b", "call": "panics"});
        world.faults("a", "hold", args, FaultKind::Panic, "box/b.panics");
        assert_eq!(
            world.value("a", "get", json!(0)),
            json!(1),
            "and it is held no more"
        );
        world.value(
            "a",
            "hold",
            json!({"write": write, "key": "b", "call": "set"}),
        );
    }
    assert_eq!((world.root("a"), world.root("b")), (json!(1), json!(5)));
}

/// Catches whatever its callee does and goes on.
fn stubborn(tx: &mut Tx, name: &Value) -> Result<Value, Rejection> {
    let name = name.as_str().expect("a name");
    let caught = catch_unwind(AssertUnwindSafe(|| call(tx, "b", name, json!("not JSON"))));
    assert!(caught.is_err(), "it unwinds");
    push(tx, &json!("went on"))?;
    Ok(json!("all is well"))
}

fn faults(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    tx.fault(FaultKind::BadKey, "a key that is none")
}

#[test]
fn no_method_catches_a_fault_or_a_panic() {
    let methods: [(&str, Body); 3] = [
        ("stubborn", stubborn),
        ("faults", faults),
        ("panics", panics),
    ];
    let mut world = World::new(&methods);
    let mut check = |name: &str, kind| {
        let at = format!("box/b.{name}");
        world.faults("a", "stubborn", json!(name), kind, &at);
        assert_eq!(world.root("a"), Value::Null, "{name}");
    };
    check("faults", FaultKind::BadKey);
    check("panics", FaultKind::Panic);
    check("set", FaultKind::Encoding);
}

fn write_state(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
    common::set(tx, args)
}

fn write_field(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    tx.field_put(&field("f"), "1".into());
    Ok(Value::Null)
}

fn delete_field(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    tx.field_delete(&field("f"));
    Ok(Value::Null)
}

fn hold_to_write(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    let held = tx.hold_mut();
    tx.put_back(held);
    Ok(Value::Null)
}

fn send_something(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    send(tx, "b", "get", Value::Null, 0);
    Ok(Value::Null)
}

fn call_update(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    call(tx, "b", "set", json!(1))
}

#[test]
fn queries_write_nothing_asked_or_called() {
    let methods: [(&str, Body); 6] = [
        ("q_state", write_state),
        ("q_put", write_field),
        ("q_delete", delete_field),
        ("q_hold", hold_to_write),
        ("q_send", send_something),
        ("q_call", call_update),
    ];
    let mut world = World::new(&methods);
    for (name, _) in methods {
        let at = format!("box/a.{name}");
        match world.query("a", name, json!(1)) {
            Outcome::Fault(fault) => {
                assert_eq!((fault.kind, &fault.at), (FaultKind::WriteInQuery, &at));
            }
            outcome => panic!("{name} came to {outcome:?}"),
        }
        world.faults("a", name, json!(1), FaultKind::WriteInQuery, &at);
    }
    assert!(
        matches!(world.query("a", "set", json!(1)), Outcome::Fault(_)),
        "an update is no query"
    );
    world.value("a", "set", json!(4));
    assert_eq!(world.query("a", "q_get", json!(0)), value(json!(4)));
}

fn context(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    let (first, second) = (tx.random(), tx.random());
    assert_ne!(first, second);
    let uuid = format!("{:032x}", tx.uuid());
    Ok(json!([
        first,
        second,
        uuid,
        tx.now().0,
        tx.seq().0,
        tx.caller()
    ]))
}

#[test]
fn the_context_is_a_function_of_log_seq_and_time() {
    let run = || {
        let mut world = World::new(&[("context", context)]);
        [
            world.value("a", "context", json!(0)),
            world.value("a", "context", json!(0)),
        ]
    };
    let [first, second] = run();
    assert_eq!(run(), [first.clone(), second.clone()]);
    assert_eq!(
        (&first[3], &first[4], &first[5]),
        (&json!(1_000), &json!(2), &json!("me"))
    );
    for at in [0, 1, 2, 4] {
        assert_ne!(first[at], second[at]);
    }
}

fn scan(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let edge = |at: usize| match (args[at].as_str(), args[at][0].as_str()) {
        (Some(key), _) => Included(key),
        (_, Some(key)) => Excluded(key),
        _ => Unbounded,
    };
    let reverse = args[2] == json!(true);
    let limit = args[3].as_u64().unwrap_or(100) as usize;
    let rows = tx.field_scan(edge(0), edge(1), reverse, limit);
    Ok(rows.iter().map(|(key, _)| key.as_str()).collect())
}

fn edit_and_scan(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
    tx.field_delete(&field("b"));
    tx.field_put(&field("bb"), "1".into());
    scan(tx, args)
}

fn put_all(tx: &mut Tx, keys: &Value) -> Result<Value, Rejection> {
    for key in keys.as_array().expect("keys") {
        tx.field_put(&field(key.as_str().expect("a key")), "1".into());
    }
    Ok(Value::Null)
}

#[test]
fn scans_have_bounds_order_and_limit_in_memory_and_in_cold() {
    let methods: [(&str, Body); 3] = [("put", put_all), ("scan", scan), ("edit", edit_and_scan)];
    let mut world = World::new(&methods);
    for key in ["a", "a!", "b"] {
        world.value(key, "put", json!(["a", "b", "c", "d"]));
    }
    for _ in ["in memory", "in cold"] {
        let mut check = |args: Value, expected: Value| {
            assert_eq!(world.value("a", "scan", args.clone()), expected, "{args}");
        };
        check(json!([]), json!(["a", "b", "c", "d"]));
        check(json!(["b", "c"]), json!(["b", "c"]));
        check(json!([["b"], ["d"]]), json!(["c"]));
        check(json!([null, null, true, 2]), json!(["d", "c"]));
        check(json!(["b", null, false, 2]), json!(["b", "c"]));
        check(json!([null, null, false, 0]), json!([]));
        check(json!(["c", "b"]), json!([]));
        check(json!([["b"], ["b"]]), json!([]));
        check(json!(["", ""]), json!([]));
        world.checkpoint();
        world.engine.evict(usize::MAX);
    }
    assert_eq!(
        world.value("a", "edit", json!([null, null, true])),
        json!(["d", "c", "bb", "a"])
    );
}

fn delete_each(tx: &mut Tx, keys: &Value) -> Result<Value, Rejection> {
    for key in keys.as_array().expect("keys") {
        tx.field_delete(&field(key.as_str().expect("a key")));
    }
    Ok(Value::Null)
}

#[test]
fn scans_merge_what_memory_hides_and_adds_with_cold_at_every_limit() {
    let methods: [(&str, Body); 3] = [("put", put_all), ("scan", scan), ("delete", delete_each)];
    for every in 1..5 {
        let mut world = World::new(&methods);
        let name = |at: usize| format!("{at:03}");
        let in_cold: Vec<_> = (0..120).step_by(2).map(name).collect();
        world.value("a", "put", json!(in_cold));
        world.checkpoint();
        world.engine.evict(usize::MAX);
        let hidden: Vec<_> = (0..120).step_by(2 * every).map(name).collect();
        let added: Vec<_> = (1..120).step_by(2 * every + 8).map(name).collect();
        world.value("a", "delete", json!(hidden));
        world.value("a", "put", json!(added));
        let left = in_cold.iter().filter(|key| !hidden.contains(key));
        let mut left: Vec<_> = left.chain(&added).collect();
        left.sort();
        for reverse in [false, true] {
            for limit in 0..64 {
                let found = world.value("a", "scan", json!([null, null, reverse, limit]));
                assert_eq!(
                    found,
                    json!(left[..limit.min(left.len())]),
                    "{every} {limit}"
                );
            }
            left.reverse();
        }
    }
}
