//! A node without threads: what its steps do and when, and what only an order of steps brings about that
//! threads seldom come to.

mod common;

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{catalog, request, start};
use ordain_log::disk::{Fault, MemoryDisk};
use ordain_node::{
    Body, Health, Node, Op, Options, Pending, Reply, Stepped, Steps, Unavailable, VirtualClock,
};
use ordain_store::MemoryStore;
use ordain_types::Seq;
use serde_json::json;

fn open(disk: &MemoryDisk) -> (Node, Steps) {
    let options = Options {
        build: Some("b1".into()),
        segment_bytes: 64 << 10,
        checkpoint_interval: Duration::from_secs(3_600),
        clock: Arc::new(VirtualClock::new(start())),
        ..Options::default()
    };
    let (disk, store) = (Arc::new(disk.clone()), Arc::new(MemoryStore::default()));
    let opened = Node::open_stepped(disk, store, catalog(), options, 7, &mut |_| {});
    let (node, steps, _) = opened.expect("it opens");
    (node, steps)
}

fn add(node: &Node) -> Pending {
    let request = request::<i64>("a", "add", json!({ "n": 1 }));
    let parts = request.into_parts().expect("a request");
    let accepted = node.accept(parts.entity, parts.method.as_str(), &parts.args, "", None);
    node.ask(Op::Call(accepted.expect("it fits")))
        .expect("there is room")
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
