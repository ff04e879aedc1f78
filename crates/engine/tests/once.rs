//! Idempotency keys and sends: what happens once, in which order, and for how long it is remembered.

mod common;

use common::{World, call, entity, request, send, value};
use ordain_engine::{Answer, InvocationStatus, Tx};
use ordain_types::{Command, Outcome, Rejection, SendId, Seq, Timestamp};
use serde_json::{Value, json};

fn ends(tx: &mut Tx, how: &Value) -> Result<Value, Rejection> {
    common::push(tx, how)?;
    match how.as_str() {
        Some("rejects") => Err(Rejection::new("no", "told to")),
        Some("faults") => call(tx, "a", "nothing", Value::Null),
        _ => Ok(json!([tx.seq().0, tx.random()])),
    }
}

#[test]
fn a_retry_gets_the_first_answer_whatever_it_was() {
    let mut world = World::new(&[("ends", ends)]);
    for how in ["well", "rejects", "faults"] {
        let first = world.keyed("a", "ends", json!(how), how);
        let seq = world.seq();
        let Answer::Done(outcome) = first else {
            panic!("{how}: {first:?}");
        };
        let again = Answer::Repeated {
            first: seq,
            outcome,
        };
        assert_eq!(world.keyed("a", "ends", json!(how), how), again);
        world.checkpoint();
        world.reopen();
        assert_eq!(
            world.keyed("a", "ends", json!(how), how),
            again,
            "{how}, after a restart"
        );
    }
    assert_eq!(world.root("a"), json!(["well"]));
}

#[test]
fn a_key_names_one_request_of_one_caller() {
    let mut world = World::new(&[("ends", ends)]);
    world.keyed("a", "ends", json!("well"), "k");
    let reused = Answer::KeyReused { first: world.seq() };
    assert_eq!(world.keyed("a", "ends", json!("other"), "k"), reused);
    assert_eq!(world.keyed("b", "ends", json!("well"), "k"), reused);
    assert_eq!(world.keyed("a", "push", json!("well"), "k"), reused);
    let call = Box::new(request("a", "ends", json!("well"), Some("k")));
    let sent = Command::Send {
        call: call.clone(),
        delay_ms: 0,
    };
    assert_eq!(world.run(sent), reused, "a send is another request");
    let mut of_another = *call;
    of_another.caller = "you".to_owned();
    let answer = world.run(Command::Call(Box::new(of_another)));
    assert!(
        matches!(answer, Answer::Done(Outcome::Value(_))),
        "{answer:?}"
    );
    assert_eq!(world.root("a"), json!(["well", "well"]));
}

/// After a deployment a method may spell the same arguments otherwise, and may be gone.
#[test]
fn a_retry_is_known_however_its_arguments_are_spelled() {
    let mut world = World::new(&[]);
    let first = world.keyed("a", "push", json!({ "to": "b", "n": [1] }), "k");
    let Answer::Done(outcome) = first else {
        panic!("{first:?}");
    };
    let again = Answer::Repeated {
        first: world.seq(),
        outcome,
    };
    let mut retry = request("a", "push", json!(null), Some("k"));
    let mut spelled = |text: &'static str| {
        retry.args = ordain_types::Json::from_static(text.as_bytes());
        let told = world.engine.answered(&retry, None).expect("it reads");
        let answer = world.run(Command::Call(Box::new(retry.clone())));
        (answer, told)
    };
    let same = r#"{"to": "b", "note": null, "n": [1]}"#;
    assert_eq!(spelled(same), (again.clone(), Some(again.clone())));
    let (other, told) = spelled(r#"{"n":[1,2],"to":"b"}"#);
    assert!(matches!(other, Answer::KeyReused { .. }), "{other:?}");
    assert_eq!(told, None, "it is another request's");
    assert_eq!(world.root("a").as_array().map(Vec::len), Some(1));
}

#[test]
fn answers_are_forgotten_when_the_retention_is_over() {
    let mut world = World::new(&[]);
    world.retention(100);
    let keys: Vec<_> = (0..10).map(|at| format!("k{at}")).collect();
    for key in &keys {
        world.keyed("a", "push", json!(key), key);
    }
    world.now += 99;
    for key in &keys {
        let answer = world.keyed("a", "push", json!(key), key);
        assert!(matches!(answer, Answer::Repeated { .. }), "{key}");
    }
    world.now += 1;
    // A few are forgotten by each command; then a key is as good as new.
    for _ in 0..3 {
        world.value("b", "set", json!(0));
    }
    for key in &keys {
        let answer = world.keyed("a", "push", json!(key), key);
        assert!(matches!(answer, Answer::Done(_)), "{key}");
    }
    assert_eq!(world.root("a").as_array().map(Vec::len), Some(20));
    world.now += 1_000;
    for _ in 0..4 {
        world.value("b", "set", json!(0));
    }
    world.checkpoint();
    assert_eq!(
        world.cold.dump().len(),
        3,
        "two roots and the engine's own row"
    );
}

