//! What those see who hold a node in their own program: the numbers of a pipeline, waits, sends, the end,
//! settings.

mod common;

use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use common::{catalog, catalog_with, counter, in_time, open_stepped, request};
use ordain_engine::Tx;
use ordain_log::disk::MemoryDisk;
use ordain_node::{
    CallError, CallOptions, Health, InvocationStatus, Node, OpenError, Options, Refused, Stepped,
    TestNode, Unavailable,
};
use ordain_store::MemoryStore;
use ordain_types::{FaultKind, Outcome, Rejection, Request};
use serde_json::{Value, json};

fn add(key: &str) -> Request<i64> {
    request(key, "add", json!({}))
}

#[test]
fn a_pipeline_gives_no_number_twice_though_some_are_refused() {
    let options = Options {
        queue_bytes_max: 2 << 20,
        ..Options::default()
    };
    let (node, mut steps) = open_stepped(&MemoryDisk::new(), catalog(), options);
    let mut pipeline = node.pipeline();
    let large = || request::<i64>("a", "add", json!({ "text": "x".repeat(900 << 10) }));
    // Of the third there is no room, of what comes after it there is.
    let refused = pipeline.submit_many([large(), large(), large(), add("a"), add("a")]);
    assert_eq!(refused.len(), 1);
    let (number, why) = &refused[0];
    assert!(matches!(
        (number, why),
        (2, CallError::Refused(Refused::Overloaded { .. }))
    ));
    assert_eq!(pipeline.submit(add("a")).expect("there is room"), 5);
    let missing = pipeline.submit_many([request::<i64>("a", "ad", json!({})), add("a")]);
    assert!(matches!(missing[..], [(6, CallError::Refused(_))]));
    assert_eq!(pipeline.in_flight(), 6);
    while [steps.executor(), steps.committer()].contains(&Stepped::Did) {}
    let mut received = Vec::new();
    while let Some(reply) = pipeline.receive() {
        received.push((reply.number, reply.value::<i64>().expect("it ran")));
    }
    assert_eq!(received, [(0, 1), (1, 2), (3, 3), (4, 4), (5, 5), (7, 6)]);
}

#[test]
fn a_method_that_waits_for_its_own_node_faults() {
    static NODE: OnceLock<Node> = OnceLock::new();
    fn ask(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
        *counter(tx) += 1;
        if args["outward"] == true {
            let node = NODE.get().expect("it is open");
            return Ok(json!(node.call(add("other")).expect("an answer")));
        }
        Ok(json!(*counter(tx)))
    }
    in_time(|| {
        let node = TestNode::new(catalog_with(ask));
        NODE.set(node.node().clone()).expect("once");
        let outward = request::<i64>("a", "add", json!({ "outward": true }));
        let Err(CallError::Fault(fault)) = node.call(outward) else {
            panic!("it cannot be answered");
        };
        assert_eq!(fault.kind, FaultKind::Panic);
        assert!(fault.message.contains("cx.entity"), "{fault}");
        assert_eq!(node.call(add("other")), Ok(1), "and the node goes on");
        assert_eq!(node.call(add("a")), Ok(1), "nothing of it happened");
    });
}

#[test]
fn a_method_that_awaits_its_own_node_faults() {
    static NODE: OnceLock<Node> = OnceLock::new();
    fn ask(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
        *counter(tx) += 1;
        let node = NODE.get().expect("it is open");
        let polled = match args["outward"].as_str() {
            Some("call") => is_ready(node.call_async(add("other"), CallOptions::default())),
            Some("query") => is_ready(node.query_async(request::<i64>("other", "look", json!({})))),
            _ => return Ok(json!(*counter(tx))),
        };
        panic!("polled, and ready: {polled}");
    }
    in_time(|| {
        let node = TestNode::new(catalog_with(ask));
        NODE.set(node.node().clone()).expect("once");
        for outward in ["call", "query"] {
            let outward = request::<i64>("a", "add", json!({ "outward": outward }));
            let Err(CallError::Fault(fault)) = node.call(outward) else {
                panic!("it cannot be answered");
            };
            assert_eq!(fault.kind, FaultKind::Panic);
            assert!(fault.message.contains("cx.entity"), "{fault}");
        }
        assert_eq!(node.call(add("a")), Ok(1), "nothing of it happened");
    });
}

