//! A node without threads: what its steps do and when, and what only an order of steps brings about that
//! threads seldom come to.

mod common;

use std::io::ErrorKind;
use std::iter;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{catalog, catalog_of, catalog_with, open_stepped, request, start};
use ordain_engine::{State, StateType};
use ordain_log::disk::{Fault, MemoryDisk};
use ordain_node::{
    Accepted, Body, Catalog, Health, IMAGE_BYTES_MAX, Node, Op, Options, Pending,
    REPLY_BYTES_TOGETHER_MAX, REPLY_BYTES_WAITING_MAX, Reply, Stepped, Steps, Unavailable,
    VirtualClock,
};
use ordain_types::limits::{BATCH_COMMANDS_MAX, SENDS_MAX, VALUE_BYTES_MAX};
use ordain_types::planted::{Bug, assert_caught};
use ordain_types::{Method, Seq};
use serde_json::json;

const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(3_600);

fn open(disk: &MemoryDisk) -> (Node, Steps) {
    open_with(disk, catalog())
}

fn open_with(disk: &MemoryDisk, catalog: Catalog) -> (Node, Steps) {
    open_stepped(disk, catalog, options())
}

fn options() -> Options {
    Options {
        build: Some("b1".into()),
        segment_bytes: 64 << 10,
        checkpoint_interval: CHECKPOINT_INTERVAL,
        clock: Arc::new(VirtualClock::new(start())),
        ..Options::default()
    }
}

fn add(node: &Node) -> Pending {
    ask(node, "a", "add")
}

fn ask(node: &Node, key: &str, method: &str) -> Pending {
    let op = Op::Call(accepted(node, key, method));
    node.ask(op).expect("there is room")
}

fn look(node: &Node) -> Pending {
    let op = Op::Query {
        accepted: accepted(node, "a", "look"),
        at_least: None,
    };
    node.ask(op).expect("there is room")
}

fn accepted(node: &Node, key: &str, method: &str) -> Accepted {
    let request = request::<i64>(key, method, json!({ "n": 1 }));
    let parts = request.into_parts().expect("a request");
    let accepted = node.accept(parts.entity, parts.method.as_str(), &parts.args, "", None);
    accepted.expect("it fits")
}

fn now(pending: &mut Pending) -> Option<Reply> {
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(pending).poll(&mut context) {
        Poll::Ready(reply) => Some(reply),
        Poll::Pending => None,
    }
}

/// Steps everything until nothing has anything to do.
fn settle(steps: &mut Steps) {
    let did = |steps: &mut Steps| {
        let all = [
            steps.executor(),
            steps.committer(),
            steps.checkpointer(),
            steps.preparer(),
        ];
        all.contains(&Stepped::Did)
    };
    for _ in 0..1_000 {
        if !did(steps) {
            return;
        }
    }
    panic!("it never comes to rest");
}

#[test]
fn a_reply_leaves_only_by_the_committers_step() {
    let (node, mut steps) = open(&MemoryDisk::new());
    settle(&mut steps); // what is in force is in the log before anything else
    let mut reply = add(&node);
    assert_eq!(steps.executor(), Stepped::Did, "the batch has its place");
    assert_eq!(steps.executor(), Stepped::Did, "it has run");
    assert_eq!((node.durable_seq(), now(&mut reply)), (Seq(2), None));
    assert_eq!(steps.committer(), Stepped::Did, "it is durable");
    assert_eq!((node.durable_seq(), now(&mut reply)), (Seq(3), None));
    assert_eq!(steps.committer(), Stepped::Did, "it is answered");
    assert_eq!(now(&mut reply).expect("it came").seq, Seq(3));
    assert!(matches!(steps.committer(), Stepped::Idle(_)));

    node.stop();
    settle(&mut steps);
    assert_eq!(steps.executor(), Stepped::Ended);
    assert_eq!(steps.committer(), Stepped::Ended);
}

