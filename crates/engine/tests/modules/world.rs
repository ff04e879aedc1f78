//! An engine with modules of the toy host, what is asked of it, and what cold keeps of it.

use std::sync::Arc;

use bytes::Bytes;
use ordain_engine::{Answer, Catalog, Engine, Halt, Modules, Options};
use ordain_types::module::{self, How, ModuleHash};
use ordain_types::{
    Call, Command, Deploy, EntityId, LogId, Method, ModuleName, Outcome, Timestamp, Undeploy,
};
use serde_json::Value;

use crate::durable::Durable;
use crate::toy::{Toy, source};

pub struct World {
    pub engine: Engine,
    pub cold: Durable,
    pub options: Options,
}

impl World {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let cold = Durable::default();
        let engine = open(&cold, options).expect("nothing is there yet");
        let mut world = Self {
            engine,
            cold,
            options,
        };
        world.run(Command::Genesis { log_id: LogId(7) });
        world
    }

    pub fn run(&mut self, command: Command) -> Outcome {
        let next = self.engine.seq().next();
        self.engine.begin_batch(next, Timestamp(1_000));
        let executed = self.engine.execute(&command, None).expect("it goes on");
        self.engine.end_batch();
        match executed.answer {
            Answer::Done(outcome) => outcome,
            answer => panic!("{answer:?}"),
        }
    }

    pub fn deploy(&mut self, name: &str, text: &Value) -> Outcome {
        self.run(deployment(name, text))
    }

    pub fn deployed(&mut self, name: &str, text: &Value) -> Value {
        value(self.deploy(name, text))
    }

    pub fn refused(&mut self, command: Command, code: &str) {
        match self.run(command) {
            Outcome::Rejected(rejection) => assert_eq!(rejection.code, code, "{rejection}"),
            outcome => panic!("{code} was expected, not {outcome:?}"),
        }
    }

    pub fn call(&mut self, entity: &str, method: &str) -> Outcome {
        self.run(Command::Call(Box::new(call(entity, method))))
    }

    pub fn number(&mut self, entity: &str, method: &str) -> i64 {
        value(self.call(entity, method)).as_i64().expect("a number")
    }

    pub fn shown(&mut self, entity: &str) -> Option<String> {
        let entity: EntityId = entity.parse().expect("an id");
        let (root, _) = self.engine.inspect(&entity, None, 0).expect("it is read");
        root.map(|json| String::from_utf8(json.into()).expect("text"))
    }

    pub fn checkpoint(&mut self) {
        self.engine.durable(self.engine.seq());
        self.engine.begin_checkpoint();
        let changes = self
            .engine
            .step_checkpoint(usize::MAX)
            .expect("in one step");
        self.cold.apply(&changes);
        self.engine.applied(changes.epoch);
    }

    pub fn reopen(&mut self) {
        self.engine = open(&self.cold, self.options).expect("it opens");
    }

    pub fn versions(&mut self, name: &str) -> Vec<(u32, u32, How)> {
        let statuses = self.engine.modules().expect("they are read");
        let status = statuses.into_iter().find(|s| s.name.as_str() == name);
        let lines = status.expect("it was deployed").history.into_iter();
        lines.map(|l| (l.version, l.origin, l.how)).collect()
    }
}

pub fn open(cold: &Durable, options: Options) -> Result<Engine, Halt> {
    let catalog = Catalog::default().with_host(Arc::new(Toy));
    Engine::open(catalog, Box::new(cold.clone()), options)
}

pub fn call(entity: &str, method: &str) -> Call {
    Call {
        entity: entity.parse().expect("an id"),
        method: Method::new(method).expect("a name"),
        args: Bytes::from_static(b"{}"),
        caller: String::new(),
        idempotency_key: None,
    }
}

pub fn value(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Value(json) => serde_json::from_slice(&json).expect("JSON"),
        outcome => panic!("{outcome:?}"),
    }
}

pub fn name(text: &str) -> ModuleName {
    ModuleName::new(text).expect("a name")
}

pub fn package(text: &Value) -> Bytes {
    Toy.compile(&source(text)).expect("it compiles").encode()
}

pub fn deployment(module: &str, text: &Value) -> Command {
    let package = package(text);
    Command::Deploy(Box::new(Deploy {
        name: name(module),
        hash: module::hash(&package),
        package: Some(package),
        how: How::Deploy,
        keep_state: false,
        caller: "me".to_owned(),
    }))
}

pub fn rollback(module: &str, hash: ModuleHash) -> Command {
    Command::Deploy(Box::new(Deploy {
        name: name(module),
        hash,
        package: None,
        how: How::Rollback,
        keep_state: false,
        caller: "me".to_owned(),
    }))
}

pub fn undeployment(module: &str, keep_state: bool) -> Command {
    Command::Undeploy(Box::new(Undeploy {
        name: name(module),
        keep_state,
        caller: "me".to_owned(),
    }))
}
