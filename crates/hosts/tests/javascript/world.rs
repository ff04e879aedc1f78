//! An engine in memory with modules in force and nothing around it: requests in, outcomes out.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use ordain_engine::{
    Answer, Catalog, Cold, Empty, Engine, LogLine, Modules, Options, Run, first_checkpoint,
};
use ordain_hosts::javascript::JavaScript;
use ordain_types::module::{File, Package, Source, SourceError, hash};
use ordain_types::{
    Call, Command, EntityId, EntityType, Fault, FaultKind, Json, LogId, Method, MethodKind,
    Outcome, Rejection, Seq, Timestamp,
};

pub struct World {
    pub engine: Engine,
    pub now: Timestamp,
}

/// What a fault says, with the place that its trace begins with, `TypeError: no (a.ts:3:5)`: the message has none, which
/// others see as well.
pub fn shown(fault: &Fault) -> String {
    let first = fault.trace.lines().next().unwrap_or_default();
    let place = match first.rsplit_once(" (") {
        Some((_, place)) => place.trim_end_matches(')'),
        None => first.trim_start().trim_start_matches("at "),
    };
    match place {
        "" => fault.message.clone(),
        place => format!("{} ({place})", fault.message),
    }
}

/// A module of several files, the first of which is its entry.
pub fn source(files: &[(&str, &str)]) -> Source {
    let mut source = Source {
        main: files[0].0.to_owned(),
        files: Vec::new(),
    };
    for (path, text) in files {
        source.files.push(File {
            path: (*path).to_owned(),
            bytes: Json::copy_from_slice(text.as_bytes()),
        });
    }
    source.files.sort_by(|a, b| a.path.cmp(&b.path));
    source
}

pub fn compile(files: &[(&str, &str)]) -> Result<Package, SourceError> {
    JavaScript::new().compile(&source(files))
}

/// The error of a module of one file, as people see it.
#[track_caller]
pub fn refused(text: &str, expected: &str) {
    let error = match compile(&[("a.ts", text)]) {
        Ok(_) => panic!("it compiles:\n{text}"),
        Err(error) => error.to_string(),
    };
    assert!(
        error.contains(expected),
        "{error}\n-- not:\n{expected}\n-- in:\n{text}"
    );
}

impl World {
    /// With one module of one file.
    #[track_caller]
    pub fn new(text: &str) -> Self {
        Self::with(&[&[("a.ts", text)]], Options::default())
    }

    #[track_caller]
    pub fn with(modules: &[&[(&str, &str)]], options: Options) -> Self {
        Self::of(catalog(modules), options)
    }

    pub fn of(catalog: Catalog, options: Options) -> Self {
        let mut world = Self::open(catalog, Box::new(Empty), options);
        world.execute(Command::Genesis { log_id: LogId(7) });
        world
    }

    /// Over what a checkpoint of another world holds.
    pub fn of_rows(catalog: Catalog, other: &mut World) -> Self {
        let rows = first_checkpoint(&mut other.engine);
        Self::open(catalog, Box::new(rows), Options::default())
    }

    /// The same, with a text in them replaced: as if something else had written them.
    pub fn of_rows_with(catalog: Catalog, other: &mut World, from: &str, to: &str) -> Self {
        let mut rows = first_checkpoint(&mut other.engine);
        for value in rows.values_mut() {
            if let Ok(text) = std::str::from_utf8(value) {
                *value = text.replace(from, to).into_bytes().into();
            }
        }
        Self::open(catalog, Box::new(rows), Options::default())
    }

    fn open(catalog: Catalog, cold: Box<dyn Cold>, options: Options) -> Self {
        Self {
            engine: Engine::open(catalog, cold, options).unwrap(),
            now: Timestamp(1_000),
        }
    }

    pub fn execute(&mut self, command: Command) -> Outcome {
        let seq = Seq(self.engine.seq().0 + 1);
        self.engine.begin_batch(seq, self.now);
        let executed = self.engine.execute(&command, None).unwrap();
        self.engine.end_batch();
        match executed.answer {
            Answer::Done(outcome) => outcome,
            other => panic!("no key was given: {other:?}"),
        }
    }