/// What comes while a batch is on its way into the log goes into the next one together, unless there is
/// enough of it for one, or something that only reads.
#[test]
fn few_requests_wait_for_the_batch_before_theirs() {
    let (node, mut steps) = open(&MemoryDisk::new());
    settle(&mut steps);
    let batches = || node.counters().batches.load(Ordering::Relaxed);
    let executed = |steps: &mut Steps| while steps.executor() == Stepped::Did {};
    let before = batches();
    drop(add(&node));
    executed(&mut steps);
    assert_eq!(batches(), before + 1);
    let mut replies = [add(&node), add(&node)];
    executed(&mut steps);
    assert_eq!(batches(), before + 1, "they wait");
    steps.committer();
    executed(&mut steps);
    assert_eq!(batches(), before + 2, "both are in one");

    drop(add(&node));
    let mut look = look(&node);
    executed(&mut steps);
    assert_eq!(batches(), before + 3, "what reads does not wait");
    let many = Options::default().batch_min;
    let _all: Vec<_> = (0..many).map(|_| add(&node)).collect();
    executed(&mut steps);
    assert_eq!(batches(), before + 4, "so many are worth a batch");
    settle(&mut steps);
    assert!(replies.iter_mut().all(|reply| now(reply).is_some()));
    assert!(now(&mut look).is_some());
}

#[test]
fn what_is_taken_back_is_not_counted_as_executed() {
    let disk = MemoryDisk::new();
    let (node, mut steps) = open(&disk);
    settle(&mut steps);
    let kind = ErrorKind::Other;
    disk.inject(0, Fault::Sync { kind });
    let mut lost = add(&node);
    settle(&mut steps);
    assert!(now(&mut lost).is_some(), "it is told");
    let executed = node.counters().seq.load(Ordering::Relaxed);
    assert_eq!(Seq(executed), node.durable_seq());
}

/// What the executor took and did not put into a batch waits as well as what it did not take.
#[test]
fn what_is_taken_and_has_no_place_yet_counts_as_waiting() {
    let (more, most) = (100, BATCH_COMMANDS_MAX + 100);
    let options = Options {
        queue_commands_max: most,
        ..options()
    };
    let (node, mut steps) = open_stepped(&MemoryDisk::new(), catalog(), options);
    settle(&mut steps);
    let fill = || {
        let asks = iter::repeat_with(|| node.ask(Op::Call(accepted(&node, "a", "add"))));
        asks.map_while(Result::ok).collect::<Vec<_>>()
    };
    let waiting = || node.counters().queue_commands.load(Ordering::Relaxed);
    let mut replies = fill();
    assert_eq!((replies.len(), waiting()), (most, most as u64));
    assert_eq!(steps.executor(), Stepped::Did, "a batch has its place");
    assert_eq!(waiting(), more);
    replies.extend(fill());
    assert_eq!(replies.len(), most + BATCH_COMMANDS_MAX, "as many as went");
    assert_eq!(waiting(), most as u64);
    settle(&mut steps);
    assert_eq!(waiting(), 0);
    assert!(replies.iter_mut().all(|reply| now(reply).is_some()));
}

/// Steps both so often that whatever is to come of one write has come; while the disk is full there
/// is always something to try.
fn step_on(steps: &mut Steps) {
    for _ in 0..10 {
        steps.executor();
        steps.committer();
    }
}

fn ask_long(node: &Node) -> Pending {
    ask(node, &"k".repeat(500), "add")
}

/// A write that is done.
fn add_long(node: &Node, steps: &mut Steps) {
    let mut reply = ask_long(node);
    step_on(steps);
    let body = now(&mut reply).expect("it is answered").body;
    assert!(matches!(body, Body::Outcome { .. }), "{body:?}");
}

/// Nobody writes any more, and yet the node says that the next write would find no room, and that there
/// is room again.
#[test]
fn a_next_segment_that_cannot_be_made_shows_at_once() {
    let disk = MemoryDisk::new();
    let (node, mut steps) = open(&disk);
    settle(&mut steps);
    disk.limit_bytes(Some(disk.bytes()));
    while steps.preparer() != Stepped::Did {
        add_long(&node, &mut steps);
    }
    step_on(&mut steps);
    let Health::Unavailable(Unavailable::DiskFull(why)) = node.health() else {
        panic!("{:?}", node.health());
    };
    assert!(why.contains("segment"), "{why}");
    let durable = node.durable_seq();
    step_on(&mut steps);
    assert!(
        matches!(node.health(), Health::Unavailable(_)),
        "it is still full"
    );
    disk.limit_bytes(None);
    step_on(&mut steps);
    assert_eq!(
        (node.health(), node.durable_seq()),
        (Health::Ready, durable)
    );
}

