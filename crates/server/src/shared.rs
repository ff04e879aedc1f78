//! What all connections of one server share: the node once there is one, the limits, what is being
//! counted. Two servers in one process share nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use ordain_api::replies::{Entities, Progress, Ready, Status};
use ordain_api::{EntityDescription, MethodDescription, Param, Problem};
use ordain_node::{Catalog, Health, MethodDef, Node, TypeDef, Unavailable};
use ordain_types::Seq;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Doorman;
use crate::config::{ADMIN_REQUESTS_MAX, Config};
use crate::metrics::Metrics;
use crate::route::Lane;

/// What all connections share.
pub(crate) struct Shared {
    pub config: Config,
    pub doorman: Doorman,
    pub metrics: Metrics,
    /// Set when nothing new is taken.
    pub stopping: CancellationToken,
    /// Connections, streams and batches: what a stop waits for.
    pub tasks: TaskTracker,
    /// One module's body is read at a time.
    pub reading_module: Arc<Semaphore>,
    /// One change of modules at a time.
    pub deploying: Arc<Semaphore>,
    open: OnceLock<Open>,
    progress: Mutex<Option<Progress>>,
    /// By [`Lane`].
    requests: [AtomicUsize; Lane::COUNT],
}

/// A node that answers, and what is known of its entities.
pub(crate) struct Open {
    pub node: Node,
    described: Mutex<Arc<Described>>,
}

/// What can be called, as of one catalog. What is asked for seldom is made when it is.
struct Described {
    /// Which one. It does not keep alive what is out of force.
    of: Weak<Catalog>,
    /// `GET /v1/entities`.
    entities: OnceLock<Bytes>,
    /// `GET /openapi.json`.
    openapi: OnceLock<Bytes>,
}

impl Shared {
    pub fn new(config: Config) -> Self {
        Self {
            doorman: Doorman::new(config.tokens.clone(), config.traces),
            metrics: Metrics::default(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            reading_module: Arc::new(Semaphore::new(1)),
            deploying: Arc::new(Semaphore::new(1)),
            open: OnceLock::new(),
            progress: Mutex::default(),
            requests: Default::default(),
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

    /// Counts a request in, unless there are too many of its lane.
    pub fn begin(self: &Arc<Self>, lane: Lane) -> Result<InFlight, Problem> {
        let max = match lane {
            Lane::Probe => usize::MAX,
            Lane::Admin => ADMIN_REQUESTS_MAX,
            Lane::Call => self.config.limits.requests_max,
        };
        let before = self.requests[lane as usize].fetch_add(1, Ordering::Relaxed);
        let in_flight = InFlight(self.clone(), lane);
        if before < max {
            return Ok(in_flight);
        }
        self.metrics.overloads.fetch_add(1, Ordering::Relaxed);
        Err(Problem::overloaded(RETRY_AFTER_MS))
    }

    /// Requests being answered.
    pub fn requests_in_flight(&self) -> usize {
        let lanes = self.requests.iter();
        lanes.map(|count| count.load(Ordering::Relaxed)).sum()
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
                    Unavailable::DiskFailed(_) | Unavailable::Store { .. } => Status::DiskFailed,
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
pub(crate) struct InFlight(Arc<Shared>, Lane);

impl Drop for InFlight {
    fn drop(&mut self) {
        let Self(shared, lane) = self;
        shared.requests[*lane as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

impl Open {
    fn new(node: Node) -> Self {
        let described = Mutex::new(Described::new(&node.catalog()));
        Self { node, described }
    }

    /// What can be called now, described once for each catalog.
    fn described(&self, catalog: &Arc<Catalog>) -> Arc<Described> {
        let described = self.described.lock();
        let mut described = described.unwrap_or_else(PoisonError::into_inner);
        if !std::ptr::eq(described.of.as_ptr(), Arc::as_ptr(catalog)) {
            *described = Described::new(catalog);
        }
        described.clone()
    }

    /// `GET /v1/entities`.
    pub fn entities_json(&self) -> Bytes {
        let catalog = self.node.catalog();
        let described = self.described(&catalog);
        let made = described.entities.get_or_init(|| {
            let entities = serde_json::to_vec(&describe(&catalog));
            entities.expect("replies encode into memory").into()
        });
        made.clone()
    }

    /// `GET /openapi.json`.
    pub fn openapi_json(&self) -> Bytes {
        let catalog = self.node.catalog();
        let described = self.described(&catalog);
        let made = described.openapi.get_or_init(|| {
            let Entities { entities } = describe(&catalog);
            let document = ordain_api::openapi::document(&entities, env!("CARGO_PKG_VERSION"));
            serde_json::to_vec(&document).expect("it is JSON").into()
        });
        made.clone()
    }

    /// Refuses an entity type that is not there.
    pub fn knows(&self, ty: &str) -> Result<(), Problem> {
        let catalog = self.node.catalog();
        match catalog.index(ty) {
            Some(_) => Ok(()),
            None => {
                let known = catalog.types().map(|def| def.name.as_str());
                Err(Problem::unknown_entity(ty, known))
            }
        }
    }

    /// The description of a method, if there is one.
    pub fn method(&self, ty: &str, method: &str) -> Option<MethodDescription> {
        let catalog = self.node.catalog();
        let def = catalog.get(catalog.index(ty)?);
        let (_, method) = def.method(method)?;
        Some(describe_method(&catalog, def, method))
    }
}

impl Described {
    fn new(catalog: &Arc<Catalog>) -> Arc<Self> {
        Arc::new(Self {
            of: Arc::downgrade(catalog),
            entities: OnceLock::new(),
            openapi: OnceLock::new(),
        })
    }
}

/// What can be called, for people and tools, by name.
fn describe(catalog: &Catalog) -> Entities {
    let mut entities: Vec<EntityDescription> = Vec::new();
    for def in catalog.types() {
        let methods = def.methods.iter();
        let mut methods: Vec<_> = methods
            .map(|method| describe_method(catalog, def, method))
            .collect();
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

fn describe_method(catalog: &Catalog, def: &TypeDef, method: &MethodDef) -> MethodDescription {
    MethodDescription {
        name: method.name.to_string(),
        kind: method.kind,
        description: String::new(),
        params: method.params.iter().map(param).collect(),
        any_args: takes_any(catalog, def, method).unwrap_or(false),
        result: schema(&method.result),
    }
}

/// Whether a module says nothing about a method's parameters; none: it is no module's.
fn takes_any(catalog: &Catalog, def: &TypeDef, method: &MethodDef) -> Option<bool> {
    let manifest = &catalog.module(def.module.as_ref()?)?.manifest;
    let mut entities = manifest.entities.iter();
    let entity = entities.find(|entity| entity.name == def.name)?;
    let mut methods = entity.methods.iter();
    let method = methods.find(|other| other.name == method.name)?;
    Some(method.params.is_none())
}

/// A parameter, for people and tools.
pub(crate) fn param(param: &ordain_types::Param) -> Param {
    Param {
        name: param.name.clone(),
        schema: schema(&param.schema),
        required: param.required,
    }
}

/// A schema from its text; what is none allows anything.
pub(crate) fn schema(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or(true.into())
}
