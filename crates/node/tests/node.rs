//! The node through its public door: calls, restarts, sends, faults of the disk.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{catalog, catalog_with, in_time, request};
use ordain_log::Log;
use ordain_log::disk::{Disk, MemoryDisk};
use ordain_node::{
    Body, CallError, CallOptions, Node, Op, OpenError, Options, Recovered, VirtualClock,
};
use ordain_store::{MemoryStore, Store};
use ordain_types::planted::{Bug, assert_caught};
use ordain_types::{IdempotencyKey, Rejection, Seq};
use serde_json::json;

/// A node in memory that can be opened again.
struct World {
    disk: Arc<MemoryDisk>,
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(VirtualClock::new(common::start()));
        Self {
            disk: Arc::new(MemoryDisk::new()),
            store: Arc::new(MemoryStore::default()),
            clock,
        }
    }

    fn options(&self) -> Options {
        let clock = self.clock.clone();
        Options {
            build: Some("b1".into()),
            clock,
            ..Options::default()
        }
    }

    fn open_with(
        &self,
        catalog: ordain_engine::Catalog,
        options: Options,
    ) -> Result<(Node, Recovered), OpenError> {
        let (disk, store): (Arc<dyn Disk>, Arc<dyn Store>) =
            (self.disk.clone(), self.store.clone());
        Node::open_on(disk, store, catalog, options, &mut |_| {})
    }

    /// Why it does not open, with threads of its own and without.
    fn refusals(
        &self,
        catalog: impl Fn() -> ordain_engine::Catalog,
        options: &Options,
    ) -> [OpenError; 2] {
        let (disk, store) = (self.disk.clone(), self.store.clone());
        let stepped =
            Node::open_stepped(disk, store, catalog(), options.clone(), 1, &mut |_| {}).map(drop);
        let threads = self.open_with(catalog(), options.clone()).map(drop);
        [threads, stepped].map(|opened| opened.expect_err("it is refused"))
    }

    fn open(&self) -> Node {
        self.open_with(catalog(), self.options())
            .expect("it opens")
            .0
    }

    /// As a kill would leave it: nothing is checkpointed.
    fn crash(&self) -> World {
        let clock = self.clock.clone();
        let disk = Arc::new(self.disk.fork());
        World {
            disk,
            store: Arc::new(MemoryStore::default()),
            clock,
        }
    }
}

fn add(node: &Node, key: &str, n: i64) -> Result<i64, CallError> {
    node.call(request(key, "add", json!({ "n": n })))
}

fn look(node: &Node, key: &str) -> i64 {
    node.query(request(key, "look", json!({})))
        .expect("a query")
}

#[test]
fn calls_reject_and_fault() {
    let world = World::new();
    let node = world.open();
    assert_eq!(add(&node, "a", 5), Ok(5));
    let rejection = Rejection::new("negative", "it would be -1");
    assert_eq!(add(&node, "a", -6), Err(CallError::Rejected(rejection)));
    assert_eq!(look(&node, "a"), 5);
    let fault = node.call::<i64>(request("a", "boom", json!({})));
    assert!(matches!(fault, Err(CallError::Fault(fault)) if fault.message == "boom"));
    node.stop();
    assert!(matches!(add(&node, "a", 1), Err(CallError::Refused(_))));
}

#[test]
fn a_crash_replays_and_a_clean_stop_does_not() {
    let world = World::new();
    let node = world.open();
    for n in 0..100 {
        add(&node, &format!("k{}", n % 7), n).expect("a call");
    }
    let hash = node.state_hash().expect("a hash");
    let crashed = world.crash();
    let (replayed, recovered) = crashed
        .open_with(catalog(), world.options())
        .expect("a replay");
    assert_eq!(
        recovered.replayed, 102,
        "with the two that come first in every log"
    );
    assert_eq!(replayed.state_hash().expect("a hash"), hash);
    node.stop();
    let (_, recovered) = world
        .open_with(catalog(), world.options())
        .expect("it opens again");
    assert_eq!(recovered.replayed, 0);
}

