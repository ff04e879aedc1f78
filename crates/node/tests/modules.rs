//! Modules of a running node: deployed, upgraded under load, gone back from, taken back with a log that
//! failed, found again after a crash and in a backup.

mod common;
#[path = "../../engine/tests/common/toy.rs"]
mod toy;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use common::open_stepped;
use ordain_log::disk::MemoryDisk;
use ordain_node::{
    Body, CallError, CallOptions, Catalog, ChangeOptions, DeployError, Deployed, Heard, Listener,
    Module, Node, Op, Options, Refused, Stepped, TestNode, VirtualClock,
};
use ordain_store::MemoryStore;
use ordain_types::module::How;
use ordain_types::{
    EntityId, IdempotencyKey, Json, Method, MethodKind, ModuleName, Outcome, Request, Seq, Source,
    Timestamp, limits,
};
use serde_json::{Value, json};
use toy::{MIGRATED, Toy, counter, source};

fn catalog() -> Catalog {
    Catalog::default().with_host(Arc::new(Toy))
}

fn name(text: &str) -> ModuleName {
    ModuleName::new(text).expect("a name")
}

fn me() -> ChangeOptions {
    ChangeOptions {
        keep_state: false,
        caller: "me".to_owned(),
    }
}

fn deploy(node: &Node, module: &str, text: &Value) -> Result<Deployed, DeployError> {
    let package = node.compile(&source(text))?;
    node.deploy(&name(module), &package, &me())
}

fn version(node: &Node, module: &str, text: &Value) -> u32 {
    deploy(node, module, text).expect("it is deployed").version
}

fn look(node: &Node, entity: &str) -> i64 {
    let (entity, method) = (entity.parse().expect("an id"), Method::new("look"));
    let method = method.expect("a name");
    let asked = node.query(Request::new(entity, method, MethodKind::Query, "{}".into()));
    asked.expect("a number")
}

fn call(node: &Node, entity: &str, method: &str) -> Result<i64, CallError> {
    let entity: EntityId = entity.parse().expect("an id");
    let method = Method::new(method).expect("a name");
    node.call(Request::new(
        entity,
        method,
        MethodKind::Update,
        "{}".into(),
    ))
}

fn rejected(result: Result<impl std::fmt::Debug, DeployError>, code: &str) {
    match result {
        Err(DeployError::Rejected(rejection)) => assert_eq!(rejection.code, code, "{rejection}"),
        other => panic!("{code} was expected, not {other:?}"),
    }
}