/// A next segment that was in the making when the disk was found full, and could not be made for that: once
/// there is room, it is no news.
#[test]
fn a_next_segment_that_could_not_be_made_is_forgotten_with_the_full_disk() {
    let disk = MemoryDisk::new();
    let (node, mut steps) = open(&disk);
    settle(&mut steps);
    disk.limit_bytes(Some(disk.bytes()));
    while node.health() == Health::Ready {
        drop(ask_long(&node));
        while steps.executor() == Stepped::Did {}
        steps.committer();
    }
    assert_eq!(steps.preparer(), Stepped::Did, "it was asked for before");
    steps.executor(); // what is not durable is taken back
    disk.limit_bytes(None);
    while node.health() != Health::Ready {
        let before = steps.committer();
        assert_eq!(before, Stepped::Did, "it tries on its own");
    }
    add_long(&node, &mut steps);
}

/// Nobody frees anything: the room is what a checkpoint, taken meanwhile, has made superfluous of the log.
#[test]
fn history_that_may_go_is_room_on_a_full_disk() {
    let (disk, clock) = (MemoryDisk::new(), Arc::new(VirtualClock::new(start())));
    let options = Options {
        history_bytes: 0,
        clock: clock.clone(),
        ..options()
    };
    let (node, mut steps) = open_stepped(&disk, catalog(), options);
    settle(&mut steps);
    let (empty, segment) = (disk.bytes(), 64 << 10);
    while disk.bytes() < empty + 2 * segment {
        add_long(&node, &mut steps);
        steps.preparer();
    }
    disk.limit_bytes(Some(disk.bytes()));
    while node.health() == Health::Ready {
        drop(ask_long(&node));
        step_on(&mut steps);
        steps.preparer();
    }
    clock.advance(CHECKPOINT_INTERVAL);
    step_on(&mut steps);
    assert!(matches!(node.health(), Health::Unavailable(_)));
    assert_eq!(steps.checkpointer(), Stepped::Did);
    step_on(&mut steps);
    assert_eq!(node.health(), Health::Ready);
    add_long(&node, &mut steps);
}

/// Calls that are answered with as much as a value may hold, together more than may wait for the log.
fn ask_for_much(node: &Node) -> Vec<Pending> {
    let most = REPLY_BYTES_WAITING_MAX / VALUE_BYTES_MAX;
    (0..most + 40).map(|_| add(node)).collect()
}

fn open_lavish(disk: &MemoryDisk) -> (Node, Steps) {
    let much = catalog_with(|_, _| Ok(json!("x".repeat(VALUE_BYTES_MAX - 2))));
    open_with(disk, much)
}

/// A batch whose answers are too many to wait for the log together rests until the log has come on.
#[test]
fn answers_that_wait_are_bounded_within_a_batch() {
    let (node, mut steps) = open_lavish(&MemoryDisk::new());
    settle(&mut steps);
    let mut replies = ask_for_much(&node);
    for _ in 0..100 {
        steps.executor();
    }
    assert!(
        matches!(steps.executor(), Stepped::Idle(Some(_))),
        "it rests"
    );
    steps.committer(); // the record is durable
    steps.committer(); // what was run is answered
    let mut came = replies.extract_if(.., |reply| now(reply).is_some());
    let bytes = came.by_ref().count() * VALUE_BYTES_MAX;
    let most = REPLY_BYTES_WAITING_MAX + REPLY_BYTES_TOGETHER_MAX + 2 * VALUE_BYTES_MAX;
    assert!((REPLY_BYTES_WAITING_MAX..most).contains(&bytes), "{bytes}");
    drop(came);
    assert!(!replies.is_empty());
    settle(&mut steps);
    for reply in &mut replies {
        let body = now(reply).expect("it is answered").body;
        assert!(matches!(body, Body::Outcome { .. }), "{body:?}");
    }
}

/// The log fails while a batch rests: all of it is taken back, and whoever waits is told.
#[test]
fn a_batch_that_rests_when_the_log_fails_is_taken_back() {
    let disk = MemoryDisk::new();
    let (node, mut steps) = open_lavish(&disk);
    settle(&mut steps);
    let mut replies = ask_for_much(&node);
    for _ in 0..100 {
        steps.executor();
    }
    let kind = ErrorKind::Other;
    disk.inject(0, Fault::Sync { kind });
    settle(&mut steps);
    for reply in &mut replies {
        let body = now(reply).expect("it is told").body;
        let failed = matches!(body, Body::Unavailable(Unavailable::DiskFailed(_)));
        assert!(failed, "it is told");
    }
    assert_eq!(node.durable_seq(), Seq(2));
}

/// A state that says it is as large as a state may be, and counts its copies.
struct Large(Arc<()>);

