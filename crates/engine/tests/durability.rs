//! What is taken back, what is checkpointed while commands run, what leaves memory and comes back.

mod common;

use common::{Body, World, entity, field, request, value};
use ordain_engine::{Catalog, Empty, Engine, Halt, Options, Tx, first_checkpoint};
use ordain_types::{Command, Granule, Outcome, Rejection, SendId, Seq, Timestamp};
use serde_json::{Value, json};

fn put(tx: &mut Tx, key: &Value) -> Result<Value, Rejection> {
    tx.field_put(
        &field(key.as_str().expect("a key")),
        tx.seq().to_string().into(),
    );
    Ok(Value::Null)
}

fn send_one(tx: &mut Tx, item: &Value) -> Result<Value, Rejection> {
    common::send(tx, "inbox", "push", item.clone(), 0);
    Ok(Value::Null)
}

fn writes_and_rejects(tx: &mut Tx, key: &Value) -> Result<Value, Rejection> {
    common::push(tx, key)?;
    common::call(tx, "b", "put", key.clone())?;
    common::call(tx, "b", "set", key.clone())?;
    Err(Rejection::new("no", "told to"))
}

const METHODS: [(&str, Body); 3] = [
    ("put", put),
    ("send", send_one),
    ("writes_and_rejects", writes_and_rejects),
];

/// All that can be seen from outside.
fn sight(world: &mut World) -> impl PartialEq + std::fmt::Debug + use<> {
    let keys = ["a", "b", "c", "inbox"];
    let entities: Vec<_> = keys
        .iter()
        .map(|key| (world.root(key), world.fields(key)))
        .collect();
    let due = world.engine.due(Timestamp(u64::MAX), usize::MAX);
    (entities, due, world.engine.meta().clone(), world.seq())
}

fn write_much(world: &mut World) {
    world.value("a", "push", json!(world.seq().0));
    world.value("b", "put", json!("f"));
    world.value("b", "put", json!(format!("f{}", world.seq())));
    world.value("c", "send", json!(world.seq().0));
    world.keyed("a", "push", json!("k"), &format!("k{}", world.seq()));
    let first = world.engine.due(Timestamp(world.now), 1)[0];
    world.run(Command::Deliver { send: first });
}

/// Takes back what was written after a checkpoint was begun, or before that too.
fn take_back(checkpoint_is_of_what_stays: bool) {
    let mut world = World::new(&METHODS);
    write_much(&mut world);
    world.engine.durable(world.seq());
    let (seq, before) = (world.seq(), sight(&mut world));
    world.now += 10;
    if checkpoint_is_of_what_stays {
        world.engine.begin_checkpoint();
        write_much(&mut world);
    } else {
        write_much(&mut world);
        world.engine.begin_checkpoint();
    }
    assert!(world.engine.step_checkpoint(3).is_none(), "not whole yet");
    write_much(&mut world);
    world.retention(5);
    world.engine.roll_back_to(seq).expect("kept");
    assert_eq!(sight(&mut world), before);
    assert_eq!(world.engine.checkpointing(), checkpoint_is_of_what_stays);
    if let Some(changes) = world.engine.step_checkpoint(usize::MAX) {
        assert_eq!(changes.seq, seq);
        world.apply(&changes);
        world.reopen();
        assert_eq!(sight(&mut world), before);
    }

    // What follows finds no trace of it: the same as if it had never been.
    let mut straight = World::new(&METHODS);
    write_much(&mut straight);
    for world in [&mut world, &mut straight] {
        world.now = 1_005;
        write_much(world);
        world.checkpoint();
    }
    assert_eq!(world.cold.dump(), straight.cold.dump());
}

#[test]
fn what_is_not_durable_is_taken_back_whole() {
    take_back(false);
}

#[test]
fn a_checkpoint_of_what_stays_goes_on_when_the_rest_is_taken_back() {
    take_back(true);
}

