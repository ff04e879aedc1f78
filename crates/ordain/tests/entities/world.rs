//! An engine in memory with nothing around it: requests in, outcomes out.

use ordain::{
    Entities, EntityId, Fault, FaultKind, Key, Outcome, Rejection, Request, Seq, Timestamp,
};
use ordain_engine::{Answer, Args, Cold, Empty, Engine, Options, first_checkpoint};
use ordain_types::{Call, Command, Granule, Json, LogId, Method, MethodKind, RequestParts};
use serde::de::DeserializeOwned;

pub struct World {
    pub engine: Engine,
    pub now: Timestamp,
}

impl World {
    pub fn new(entities: Entities) -> Self {
        let mut world = Self::open(entities, Box::new(Empty));
        world.execute(Command::Genesis { log_id: LogId(7) });
        world
    }

    /// Where an earlier program stored these roots of entities.
    pub fn left(entities: Entities, roots: &[(&str, &'static str)]) -> Self {
        let mut rows = first_checkpoint(&mut Self::new(Entities::new()).engine);
        for (entity, json) in roots {
            let root = Granule::root(&entity.parse().unwrap());
            rows.insert(root, Json::from_static(json.as_bytes()));
        }
        Self::open(entities, Box::new(rows))
    }

    fn open(entities: Entities, cold: Box<dyn Cold>) -> Self {
        let catalog = entities.build().unwrap();
        Self {
            engine: Engine::open(catalog, cold, Options::default()).unwrap(),
            now: Timestamp(1_000),
        }
    }

    pub fn execute(&mut self, command: Command) -> Outcome {
        self.execute_with(command, None)
    }

    fn execute_with(&mut self, command: Command, args: Option<Args>) -> Outcome {
        let seq = Seq(self.engine.seq().0 + 1);
        self.engine.begin_batch(seq, self.now);
        let executed = self.engine.execute(&command, args).unwrap();
        self.engine.end_batch();
        match executed.answer {
            Answer::Done(outcome) => outcome,
            other => panic!("no key was given: {other:?}"),
        }
    }

    /// Runs the request as a transaction, or as a query if it is one.
    pub fn outcome<R>(&mut self, request: Request<R>) -> Outcome {
        self.outcome_of(request.into_parts().unwrap(), None)
    }

    /// The same, with its arguments decoded if they are at hand.
    pub fn outcome_of(&mut self, parts: RequestParts, ready: Option<Args>) -> Outcome {
        let RequestParts {
            entity,
            method,
            kind,
            args,
            ..
        } = parts;
        let call = Call {
            entity,
            method,
            args,
            caller: "tester".into(),
            idempotency_key: None,
        };
        match kind {
            MethodKind::Update => self.execute_with(Command::Call(Box::new(call)), ready),
            MethodKind::Query => self.engine.query(&call, ready, self.now).unwrap(),
        }
    }

    #[track_caller]
    pub fn value<R: DeserializeOwned>(&mut self, request: Request<R>) -> R {
        match self.outcome(request) {
            Outcome::Value(json) => serde_json::from_slice(&json).unwrap(),
            other => panic!("no value: {other:?}"),
        }
    }

    #[track_caller]
    pub fn rejection<R>(&mut self, request: Request<R>) -> Rejection {
        match self.outcome(request) {
            Outcome::Rejected(rejection) => *rejection,
            other => panic!("no rejection: {other:?}"),
        }
    }

    /// The fault that the request must end in; its message must hold `says`.
    #[track_caller]
    pub fn fault<R>(&mut self, request: Request<R>, kind: FaultKind, says: &str) -> Fault {
        match self.outcome(request) {
            Outcome::Fault(fault) => {
                assert_eq!(fault.kind, kind, "{fault}");
                assert!(fault.message.contains(says), "{fault}");
                *fault
            }
            other => panic!("no fault: {other:?}"),
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
}

/// A request by names.
pub fn request(entity: &str, method: &str, kind: MethodKind, args: &str) -> Request<()> {
    let entity: EntityId = entity.parse().unwrap();
    let args = Json::copy_from_slice(args.as_bytes());
    Request::new(entity, Method::new(method).unwrap(), kind, args)
}

pub fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}