/// What is queued when a node is closed is done, and the last checkpoint taken at once, not when one is due.
#[test]
fn a_stop_does_not_wait_for_the_next_checkpoint() {
    static HELD: Mutex<()> = Mutex::new(());
    static RUNS: AtomicBool = AtomicBool::new(false);
    in_time(|| {
        let world = World::new();
        let hold = HELD.lock().expect("no panic");
        let held = catalog_with(|_, _| {
            RUNS.store(true, Ordering::SeqCst);
            drop(HELD.lock().expect("no panic"));
            Ok(json!(1))
        });
        let options = Options {
            checkpoint_interval: Duration::from_secs(3_600),
            ..world.options()
        };
        let (node, _) = world.open_with(held, options).expect("it opens");
        let asks = || {
            let parts = request::<i64>("a", "add", json!({})).into_parts();
            let parts = parts.expect("parts");
            let accepted = node.accept(parts.entity, "add", &parts.args, "", None);
            node.ask(Op::Call(accepted.expect("it fits"))).is_ok()
        };
        assert!(asks());
        while !RUNS.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        assert!(asks(), "one more is queued behind that which is held up");
        let stopped = node.clone();
        let stop = thread::spawn(move || stopped.stop());
        while asks() {
            thread::yield_now();
        }
        drop(hold);
        stop.join().expect("no panic");
        let opened = world.open_with(catalog(), world.options());
        let (_, recovered) = opened.expect("it opens again");
        assert_eq!(recovered.replayed, 0, "all of it is checkpointed");
    });
}

/// Only where it needs much of it, and as far as there is room.
#[test]
fn a_long_replay_takes_what_the_store_has_into_memory() {
    const ENTITIES: u64 = 12_000; // several times what is read together
    let world = World::new();
    let node = world.open();
    let mut pipeline = node.pipeline();
    for n in 0..ENTITIES {
        let call = request::<i64>(&format!("k{n}"), "add", json!({ "n": n }));
        pipeline.submit(call).expect("room");
    }
    while let Some(received) = pipeline.receive() {
        assert!(matches!(received.reply.body, Body::Outcome { .. }));
    }
    node.checkpoint().expect("a checkpoint");
    let in_memory = |budget: usize| {
        let options = Options {
            memory_budget_bytes: budget,
            ..world.options()
        };
        let crashed = World {
            store: Arc::new(world.store.fork()),
            ..world.crash()
        };
        let (node, _) = crashed.open_with(catalog(), options).expect("it opens");
        let hash = node.state_hash().expect("a hash");
        let counters = node.counters();
        (counters.entities_in_memory.load(Ordering::Relaxed), hash)
    };
    let plenty = Options::default().memory_budget_bytes;
    let ask = |count: u64, keys: u64| {
        for n in 0..count {
            add(&node, &format!("k{}", n % keys), 1).expect("a call");
        }
    };
    ask(10, 10);
    let (few, _) = in_memory(plenty);
    assert_eq!(few, 10, "a short one needs what it needs");
    ask(ENTITIES / 2, 10);
    let (few, _) = in_memory(plenty);
    assert_eq!(few, 10, "a long one of few entities too");
    node.checkpoint().expect("a checkpoint");
    for n in 0..100 {
        add(&node, &format!("new{n}"), 1).expect("a call"); // of which the store knows nothing
    }
    ask(ENTITIES / 2, ENTITIES);
    let (all, hash) = in_memory(plenty);
    assert_eq!(all, ENTITIES + 100);
    let (some, same) = in_memory(1 << 20);
    assert!(some > 0 && some < ENTITIES, "{some} in a MiB");
    assert_eq!((&hash, &same), (&node.state_hash().expect("a hash"), &hash));
}

