//! What must neither hang nor lose anything: threads that panic, a store that fails, a disk that fills
//! at the worst of times, a node that is stopped while it is at work.

mod common;

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use common::asking::{AskingDisk, AskingStore, store_failure};
use common::{UNSPEAKABLE, catalog, in_time, request};
use ordain_log::disk::{Disk, Fault, MemoryDisk};
use ordain_log::{Log, read_from};
use ordain_node::{
    CallError, CallOptions, Health, Node, Op, OpenError, Options, Recovered, Refused, Reply,
    ReplyTo, Sink, StoreTrouble, Unavailable, VirtualClock,
};
use ordain_store::{MemoryStore, Store};
use ordain_types::{Batch, IdempotencyKey, Seq};
use serde_json::json;

fn options(build: &str) -> Options {
    Options {
        build: Some(build.into()),
        segment_bytes: 64 << 10,
        checkpoint_interval: Duration::from_secs(3_600),
        clock: Arc::new(VirtualClock::new(common::start())),
        ..Options::default()
    }
}

fn open(disk: Arc<dyn Disk>, store: Arc<dyn Store>, build: &str) -> Result<Node, OpenError> {
    let opened: Result<(Node, Recovered), _> =
        Node::open_on(disk, store, catalog(), options(build), &mut |_| {});
    opened.map(|(node, _)| node)
}

fn memory() -> Arc<MemoryStore> {
    Arc::default()
}

fn add(node: &Node, key: &str) -> Result<i64, CallError> {
    node.call(request(key, "add", json!({ "n": 1 })))
}

fn add_until_it_goes(node: &Node, key: &str) -> i64 {
    loop {
        match add(node, key) {
            Ok(n) => return n,
            Err(_) => thread::yield_now(),
        }
    }
}

fn look(node: &Node, key: &str) -> i64 {
    node.query(request(key, "look", json!({})))
        .expect("a query")
}

const FULL: Fault = Fault::Write {
    landed: 0,
    kind: ErrorKind::StorageFull,
};
const BROKEN: Fault = Fault::Sync {
    kind: ErrorKind::Other,
};

/// A store whose next checkpoint says when it is there and waits to be let through.
fn held_store() -> (Arc<AskingStore>, Receiver<()>, Sender<()>) {
    let (there, is_there) = channel();
    let (go, may_go) = channel::<()>();
    let store = AskingStore::new(move || {
        let _ = there.send(());
        let _ = may_go.recv();
        Ok(())
    });
    (store, is_there, go)
}

