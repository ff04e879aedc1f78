//! A small world to run modules in: an engine with their entity types, commands one batch each.

use std::sync::Arc;

use ordain_engine::{
    Answer, Catalog, Cold, Engine, Halt, Modules, Options, TypeDef, first_checkpoint,
};
use ordain_hosts::wasm::WasmHost;
use ordain_types::module::{File, How, Package, Source, SourceError, hash};
use ordain_types::{
    Call, Command, Deploy, EntityId, Fault, FaultKind, Granule, Json, LogId, Method, ModuleName,
    Outcome, Timestamp,
};

/// An engine.
pub struct World {
    pub engine: Engine,
}

/// Sources of one file.
pub fn source(bytes: Vec<u8>) -> Source {
    Source {
        main: "module.wasm".to_owned(),
        files: vec![File {
            path: "module.wasm".to_owned(),
            bytes: bytes.into(),
        }],
    }
}

/// Compiles a module.
pub fn compile(host: &WasmHost, bytes: Vec<u8>) -> Result<Package, SourceError> {
    host.compile(&source(bytes))
}

/// The entity types of a module.
pub fn types(host: &WasmHost, bytes: Vec<u8>) -> Vec<TypeDef> {
    let package = compile(host, bytes).unwrap_or_else(|error| panic!("{error}"));
    let hash = hash(&package.encode());
    host.load(hash, &package).expect("what compiles loads")
}

/// The committed module of this name.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl World {
    /// With these entity types.
    pub fn new(types: impl IntoIterator<Item = TypeDef>) -> Self {
        Self::with(types, false)
    }

    /// With no entity types but those that are deployed.
    pub fn hosting() -> Self {
        let catalog = Catalog::default().with_host(Arc::new(WasmHost::new(None)));
        let mut world = Self::begin(catalog, Box::new(ordain_engine::Empty), false);
        world.execute(Command::Genesis { log_id: LogId(7) });
        world
    }

    /// Deploys a module.
    pub fn deploy(&mut self, name: &str, bytes: Vec<u8>) -> Outcome {
        let package = compile(&WasmHost::new(None), bytes).expect("it compiles");
        let package = package.encode();
        self.execute(Command::Deploy(Box::new(Deploy {
            name: ModuleName::new(name).expect("a module's name"),
            hash: hash(&package),
            package: Some(package),
            how: How::Deploy,
            keep_state: false,
            caller: "test".to_owned(),
        })))
    }

    /// With these entity types; each update perhaps run twice.
    pub fn with(types: impl IntoIterator<Item = TypeDef>, twice: bool) -> Self {
        let mut world = Self::open(types, Box::new(ordain_engine::Empty), twice);
        world.execute(Command::Genesis { log_id: LogId(7) });
        world
    }

    /// Where an earlier program or module stored this root of an entity.
    pub fn left(
        types: impl IntoIterator<Item = TypeDef>,
        entity: &str,
        root: impl Into<Json>,
    ) -> Self {
        let mut first = Self::new([]);
        let mut rows = first_checkpoint(&mut first.engine);
        let granule = Granule::root(&entity.parse().expect("a sound entity"));
        rows.insert(granule, root.into());
        Self::open(types, Box::new(rows), false)
    }

    fn open(types: impl IntoIterator<Item = TypeDef>, cold: Box<dyn Cold>, twice: bool) -> Self {
        let mut catalog = Catalog::default();
        for def in types {
            catalog.add(def).expect("names are different");
        }
        Self::begin(catalog, cold, twice)
    }

    fn begin(catalog: Catalog, cold: Box<dyn Cold>, twice: bool) -> Self {
        let options = Options {
            twice,
            ..Options::default()
        };
        let engine = Engine::open(catalog, cold, options).expect("it opens");
        Self { engine }
    }

    /// A world with the module of these bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self::new(types(&WasmHost::new(None), bytes))
    }

    fn execute(&mut self, command: Command) -> Outcome {
        self.try_execute(command).expect("the engine goes on")
    }

    fn try_execute(&mut self, command: Command) -> Result<Outcome, Halt> {
        let next = self.engine.seq().next();
        self.engine.begin_batch(next, Timestamp(1_000));
        let executed = self.engine.execute(&command, None)?;
        self.engine.end_batch();
        self.engine.durable(next);
        match executed.answer {
            Answer::Done(outcome) => Ok(outcome),
            other => panic!("{other:?}"),
        }
    }

    /// Runs a call as a transaction.
    pub fn run(&mut self, entity: &str, method: &str, args: &str) -> Outcome {
        self.execute(Command::Call(Box::new(call(entity, method, args))))
    }

    /// The same where the engine may halt.
    pub fn try_run(&mut self, entity: &str, method: &str, args: &str) -> Result<Outcome, Halt> {
        self.try_execute(Command::Call(Box::new(call(entity, method, args))))
    }

    /// Runs a query.
    pub fn query(&mut self, entity: &str, method: &str, args: &str) -> Outcome {
        self.engine
            .query(&call(entity, method, args), None, Timestamp(1_000))
            .expect("readable")
    }

    /// The value of a call.
    #[track_caller]
    pub fn value(&mut self, entity: &str, method: &str, args: &str) -> String {
        match self.run(entity, method, args) {
            Outcome::Value(json) => String::from_utf8(json.to_vec()).expect("JSON is text"),
            other => panic!("{entity}.{method}({args}): {other:?}"),
        }
    }

    /// The fault of a call, which must be of this kind.
    #[track_caller]
    pub fn fault(&mut self, entity: &str, method: &str, args: &str, kind: FaultKind) -> Fault {
        match self.run(entity, method, args) {
            Outcome::Fault(fault) if fault.kind == kind => *fault,
            other => panic!("{entity}.{method}({args}) is no {kind:?}: {other:?}"),
        }
    }

    /// The code of a call's rejection.
    #[track_caller]
    pub fn rejection(&mut self, entity: &str, method: &str, args: &str) -> String {
        match self.run(entity, method, args) {
            Outcome::Rejected(rejection) => rejection.code,
            other => panic!("{entity}.{method}({args}) is not rejected: {other:?}"),
        }
    }
}

fn call(entity: &str, method: &str, args: &str) -> Call {
    let (ty, key) = entity.split_once('/').expect("type/key");
    Call {
        entity: EntityId::new(ty, key).expect("a sound entity"),
        method: Method::new(method).expect("a method's name"),
        args: args.to_owned().into(),
        caller: "test".to_owned(),
        idempotency_key: None,
    }
}