/// A long replay takes all entities of the store in: what cannot be read waits for who needs it.
#[test]
fn a_stored_value_whose_reading_panics_keeps_no_node_from_starting() {
    let world = World::new();
    let node = world.open();
    add(&node, "bad", common::UNREADABLE).expect("a call");
    let ask = |count| {
        for n in 0..count {
            add(&node, &format!("good{n}"), 1).expect("a call");
        }
    };
    ask(21);
    node.checkpoint().expect("a checkpoint");
    ask(20);
    let crashed = World {
        store: Arc::new(world.store.fork()),
        ..world.crash()
    };
    let opened = crashed.open_with(catalog(), world.options());
    let (node, recovered) = opened.expect("a replay");
    assert_eq!(recovered.replayed, 20);
    assert_eq!(look(&node, "good19"), 2);
    let in_memory = node.counters().entities_in_memory.load(Ordering::Relaxed);
    assert_eq!(in_memory, 21, "all but one, of which one was not asked for");
    let bad = node.query::<i64>(request("bad", "look", json!({})));
    assert!(matches!(bad, Err(CallError::Fault(_))), "{bad:?}");
}

#[test]
fn idempotency_keys_answer_once() {
    let world = World::new();
    let node = world.open();
    let key = Some(IdempotencyKey::new("k").expect("a key"));
    let once = || CallOptions {
        idempotency_key: key.clone(),
        ..CallOptions::default()
    };
    assert_eq!(
        node.call_with(request("a", "add", json!({"n": 2})), once()),
        Ok(2)
    );
    assert_eq!(
        node.call_with(request("a", "add", json!({"n": 2})), once()),
        Ok(2)
    );
    let other = node.call_with::<i64>(request("a", "add", json!({"n": 3})), once());
    assert!(matches!(other, Err(CallError::KeyReused { .. })));
    assert_eq!(look(&node, "a"), 2);
}

#[test]
fn sends_arrive_once_and_delays_survive_a_crash() {
    let world = World::new();
    let node = world.open();
    let send =
        |delay| request::<String>("a", "send", json!({"to": "b", "n": 3, "delay_ms": delay}));
    node.call(send(0)).expect("a send");
    node.call(send(60_000)).expect("a send");
    while look(&node, "b") != 3 {}
    let crashed = world.crash();
    drop(node);
    let node = crashed.open();
    // It is told before anything runs.
    assert_eq!(node.counters().sends_pending.load(Ordering::Relaxed), 1);
    assert_eq!(look(&node, "b"), 3);
    crashed.clock.advance(Duration::from_secs(61));
    node.nudge();
    while look(&node, "b") != 6 {}
}

#[test]
fn many_calls_in_flight_come_back_in_order() {
    let world = World::new();
    let node = world.open();
    let mut pipeline = node.pipeline();
    for _ in 0..1_000 {
        pipeline
            .submit(request::<i64>("a", "add", json!({})))
            .expect("room");
    }
    for expected in 1..=1_000 {
        let received = pipeline.receive().expect("in flight");
        assert_eq!(received.number as i64 + 1, expected);
        assert_eq!(received.value::<i64>(), Ok(expected));
    }
    assert!(pipeline.receive().is_none());
}

#[test]
fn another_build_does_not_replay_unless_told_to() {
    let world = World::new();
    let node = world.open();
    for n in 0..3 {
        add(&node, "a", n).expect("a call");
    }
    let crashed = world.crash();
    drop(node);
    let changed = || {
        catalog_with(|tx, args| {
            *common::counter(tx) += 2 * args["n"].as_i64().unwrap_or(1);
            Ok(json!(*common::counter(tx)))
        })
    };
    let options = Options {
        build: Some("b2".into()),
        ..world.options()
    };
    for error in crashed.refusals(changed, &options) {
        let text = error.to_string();
        assert!(text.contains("b1") && text.contains("b2"), "{text}");
    }
    let forced = Options {
        replay_other_build: true,
        ..options
    };
    let (node, recovered) = crashed.open_with(changed(), forced).expect("an override");
    let differ: Vec<_> = recovered
        .differences
        .iter()
        .map(|d| (d.seq.0, d.now.as_str()))
        .collect();
    // The digest of the last batch is not in the log yet when it crashes.
    assert_eq!(differ, [(4, "value 2")]);
    assert_eq!(look(&node, "a"), 6);
}

