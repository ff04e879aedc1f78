//! What all connections of one server share: the node once there is one, the limits, what is being
//! counted. Two servers in one process share nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use ordain_api::replies::{Entities, Progress, Ready, Status};
use ordain_api::{EntityDescription, MethodDescription, Param, Problem};
use ordain_node::{Health, Node, Unavailable};
use ordain_types::Seq;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Doorman;
use crate::config::Config;
use crate::metrics::Metrics;

/// What all connections share.
pub(crate) struct Shared {
    pub config: Config,
    pub doorman: Doorman,
    pub metrics: Metrics,
    /// Set when nothing new is taken.
    pub stopping: CancellationToken,
    /// Connections, streams and batches: what a stop waits for.
    pub tasks: TaskTracker,
    open: OnceLock<Open>,
    progress: Mutex<Option<Progress>>,
    requests: AtomicUsize,
}

/// A node that answers, and what is known of its entities.
pub(crate) struct Open {
    pub node: Node,
    entities: Entities,
    /// `GET /v1/entities`.
    pub entities_json: Bytes,
    /// `GET /openapi.json`.
    pub openapi_json: Bytes,
}

impl Shared {
    pub fn new(config: Config) -> Self {
        Self {
            doorman: Doorman::new(config.tokens.clone()),
            metrics: Metrics::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            open: OnceLock::new(),
            progress: Mutex::default(),
            requests: AtomicUsize::new(0),
            config,
        }
    }

    pub fn set_node(&self, node: Node) -> Result<(), Node> {
        self.open.set(Open::new(node)).map_err(|open| open.node)
    }

    pub fn set_progress(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn progress(&self) -> Option<Progress> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node, if it is open, also while stopping.
    pub fn open(&self) -> Option<&Open> {
        self.open.get()
    }

    /// The node, if it answers.
    pub fn answering(&self) -> Result<&Open, Problem> {
        if self.stopping.is_cancelled() {
            return Err(Problem::stopping());
        }
        let starting = || Problem::starting(self.progress());
        self.open().ok_or_else(starting)
    }

    /// Counts a request in, unless there are too many.
    pub fn begin(self: &Arc<Self>) -> Result<InFlight, Problem> {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        let in_flight = InFlight(self.clone());
        match before < self.config.limits.requests_max {
            true => Ok(in_flight),
            false => Err(Problem::overloaded(RETRY_AFTER_MS)),
        }
    }

    /// Requests being answered.
    pub fn requests_in_flight(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// How the server is.
    pub fn ready(&self) -> Ready {
        let (status, reason) = self.status();
        let progress = (status == Status::Starting)
            .then(|| self.progress())
            .flatten();
        let seq = match (self.open(), progress) {
            (Some(open), _) => open.node.durable_seq(),
            (None, Some(progress)) => progress.seq,
            (None, None) => Seq::ZERO,
        };
        Ready {
            ready: status == Status::Ready,
            status,
            seq,
            progress,
            reason,
        }
    }

    fn status(&self) -> (Status, Option<String>) {
        if self.stopping.is_cancelled() {
            return (Status::Stopping, None);
        }
        let Some(open) = self.open() else {
            return (Status::Starting, None);
        };
        match open.node.health() {
            Health::Ready => (Status::Ready, None),
            Health::Unavailable(why) => {
                let status = match why {
                    Unavailable::Stopping => Status::Stopping,
                    Unavailable::DiskFull(_) => Status::DiskFull,
                    Unavailable::DiskFailed(_) => Status::DiskFailed,
                    Unavailable::Halted(_) => Status::Halted,
                };
                (status, Some(why.to_string()))
            }
        }
    }
}

/// When to come back after an overload, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// One request being answered.
pub(crate) struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Open {
    fn new(node: Node) -> Self {
        let entities = describe(&node);
        let encode = |value| Bytes::from(serde_json::to_vec(value).expect("it is JSON"));
        let entities_json =
            Bytes::from(serde_json::to_vec(&entities).expect("replies encode into memory"));
        let openapi_json = encode(&ordain_api::openapi::document(
            &entities.entities,
            env!("CARGO_PKG_VERSION"),
        ));
        Self {
            node,
            entities,
            entities_json,
            openapi_json,
        }
    }

    /// The description of an entity type.
    pub fn entity(&self, ty: &str) -> Result<&EntityDescription, Problem> {
        let all = &self.entities.entities;
        all.iter().find(|entity| entity.name == ty).ok_or_else(|| {
            Problem::unknown_entity(ty, all.iter().map(|entity| entity.name.as_str()))
        })
    }

    /// The description of a method, if there is one.
    pub fn method(&self, ty: &str, method: &str) -> Option<&MethodDescription> {
        let methods = &self.entity(ty).ok()?.methods;
        methods.iter().find(|other| other.name == method)
    }
}

/// What can be called, for people and tools, by name.
fn describe(node: &Node) -> Entities {
    let schema = |text: &str| serde_json::from_str(text).unwrap_or(true.into());
    let mut entities: Vec<EntityDescription> = Vec::new();
    for def in node.catalog().types() {
        let mut methods: Vec<MethodDescription> = Vec::new();
        for method in &def.methods {
            let params = method.params.iter().map(|param| Param {
                name: param.name.clone(),
                schema: schema(&param.schema),
                required: param.required,
            });
            methods.push(MethodDescription {
                name: method.name.to_string(),
                kind: method.kind,
                description: String::new(),
                params: params.collect(),
                result: schema(&method.result),
            });
        }
        methods.sort_by(|one, other| one.name.cmp(&other.name));
        entities.push(EntityDescription {
            name: def.name.to_string(),
            description: String::new(),
            methods,
        });
    }
    entities.sort_by(|one, other| one.name.cmp(&other.name));
    Entities { entities }
}