#[test]
fn between_two_commands_of_a_batch_what_is_cold_may_leave() {
    let mut world = World::new(&METHODS);
    write_much(&mut world);
    world.checkpoint();
    let (seq, before) = (world.seq(), sight(&mut world));
    let next = seq.next();
    world.engine.begin_batch(next, Timestamp(world.now));
    for (key, name) in [
        ("a", "writes_and_rejects"),
        ("b", "put"),
        ("a", "push"),
        ("c", "get"),
    ] {
        let command = Command::Call(Box::new(request(key, name, json!("f"), None)));
        world.engine.execute(&command, None).expect("cold is read");
        for _ in 0..2 {
            world.engine.evict(usize::MAX);
        }
    }
    world.engine.end_batch();
    assert!(world.engine.entities_in_memory() < 4, "c has left");
    world.engine.roll_back_to(seq).expect("kept");
    assert_eq!(sight(&mut world), before);
}

#[test]
fn what_is_durable_or_checkpointed_is_not_taken_back() {
    let mut world = World::new(&METHODS);
    let start = world.seq();
    world.value("a", "set", json!(1));
    let first = world.seq();
    world.value("a", "set", json!(2));
    world.engine.durable(first);
    assert!(matches!(world.engine.roll_back_to(start), Err(Halt::NotKept(seq)) if seq == start));
    assert_eq!(world.root("a"), json!(2), "and nothing is");
    world.checkpoint();
    assert!(matches!(
        world.engine.roll_back_to(first),
        Err(Halt::NotKept(_))
    ));
    let last = world.seq();
    world
        .engine
        .roll_back_to(last)
        .expect("nothing to take back");
}

#[test]
fn a_checkpoint_holds_its_seq_while_writing_goes_on() {
    let mut world = World::new(&METHODS);
    write_much(&mut world);
    write_much(&mut world);
    let mut still = World::new(&METHODS);
    write_much(&mut still);
    write_much(&mut still);
    still.checkpoint();

    let seq = world.seq();
    world.engine.begin_checkpoint();
    let changes = loop {
        if let Some(changes) = world.engine.step_checkpoint(1) {
            break changes;
        }
        write_much(&mut world);
        let undone = world.call("a", "writes_and_rejects", json!("f"));
        assert!(matches!(undone, Outcome::Rejected(_)), "{undone:?}");
    };
    assert_eq!(changes.seq, seq);
    world.apply(&changes);
    assert_eq!(world.cold.dump(), still.cold.dump());
    world.reopen();
    assert_eq!(sight(&mut world), sight(&mut still));
}

#[test]
fn an_abandoned_checkpoint_is_in_the_next_one() {
    let mut world = World::new(&METHODS);
    let mut still = World::new(&METHODS);
    write_much(&mut world);
    world.engine.begin_checkpoint();
    world.engine.step_checkpoint(2);
    write_much(&mut world);
    world.engine.abandon_checkpoint();
    write_much(&mut world);
    world.checkpoint();
    (0..3).for_each(|_| write_much(&mut still));
    still.checkpoint();
    assert_eq!(world.cold.dump(), still.cold.dump());
}

#[test]
fn what_left_memory_comes_back_the_same() {
    let mut world = World::new(&METHODS);
    let mut roomy = World::new(&METHODS);
    for round in 0..4 {
        for world in [&mut world, &mut roomy] {
            write_much(world);
        }
        world.checkpoint();
        world.engine.evict(usize::MAX);
        assert_eq!(world.engine.entities_in_memory(), 0, "round {round}");
        assert_eq!(sight(&mut world), sight(&mut roomy), "round {round}");
    }
    roomy.checkpoint();
    world.checkpoint();
    assert_eq!(world.cold.dump(), roomy.cold.dump());
}

#[test]
fn what_changed_since_the_checkpoint_stays_in_memory() {
    let mut world = World::new(&METHODS);
    world.value("a", "set", json!(1));
    world.checkpoint();
    world.value("b", "set", json!(2));
    world.engine.evict(usize::MAX);
    assert_eq!(world.engine.entities_in_memory(), 1);
    world.engine.begin_checkpoint();
    let changes = world.engine.step_checkpoint(usize::MAX).expect("whole");
    world.engine.evict(usize::MAX);
    assert_eq!(
        world.engine.entities_in_memory(),
        1,
        "captured is not applied"
    );
    world.apply(&changes);
    world.engine.evict(usize::MAX);
    assert_eq!(world.engine.entities_in_memory(), 0);
    assert_eq!((world.root("a"), world.root("b")), (json!(1), json!(2)));
}