#[test]
fn a_log_that_fails_leaves_an_earlier_checkpoint_alone() {
    in_time(|| {
        let (store, is_there, go) = held_store();
        let disk = Arc::new(MemoryDisk::new());
        let node = open(disk.clone(), store.clone(), "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        let asked = node.clone();
        let checkpoint = thread::spawn(move || asked.checkpoint());
        is_there.recv().expect("a checkpoint is being applied");
        disk.inject(0, FULL);
        add(&node, "a").expect_err("the disk is full");
        drop(go);
        assert_eq!(checkpoint.join().expect("no panic"), Ok(Seq(3)));
        assert_eq!(add_until_it_goes(&node, "a"), 2);
        assert_eq!(node.checkpoint(), Ok(Seq(4)));
        node.stop();
        let node = open(disk, store, "b1").expect("it opens again");
        assert_eq!(look(&node, "a"), 2);
    });
}

/// Makes the first append of a node that is opened on this disk now fail for want of space.
fn fill_for_the_first_append(disk: &MemoryDisk) {
    let trial = disk.fork();
    let before = trial.counts().writes;
    let log = ordain_log::Options {
        segment_bytes: 64 << 10,
    };
    drop(Log::open(Arc::new(trial.clone()), log).expect("the log opens"));
    disk.inject(trial.counts().writes - before, FULL);
}

#[test]
fn what_is_in_force_is_in_the_log_though_the_disk_was_full_when_it_began() {
    in_time(|| {
        let (disk, store) = (Arc::new(MemoryDisk::new()), memory());
        fill_for_the_first_append(&disk);
        let node = open(disk.clone(), store.clone(), "b1").expect("it opens");
        assert_eq!(add_until_it_goes(&node, "a"), 1);
        let copy = open(Arc::new(disk.fork()), Arc::new(store.fork()), "b1");
        assert_eq!(look(&copy.expect("its own build replays"), "a"), 1);
        node.stop();

        fill_for_the_first_append(&disk);
        let node = open(disk.clone(), store.clone(), "b2").expect("it opens");
        assert_eq!(add_until_it_goes(&node, "a"), 2);
        let copy = open(Arc::new(disk.fork()), Arc::new(store.fork()), "b2");
        assert_eq!(look(&copy.expect("its own build replays"), "a"), 2);
        let other = open(Arc::new(disk.fork()), Arc::new(store.fork()), "b1").err();
        assert!(matches!(other, Some(OpenError::OtherBuild { .. })));
    });
}

#[test]
fn the_smallest_queue_has_room_for_what_comes_first() {
    in_time(|| {
        for _ in 0..20 {
            let options = Options {
                queue_commands_max: 1,
                ..options("b1")
            };
            let disk = Arc::new(MemoryDisk::new());
            let (node, _) =
                Node::open_on(disk, memory(), catalog(), options, &mut |_| {}).expect("it opens");
            assert_eq!(add_until_it_goes(&node, "a"), 1);
        }
    });
}

#[test]
fn every_batch_has_its_digest_in_the_log_though_the_disk_was_full() {
    in_time(|| {
        let disk = Arc::new(MemoryDisk::new());
        let node = open(disk.clone(), memory(), "b1").expect("it opens");
        for _ in 0..3 {
            add(&node, "a").expect("a call");
        }
        disk.inject(0, FULL);
        add(&node, "a").expect_err("the disk is full");
        add_until_it_goes(&node, "a");
        node.stop();
        let records = read_from(disk, Seq(1)).expect("it reads");
        let batches: Vec<Batch> = records
            .until(Seq(6))
            .map(|record| Batch::decode(&record.expect("a record").payload).expect("a batch"))
            .collect();
        let executed: Vec<Seq> = batches.iter().map(|batch| batch.first_seq).collect();
        let digests: Vec<Seq> = batches
            .iter()
            .flat_map(|batch| batch.digests.iter().map(|digest| digest.first_seq))
            .collect();
        assert_eq!(digests, executed[..executed.len() - 1]);
    });
}

#[test]
fn a_panic_of_the_executor_answers_everyone() {
    in_time(|| {
        let node = open(Arc::new(MemoryDisk::new()), memory(), "b1").expect("it opens");
        let unspeakable = request::<i64>("a", "add", json!({ "n": UNSPEAKABLE }));
        assert_eq!(node.call(unspeakable), Ok(UNSPEAKABLE));
        let mut pipeline = node.pipeline();
        let why = node.checkpoint().expect_err("it cannot be encoded");
        for _ in 0..100 {
            let _ = pipeline.submit(request::<i64>("b", "add", json!({})));
        }
        while pipeline.receive().is_some() {}
        assert!(matches!(why, Unavailable::Halted(_)), "{why}");
        let refused = loop {
            match add(&node, "a") {
                Err(CallError::Refused(Refused::Unavailable(Unavailable::Halted(why)))) => {
                    break why;
                }
                _ => thread::yield_now(),
            }
        };
        assert!(refused.contains("no checkpoint takes"), "{refused}");
        assert!(matches!(node.health(), Health::Unavailable(_)));
        node.stop();
    });
}

#[test]
fn a_panic_under_a_pipeline_answers_it() {
    in_time(|| {
        let node = open(Arc::new(MemoryDisk::new()), memory(), "b1").expect("it opens");
        let mut pipeline = node.pipeline();
        let unspeakable = request::<i64>("a", "add", json!({ "n": UNSPEAKABLE }));
        pipeline.submit(unspeakable).expect("room");
        assert_eq!(
            pipeline.receive().expect("in flight").value(),
            Ok(UNSPEAKABLE)
        );
        // Looked into from outside, the state has to be encoded: in the middle of a batch.
        let mut pending = Vec::new();
        for _ in 0..50 {
            let _ = pipeline.submit(request::<i64>("b", "add", json!({})));
            pending.extend(node.ask(ordain_node::Op::Inspect {
                entity: Box::new("counter/a".parse().expect("an id")),
                after: None,
                limit: 1,
            }));
        }
        while pipeline.receive().is_some() {}
        for pending in pending {
            pending.wait();
        }
        node.stop();
    });
}

#[test]
fn a_panic_of_the_log_is_a_failed_disk() {
    in_time(|| {
        let panics = Arc::new(AtomicBool::new(false));
        let asked = panics.clone();
        let disk = AskingDisk::new(move |_| {
            assert!(!asked.load(Ordering::SeqCst), "no write any more");
        });
        let node = open(disk, memory(), "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        panics.store(true, Ordering::SeqCst);
        let why = add(&node, "a").expect_err("it cannot be written");
        let failed = CallError::Unavailable(Unavailable::DiskFailed(String::new()));
        assert_eq!(
            std::mem::discriminant(&why),
            std::mem::discriminant(&failed)
        );
        assert_eq!(look(&node, "a"), 1, "reads go on");
        node.stop();
    });
}

/// What was written and could not be synced may be on the disk: then a start replays it, and another build refuses to.
#[test]
fn a_stop_after_a_sync_failed_says_that_the_log_may_hold_more() {
    in_time(|| {
        let (disk, store) = (Arc::new(MemoryDisk::new()), memory());
        let node = open(disk.clone(), store.clone(), "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        let kind = ErrorKind::Other;
        disk.inject(0, Fault::Sync { kind });
        add(&node, "a").expect_err("it cannot be synced");
        node.stop();
        let why = node.unsaved().expect("not all is known to be saved");
        assert!(why.contains("may hold"), "{why}");
        let other = open(disk, store, "b2");
        assert!(matches!(other, Err(OpenError::OtherBuild { .. })));
    });
}

#[test]
fn a_panic_of_the_store_is_a_failed_checkpoint() {
    in_time(|| {
        let tries = AtomicU64::new(0);
        let store = AskingStore::new(move || {
            assert!(
                tries.fetch_add(1, Ordering::SeqCst) > 0,
                "not the first time"
            );
            Ok(())
        });
        let node = open(Arc::new(MemoryDisk::new()), store, "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        node.checkpoint().expect_err("the first one panics");
        assert_eq!(add(&node, "a"), Ok(2));
        assert_eq!(node.checkpoint(), Ok(Seq(4)));
    });
}

struct Rude;

impl Sink for Rude {
    fn deliver(&self, _: &mut dyn Iterator<Item = (u64, Reply)>) {
        panic!("no thanks");
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("nor so");
        }
    }
}

#[test]
fn a_sink_that_panics_harms_nobody_else() {
    in_time(|| {
        let node = open(Arc::new(MemoryDisk::new()), memory(), "b1").expect("it opens");
        let parts = request::<i64>("a", "add", json!({}))
            .into_parts()
            .expect("parts");
        let accepted = node
            .accept(parts.entity, "add", &parts.args, "", None)
            .expect("it fits");
        let reply = ReplyTo::Sink(Arc::new(Rude), 1);
        node.submit(ordain_node::Op::Call(accepted), reply)
            .expect("room");
        assert_eq!(add(&node, "a"), Ok(2));
        assert_eq!(node.health(), Health::Ready);
    });
}

#[test]
fn a_failed_log_leaves_checkpoints_and_backups() {
    in_time(|| {
        let disk = Arc::new(MemoryDisk::new());
        let node = open(disk.clone(), memory(), "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        disk.inject(0, BROKEN);
        add(&node, "a").expect_err("its sync fails");
        assert_eq!(node.checkpoint(), Ok(Seq(3)), "as of what is durable");
        node.backup(io::sink(), &mut |_| {}).expect("a backup");
        node.stop();
    });
}

#[test]
fn who_waits_for_a_checkpoint_of_what_was_taken_back_is_told() {
    in_time(|| {
        let (there, is_there) = channel::<()>();
        let (go, may_go) = channel::<()>();
        let (there, may_go) = (Mutex::new(there), Mutex::new(may_go));
        let held = Arc::new(AtomicBool::new(false));
        let holds = held.clone();
        let disk = AskingDisk::new(move |name| {
            if name != "acked" && holds.load(Ordering::SeqCst) {
                let _ = there.lock().expect("no panic").send(());
                let _ = may_go.lock().expect("no panic").recv();
            }
        });
        let node = open(disk.clone(), memory(), "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        held.store(true, Ordering::SeqCst);
        let pending = {
            let parts = request::<i64>("a", "add", json!({}))
                .into_parts()
                .expect("parts");
            let accepted = node
                .accept(parts.entity, "add", &parts.args, "", None)
                .expect("it fits");
            node.ask(ordain_node::Op::Call(accepted)).expect("room")
        };
        is_there.recv().expect("its record is being written");
        let asked = node.clone();
        let checkpoint = thread::spawn(move || asked.checkpoint());
        // Once a later request was taken from the queue, so was the one for the checkpoint.
        while node.counters().queue_commands.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
        disk.inner.inject(0, BROKEN);
        held.store(false, Ordering::SeqCst);
        drop(go);
        pending.wait();
        // Told that it is gone, or (asked after all that) given the one of what is durable.
        match checkpoint.join().expect("no panic") {
            Ok(seq) => assert_eq!(seq, Seq(3)),
            Err(why) => assert!(matches!(why, Unavailable::DiskFailed(_)), "{why}"),
        }
        node.stop();
    });
}

#[test]
fn a_store_that_fails_does_not_keep_a_node_from_stopping() {
    in_time(|| {
        let store = AskingStore::new(|| Err(store_failure()));
        let disk = Arc::new(MemoryDisk::new());
        let node = open(disk.clone(), store, "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        let Err(why) = node.checkpoint() else {
            panic!("the store takes none");
        };
        let trouble = StoreTrouble::Full;
        assert!(
            matches!(&why, Unavailable::Store { trouble: t, .. } if *t == trouble),
            "{why}"
        );
        assert_eq!(node.health(), Health::Ready, "calls go on");
        node.stop();
        assert_eq!(node.unsaved(), Some(why.to_string()));
        let node = open(disk, memory(), "b1").expect("the log has it all");
        assert_eq!(look(&node, "a"), 1);
        node.stop();
        assert_eq!(node.unsaved(), None);
    });
}

#[test]
fn whoever_stops_a_node_finds_it_stopped() {
    in_time(|| {
        let (store, is_there, go) = held_store();
        let node = open(Arc::new(MemoryDisk::new()), store.clone(), "b1").expect("it opens");
        assert_eq!(add(&node, "a"), Ok(1));
        let first = node.clone();
        let first = thread::spawn(move || first.stop());
        is_there
            .recv()
            .expect("the last checkpoint is being applied");
        let let_go = thread::spawn(move || {
            (0..1_000).for_each(|_| thread::yield_now());
            drop(go);
        });
        node.stop();
        assert_eq!(store.seq(), Seq(3), "the second to stop it waited too");
        first.join().expect("no panic");
        let_go.join().expect("no panic");
    });
}

#[test]
fn a_stopped_node_writes_no_segment() {
    in_time(|| {
        let writing = Arc::new(AtomicBool::new(false));
        let (go, may_go) = channel::<()>();
        let may_go = Mutex::new(may_go);
        let is_writing = writing.clone();
        let disk = AskingDisk::new(move |name| {
            if name != "acked" && !name.ends_with("1.segment") {
                is_writing.store(true, Ordering::SeqCst);
                let _ = may_go.lock().expect("no panic").recv();
                is_writing.store(false, Ordering::SeqCst);
            }
        });
        let node = open(disk, memory(), "b1").expect("it opens");
        let filler = "x".repeat(4_000);
        while !writing.load(Ordering::SeqCst) {
            let call = request::<i64>("a", "add", json!({ "filler": filler }));
            let parts = call.into_parts().expect("parts");
            let accepted = node.accept(parts.entity, parts.method.as_str(), &parts.args, "", None);
            let op = Op::Call(accepted.expect("it fits"));
            let mut reply = pin!(node.ask(op).expect("the segment has room yet"));
            let mut context = Context::from_waker(Waker::noop());
            // Whoever holds up the segment may hold up the reply as well.
            while reply.as_mut().poll(&mut context).is_pending() && !writing.load(Ordering::SeqCst)
            {
                thread::yield_now();
            }
        }
        let let_go = thread::spawn(move || {
            (0..1_000).for_each(|_| thread::yield_now());
            drop(go);
        });
        node.stop();
        assert!(!writing.load(Ordering::SeqCst), "the next segment is done");
        let_go.join().expect("no panic");
    });
}

/// The last handle to its node, dropped wherever its reply is.
struct LastHandle(Mutex<Option<Node>>, Mutex<Sender<()>>);

impl Sink for LastHandle {
    fn deliver(&self, _: &mut dyn Iterator<Item = (u64, Reply)>) {
        drop(self.0.lock().expect("no panic").take());
        let _ = self.1.lock().expect("no panic").send(());
    }
}

#[test]
fn the_last_handle_may_go_on_the_nodes_own_thread() {
    in_time(|| {
        let disk = Arc::new(MemoryDisk::new());
        let (told, is_told) = channel();
        let node = open(disk, memory(), "b1").expect("it opens");
        let sink = Arc::new(LastHandle(Mutex::new(Some(node.clone())), Mutex::new(told)));
        let mut pipeline = node.pipeline();
        let parts = request::<i64>("a", "add", json!({}))
            .into_parts()
            .expect("parts");
        let accepted = node
            .accept(parts.entity, "add", &parts.args, "", None)
            .expect("it fits");
        node.submit(ordain_node::Op::Call(accepted), ReplyTo::Sink(sink, 0))
            .expect("room");
        let _ = pipeline.submit(request::<i64>("a", "add", json!({})));
        drop((pipeline, node));
        is_told.recv().expect("its reply came");
    });
}

#[test]
fn a_caller_too_long_for_a_key_of_the_store_is_refused() {
    in_time(|| {
        let node = open(Arc::new(MemoryDisk::new()), memory(), "b1").expect("it opens");
        for caller in ["x".repeat(70_000), "a\0b".to_owned()] {
            let options = CallOptions {
                idempotency_key: Some(IdempotencyKey::new("k").expect("a key")),
                caller,
                ..CallOptions::default()
            };
            let refused = node.call_with(request::<i64>("a", "add", json!({})), options);
            assert!(
                matches!(refused, Err(CallError::Refused(Refused::Name(_)))),
                "{refused:?}"
            );
        }
        assert_eq!(add(&node, "a"), Ok(1));
        assert_eq!(node.checkpoint(), Ok(Seq(3)));
    });
}

/// A record is as it was written; whether it belongs where it is, its checksum does not say.
#[test]
fn a_batch_that_does_not_belong_to_its_record_stops_the_start() {
    in_time(|| {
        let disk = Arc::new(MemoryDisk::new());
        let node = open(disk.clone(), memory(), "b1").expect("it opens");
        add(&node, "a").expect("a call");
        node.stop();
        let records = read_from(disk.clone(), Seq(1)).expect("it reads");
        let last = records.last().expect("a record").expect("a record");
        let batch = Batch::decode(&last.payload).expect("a batch");
        let follows = Batch {
            first_seq: last.last_seq().next(),
            digests: Vec::new(),
            ..batch
        };
        let of = |change: fn(&mut Batch)| {
            let mut batch = follows.clone();
            change(&mut batch);
            batch
        };
        for (batch, why) in [
            (of(|batch| batch.first_seq = Seq(1)), "it is of seq 1 to"),
            (
                of(|batch| batch.commands.push(batch.commands[0].clone())),
                "its record of",
            ),
            (of(|batch| batch.timestamp.0 = 1), "its time is before"),
        ] {
            let damaged = Arc::new(disk.fork());
            let options = ordain_log::Options::default();
            let (mut log, _) = Log::open(damaged.clone(), options).expect("a log");
            let count = follows.commands.len() as u32;
            log.append(follows.first_seq, count, &batch.encode())
                .expect("a record");
            drop(log);
            match open(damaged, memory(), "b1") {
                Err(error @ OpenError::Batch { .. }) => {
                    let text = error.to_string();
                    assert!(text.contains(why) && text.contains("offset"), "{text}");
                }
                other => panic!("{why}: {:?}", other.err()),
            }
        }
    });
}
