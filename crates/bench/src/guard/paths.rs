//! What is counted: a call on its way from the wire through a node and back, part by part. Everything is on
//! one thread and nothing is by chance: the node is the one for simulations, on a disk in memory.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hint::black_box;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ordain::Request;
use ordain_api::call::{self, WireCall};
use ordain_api::frame::{self, CallFrame, Frames};
use ordain_api::path::{MethodPath, method_path};
use ordain_example_transfer::{Account, entities};
use ordain_log::disk::MemoryDisk;
use ordain_node::{Body, Node, Op, Options, Reply, ReplyTo, Sink, Stepped, Steps, VirtualClock};
use ordain_store::MemoryStore;
use ordain_types::{Call, Command, IdempotencyKey, Key, MethodKind, RequestParts, Seq};

use crate::pick::picked;
use crate::workload::keys;

/// Operations of a path in one count.
pub const OPERATIONS: usize = 2_048;
/// Calls that are submitted at once, and so make a batch.
const BATCH: usize = 64;
/// Accounts among which they go.
const ACCOUNTS: usize = 1_000;

/// A path that is to be slowed down, and by how many instructions an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    path: String,
    instructions: u64,
}

impl FromStr for Planted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected PATH=INSTRUCTIONS".to_owned();
        let (path, instructions) = text.split_once('=').ok_or_else(expected)?;
        let instructions = instructions.parse().map_err(|_| expected())?;
        Ok(Self {
            path: path.to_owned(),
            instructions,
        })
    }
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.instructions)
    }
}

/// One count's work: as many operations as there are in one.
type Work = Box<dyn FnOnce()>;

/// What makes a path's work: called again for every count, and not counted itself.
type Make = fn(&World) -> Work;

/// Every path.
const PATHS: &[(&str, Make)] = &[
    ("http-call-decode", http_decode),
    ("frame-call-decode", frame_decode),
    ("frame-reply-encode", reply_encode),
    ("accept", accept),
    ("command-encode", command_encode),
    ("transaction", |world| through(world, Ask::Transfer)),
    ("transaction-keyed", |world| through(world, Ask::Keyed)),
    ("transaction-repeated", |world| {
        through(world, Ask::Repeated)
    }),
    ("query", |world| through(world, Ask::Balance)),
];

/// Their names, in the order in which they are counted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PATHS.iter().map(|(name, _)| *name)
}

/// Runs them: each to be warm, and then to be counted.
pub fn run(only: &[String], planted: Option<&Planted>) {
    let world = World::new();
    for (name, work) in PATHS.iter().filter(|(name, _)| picked(only, name)) {
        let planted = planted.filter(|planted| planted.path == *name);
        let more = planted.map_or(0, |planted| planted.instructions * OPERATIONS as u64);
        work(&world)();
        ordain_guarded(work(&world), more);
    }
}

/// The name of the function that callgrind counts in, and dumps after.
pub const COUNTED: &str = concat!(module_path!(), "::ordain_guarded");

#[inline(never)]
fn ordain_guarded(work: Work, more: u64) {
    work();
    // One instruction or more each: a loop that is not known to do nothing.
    for at in 0..more {
        black_box(at);
    }
}

/// A node with accounts, and what comes back from it.
struct World {
    node: Node,
    steps: Rc<RefCell<Steps>>,
    keys: Vec<Key>,
    /// How many idempotency keys there were.
    keyed: Cell<usize>,
}

/// Counts replies.
#[derive(Default)]
struct Replies(AtomicUsize);

impl Sink for Replies {
    fn deliver(&self, replies: &mut dyn Iterator<Item = (u64, Reply)>) {
        let good = replies.filter(|(_, reply)| matches!(reply.body, Body::Outcome { .. }));
        self.0.fetch_add(good.count(), Ordering::Relaxed);
    }
}

/// What is asked of the node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Transfer,
    /// With an idempotency key.
    Keyed,
    /// With one that was answered.
    Repeated,
    Balance,
}

impl World {
    fn new() -> Self {
        let options = Options {
            build: Some("guard".into()),
            checkpoint_interval: Duration::from_secs(3_600),
            clock: Arc::new(VirtualClock::default()),
            ..Options::default()
        };
        let (disk, store) = (
            Arc::new(MemoryDisk::new()),
            Arc::new(MemoryStore::default()),
        );
        let opened = Node::open_stepped(disk, store, entities(), options, 7, &mut |_| {});
        let (node, steps, _) = opened.expect("a node in memory opens");
        let world = Self {
            node,
            steps: Rc::new(RefCell::new(steps)),
            keys: keys("", ACCOUNTS),
            keyed: Cell::new(0),
        };
        let deposit = |key: &Key| parts(Account::at(key).deposit(1_000_000));
        let deposits: Vec<_> = world.keys.iter().map(deposit).collect();
        let ops = deposits
            .into_iter()
            .map(|parts| world.op(parts, None))
            .collect();
        world.drive(ops)();
        world
    }

    /// Transfers between accounts, the same every time.
    fn transfers(&self) -> impl Iterator<Item = RequestParts> {
        let at = |number: usize| &self.keys[number % ACCOUNTS];
        (0..OPERATIONS).map(move |number| {
            let (from, to) = (at(number * 7), at(number * 7 + 1 + number % 500));
            parts(Account::at(from).transfer(to.clone(), 1 + number as i64 % 100))
        })
    }