#[test]
fn a_state_that_cannot_be_read_stops_the_engine() {
    let mut world = World::new(&METHODS);
    world.value("a", "set", json!(1));
    world.checkpoint();
    world.engine.evict(usize::MAX);
    *world.cold.fails.lock().expect("one thread") = true;
    let call = request("a", "q_get", json!(0), None);
    let query = world.engine.query(&call, None, Timestamp(0));
    assert!(matches!(query, Err(Halt::Cold(_))), "{query:?}");
    world
        .engine
        .begin_batch(world.seq().next(), Timestamp(world.now));
    let executed = world.engine.execute(&Command::Call(Box::new(call)), None);
    assert!(matches!(executed, Err(Halt::Cold(_))), "{executed:?}");
    *world.cold.fails.lock().expect("one thread") = false;
    world.reopen();
    assert_eq!(world.call("a", "get", json!(0)), value(json!(1)));
}

fn wants(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    tx.stop_for_want("no thread")
}

/// An outcome would be one that a replay, which may have what it takes, does not come to.
#[test]
fn what_the_machine_does_not_give_stops_the_engine_and_is_no_outcome() {
    let mut world = World::new(&[("q_wants", wants)]);
    let call = request("a", "q_wants", json!(2), None);
    let query = world.engine.query(&call, None, Timestamp(0));
    assert!(matches!(query, Err(Halt::Machine(_))), "{query:?}");
    world
        .engine
        .begin_batch(world.seq().next(), Timestamp(world.now));
    let executed = world.engine.execute(&Command::Call(Box::new(call)), None);
    assert!(
        matches!(&executed, Err(Halt::Machine(why)) if why == "no thread"),
        "{executed:?}"
    );
}

/// Their bytes are what was written, as far as the store can tell: another program wrote them.
#[test]
fn a_row_whose_key_says_nothing_stops_the_engine() {
    let mut among_fields = Granule::prefix(&entity("a"));
    among_fields.push(0xff);
    let of_nothing = Granule::expiry(
        Timestamp(0),
        SendId {
            seq: Seq(1),
            index: 0,
        },
    );
    let no_expiry = [of_nothing.as_bytes(), b"\0"].concat();
    for key in [among_fields, no_expiry, of_nothing.as_bytes().to_vec()] {
        let mut world = World::new(&METHODS);
        world.value("a", "put", json!("x"));
        world.checkpoint();
        let mut granules = world.cold.granules.lock().expect("one thread");
        granules.insert(Granule::from_bytes(&key), "1".into());
        drop(granules);
        world.reopen();
        world
            .engine
            .begin_batch(world.seq().next(), Timestamp(world.now));
        let call = request("a", "get", json!(0), None);
        let executed = world.engine.execute(&Command::Call(Box::new(call)), None);
        let looked = executed.and_then(|_| world.engine.inspect(&entity("a"), None, 10));
        let halt = looked.expect_err("a row that is none").to_string();
        assert!(halt.contains("restore the data directory"), "{halt}");
    }
}

#[test]
fn digests_tell_which_command_came_out_differently() {
    let digest = |second: Value| {
        let mut world = World::new(&METHODS);
        world
            .engine
            .begin_batch(world.seq().next(), Timestamp(2_000));
        for args in [json!(1), second] {
            let call = Box::new(request("a", "send", args, None));
            let executed = world.engine.execute(&Command::Call(call), None);
            assert!(executed.is_ok());
        }
        world.engine.end_batch()
    };
    let (one, same, other) = (digest(json!(2)), digest(json!(2)), digest(json!(3)));
    assert_eq!(one, same);
    assert_ne!(
        one.batch, other.batch,
        "the value is the same, what was sent is not"
    );
    assert_eq!(one.outcomes[0], other.outcomes[0]);
    assert_ne!(one.outcomes[1], other.outcomes[1]);
}

/// There would be no seq for what comes next.
#[test]
fn a_state_of_the_last_seq_there_is_is_refused() {
    let mut engine = Engine::open(Catalog::default(), Box::new(Empty), Options::default()).unwrap();
    let mut rows = first_checkpoint(&mut engine);
    let mut meta = engine.meta().clone();
    meta.seq = Seq(u64::MAX);
    let meta = postcard::to_stdvec(&meta).unwrap();
    rows.insert(Granule::meta("engine"), meta.into());
    let opened = Engine::open(Catalog::default(), Box::new(rows), Options::default());
    let why = opened.err().expect("it is refused").to_string();
    assert!(why.contains("no log comes to seq"), "{why}");
}