fn send_list(tx: &mut Tx, list: &Value) -> Result<Value, Rejection> {
    for (item, delay) in list.as_object().expect("items and delays") {
        let delay = delay.as_u64().expect("a delay");
        send(tx, "inbox", "push", json!(item), delay);
    }
    Ok(Value::Null)
}

#[test]
fn sends_arrive_in_order_and_delays_are_kept_to() {
    let mut world = World::new(&[("send", send_list)]);
    world.value("a", "send", json!({"a1": 0, "a2": 10, "a3": 0}));
    world.value("b", "send", json!({"b1": 0, "b2": 5}));
    world.value("a", "send", json!({"a4": 0}));
    assert_eq!(world.engine.next_due(), Some(Timestamp(1_000)));
    world.deliver_due();
    assert_eq!(world.root("inbox"), json!(["a1", "a3", "b1", "a4"]));
    assert_eq!(world.engine.next_due(), Some(Timestamp(1_005)));
    world.checkpoint();
    world.reopen();
    assert_eq!(
        world.engine.next_due(),
        Some(Timestamp(1_005)),
        "delays survive a restart"
    );
    world.now = 1_009;
    assert_eq!(world.deliver_due().len(), 1);
    world.now = 1_010;
    world.deliver_due();
    assert_eq!(
        world.root("inbox"),
        json!(["a1", "a3", "b1", "a4", "b2", "a2"])
    );
    assert_eq!(
        (world.engine.sends_pending(), world.engine.next_due()),
        (0, None)
    );
}

fn who(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    Ok(json!(tx.caller()))
}

fn send_who(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    send(tx, "b", "who", Value::Null, 0);
    Ok(Value::Null)
}

#[test]
fn a_delivered_method_is_called_by_who_sent() {
    let mut world = World::new(&[("who", who), ("send", send_who)]);
    world.value("a", "send", json!(0));
    assert_eq!(world.deliver_due(), [value(json!("box/a"))]);
    let call = Box::new(request("b", "who", json!(0), None));
    world.run(Command::Send { call, delay_ms: 0 });
    assert_eq!(world.deliver_due(), [value(json!("me"))]);
}

#[test]
fn a_send_is_delivered_once_and_known_by_its_id() {
    let mut world = World::new(&[("ends", ends)]);
    world.retention(100);
    for how in ["well", "rejects", "faults"] {
        let call = Box::new(request("a", "ends", json!(how), None));
        let accepted = world.run(Command::Send { call, delay_ms: 0 });
        let id = SendId {
            seq: world.seq(),
            index: 0,
        };
        assert_eq!(accepted, Answer::Done(value(json!(id.to_string()))));
        let known = |world: &mut World| world.engine.invocation(id).expect("cold can be read");
        let waits = known(&mut world).expect("known");
        assert_eq!(waits.entity, entity("a"));
        assert_eq!(
            waits.status,
            InvocationStatus::Pending {
                due: Timestamp(world.now)
            }
        );

        let Answer::Done(outcome) = world.run(Command::Deliver { send: id }) else {
            panic!("a delivery is done");
        };
        let seq = world.seq();
        assert_eq!(matches!(outcome, Outcome::Value(_)), how == "well");
        let again = world.run(Command::Deliver { send: id });
        assert_eq!(again, Answer::Done(value(Value::Null)), "{how}");
        let done = known(&mut world).expect("known");
        assert_eq!(done.status, InvocationStatus::Done { seq, outcome });

        world.now += 100;
        world.value("b", "set", json!(0));
        assert_eq!(known(&mut world), None, "forgotten after the retention");
    }
    assert_eq!(world.root("a"), json!(["well"]));
    let nothing = SendId {
        seq: Seq(1_000_000),
        index: 7,
    };
    let answer = world.run(Command::Deliver { send: nothing });
    assert_eq!(answer, Answer::Done(value(Value::Null)));
}