    fn op(&self, parts: RequestParts, key: Option<IdempotencyKey>) -> Op {
        let method = parts.method.as_str();
        let accepted = self.node.accept(parts.entity, method, &parts.args, "", key);
        let accepted = accepted.expect("it fits");
        match accepted.kind {
            MethodKind::Update => Op::Call(accepted),
            MethodKind::Query => Op::Query {
                accepted,
                at_least: None,
            },
        }
    }

    /// Puts these through the node, a batch at a time.
    fn drive(&self, ops: Vec<Op>) -> Work {
        let (node, steps) = (self.node.clone(), self.steps.clone());
        let replies = Arc::new(Replies::default());
        Box::new(move || {
            let (count, mut ops) = (ops.len(), ops.into_iter().zip(0..).peekable());
            while ops.peek().is_some() {
                let batch = ops.by_ref().take(BATCH);
                let batch = batch.map(|(op, token)| (op, ReplyTo::Sink(replies.clone(), token)));
                let refused = node.submit_many(batch.collect::<Vec<_>>());
                assert!(refused.is_empty(), "there is room");
                settle(&mut steps.borrow_mut());
            }
            let replied = replies.0.load(Ordering::Relaxed);
            assert_eq!(replied, count, "all are answered");
        })
    }
}

/// Steps everything until nothing has anything to do.
fn settle(steps: &mut Steps) {
    loop {
        let did = [
            steps.executor(),
            steps.committer(),
            steps.checkpointer(),
            steps.preparer(),
        ];
        if !did.contains(&Stepped::Did) {
            return;
        }
    }
}

fn parts<R>(request: Request<R>) -> RequestParts {
    request.into_parts().expect("it has names and arguments")
}

/// A number that looks like chance and is another for each number.
fn spread_out(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn through(world: &World, ask: Ask) -> Work {
    let first = world.keyed.get();
    if ask != Ask::Balance && ask != Ask::Transfer {
        world.keyed.set(first + OPERATIONS);
    }
    let key = |number: usize| match ask {
        Ask::Keyed | Ask::Repeated => {
            // As clients draw them: no two are neighbours in the table of those that were answered.
            let drawn = spread_out((first + number) as u64);
            let key = format!(
                "{:08x}-0000-4000-8000-{:012x}",
                drawn >> 48,
                drawn & 0xffff_ffff_ffff
            );
            Some(IdempotencyKey::new(&key).expect("a short text is a key"))
        }
        Ask::Transfer | Ask::Balance => None,
    };
    let ops = || -> Vec<Op> {
        let ops = world.transfers().enumerate();
        ops.map(|(number, transfer)| match ask {
            Ask::Balance => world.op(parts(Account::at(&transfer.entity.key).balance()), None),
            _ => world.op(transfer, key(number)),
        })
        .collect()
    };
    if ask == Ask::Repeated {
        world.drive(ops())();
    }
    world.drive(ops())
}

/// What a request's path and body become before the node is asked.
fn http_decode(world: &World) -> Work {
    let requests = world.transfers().map(|parts| {
        let path = method_path(call::Op::Call, &parts.entity, &parts.method);
        (path, parts.args)
    });
    let requests: Vec<_> = requests.collect();
    Box::new(move || {
        for (path, args) in &requests {
            black_box(MethodPath::parse(path)).expect("a path");
            black_box(call::check_args(args)).expect("arguments");
        }
    })
}

/// What a stream's frames become before the node is asked.
fn frame_decode(world: &World) -> Work {
    let mut message = Vec::new();
    for (parts, id) in world.transfers().zip(0..) {
        let call = WireCall::new(call::Op::Call, &parts.entity, &parts.method, &parts.args);
        CallFrame { id, call }.write(&mut message);
    }
    Box::new(move || {
        for body in Frames::new(&message) {
            let frame = CallFrame::decode(body.expect("a frame")).expect("a call");
            black_box(frame.call.check()).expect("names and arguments");
        }
    })
}

/// What replies become on a stream.
fn reply_encode(_: &World) -> Work {
    let mut out = Vec::with_capacity(OPERATIONS * 32);
    Box::new(move || {
        for id in 0..OPERATIONS as u64 {
            frame::write_value(&mut out, id, Some(Seq(1_000_000 + id)), b"999999");
        }
        black_box(&out);
    })
}

/// What the door does on the caller's thread.
fn accept(world: &World) -> Work {
    let node = world.node.clone();
    let asked: Vec<_> = world.transfers().collect();
    Box::new(move || {
        for parts in asked {
            let accepted = node.accept(parts.entity, parts.method.as_str(), &parts.args, "", None);
            drop(black_box(accepted.expect("it fits")));
        }
    })
}

/// What a command becomes in the log.
fn command_encode(world: &World) -> Work {
    let commands = world.transfers().map(|parts| {
        Command::Call(Box::new(Call {
            entity: parts.entity,
            method: parts.method,
            args: parts.args,
            caller: String::new(),
            idempotency_key: None,
        }))
    });
    let commands: Vec<_> = commands.collect();
    let mut out = Vec::with_capacity(OPERATIONS * 128);
    Box::new(move || {
        for command in &commands {
            command.encode_into(&mut out);
        }
        black_box(&out);
    })
}