    /// Calls `account/al.deposit`, say; as a query if it is one.
    #[track_caller]
    pub fn outcome(&mut self, what: &str, args: &str) -> Outcome {
        let (entity, method) = what.rsplit_once('.').unwrap();
        let entity: EntityId = entity.parse().unwrap();
        let known = self.engine.catalog().find(entity.ty.as_str(), method);
        let kind = known.map(|(ty, at)| self.engine.catalog().get(ty).methods[at.0 as usize].kind);
        let call = Call {
            entity,
            method: Method::new(method).unwrap(),
            args: Json::copy_from_slice(args.as_bytes()),
            caller: "tester".into(),
            idempotency_key: None,
        };
        match kind {
            Some(MethodKind::Query) => self.engine.query(&call, None, self.now).unwrap(),
            _ => self.execute(Command::Call(Box::new(call))),
        }
    }

    /// The value as JSON text.
    #[track_caller]
    pub fn value(&mut self, what: &str, args: &str) -> String {
        match self.outcome(what, args) {
            Outcome::Value(json) => String::from_utf8(json.to_vec()).unwrap(),
            other => panic!("no value of {what}: {other:?}"),
        }
    }

    #[track_caller]
    pub fn rejection(&mut self, what: &str, args: &str) -> Rejection {
        match self.outcome(what, args) {
            Outcome::Rejected(rejection) => *rejection,
            other => panic!("no rejection of {what}: {other:?}"),
        }
    }

    /// The fault that the call must end in; [`shown`], it must hold `says`.
    #[track_caller]
    pub fn fault(&mut self, what: &str, args: &str, kind: FaultKind, says: &str) -> Fault {
        match self.outcome(what, args) {
            Outcome::Fault(fault) => {
                assert_eq!(fault.kind, kind, "{fault}\n{}", fault.trace);
                let shown = shown(&fault);
                assert!(shown.contains(says), "{shown}\n-- not: {says}");
                *fault
            }
            other => panic!("no fault of {what}: {other:?}"),
        }
    }

    /// Delivers all sends that are due, in order, until none is.
    pub fn deliver(&mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some(&send) = self.engine.due(self.now, 1).first() {
            outcomes.push(self.execute(Command::Deliver { send }));
        }
        outcomes
    }

    /// The state of an entity as JSON text; empty before its first write.
    pub fn state(&mut self, entity: &str) -> String {
        let entity: EntityId = entity.parse().unwrap();
        let (state, _) = self.engine.inspect(&entity, None, 0).unwrap();
        String::from_utf8(state.unwrap_or_default().to_vec()).unwrap()
    }

    /// What the last call said for people to read.
    pub fn logs(&mut self) -> Vec<String> {
        let lines = self.engine.take_logs().into_iter();
        lines
            .map(|LogLine { at, message }| format!("{at}: {message}"))
            .collect()
    }
}

#[track_caller]
pub fn catalog(modules: &[&[(&str, &str)]]) -> Catalog {
    let host = JavaScript::new();
    let mut catalog = Catalog::default();
    for files in modules {
        let package = host
            .compile(&source(files))
            .unwrap_or_else(|error| panic!("{error}"));
        for def in host.load(hash(&package.encode()), &package).unwrap() {
            catalog.add(def).unwrap();
        }
    }
    catalog
}

/// Adds an entity type with the one method `work`, which runs outside of JavaScript.
pub fn add_native(catalog: &mut Catalog, name: &str, run: impl Run + 'static) {
    let mut def = catalog.types().next().expect("a module's").clone();
    def.name = EntityType::new(name).unwrap();
    (def.module, def.methods) = (None, def.methods[..1].to_vec());
    def.methods[0].name = Method::new("work").unwrap();
    def.methods[0].kind = MethodKind::Update;
    def.methods[0].run = Arc::new(run);
    catalog.add(def).expect("the name is free");
}

/// Runs `run` on a thread of its own, whose contexts are all new.
#[allow(
    clippy::disallowed_methods,
    reason = "contexts belong to threads: a new thread has none"
)]
pub fn anew<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(8 << 20)
            .spawn_scoped(scope, run)
            .unwrap();
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
