//! The world of one test: a node in memory with the module deployed. What is due happens before a test
//! looks on, so that how fast the node's threads are never shows.

use std::time::Duration;

use ordain_node::{CallError, Catalog, ChangeOptions, Options, TestNode};
use ordain_types::script::{Failed, World};
use ordain_types::{EntityId, Json, ModuleName, Package, Request, Timestamp};
use serde_json::value::RawValue;

/// No checkpoint is taken because a test lets time pass.
const SELDOM: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

pub struct InMemory {
    node: TestNode,
}

impl InMemory {
    /// With the module in force and nothing in it.
    ///
    /// # Errors
    /// Why the module could not be deployed.
    pub fn new(catalog: Catalog, name: &ModuleName, package: &Package) -> Result<Self, String> {
        let options = Options {
            twice: true,
            checkpoint_interval: SELDOM,
            ..Options::default()
        };
        let node = TestNode::with(catalog, options);
        let deployed = node.deploy(name, package, &ChangeOptions::default());
        deployed.map_err(|error| format!("the module cannot be deployed: {error}"))?;
        Ok(Self { node })
    }

    /// What came of a request, when all that is due by it has happened.
    fn settled<T>(&self, answered: Result<T, CallError>) -> Result<T, Failed> {
        self.node.settle();
        answered.map_err(|error| match error {
            CallError::Rejected(rejection) => Failed::Rejected(rejection),
            error => Failed::Broken(error.to_string()),
        })
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
        self.node.advance(Duration::from_millis(ms));
        Ok(())
    }

    fn state(&mut self, entity: &EntityId) -> Result<Option<Json>, Failed> {
        let state = self.node.state::<Box<RawValue>>(&entity.to_string());
        Ok(state.map(json))
    }

    fn now(&self) -> Timestamp {
        self.node.now()
    }
}