#[test]
fn a_method_that_is_not_deterministic_is_found() {
    let world = World::new();
    let node = world.open();
    for _ in 0..3 {
        node.call::<i64>(request("a", "chance", json!({})))
            .expect("a call");
    }
    let crashed = world.crash();
    drop(node);
    for error in crashed.refusals(catalog, &world.options()) {
        let text = error.to_string();
        assert!(matches!(error, OpenError::Diverged { .. }), "{text}");
        assert!(
            text.contains("seq 3") && text.contains("counter/a.chance"),
            "{text}"
        );
    }
}

#[test]
fn a_store_and_a_log_that_do_not_meet_are_refused() {
    let world = World::new();
    let node = world.open();
    add(&node, "a", 1).expect("a call");
    node.stop();
    let refused = |disk: MemoryDisk, store: MemoryStore| {
        let clock = world.clock.clone();
        let (disk, store) = (Arc::new(disk), Arc::new(store));
        let apart = World { disk, store, clock };
        let error = apart.open_with(catalog(), apart.options()).err();
        assert!(matches!(error, Some(OpenError::Apart { .. })), "{error:?}");
    };
    refused(MemoryDisk::new(), world.store.fork());
    let later = MemoryDisk::new();
    let begins = Log::create(
        Arc::new(later.clone()),
        ordain_log::Options::default(),
        Seq(3),
    );
    begins.expect("a new log");
    refused(later, MemoryStore::default());
}

/// Two logs with the same seqs: what tells them apart is when their batches ran.
#[test]
fn a_store_is_not_opened_with_the_log_of_another() {
    let ran = |after: Duration| {
        let world = World::new();
        let node = world.open();
        world.clock.advance(after);
        for _ in 0..3 {
            add(&node, "a", 1).expect("a call");
        }
        node.stop();
        world
    };
    let (one, other) = (ran(Duration::ZERO), ran(Duration::from_secs(1)));
    let mixed = World {
        disk: one.disk.clone(),
        store: other.store.clone(),
        clock: one.clock.clone(),
    };
    let error = mixed.open_with(catalog(), mixed.options()).err();
    assert!(
        matches!(error, Some(OpenError::OtherLog { .. })),
        "{error:?}"
    );
    assert_eq!(look(&one.open(), "a"), 3, "with its own store it opens");
}

#[test]
fn a_directory_is_locked_and_restored_from_a_backup() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, restored) = (dir.path().join("data"), dir.path().join("restored"));
    let node = Node::open(&data, catalog()).expect("it opens");
    add(&node, "a", 7).expect("a call");
    let twice = Node::open(&data, catalog())
        .expect_err("locked")
        .to_string();
    assert!(twice.contains("another node of this one"), "{twice}");
    let mut backup = Vec::new();
    node.backup(&mut backup, &mut |_| {}).expect("a backup");
    let hash = node.state_hash().expect("a hash");
    add(&node, "a", 1).expect("a call after the backup");
    ordain_node::restore(&backup[..], &restored, &Options::default(), &mut |_| {})
        .expect("a restore");
    let copy = Node::open(&restored, catalog()).expect("it opens");
    assert_eq!(look(&copy, "a"), 7);
    assert_eq!(copy.state_hash().expect("a hash"), hash);
    assert_eq!(add(&copy, "a", 1), Ok(8));
    let again = ordain_node::restore(&backup[..], &restored, &Options::default(), &mut |_| {});
    assert!(again.is_err(), "a directory in use is not overwritten");
}