#[test]
fn a_module_lives_through_its_versions() {
    let world = TestNode::new(catalog());
    let early = call(&world, "counter/a", "add");
    assert!(matches!(
        early,
        Err(CallError::Refused(Refused::UnknownEntity { .. }))
    ));
    assert_eq!(version(&world, "m", &counter(1)), 1);
    assert_eq!(call(&world, "counter/a", "add"), Ok(1));
    assert_eq!(version(&world, "m", &counter(10)), 2);
    assert_eq!(version(&world, "m", &counter(100)), 3);
    let back = |to| {
        world
            .rollback(&name("m"), to, &me())
            .map(|done| done.version)
    };
    assert_eq!(back(None), Ok(4));
    assert_eq!(
        call(&world, "counter/a", "add"),
        Ok(11),
        "by the second version"
    );
    assert_eq!(back(None), Ok(5));
    assert_eq!(call(&world, "counter/a", "add"), Ok(12), "by the first");
    rejected(back(None), "unknown_version");
    rejected(back(Some(9)), "unknown_version");
    assert_eq!(back(Some(3)), Ok(6));
    assert_eq!(call(&world, "counter/a", "add"), Ok(112));
    rejected(world.undeploy(&name("m"), &me()), "holds_state");
    let keep_state = ChangeOptions {
        keep_state: true,
        ..me()
    };
    assert_eq!(
        world.undeploy(&name("m"), &keep_state).map(|u| u.version),
        Ok(7)
    );
    assert!(world.catalog().module(&name("m")).is_none());
    let late = call(&world, "counter/a", "add");
    assert!(matches!(
        late,
        Err(CallError::Refused(Refused::UnknownEntity { .. }))
    ));
    assert_eq!(back(None), Ok(8), "what was in force last");
    let status = &world.modules().expect("they are listed")[0];
    let history = status.history.iter();
    let lines: Vec<_> = history.map(|l| (l.version, l.origin, l.how)).collect();
    use How::{Deploy, Rollback, Undeploy};
    assert_eq!(
        lines[3..],
        [
            (4, 2, Rollback),
            (5, 1, Rollback),
            (6, 3, Rollback),
            (7, 3, Undeploy),
            (8, 3, Rollback)
        ]
    );
    assert_eq!(lines[..3], [(1, 1, Deploy), (2, 2, Deploy), (3, 3, Deploy)]);
    assert_eq!(status.history[0].caller, "me");
    let (world, recovered) = world.crash();
    assert!(recovered.replayed > 10);
    assert_eq!(
        call(&world, "counter/a", "add"),
        Ok(212),
        "replayed through every version"
    );
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let world = TestNode::new(catalog());
    version(&world, "m", &counter(1));
    call(&world, "counter/a", "add").expect("a call");
    let seq = world.durable_seq();
    rejected(deploy(&world, "other", &counter(1)), "module_clash");
    rejected(
        deploy(&world, "m", &json!({"other": counter(1)["counter"]})),
        "holds_state",
    );
    rejected(world.undeploy(&name("m"), &me()), "holds_state");
    rejected(world.undeploy(&name("nothing"), &me()), "unknown_module");
    rejected(
        world.rollback(&name("nothing"), None, &me()),
        "unknown_module",
    );
    let garbage = Source {
        main: "toy.json".into(),
        files: source(&json!([1])).files,
    };
    assert!(matches!(
        world.compile(&garbage),
        Err(DeployError::Source(_))
    ));
    let mut lost = source(&counter(1));
    lost.main = "elsewhere".into();
    assert!(matches!(world.compile(&lost), Err(DeployError::Source(_))));
    let large = "x".repeat(limits::MODULE_BYTES_MAX);
    assert!(matches!(
        world.compile(&source(&json!(large))),
        Err(DeployError::Source(_))
    ));
    assert_eq!(world.durable_seq(), seq, "nothing was logged");
    let unable = TestNode::new(Catalog::default());
    assert_eq!(
        unable.compile(&source(&counter(1))),
        Err(DeployError::NoModules)
    );
}

#[test]
fn an_upgrade_under_load_fails_no_call() {
    // Without a checkpoint on the way: a crash replays all of it.
    let options = Options {
        checkpoint_interval: Duration::from_secs(1 << 20),
        ..Options::default()
    };
    let world = TestNode::with(catalog(), options);
    // Each is of another version of the state, and so migrates what it meets.
    let upgrade = |number: i64| {
        let mut text = counter(1 + number % 3);
        text["counter"]["version"] = json!(1 + number);
        text["counter"]["migrates"] = json!(true);
        version(&world, "m", &text)
    };
    upgrade(0);
    let (done, begun) = (AtomicBool::new(false), Barrier::new(5));
    let (calls, migrated, upgrades) = thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|n| {
                let (world, done, begun) = (&world, &done, &begun);
                let entity = format!("counter/{n}");
                scope.spawn(move || {
                    let mut last = call(world, &entity, "add").expect("no call fails");
                    let mut calls = 1u64;
                    begun.wait();
                    while !done.load(Ordering::Relaxed) || calls < 100 {
                        let now = call(world, &entity, "add").expect("no call fails");
                        let (step, migrated) = ((now - last) % MIGRATED, (now - last) / MIGRATED);
                        assert!((1..=3).contains(&step), "by one whole version, not {step}");
                        assert!((0..=1).contains(&migrated), "once on the way to a version");
                        (calls, last) = (calls + 1, now);
                    }
                    (calls, last / MIGRATED)
                })
            })
            .collect();
        begun.wait();
        for round in 1..=60 {
            upgrade(round);
        }
        done.store(true, Ordering::Relaxed);
        let ends = callers
            .into_iter()
            .map(|caller| caller.join().expect("it ends"));
        let (calls, migrated): (Vec<_>, Vec<_>) = ends.unzip();
        let upgrades = world.modules().expect("listed")[0].history.len();
        (calls.iter().sum::<u64>(), migrated, upgrades)
    });
    assert!(
        calls >= 400 && upgrades >= 59,
        "{calls} calls over {upgrades} upgrades"
    );
    assert!(migrated.iter().all(|times| *times > 0), "{migrated:?}");
    let numbers = |world: &TestNode| [0, 1, 2, 3].map(|n| look(world, &format!("counter/{n}")));
    let before = numbers(&world);
    let (world, recovered) = world.crash();
    let replayed = recovered.replayed;
    assert!(replayed > calls, "{replayed} of {calls} calls and more");
    assert_eq!(numbers(&world), before);
}

