//! Modules in force: deployments, what they are refused for, what is taken back, checkpointed and replayed.

#[path = "../common/durable.rs"]
mod durable;
#[path = "../common/toy.rs"]
mod toy;
mod world;

use std::sync::{Arc, Weak};

use bytes::Bytes;
use ordain_engine::{Answer, Catalog, Cold, Engine, Halt, Loaded, Options, Run};
use ordain_types::module::{self, How, ModuleHash};
use ordain_types::planted::{Bug, assert_caught};
use ordain_types::{Command, FaultKind, Granule, Outcome, Package, Seq, Timestamp, limits};
use serde_json::{Value, json};
use toy::{Toy, counter};
use world::{World, call, deployment, package, rollback, undeployment, value};

#[test]
fn versions_come_into_force_and_the_state_stays() {
    let mut world = World::new();
    let before = world.call("counter/a", "add");
    assert!(matches!(before, Outcome::Fault(fault) if fault.kind == FaultKind::UnknownEntity));
    let first = world.deployed("m", &counter(1));
    assert_eq!(
        (&first["version"], &first["changed"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(world.number("counter/a", "add"), 1);
    let again = world.deployed("m", &counter(1));
    assert_eq!(
        (&again["version"], &again["changed"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(world.deployed("m", &counter(10))["version"], json!(2));
    assert_eq!(world.number("counter/a", "add"), 11);
    let first = module::hash(&package(&counter(1)));
    assert_eq!(value(world.run(rollback("m", first)))["version"], json!(3));
    assert_eq!(world.number("counter/a", "add"), 12);
    use How::{Deploy, Rollback};
    let versions = [(1, 1, Deploy), (2, 2, Deploy), (3, 1, Rollback)];
    assert_eq!(world.versions("m"), versions);
    assert_eq!(
        world.shown("counter/a").as_deref(),
        Some("\"12\""),
        "as its host shows it"
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let mut world = World::new();
    world.deployed("m", &counter(1));
    world.refused(deployment("other", &counter(1)), "module_clash");
    let mut query = counter(2);
    query["counter"]["methods"]["add"]["kind"] = json!("query");
    world.refused(deployment("m", &query), "method_kind");
    let mut second = counter(1);
    second["counter"]["version"] = json!(2);
    world.deployed("m", &second);
    world.refused(deployment("m", &counter(1)), "state_version");
    let mut migrates = counter(1);
    migrates["counter"]["migrates"] = json!(true);
    world.deployed("m", &migrates);
    world.refused(deployment("m", &json!({})), "module_invalid");
    world.refused(rollback("m", ModuleHash([9; 32])), "unknown_version");
    world.refused(undeployment("nothing", false), "unknown_module");
    assert_eq!(world.number("counter/a", "add"), 1, "it goes on as it was");
}

/// Nobody can give a method of an old version another name: a mistake in an upgrade would stay for good. Whatever waits
/// for the method runs as the query that it is again.
#[test]
fn a_rollback_makes_a_query_of_an_update() {
    let with = |again: Value| {
        let mut text = counter(1);
        text["counter"]["methods"]["again"] = again;
        text
    };
    let first = with(json!({"kind": "query", "does": "get"}));
    let mut world = World::new();
    world.deployed("m", &first);
    world.deployed(
        "m",
        &with(json!({"kind": "update", "does": "again", "by": 1})),
    );
    assert_eq!(world.number("counter/a", "again"), 1);
    world.refused(deployment("m", &first), "method_kind");
    let hash = module::hash(&package(&first));
    assert_eq!(value(world.run(rollback("m", hash)))["version"], json!(3));
    let sent = world.engine.due(Timestamp(u64::MAX), 2);
    let [send] = sent[..] else { panic!("{sent:?}") };
    let delivered = world.run(Command::Deliver { send });
    assert_eq!(delivered, Outcome::Value("1".to_owned().into()), "it reads");
    assert_eq!(world.engine.sends_pending(), 0, "and sends nothing more");
    world.checkpoint();
    world.reopen();
    assert_eq!(world.number("counter/a", "again"), 1);
    assert_eq!(world.number("counter/a", "add"), 2);
}

/// How many entity types there may be follows from those in force, and not from all that this process saw.
#[test]
fn types_that_are_out_of_force_do_not_count() {
    let mut world = World::new();
    let types = |kind: &str| {
        let ty = |at| (format!("{kind}_{at}"), counter(1)["counter"].clone());
        let types = (0..limits::ENTITY_TYPES_MAX * 2 / 3).map(ty);
        Value::Object(types.collect())
    };
    for kind in ["a", "b"] {
        world.deployed("m", &types(kind));
        world.refused(deployment("other", &types("other")), "module_invalid");
        value(world.run(undeployment("m", false)));
    }
}

fn state_is_not_left_behind() {
    let mut world = World::new();
    world.deployed("m", &counter(1));
    world.run(undeployment("m", false));
    world.deployed("m", &counter(1));
    world.number("counter/a", "add");
    world.refused(undeployment("m", false), "holds_state");
    world.refused(
        deployment("m", &json!({"other": counter(1)["counter"]})),
        "holds_state",
    );
    world.checkpoint();
    world.reopen();
    world.refused(undeployment("m", false), "holds_state");
    value(world.run(undeployment("m", true)));
    let gone = world.call("counter/a", "add");
    assert!(matches!(gone, Outcome::Fault(fault) if fault.kind == FaultKind::UnknownEntity));
    assert_eq!(world.shown("counter/a").as_deref(), Some("\"1\""));
    world.checkpoint();
    world.reopen();
    assert_eq!(world.shown("counter/a").as_deref(), Some("\"1\""));
    world.deployed("another", &counter(5));
    assert_eq!(
        world.number("counter/a", "add"),
        6,
        "whoever has the type has its state"
    );
}

#[test]
fn state_stays_within_reach() {
    state_is_not_left_behind();
}

#[test]
fn kept_states_are_not_met_by_what_cannot_read_them() {
    let version = |version: u32, migrates: bool| {
        let mut text = counter(1);
        text["counter"]["version"] = json!(version);
        text["counter"]["migrates"] = json!(migrates);
        text
    };
    let mut world = World::new();
    world.deployed("m", &version(2, false));
    value(world.run(undeployment("m", true)));
    world.deployed("m", &version(1, false)); // nothing was kept
    world.deployed("m", &version(2, false));
    world.number("counter/a", "add");
    let seq = world.engine.seq();
    world.engine.durable(seq);
    value(world.run(undeployment("m", true)));
    world.refused(deployment("m", &version(1, false)), "state_version");
    world.engine.roll_back_to(seq).expect("kept");
    value(world.run(undeployment("m", true)));
    world.checkpoint();
    world.reopen();
    let first = module::hash(&package(&version(1, false)));
    world.refused(rollback("m", first), "state_version");
    world.refused(deployment("other", &version(1, false)), "state_version");
    let manifest = Package::decode(&package(&version(1, false)));
    let manifest = manifest.expect("it is one").manifest;
    let asked = world.engine.stored(&manifest).expect("it is read");
    assert_eq!(asked.expect("it is refused").code, "state_version");
    // What it does not touch stays as it is, whatever version is in force.
    world.deployed("other", &version(1, true));
    world.refused(deployment("other", &version(1, false)), "state_version");
    value(world.run(undeployment("other", true)));
    world.refused(deployment("other", &version(1, false)), "state_version");
    world.deployed("other", &version(3, false));
    world.deployed("other", &version(2, true));
    world.refused(deployment("other", &version(2, false)), "state_version");
    world.checkpoint();
    let kept = |world: &World| {
        world
            .cold
            .get(&Granule::meta("latest/counter"))
            .expect("it is read")
    };
    assert!(kept(&world).is_some());
    world.deployed("other", &version(3, false));
    world.checkpoint();
    assert!(kept(&world).is_none(), "as the module says");
}

#[test]
fn fields_count_as_state_until_they_are_deleted() {
    let mut world = World::new();
    let mut text = counter(1);
    text["counter"]["methods"]["unnote"] = json!({"kind": "update", "does": "unnote"});
    world.deployed("m", &text);
    world.number("counter/a", "note");
    world.refused(undeployment("m", false), "holds_state");
    world.checkpoint();
    world.reopen();
    world.refused(undeployment("m", false), "holds_state");
    world.number("counter/a", "unnote");
    value(world.run(undeployment("m", false)));
}

fn a_deployment_can_be_taken_back() {
    let mut world = World::new();
    world.deployed("m", &counter(1));
    world.number("counter/a", "add");
    let seq = world.engine.seq();
    world.engine.durable(seq);
    world.deployed("m", &counter(10));
    world.number("counter/a", "add");
    world.deployed("n", &json!({"other": counter(1)["counter"]}));
    world.engine.roll_back_to(seq).expect("kept");
    assert_eq!(world.number("counter/a", "add"), 2, "the version before");
    let lost = world.call("other/a", "add");
    assert!(matches!(lost, Outcome::Fault(fault) if fault.kind == FaultKind::UnknownEntity));
    assert_eq!(world.versions("m"), [(1, 1, How::Deploy)]);
    assert_eq!(world.deployed("m", &counter(10))["version"], json!(2));
}

/// What is still in memory of a type's entities was once taken for that of the type deployed next, or for
/// nothing's at all.
#[test]
fn a_deployment_that_is_taken_back_leaves_its_place() {
    let mut world = World::new();
    world.deployed("m", &counter(5));
    world.number("counter/a", "add");
    value(world.run(undeployment("m", true)));
    world.checkpoint();
    world.reopen();
    let seq = world.engine.seq();
    world.deployed("m", &counter(5));
    assert_eq!(world.number("counter/a", "look"), 5, "it is in memory now");
    world.engine.roll_back_to(seq).expect("kept");
    world.engine.evict(usize::MAX);
    world.deployed("m", &counter(5));
    assert_eq!(world.number("counter/a", "look"), 5);
    world.engine.roll_back_to(seq).expect("kept");
    world.deployed("n", &json!({"other": counter(1)["counter"]}));
    assert_eq!(world.number("other/a", "look"), 0);
}

#[test]
fn what_is_taken_back_is_out_of_force() {
    a_deployment_can_be_taken_back();
}

#[test]
fn a_restart_finds_what_is_in_force() {
    let mut world = World::new();
    world.deployed("m", &counter(1));
    world.deployed("m", &counter(3));
    world.number("counter/a", "add");
    world.checkpoint();
    world.reopen();
    assert_eq!(world.number("counter/a", "add"), 6);
    let first = module::hash(&package(&counter(1)));
    value(world.run(rollback("m", first)));
    assert_eq!(world.number("counter/a", "add"), 7);
    let without = Engine::open(
        Catalog::default(),
        Box::new(world.cold.clone()),
        Options::default(),
    );
    assert!(matches!(without.err(), Some(Halt::Module(name, _)) if name.as_str() == "m"));
}

/// What `add` of a type runs, held by no one here.
fn code(world: &World, ty: &str) -> Weak<dyn Run> {
    let catalog = world.engine.shared_catalog();
    let (ty, method) = catalog.find(ty, "add").expect("it is in force");
    Arc::downgrade(&catalog.get(ty).methods[method.0 as usize].run)
}

#[test]
fn code_that_is_out_of_force_is_not_kept() {
    let mut world = World::new();
    let both = json!({"counter": counter(1)["counter"], "other": counter(1)["counter"]});
    world.deployed("m", &both);
    world.number("counter/a", "add");
    let (dropped, replaced) = (code(&world, "other"), code(&world, "counter"));
    world.deployed("m", &counter(2));
    let undeployed = code(&world, "counter");
    value(world.run(undeployment("m", true)));
    assert!(dropped.upgrade().is_some(), "it may come back");
    world.engine.durable(world.engine.seq());
    for gone in [dropped, replaced, undeployed] {
        assert!(gone.upgrade().is_none());
    }
    let seq = world.engine.seq();
    world.deployed("n", &json!({"third": counter(1)["counter"]}));
    let taken_back = code(&world, "third");
    world.engine.roll_back_to(seq).expect("kept");
    assert!(taken_back.upgrade().is_none());
    assert_eq!(world.shown("counter/a").as_deref(), Some("\"1\""));
    world.deployed("m", &counter(3));
    assert_eq!(world.number("counter/a", "add"), 4);
}

fn arguments_meet_another_version() {
    let mut world = World::new();
    world.deployed("m", &counter(1));
    let call = call("counter/a", "add");
    let catalog = world.engine.shared_catalog();
    let (ty, method) = catalog.find("counter", "add").expect("it is there");
    let run = &catalog.get(ty).methods[method.0 as usize].run;
    let args = run.decode(&call.args).expect("they fit").args;
    world.deployed("m", &counter(10));
    let next = world.engine.seq().next();
    world.engine.begin_batch(next, Timestamp(1_000));
    let command = Command::Call(Box::new(call));
    let executed = world
        .engine
        .execute(&command, Some(args))
        .expect("it goes on");
    world.engine.end_batch();
    let value = Outcome::Value(Bytes::from_static(b"10"));
    assert_eq!(executed.answer, Answer::Done(value));
}

#[test]
fn arguments_are_decoded_for_the_version_that_runs() {
    arguments_meet_another_version();
}

#[test]
fn what_was_loaded_ahead_is_taken() {
    let mut world = World::new();
    let package = package(&counter(4));
    let hash = module::hash(&package);
    let loaded = Loaded::new(&Toy, hash, &package).expect("it loads");
    let next = world.engine.seq().next();
    world.engine.begin_batch(next, Timestamp(1_000));
    let command = deployment("m", &counter(4));
    let executed = world.engine.execute(&command, Some(Box::new(loaded)));
    executed.expect("it goes on");
    world.engine.end_batch();
    assert_eq!(world.number("counter/a", "add"), 4);
}

fn careful(does: &str) -> Value {
    json!({"counter": {"methods": {
        "add": {"kind": "update", "does": does, "by": 1},
        "fine": {"kind": "update", "does": "add", "by": 1},
    }}})
}

fn a_run_is_begun_again() {
    let mut world = World::new();
    world.deployed("m", &careful("careful"));
    assert_eq!(world.number("counter/a", "add"), 1);
    let said = world.engine.take_logs();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(
        (said[0].at.as_str(), said[0].message.as_str()),
        ("counter/a.add", "the second run")
    );
    assert_eq!(world.number("counter/a", "fine"), 2);
}

#[test]
fn a_careful_run_begins_from_nothing() {
    a_run_is_begun_again();
}

#[test]
fn two_runs_are_compared() {
    let options = Options {
        twice: true,
        ..Options::default()
    };
    let mut world = World::with(options);
    world.deployed("m", &careful("differs"));
    match world.call("counter/a", "add") {
        Outcome::Fault(fault) => {
            assert_eq!(fault.kind, FaultKind::Differs);
            assert!(fault.message.contains("counter/a.add"), "{fault}");
            assert!(
                fault.message.contains(" = 1") && fault.message.contains(" = 2"),
                "{fault}"
            );
        }
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(world.number("counter/a", "fine"), 1, "nothing of it stayed");
    // The callee does not look at its arguments: nothing else differs.
    let mut calls = careful("calls");
    calls["counter"]["methods"]["look"] = json!({"kind": "query"});
    world.deployed("m", &calls);
    match world.call("counter/a", "add") {
        Outcome::Fault(fault) => {
            let says = "in counter/a.add, the first of two runs came to: a call of counter/b.look with {\"careful\":false}; \
                        the second to: a call of counter/b.look with {\"careful\":true}.";
            assert_eq!(fault.kind, FaultKind::Differs);
            assert!(fault.message.starts_with(says), "{fault}");
        }
        outcome => panic!("{outcome:?}"),
    }
    let mut calm = World::with(options);
    calm.deployed("m", &careful("careful"));
    assert_eq!(calm.number("counter/a", "add"), 1);
    // Spelled otherwise each time, they are the same arguments.
    calm.deployed("m", &careful("spells"));
    assert_eq!(calm.number("counter/a", "add"), 1);
}

#[test]
fn old_versions_are_forgotten() {
    let mut world = World::new();
    let most = limits::MODULE_VERSIONS_MAX as i64;
    for by in 1..=most + 2 {
        world.deployed("m", &counter(by));
    }
    let versions = world.versions("m");
    assert_eq!(versions.len(), limits::MODULE_VERSIONS_MAX);
    assert_eq!(versions[0].0, 3);
    let mut kept = |by: i64| {
        let hash = module::hash(&package(&counter(by)));
        world.engine.package(&hash).expect("it is read").is_some()
    };
    assert_eq!(
        [kept(1), kept(2), kept(3), kept(most + 2)],
        [false, false, true, true]
    );
}

#[test]
fn a_replay_passes_through_every_version() {
    let commands = || {
        let add = || Command::Call(Box::new(call("counter/a", "add")));
        let first = module::hash(&package(&counter(1)));
        let mut commands = vec![deployment("m", &counter(1)), add()];
        commands.extend([
            deployment("m", &counter(10)),
            add(),
            rollback("m", first),
            add(),
        ]);
        commands.extend([
            undeployment("m", true),
            add(),
            deployment("m", &counter(100)),
            add(),
        ]);
        commands
    };
    let run = |world: &mut World, from: usize| -> Vec<Outcome> {
        let commands = commands().into_iter().skip(from);
        commands.map(|command| world.run(command)).collect()
    };
    let mut whole = World::new();
    let outcomes = run(&mut whole, 0);
    assert_eq!(outcomes.last(), Some(&Outcome::Value("112".into())));
    for cut in 0..outcomes.len() {
        let mut world = World::new();
        commands()
            .into_iter()
            .take(cut)
            .for_each(|command| drop(world.run(command)));
        world.checkpoint();
        world.reopen();
        assert_eq!(world.engine.seq(), Seq(cut as u64 + 1));
        assert_eq!(
            run(&mut world, cut),
            outcomes[cut..],
            "from a checkpoint after {cut}"
        );
    }
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (Bug::DeploymentStays, a_deployment_can_be_taken_back),
        (Bug::StaleArguments, arguments_meet_another_version),
        (Bug::StateLeftBehind, state_is_not_left_behind),
        (Bug::FirstRunStays, a_run_is_begun_again),
    ]);
}