impl State for Large {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(Large(self.0.clone()))
    }
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(b"0");
        Ok(())
    }
    fn encoded_len(&self) -> Result<usize, String> {
        Ok(VALUE_BYTES_MAX)
    }
}

impl StateType for Large {
    fn initial(&self) -> Box<dyn State> {
        self.snapshot()
    }
    fn decode(&self, _: &[u8]) -> Result<Box<dyn State>, String> {
        Ok(self.snapshot())
    }
}

/// A node with such states, updates of one of them that keep more of it than may be kept, and how many
/// copies there are now.
fn overwrite_much(disk: &MemoryDisk) -> (Node, Steps, Vec<Pending>, impl Fn() -> usize) {
    let token = Arc::new(());
    let state = Arc::new(Large(token.clone()));
    let catalog = catalog_of(state, |tx, _| {
        tx.state_mut();
        Ok(json!(0))
    });
    let (node, mut steps) = open_with(disk, catalog);
    settle(&mut steps);
    let replies = (0..OVERWRITES).map(|_| add(&node)).collect();
    (node, steps, replies, move || Arc::strong_count(&token))
}

/// So many states of the largest size may be kept.
const IMAGES_MAX: usize = IMAGE_BYTES_MAX / VALUE_BYTES_MAX;
const OVERWRITES: usize = 4 * IMAGES_MAX;
const _: () = assert!(SENDS_MAX > 3 * IMAGES_MAX);