#[test]
fn a_deployment_whose_write_fails_is_not_in_force() {
    let (disk, store) = (
        Arc::new(MemoryDisk::new()),
        Arc::new(MemoryStore::default()),
    );
    let options = Options {
        build: Some("test".into()),
        segment_bytes: 64 << 10,
        clock: Arc::new(VirtualClock::new(Timestamp(1_000))),
        ..Options::default()
    };
    let opened = Node::open_on(
        disk.clone(),
        store.clone(),
        catalog(),
        options.clone(),
        &mut |_| {},
    );
    let (node, _) = opened.expect("it opens");
    version(&node, "m", &counter(1));
    assert_eq!(call(&node, "counter/a", "add"), Ok(1));
    // Not a single planned fault: making the next segment beside it could take that away.
    disk.stop_after(0);
    let failed = deploy(&node, "m", &counter(10));
    assert!(
        matches!(failed, Err(DeployError::Unavailable(_))),
        "{failed:?}"
    );
    // The committer told of the failure; until the executor has heard of it too, reads are refused.
    let statuses = loop {
        match node.modules() {
            Ok(statuses) => break statuses,
            Err(DeployError::Unavailable(_)) => thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    };
    let in_force = |module: Option<&Module>| module.expect("in force").version;
    assert_eq!(in_force(statuses[0].in_force.as_ref()), 1);
    assert_eq!(in_force(node.catalog().module(&name("m"))), 1);
    drop(node);
    disk.kill();
    let opened = Node::open_on(disk, store, catalog(), options, &mut |_| {});
    let (node, _) = opened.expect("it opens again");
    let next = call(&node, "counter/a", "add").expect("it is called");
    assert!(
        next == 2 || next == 11,
        "the deployment stands whole or not at all: {next}"
    );
}

/// Whoever is refused by what a deployment left out hears of it before anybody else does: so not before it is durable.
#[test]
fn the_door_knows_no_deployment_that_is_not_durable() {
    let (node, mut steps) = open_stepped(&MemoryDisk::new(), catalog(), Options::default());
    let known = || node.catalog().module(&name("m")).is_some();
    thread::scope(|scope| {
        let deployed = scope.spawn(|| version(&node, "m", &counter(1)));
        // The log's id, what is in force, and the deployment, which has run and is not written.
        while node.counters().commands.load(Ordering::Relaxed) < 3 {
            assert!(!deployed.is_finished(), "it does not come to the log");
            if matches!(steps.executor(), Stepped::Idle(_)) {
                steps.committer();
            }
        }
        assert!(!known(), "it is not durable");
        while !deployed.is_finished() {
            steps.committer();
            steps.executor();
        }
        assert!(known(), "it is answered");
    });
}

#[test]
fn a_backup_holds_the_modules() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, restored) = (dir.path().join("data"), dir.path().join("restored"));
    let node = Node::open(&data, catalog()).expect("it opens");
    version(&node, "m", &counter(1));
    version(&node, "m", &counter(10));
    call(&node, "counter/a", "add").expect("a call");
    let mut backup = Vec::new();
    node.backup(&mut backup, &mut |_| {}).expect("a backup");
    ordain_node::restore(&backup[..], &restored, &Options::default(), &mut |_| {})
        .expect("a restore");
    let copy = Node::open(&restored, catalog()).expect("it opens");
    assert_eq!(call(&copy, "counter/a", "add"), Ok(20));
    copy.rollback(&name("m"), None, &me())
        .expect("the first is there too");
    assert_eq!(call(&copy, "counter/a", "add"), Ok(21));
    drop(node);
    let unable = Node::open(&data, Catalog::default()).expect_err("it cannot run it");
    assert!(unable.to_string().contains("the module `m`"), "{unable}");
}

#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Listener for Ear {
    fn heard(&self, heard: Heard<'_>) {
        let line = match heard {
            Heard::Ran { seq, outcome, .. } => match outcome {
                Outcome::Value(_) => format!("{seq} ran"),
                outcome => format!("{seq} ended in {outcome:?}"),
            },
            Heard::Queried { call, .. } => format!("{} asked", call.method),
            Heard::Said(line) => format!("{}: {}", line.at, line.message),
        };
        self.0.lock().expect("nobody panics").push(line);
    }
}

