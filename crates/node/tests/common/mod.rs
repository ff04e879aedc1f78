//! One entity type, `counter`, written straight on the engine's seams. Each test file uses a part of it.
#![allow(dead_code)]

pub mod asking;

use std::any::Any;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ordain_engine::{
    Args, ArgumentError, Catalog, Decoded, MethodDef, Run, State, StateType, Tx, TypeDef,
};
use ordain_log::disk::MemoryDisk;
use ordain_node::{Node, Options, Steps};
use ordain_store::MemoryStore;
use ordain_types::{EntityId, EntityType, Json, Method, MethodKind, Rejection, Request, Timestamp};
use serde_json::{Value, json};

/// A node whose steps are the test's, on a store of its own.
pub fn open_stepped(disk: &MemoryDisk, catalog: Catalog, options: Options) -> (Node, Steps) {
    let (disk, store) = (Arc::new(disk.clone()), Arc::new(MemoryStore::default()));
    let opened = Node::open_stepped(disk, store, catalog, options, 7, &mut |_| {});
    let (node, steps, _) = opened.expect("it opens");
    (node, steps)
}

#[derive(Clone, Default)]
pub struct Counter(pub i64);

impl State for Counter {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(self.clone())
    }
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        assert_ne!(self.0, UNSPEAKABLE, "a counter that no checkpoint takes");
        out.extend_from_slice(self.0.to_string().as_bytes());
        Ok(())
    }
    fn encoded_len(&self) -> Result<usize, String> {
        Ok(self.0.to_string().len())
    }
}

/// A state that can be measured but not encoded: a method that leaves it is a bug that shows only
/// when a checkpoint comes by.
pub const UNSPEAKABLE: i64 = i64::MAX;

/// A state that is stored, and whose reading panics.
pub const UNREADABLE: i64 = i64::MAX - 1;

struct Counters;

impl StateType for Counters {
    fn initial(&self) -> Box<dyn State> {
        Box::new(Counter::default())
    }
    fn decode(&self, json: &[u8]) -> Result<Box<dyn State>, String> {
        let n = serde_json::from_slice(json);
        assert!(!matches!(n, Ok(UNREADABLE)), "a counter that nobody reads");
        n.map(|n| Box::new(Counter(n)) as Box<dyn State>)
            .map_err(|error| error.to_string())
    }
}

pub type Body = fn(&mut Tx, &Value) -> Result<Value, Rejection>;

struct Native(Body);

impl Run for Native {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        let value: Value = serde_json::from_slice(json).map_err(|error| ArgumentError {
            field: None,
            message: error.to_string(),
        })?;
        let canonical = value.to_string().into();
        Ok(Decoded {
            args: Box::new(value),
            canonical,
        })
    }
    fn takes(&self, args: &Args) -> bool {
        args.is::<Value>()
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let args = args.downcast::<Value>().expect("as decoded");
        Ok((self.0)(tx, &args)?.to_string().into())
    }
}

pub fn counter(tx: &mut Tx) -> &mut i64 {
    let state: &mut dyn Any = tx.state_mut();
    &mut state.downcast_mut::<Counter>().expect("a counter").0
}

fn amount(args: &Value) -> i64 {
    args["n"].as_i64().unwrap_or(1)
}

fn add(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
    *counter(tx) += amount(args);
    match *counter(tx) {
        n if n < 0 => Err(Rejection::new("negative", format!("it would be {n}"))),
        n => Ok(json!(n)),
    }
}

fn look(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    let state: &dyn Any = tx.state();
    Ok(json!(state.downcast_ref::<Counter>().expect("a counter").0))
}

fn send(tx: &mut Tx, args: &Value) -> Result<Value, Rejection> {
    let to = EntityId::new("counter", args["to"].as_str().unwrap_or("other")).expect("a key");
    let delay = args["delay_ms"].as_u64().unwrap_or(0);
    let args = json!({ "n": amount(args) }).to_string();
    let method = Method::new("add").expect("a name");
    Ok(json!(
        tx.send(to, method, args.as_bytes(), delay).to_string()
    ))
}

fn chance(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    // Deliberately not deterministic: what replays are there to find.
    static CALLS: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);
    *counter(tx) += 1;
    Ok(json!(
        CALLS.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
    ))
}

fn boom(_: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    std::panic::resume_unwind(Box::new("boom"))
}

pub fn catalog() -> Catalog {
    catalog_with(add)
}

pub fn catalog_with(add: Body) -> Catalog {
    catalog_of(Arc::new(Counters), add)
}

/// With states of another kind, which nothing but `add` reads.
pub fn catalog_of(state: Arc<dyn StateType>, add: Body) -> Catalog {
    let method = |name: &str, kind, body: Body| MethodDef {
        name: Method::new(name).expect("a name"),
        kind,
        params: Vec::new(),
        result: "{}".to_owned(),
        run: Arc::new(Native(body)),
    };
    let mut catalog = Catalog::default();
    let methods = vec![
        method("add", MethodKind::Update, add),
        method("send", MethodKind::Update, send),
        method("chance", MethodKind::Update, chance),
        method("boom", MethodKind::Update, boom),
        method("look", MethodKind::Query, look),
    ];
    let name = EntityType::new("counter").expect("a name");
    let def = TypeDef {
        name,
        state,
        methods,
        native: None,
        module: None,
    };
    catalog.add(def).expect("the only one");
    catalog
}

pub fn request<R>(key: &str, method: &str, args: Value) -> Request<R> {
    let kind = if method == "look" {
        MethodKind::Query
    } else {
        MethodKind::Update
    };
    let entity = EntityId::new("counter", key).expect("a key");
    Request::new(
        entity,
        Method::new(method).expect("a name"),
        kind,
        args.to_string().into(),
    )
}

pub fn start() -> Timestamp {
    Timestamp(1_700_000_000_000)
}

/// Runs what might hang, and fails instead.
pub fn in_time<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = channel();
    let thread = thread::spawn(move || drop(done.send(run())));
    match result.recv_timeout(Duration::from_secs(60)) {
        Ok(result) => result,
        Err(_) if thread.is_finished() => panic!("it panicked: {:?}", thread.join().err()),
        Err(_) => panic!("it hangs"),
    }
}
