//! The world of one test: a node in memory with the module deployed. What is due happens before a test
//! looks on, so that how fast the node's threads are never shows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordain_node::{CallError, Catalog, ChangeOptions, Heard, Listener, Options, TestNode};
use ordain_types::script::{Failed, World};
use ordain_types::{
    Command, EntityId, FaultKind, Json, ModuleName, Outcome, Package, Request, Timestamp,
};
use serde_json::value::RawValue;

/// No checkpoint is taken because a test lets time pass.
const SELDOM: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
/// Sends that are delivered for one thing that a test asks for: they may lead to each other without end.
const DELIVERIES_MAX: u64 = 10_000;

pub struct InMemory {
    node: TestNode,
    happened: Arc<Happened>,
}

/// What happened that is in no answer, and would be lost.
#[derive(Default)]
struct Happened {
    /// How many sends were delivered since the test asked for something last.
    delivered: AtomicU64,
    /// What methods logged, and how sends ended that ended in a fault, since the test asked for something last.
    lines: Mutex<Vec<String>>,
    /// The first send that is not deterministic, for the test to fail by.
    not_deterministic: Mutex<Option<String>>,
}

impl Happened {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delivered(&self, outcome: &Outcome) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
        let Outcome::Fault(fault) = outcome else {
            return;
        };
        self.lines()
            .push(format!("fault in what was sent: {}", fault.with_place()));
        if fault.kind == FaultKind::Differs {
            let mut first = self
                .not_deterministic
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| fault.with_place());
        }
    }
}

impl Listener for Happened {
    fn heard(&self, heard: Heard<'_>) {
        match heard {
            Heard::Said(line) => self.lines().push(format!("{}: {}", line.at, line.message)),
            Heard::Ran {
                command: Command::Deliver { .. },
                outcome,
                ..
            } => self.delivered(outcome),
            Heard::Ran { .. } | Heard::Queried { .. } => {}
        }
    }
}

impl InMemory {
    /// With the module in force and nothing in it.
    ///
    /// # Errors
    /// Why the module could not be deployed.
    pub fn new(catalog: Catalog, name: &ModuleName, package: &Package) -> Result<Self, String> {
        let happened = Arc::<Happened>::default();
        let options = Options {
            twice: true,
            checkpoint_interval: SELDOM,
            listener: Some(happened.clone()),
            ..Options::default()
        };
        let node = TestNode::with(catalog, options);
        let deployed = node.deploy(name, package, &ChangeOptions::default());
        deployed.map_err(|error| format!("the module cannot be deployed: {error}"))?;
        Ok(Self { node, happened })
    }

    /// What came of a request, when all that is due by it has happened.
    fn settled<T>(&self, answered: Result<T, CallError>) -> Result<T, Failed> {
        self.happened(self.node.settle_while(|| self.goes_on()))?;
        answered.map_err(|error| match error {
            CallError::Rejected(rejection) => Failed::Rejected(rejection),
            CallError::Fault(fault) => Failed::Broken(fault.with_place()),
            error => Failed::Broken(error.to_string()),
        })
    }

    fn goes_on(&self) -> bool {
        self.happened.delivered.load(Ordering::Relaxed) < DELIVERIES_MAX
    }

    /// What is wrong with what happened by itself, of which `all` did or not.
    fn happened(&self, all: bool) -> Result<(), Failed> {
        self.happened.delivered.store(0, Ordering::Relaxed);
        if !all {
            return Err(Failed::Broken(format!(
                "{DELIVERIES_MAX} sends were delivered, and more are due: look for sends that lead to each other without \
                 end, or let less time pass at once"
            )));
        }
        let first = &self.happened.not_deterministic;
        let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.map_or(Ok(()), |fault| Err(Failed::Broken(fault)))
    }
}

/// The same request, for its value as JSON text.
fn raw(request: Request<Json>) -> Request<Box<RawValue>> {
    Request::from(request.into_parts())
}

fn json(value: Box<RawValue>) -> Json {
    Json::from(String::from(Box::<str>::from(value)))
}

impl World for InMemory {
    fn call(&mut self, request: Request<Json>) -> Result<Json, Failed> {
        self.settled(self.node.call(raw(request)).map(json))
    }

    fn query(&mut self, request: Request<Json>) -> Result<Json, Failed> {
        self.settled(self.node.query(raw(request)).map(json))
    }

    fn send(&mut self, request: Request<Json>, delay_ms: u64) -> Result<String, Failed> {
        let sent = self.node.send(request, delay_ms);
        self.settled(sent.map(|id| id.to_string()))
    }

    fn advance(&mut self, ms: u64) -> Result<(), Failed> {
        let passed = self
            .node
            .advance_while(Duration::from_millis(ms), || self.goes_on());
        self.happened(passed)
    }

    fn state(&mut self, entity: &EntityId) -> Result<Option<Json>, Failed> {
        let state = self.node.state::<Box<RawValue>>(&entity.to_string());
        Ok(state.map(json))
    }

    fn now(&self) -> Timestamp {
        self.node.now()
    }

    fn overheard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.happened.lines())
    }
}