/// Polls once.
fn is_ready(future: impl Future) -> bool {
    pin!(future)
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

/// Asks the node again as soon as it is woken, on the thread that wakes it.
struct AsksOn {
    node: Node,
    asked: Mutex<Sender<bool>>,
}

impl Wake for AsksOn {
    fn wake(self: Arc<Self>) {
        let next = self.node.call_async(add("a"), CallOptions::default());
        let asked = self.asked.lock().expect("nobody panics with it");
        asked.send(is_ready(next)).expect("it is awaited");
    }
}

#[test]
fn a_waker_may_poll_the_next_call_at_once() {
    in_time(|| {
        let node = TestNode::new(catalog());
        let (asked, heard) = channel();
        let waker = Waker::from(Arc::new(AsksOn {
            node: node.node().clone(),
            asked: Mutex::new(asked),
        }));
        let mut first = Box::pin(node.call_async(add("a"), CallOptions::default()));
        let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
        drop(waker);
        if polled.is_pending() {
            assert_eq!(heard.recv(), Ok(false), "it is on its way");
        }
    });
}

#[test]
fn a_node_that_has_stopped_is_not_ready() {
    let node = TestNode::new(catalog());
    assert_eq!(node.health(), Health::Ready);
    node.stop();
    assert_eq!(node.health(), Health::Unavailable(Unavailable::Stopping));
}

#[test]
fn a_node_that_has_stopped_refuses_many_calls_as_it_does_one() {
    let node = TestNode::new(catalog());
    let mut pipeline = node.pipeline();
    node.stop();
    let stopping = |number| (number, Refused::Unavailable(Unavailable::Stopping).into());
    let refused = pipeline.submit_many([add("a"), add("a")]);
    assert_eq!(refused, [stopping(0), stopping(1)]);
    let none: [Request<i64>; 0] = [];
    assert_eq!(pipeline.submit_many(none), []);
    assert_eq!(pipeline.receive(), None);
}

#[test]
fn a_send_is_known_by_its_key_and_its_id() {
    let node = TestNode::new(catalog());
    let send = |n: i64| {
        let options = CallOptions {
            idempotency_key: "order-17".parse().ok(),
            ..CallOptions::default()
        };
        node.send_with(
            request::<i64>("a", "add", json!({ "n": n })),
            1_000,
            options,
        )
    };
    let id = send(2).expect("it is taken");
    assert_eq!(send(2), Ok(id), "once");
    assert!(matches!(send(3), Err(CallError::KeyReused { .. })));
    let status = || Ok::<_, CallError>(node.invocation(id)?.map(|sent| sent.status));
    let due = node.now().plus_ms(1_000);
    assert_eq!(status(), Ok(Some(InvocationStatus::Pending { due })));
    node.advance(Duration::from_secs(1));
    let Ok(Some(InvocationStatus::Done { outcome, .. })) = status() else {
        panic!("{:?}", status());
    };
    assert_eq!(outcome, Outcome::Value("2".into()));
    let none = "7.7".parse().expect("an id");
    assert_eq!(node.invocation(none), Ok(None));
}

#[test]
fn settings_as_large_as_there_are_mean_without_bound() -> Result<(), OpenError> {
    let options = Options {
        memory_budget_bytes: usize::MAX,
        checkpoint_log_bytes: u64::MAX,
        history_bytes: u64::MAX,
        queue_bytes_max: usize::MAX,
        queue_commands_max: usize::MAX,
        batch_min: usize::MAX,
        checkpoint_interval: Duration::MAX,
        retention: Duration::MAX,
        segment_bytes: 64 << 10,
        ..Options::default()
    };
    let (disk, store) = (
        Arc::new(MemoryDisk::new()),
        Arc::new(MemoryStore::default()),
    );
    let (node, _) = Node::open_on(disk, store, catalog(), options, &mut |_| {})?;
    assert_eq!(node.call(add("a")), Ok(1));
    node.stop();
    assert_eq!(node.unsaved(), None);
    Ok(())
}