/// The same where nobody waits for the updates: one call sends them.
fn overwrite_much_by_sends(disk: &MemoryDisk) -> (Node, Steps, Pending, impl Fn() -> usize) {
    let token = Arc::new(());
    let state = Arc::new(Large(token.clone()));
    let catalog = catalog_of(state, |tx, args| {
        if args["n"] != json!(1) {
            tx.state_mut();
            return Ok(json!(0));
        }
        let add = Method::new("add").expect("a method");
        for _ in 0..SENDS_MAX {
            tx.send(tx.entity(), add.clone(), br#"{"n":0}"#, 0);
        }
        Ok(json!(0))
    });
    let (node, mut steps) = open_with(disk, catalog);
    settle(&mut steps);
    let reply = add(&node);
    (node, steps, reply, move || Arc::strong_count(&token))
}

/// What would be taken back if the log failed is bounded within a batch too: it rests until the log has
/// come on, and nothing more of it is kept then.
#[test]
fn what_may_be_taken_back_is_bounded_within_a_batch() {
    let disk = MemoryDisk::new();
    let (node, mut steps, mut replies, copies) = overwrite_much(&disk);
    let most = IMAGES_MAX + 8;
    for _ in 0..100 {
        steps.executor();
    }
    assert!((most / 2..most).contains(&copies()), "{}", copies());
    assert!(
        matches!(steps.executor(), Stepped::Idle(Some(_))),
        "it rests"
    );
    settle(&mut steps);
    assert!(copies() < 8, "{}", copies());
    let answered = |reply: &mut Pending| matches!(now(reply), Some(reply) if matches!(reply.body, Body::Outcome { .. }));
    assert!(replies.iter_mut().all(answered));
    assert_eq!(node.durable_seq(), Seq(2 + replies.len() as u64));
    let again = MemoryDisk::clone(&disk);
    drop((node, steps));
    let (_, _, _, copies) = overwrite_much(&again);
    assert!(copies() < 8, "a replay keeps nothing: it is durable");
}

/// It is bounded as well in a batch of sends that are due.
#[test]
fn what_may_be_taken_back_of_sends_is_bounded_within_a_batch() {
    let disk = MemoryDisk::new();
    let (node, mut steps, mut reply, copies) = overwrite_much_by_sends(&disk);
    let most = IMAGES_MAX + 8;
    let mut seen = 0;
    for _ in 0..100 {
        steps.executor();
        seen = seen.max(copies());
    }
    assert!(now(&mut reply).is_none(), "the log has not come on");
    assert!((most / 2..most).contains(&seen), "{seen}");
    settle(&mut steps);
    assert!(copies() < 8, "{}", copies());
    assert!(now(&mut reply).is_some());
    assert_eq!(node.durable_seq(), Seq(3 + SENDS_MAX as u64));
}

/// A batch that rests does so although a checkpoint is being captured, which goes on between batches only.
#[test]
fn a_batch_that_rests_does_so_while_a_checkpoint_is_captured() {
    let disk = MemoryDisk::new();
    let (node, mut steps, _, copies) = overwrite_much(&disk);
    let many = (0..2_000).map(|at| ask(&node, &at.to_string(), "add"));
    let _answers: Vec<_> = many.collect();
    settle(&mut steps);
    let (mut checkpoint, reply) = Pending::new();
    node.begin_checkpoint(reply).expect("there is room");
    for _ in 0..3 {
        steps.executor(); // it has its place, has run, and is captured in part
    }
    let before = copies();
    let _answers: Vec<_> = (0..OVERWRITES).map(|_| add(&node)).collect();
    let rests = (0..5).any(|_| matches!(steps.executor(), Stepped::Idle(Some(_))));
    assert!(rests && copies() > before + IMAGES_MAX / 2, "{}", copies());
    settle(&mut steps);
    assert!(now(&mut checkpoint).is_some());
}

/// The log fails while such a batch rests: the sends are there still, and arrive when there is space.
#[test]
fn a_batch_of_sends_that_is_taken_back_arrives_when_there_is_space() {
    let disk = MemoryDisk::new();
    let (node, mut steps, _, copies) = overwrite_much_by_sends(&disk);
    for _ in 0..3 {
        steps.executor();
    }
    steps.committer();
    for _ in 0..100 {
        steps.executor();
    }
    assert!(copies() > IMAGES_MAX / 2, "it rests: {}", copies());
    let kind = ErrorKind::StorageFull;
    disk.inject(0, Fault::Write { landed: 0, kind });
    settle(&mut steps);
    assert!(copies() < 8, "{}", copies());
    assert_eq!(node.health(), Health::Ready);
    assert_eq!(node.durable_seq(), Seq(3 + SENDS_MAX as u64));
}

/// The same batch, and the disk is full: what was run of it is taken back, the rest is not run, and all goes
/// on when there is space.
#[test]
fn a_batch_that_overwrites_much_is_taken_back_when_the_disk_is_full() {
    let disk = MemoryDisk::new();
    let (node, mut steps, mut replies, copies) = overwrite_much(&disk);
    for _ in 0..100 {
        steps.executor();
    }
    let kind = ErrorKind::StorageFull;
    disk.inject(0, Fault::Write { landed: 0, kind });
    settle(&mut steps);
    for reply in &mut replies {
        let body = now(reply).expect("it is told").body;
        let full = matches!(body, Body::Unavailable(Unavailable::DiskFull(_)));
        assert!(full, "{body:?}");
    }
    assert!(copies() < 8, "{}", copies());
    assert_eq!((node.durable_seq(), node.health()), (Seq(2), Health::Ready));
    let mut reply = add(&node);
    settle(&mut steps);
    assert_eq!(now(&mut reply).expect("it goes on").seq, Seq(3));
}

/// Those that simulated lives seldom or never come to.
#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (
            Bug::PreparationUnseen,
            a_next_segment_that_cannot_be_made_shows_at_once,
        ),
        (
            Bug::RepliesUnbounded,
            answers_that_wait_are_bounded_within_a_batch,
        ),
        (
            Bug::ImagesUnbounded,
            what_may_be_taken_back_is_bounded_within_a_batch,
        ),
    ]);
}

/// The checkpoint that was begun for whoever waits held what was taken back; the next one was not begun
/// for them, but when the interval was over.
#[test]
fn whoever_waits_for_a_checkpoint_gets_one_though_what_came_after_was_taken_back() {
    let disk = MemoryDisk::new();
    let (node, mut steps) = open(&disk);
    let mut first = add(&node);
    settle(&mut steps);
    assert!(now(&mut first).is_some());

    let (mut checkpoint, reply) = Pending::new();
    node.begin_checkpoint(reply).expect("there is room");
    let mut second = add(&node);
    for _ in 0..3 {
        steps.executor(); // both have their place; both have run; the checkpoint holds both
    }
    let kind = ErrorKind::StorageFull;
    disk.inject(0, Fault::Write { landed: 0, kind });
    settle(&mut steps);
    let body = now(&mut second).expect("it was answered").body;
    assert!(matches!(body, Body::Unavailable(Unavailable::DiskFull(_))));
    assert_eq!(node.health(), Health::Ready, "there is room again");
    let reply = now(&mut checkpoint).expect("the checkpoint was taken");
    assert_eq!((reply.seq, reply.body), (Seq(3), Body::Checkpoint));
}