#[test]
fn what_runs_is_heard_and_runs_twice_where_asked() {
    let ear = Arc::new(Ear::default());
    let options = Options {
        listener: Some(ear.clone()),
        twice: true,
        ..Options::default()
    };
    let world = TestNode::with(catalog(), options);
    let text = json!({"counter": {"methods": {
        "careful": {"kind": "update", "does": "careful", "by": 1},
        "differs": {"kind": "update", "does": "differs", "by": 1},
    }}});
    version(&world, "m", &text);
    assert_eq!(call(&world, "counter/a", "careful"), Ok(1));
    let differs = call(&world, "counter/a", "differs");
    assert!(
        matches!(differs, Err(CallError::Fault(fault)) if fault.kind.code() == "not_deterministic")
    );
    let heard = ear.0.lock().expect("nobody panics").join("\n");
    for part in ["counter/a.careful: the second run", "3 ran", "Differs"] {
        assert!(heard.contains(part), "{part}: {heard}");
    }
}

#[test]
fn what_could_not_read_the_states_that_are_kept_does_not_pass_the_door() {
    let world = TestNode::new(catalog());
    let mut second = counter(1);
    second["counter"]["version"] = json!(2);
    version(&world, "m", &second);
    assert_eq!(call(&world, "counter/a", "add"), Ok(1));
    let keep_state = ChangeOptions {
        keep_state: true,
        ..me()
    };
    world.undeploy(&name("m"), &keep_state).expect("it goes");
    let first = world.compile(&source(&counter(1))).expect("it compiles");
    for module in ["m", "other"] {
        rejected(world.plan(&name(module), &first, &me()), "state_version");
        rejected(deploy(&world, module, &counter(1)), "state_version");
    }
    version(&world, "other", &second);
    let statuses = world.modules().expect("they are listed");
    let last = |at: usize| statuses[at].history.last().expect("a line").seq;
    assert_eq!(last(1), last(0).next(), "nothing of it is in the log");
    assert_eq!(call(&world, "counter/a", "add"), Ok(2));
}

/// Whoever waits for them need not wait for ever.
#[test]
fn sends_that_lead_to_each_other_are_given_up_on() {
    let world = TestNode::new(catalog());
    let text = json!({"counter": {"methods": {
        "add": {"kind": "update", "does": "add", "by": 1},
        "again": {"kind": "update", "does": "again", "by": 1},
    }}});
    version(&world, "m", &text);
    let asked = AtomicU64::new(0);
    let often = || asked.fetch_add(1, Ordering::Relaxed) < 100;
    assert!(world.advance_while(Duration::from_secs(1), often));
    call(&world, "counter/a", "again").expect("it runs");
    assert!(!world.settle_while(often));
    let now = world.now();
    assert!(!world.advance_while(Duration::from_secs(1), often));
    assert_eq!(world.now(), now);
}

#[test]
fn a_retry_gets_the_first_answer_though_its_method_is_gone() {
    let world = TestNode::new(catalog());
    version(&world, "m", &counter(1));
    let add = |key: &str| {
        let entity: EntityId = "counter/a".parse().expect("an id");
        let method = Method::new("add").expect("a name");
        let options = CallOptions {
            idempotency_key: Some(IdempotencyKey::new(key).expect("a key")),
            ..CallOptions::default()
        };
        let request = Request::<i64>::new(entity, method, MethodKind::Update, "{}".into());
        world.call_with(request, options)
    };
    assert_eq!(add("k"), Ok(1));
    let mut other = counter(1);
    let methods = other["counter"]["methods"].as_object_mut();
    methods.expect("methods").remove("add");
    version(&world, "m", &other);
    assert_eq!(add("k"), Ok(1), "it ran before");
    let refused = add("other").expect_err("no such method");
    assert!(matches!(
        refused,
        CallError::Refused(Refused::UnknownMethod { .. })
    ));
}

