//! A small world to test the engine in through its public door: an entity type whose methods are
//! closures over JSON, a durable state in memory, commands one batch each.

#![allow(dead_code, reason = "each test file uses its own part")]

mod durable;

use std::any::Any;
use std::sync::Arc;

pub use durable::Durable;
use ordain_engine::{
    Answer, Args, ArgumentError, Catalog, Decoded, Engine, MethodDef, Options, Run, State,
    StateType, Tx, TypeDef,
};
use ordain_types::{
    BuildId, Call, Command, EntityId, EntityType, FaultKind, FieldKey, IdempotencyKey, InForce,
    Json, LogId, Method, MethodKind, Outcome, Rejection, SendId, Seq, Timestamp, limits,
};
use serde_json::{Value, json};

/// What a method of these tests is.
pub type Body = fn(&mut Tx, &Value) -> Result<Value, Rejection>;

/// A root value: any JSON, `null` before the first write.
#[derive(Clone, Default)]
struct Root(Value);

impl State for Root {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(self.clone())
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        match self.0 == json!("not JSON") {
            true => Err("it says so itself".to_owned()),
            false => serde_json::to_writer(out, &self.0).map_err(|error| error.to_string()),
        }
    }

    fn encoded_len(&self) -> Result<usize, String> {
        let mut out = Vec::new();
        self.encode(&mut out)?;
        Ok(out.len())
    }
}

struct Roots;

impl StateType for Roots {
    fn initial(&self) -> Box<dyn State> {
        Box::new(Root::default())
    }

    fn decode(&self, json: &[u8]) -> Result<Box<dyn State>, String> {
        let value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        match value == json!("unreadable") {
            true => Err("an older version wrote it".to_owned()),
            false => Ok(Box::new(Root(value))),
        }
    }
}

struct Closure(Body);

impl Run for Closure {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        match serde_json::from_slice::<Value>(json) {
            Ok(value) if value != json!("wrong") => Ok(Decoded {
                canonical: value.to_string().into(),
                args: Box::new(value),
            }),
            _ => Err(ArgumentError {
                field: None,
                message: "wrong arguments".to_owned(),
            }),
        }
    }

    fn takes(&self, args: &Args) -> bool {
        args.is::<Value>()
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let args = args.downcast::<Value>().expect("decoded above");
        Ok((self.0)(tx, &args)?.to_string().into())
    }
}

/// The root value of the entity whose method runs.
pub fn root(tx: &mut Tx) -> &Value {
    let state: &dyn Any = tx.state();
    &state.downcast_ref::<Root>().expect("all roots are alike").0
}

/// The same, to be written.
pub fn root_mut(tx: &mut Tx) -> &mut Value {
    let state: &mut dyn Any = tx.state_mut();
    &mut state.downcast_mut::<Root>().expect("all roots are alike").0
}

/// Calls `box/key` from inside.
pub fn call(tx: &mut Tx, key: &str, name: &str, args: Value) -> Result<Value, Rejection> {
    let json = tx.call_dynamic(&entity(key), &method(name), args.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&json).expect("values are JSON"))
}

/// Sends to `box/key` from inside.
pub fn send(tx: &mut Tx, key: &str, name: &str, args: Value, delay_ms: u64) -> SendId {
    let args = args.to_string();
    tx.send(entity(key), method(name), args.as_bytes(), delay_ms)
}

pub fn entity(key: &str) -> EntityId {
    EntityId::new("box", key).expect("a sound entity")
}

pub fn method(name: &str) -> Method {
    Method::new(name).expect("a method's name")
}

pub fn field(key: &str) -> FieldKey {
    FieldKey::new(key).expect("a sound field")
}

/// Appends the argument to the root value, a list.
pub fn push(tx: &mut Tx, item: &Value) -> Result<Value, Rejection> {
    let root = root_mut(tx);
    match root {
        Value::Array(items) => items.push(item.clone()),
        _ => *root = json!([item]),
    }
    Ok(root_mut(tx).clone())
}

/// The root value.
pub fn get(tx: &mut Tx, _: &Value) -> Result<Value, Rejection> {
    Ok(root(tx).clone())
}

/// Sets the root value.
pub fn set(tx: &mut Tx, value: &Value) -> Result<Value, Rejection> {
    *root_mut(tx) = value.clone();
    Ok(Value::Null)
}

/// An engine with the entity type `box`, whose methods are the standard ones and those of the test.
pub struct World {
    pub engine: Engine,
    pub cold: Durable,
    pub now: u64,
    catalog: Catalog,
}

impl World {
    /// `methods`: updates; a name that begins with `q_` is a query.
    pub fn new(methods: &[(&str, Body)]) -> Self {
        let standard: [(&str, Body); 4] =
            [("push", push), ("set", set), ("get", get), ("q_get", get)];
        let methods = standard.iter().chain(methods);
        let methods = methods.map(|(name, body)| MethodDef {
            name: method(name),
            kind: match name.starts_with("q_") {
                true => MethodKind::Query,
                false => MethodKind::Update,
            },
            params: Vec::new(),
            result: "{}".to_owned(),
            run: Arc::new(Closure(*body)),
        });
        let def = TypeDef {
            name: EntityType::new("box").expect("a type's name"),
            state: Arc::new(Roots),
            methods: methods.collect(),
            native: None,
            module: None,
        };
        let mut catalog = Catalog::default();
        catalog.add(def).expect("names differ");
        let cold = Durable::default();
        let mut world = Self {
            engine: open(&catalog, &cold),
            cold,
            now: 1_000,
            catalog,
        };
        world.run(Command::Genesis { log_id: LogId(7) });
        world
    }