#[test]
fn a_restored_backup_goes_on_as_another_log() {
    let random = || catalog_with(|tx, _| Ok(json!(tx.random())));
    let draw = |node: &Node| -> Vec<u64> {
        let one = || {
            node.call(request("a", "add", json!({"n": 1})))
                .expect("a call")
        };
        (0..5).map(|_| one()).collect()
    };
    let dir = tempfile::tempdir().expect("a directory");
    let open = |name| Node::open(dir.path().join(name), random()).expect("it opens");
    let node = open("data");
    draw(&node);
    let mut backup = Vec::new();
    node.backup(&mut backup, &mut |_| {}).expect("a backup");
    let hash = node.state_hash().expect("a hash");
    let mut drawn = draw(&node);
    for name in ["one", "two"] {
        ordain_node::restore(
            &backup[..],
            &dir.path().join(name),
            &Options::default(),
            &mut |_| {},
        )
        .expect("a restore");
        let until_called = open(name).state_hash();
        assert_eq!(until_called, Ok(hash));
        drawn.extend(draw(&open(name)));
        drawn.extend(draw(&open(name)));
    }
    let all = drawn.len();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn.len(), all, "no number was drawn twice");
}

#[test]
fn a_full_disk_refuses_updates_serves_reads_and_resumes() {
    let world = World::new();
    let options = Options {
        segment_bytes: 64 << 10,
        ..world.options()
    };
    let (node, _) = world.open_with(catalog(), options).expect("it opens");
    add(&node, "a", 1).expect("a call");
    let used = 3 * (64 << 10);
    world.disk.limit_bytes(Some(used));
    let filler = "x".repeat(1_000);
    let mut sum = 1;
    let why = loop {
        let args = json!({"n": 1, "filler": filler});
        match node.call::<i64>(request("a", "add", args)) {
            Ok(n) => sum = n,
            Err(why) => break why.to_string(),
        }
        assert!(sum < 10_000, "the limit bites");
    };
    assert!(why.contains("disk is full"), "{why}");
    assert!(matches!(node.health(), ordain_node::Health::Unavailable(_)));
    assert_eq!(
        look(&node, "a"),
        sum,
        "reads go on, and show what was acknowledged"
    );
    let (tries, began) = (|| world.disk.counts().full, Instant::now());
    let before = tries();
    (0..1_000).for_each(|_| assert_eq!(look(&node, "a"), sum));
    let tried = tries() - before;
    let most = 2 + began.elapsed().as_millis() / 500;
    assert!(
        u128::from(tried) <= most,
        "room is looked for by the clock, not for each read: {tried} times"
    );
    world.disk.limit_bytes(None);
    let resumed = loop {
        match add(&node, "a", 1) {
            Ok(n) => break n,
            Err(_) => std::thread::yield_now(),
        }
    };
    assert_eq!(resumed, sum + 1);
    let crashed = world.crash();
    let node = crashed.open();
    assert_eq!(look(&node, "a"), sum + 1);
}

#[test]
fn a_failed_sync_is_never_acknowledged_and_reads_show_what_is_durable() {
    let world = World::new();
    let node = world.open();
    add(&node, "a", 1).expect("a call");
    world.disk.inject(
        0,
        ordain_log::disk::Fault::Sync {
            kind: std::io::ErrorKind::Other,
        },
    );
    let why = add(&node, "a", 1).expect_err("its sync fails").to_string();
    assert!(why.contains("disk failed"), "{why}");
    assert_eq!(look(&node, "a"), 1);
    assert!(
        add(&node, "a", 1).is_err(),
        "and nothing more until a restart"
    );
    assert_eq!(look(&node, "a"), 1);
}

/// Those that show on the caller's thread, with which no other shares a bug; the simulation hunts the others.
#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (
            Bug::CompareSkipped,
            a_method_that_is_not_deterministic_is_found,
        ),
        (
            Bug::OtherBuildRuns,
            another_build_does_not_replay_unless_told_to,
        ),
        (
            Bug::ApartAccepted,
            a_store_and_a_log_that_do_not_meet_are_refused,
        ),
        (
            Bug::OtherLogAccepted,
            a_store_is_not_opened_with_the_log_of_another,
        ),
        (
            Bug::BackupStale,
            a_directory_is_locked_and_restored_from_a_backup,
        ),
    ]);
}