/// A rollback may make a query of what was called, and of what was sent.
#[test]
fn a_retry_gets_the_first_answer_though_its_method_is_a_query() {
    let world = TestNode::new(catalog());
    let mut first = counter(1);
    first["counter"]["methods"]["add"] = first["counter"]["methods"]["look"].clone();
    version(&world, "m", &first);
    version(&world, "m", &counter(1));
    let entity: EntityId = "counter/a".parse().expect("an id");
    let request = || {
        let method = Method::new("add").expect("a name");
        Request::<i64>::new(entity.clone(), method, MethodKind::Update, "{}".into())
    };
    let with = |key: &str, at_least| CallOptions {
        idempotency_key: Some(IdempotencyKey::new(key).expect("a key")),
        at_least,
        ..CallOptions::default()
    };
    assert_eq!(world.call_with(request(), with("k", None)), Ok(1));
    let sent = world.send_with(request(), 3_600_000, with("s", None));
    let sent = sent.expect("it was taken");
    assert_eq!(call(&world, "counter/a", "add"), Ok(2));
    let back = world.rollback(&name("m"), None, &me());
    back.expect("an update may become a query again");
    assert_eq!(call(&world, "counter/a", "add"), Ok(2), "it only looks");
    for at_least in [None, Some(Seq(1))] {
        let again = world.call_with(request(), with("k", at_least));
        assert_eq!(again, Ok(1), "it ran before");
        let other = world.call_with(request(), with("other", at_least));
        assert_eq!(other, Ok(2), "it did not, and looks");
    }
    let late = Some(Seq(1 << 40));
    assert_eq!(world.call_with(request(), with("k", late)), Ok(1));
    let other = world.call_with(request(), with("other", late));
    assert!(matches!(other, Err(CallError::SeqNotReached { .. })));
    let again = world.send_with(request(), 3_600_000, with("s", None));
    assert_eq!(again, Ok(sent));
}

#[test]
fn a_query_that_waited_until_its_method_was_an_update_is_refused() {
    let world = TestNode::new(catalog());
    version(&world, "m", &counter(1));
    let entity: EntityId = "counter/a".parse().expect("an id");
    let waits = || {
        world
            .accept(entity.clone(), "look", b"{}", "", None)
            .expect("it fits")
    };
    let (first, second, called) = (waits(), waits(), waits());
    let ask = |accepted| {
        let query = Op::Query {
            accepted,
            at_least: None,
        };
        world.ask(query).expect("there is room").wait().body
    };
    assert!(matches!(ask(first), Body::Outcome { .. }));
    let mut other = counter(1);
    other["counter"]["methods"]["look"] = json!({"kind": "update", "does": "add", "by": 1});
    version(&world, "m", &other);
    let expected = Refused::NotAQuery {
        entity: "counter".to_owned(),
        method: "look".to_owned(),
    };
    assert_eq!(ask(second), Body::Refused(Box::new(expected)));
    assert_eq!(call(&world, "counter/a", "add"), Ok(1), "nothing was added");
    // What was called is an update like any now.
    let reply = world.ask(Op::Call(called)).expect("there is room").wait();
    let outcome = Outcome::Value(Json::from_static(b"2"));
    let repeated = false;
    assert_eq!(reply.body, Body::Outcome { outcome, repeated });
    assert_eq!(reply.seq, world.durable_seq());
    assert_eq!(call(&world, "counter/a", "add"), Ok(3), "it was added");
}

/// What ends an overload is not refused by it.
#[test]
fn a_rollback_finds_room_in_a_full_queue() {
    let options = Options {
        queue_commands_max: 1,
        clock: Arc::new(VirtualClock::new(Timestamp(1))),
        ..Options::default()
    };
    let (node, mut steps) = open_stepped(&MemoryDisk::new(), catalog(), options);
    let mut step = || {
        steps.executor();
        steps.committer();
        steps.checkpointer();
    };
    let is_full = || {
        let entity = "counter/a".parse().expect("an id");
        let accepted = node.accept(entity, "add", b"{}", "", None);
        let asked = node.ask(Op::Call(accepted.expect("it fits")));
        matches!(asked, Err(Refused::Overloaded { .. }))
    };
    let waiting = || node.counters().queue_commands.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let deployed = scope.spawn(|| {
            version(&node, "m", &counter(1));
            version(&node, "m", &counter(10));
        });
        while !deployed.is_finished() {
            step();
        }
        while !is_full() {}
        let back = scope.spawn(|| node.rollback(&name("m"), None, &me()));
        while waiting() < 2 && !back.is_finished() {
            thread::yield_now();
        }
        while !back.is_finished() {
            while !is_full() {}
            step();
        }
        let back = back.join().expect("no panic");
        assert_eq!(back.map(|back| back.version), Ok(3));
    });
}