    /// Runs a command in a batch of its own.
    pub fn run(&mut self, command: Command) -> Answer {
        let next = self.engine.seq().next();
        self.engine.begin_batch(next, Timestamp(self.now));
        let executed = self
            .engine
            .execute(&command, None)
            .expect("cold can be read");
        self.engine.end_batch();
        assert_eq!(executed.seq, next);
        executed.answer
    }

    /// Calls `box/key` as `me`.
    pub fn call(&mut self, key: &str, name: &str, args: Value) -> Outcome {
        match self.run(Command::Call(Box::new(request(key, name, args, None)))) {
            Answer::Done(outcome) => outcome,
            answer => panic!("a call without a key was answered {answer:?}"),
        }
    }

    /// The same, which must come to a value.
    pub fn value(&mut self, key: &str, name: &str, args: Value) -> Value {
        match self.call(key, name, args) {
            Outcome::Value(json) => serde_json::from_slice(&json).expect("values are JSON"),
            outcome => panic!("{name} came to {outcome:?}"),
        }
    }

    /// The same, which must end in this fault at this place.
    pub fn faults(&mut self, key: &str, name: &str, args: Value, kind: FaultKind, at: &str) {
        match self.call(key, name, args) {
            Outcome::Fault(fault) => {
                assert_eq!((fault.kind, fault.at.as_str()), (kind, at), "{fault}");
            }
            outcome => panic!("{name} came to {outcome:?}"),
        }
    }

    /// Calls with an idempotency key.
    pub fn keyed(&mut self, key: &str, name: &str, args: Value, idempotency: &str) -> Answer {
        let request = request(key, name, args, Some(idempotency));
        self.run(Command::Call(Box::new(request)))
    }

    pub fn query(&mut self, key: &str, name: &str, args: Value) -> Outcome {
        let request = request(key, name, args, None);
        let now = Timestamp(self.now);
        self.engine
            .query(&request, None, now)
            .expect("cold can be read")
    }

    /// The root value of `box/key` as an inspection shows it.
    pub fn root(&mut self, key: &str) -> Value {
        let found = self
            .engine
            .inspect(&entity(key), None, 0)
            .expect("cold can be read");
        found.0.map_or(Value::Null, |json| {
            serde_json::from_slice(&json).expect("states are JSON")
        })
    }

    /// The keys of the fields of `box/key`.
    pub fn fields(&mut self, key: &str) -> Vec<String> {
        let found = self
            .engine
            .inspect(&entity(key), None, 10_000)
            .expect("cold can be read");
        let keys = found.1.iter().map(|(field, _)| field.as_str().to_owned());
        keys.collect()
    }

    pub fn retention(&mut self, retention_ms: u64) {
        self.run(Command::InForce(Box::new(InForce {
            build: BuildId("test".to_owned()),
            build_name: "test".to_owned(),
            executor_version: limits::EXECUTOR_VERSION,
            retention_ms,
        })));
    }

    /// Delivers all that is due, in order, and says how each ended.
    pub fn deliver_due(&mut self) -> Vec<Outcome> {
        let due = self.engine.due(Timestamp(self.now), usize::MAX);
        let deliver = due
            .into_iter()
            .map(|send| match self.run(Command::Deliver { send }) {
                Answer::Done(outcome) => outcome,
                answer => panic!("a delivery was answered {answer:?}"),
            });
        deliver.collect()
    }

    /// Takes a checkpoint of all there is and applies it.
    pub fn checkpoint(&mut self) {
        self.engine.begin_checkpoint();
        let changes = self
            .engine
            .step_checkpoint(usize::MAX)
            .expect("captured in one step");
        self.apply(&changes);
    }

    pub fn apply(&mut self, changes: &ordain_engine::Changes) {
        self.cold.apply(changes);
        self.engine.applied(changes.epoch);
    }

    /// A new engine over what was checkpointed.
    pub fn reopen(&mut self) {
        self.engine = open(&self.catalog, &self.cold);
    }

    pub fn seq(&self) -> Seq {
        self.engine.seq()
    }
}

fn open(catalog: &Catalog, cold: &Durable) -> Engine {
    let cold = Box::new(cold.clone());
    Engine::open(catalog.clone(), cold, Options::default()).expect("cold can be read")
}

/// A request of `box/key` as `me`.
pub fn request(key: &str, name: &str, args: Value, idempotency: Option<&str>) -> Call {
    Call {
        entity: entity(key),
        method: method(name),
        args: args.to_string().into(),
        caller: "me".to_owned(),
        idempotency_key: idempotency.map(|key| IdempotencyKey::new(key).expect("a sound key")),
    }
}

/// A value as an outcome.
pub fn value(json: Value) -> Outcome {
    Outcome::Value(json.to_string().into())
}
