//! A node: entities, a log and a store, running.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use arc_swap::ArcSwap;
use ordain_engine::{Args, Catalog, CatalogError};
use ordain_log::disk::Disk;
use ordain_store::{StateHash, Store};
use ordain_types::module::{Manifest, ModuleHash};
use ordain_types::{
    Command, EntityId, EntityType, FieldKey, IdempotencyKey, InForce, MethodKind, ModuleName,
    RequestParts, SendId, Seq, limits,
};

use crate::committer::Commit;
use crate::deploy::Change;
use crate::door::{self, Accepted, Past, Refused};
use crate::ending::{self, Ending};
use crate::ingress::{Ingress, Item, Work};
use crate::options::Options;
use crate::recovery::{self, OpenError, Progress, Recovered};
use crate::reply::{self, Body, Owed, Pending, Reply, ReplyTo, Unavailable};
use crate::status::{Counters, Health};
use crate::stepped::Steps;

/// What can be asked of a node.
pub enum Op {
    /// Call an update. One transaction. Of a query it is as [`Op::Query`]; where its method becomes an update while it
    /// waits, it is one.
    Call(Accepted),
    /// Call an update later, in a transaction of its own.
    Send {
        /// What to call.
        accepted: Accepted,
        /// How long to wait before.
        delay_ms: u64,
    },
    /// Call a query.
    Query {
        /// What to call.
        accepted: Accepted,
        /// Refuse to answer from before this command.
        at_least: Option<Seq>,
    },
    /// A call or send that the door refuses now: its first answer, if it was let in before; else the refusal.
    Answered(Box<Past>),
    /// What is known of a send.
    Invocation(SendId),
    /// When the next send is due.
    NextDue,
    /// Other modules in force.
    Change(Change),
    /// All modules there ever were.
    Modules,
    /// A package, encoded.
    Package(ModuleHash),
    /// Whether entities of these types, which a change of that module would put out of reach, hold state.
    Left(ModuleName, Vec<EntityType>),
    /// Whether a module with this in it could read what entities hold.
    Stored(Arc<Manifest>),
    /// An entity's state.
    Inspect {
        /// Whose.
        entity: Box<EntityId>, // rare: what is common stays small
        /// Fields after this one.
        after: Option<FieldKey>,
        /// At most so many fields.
        limit: usize,
    },
}

/// A running node. Clones are handles to the same one; when the last is dropped it stops as by
/// [`Node::stop`].
#[derive(Clone)]
pub struct Node(Arc<Running>);

/// Why nobody may wait there, and what to do instead.
const WAITS_FOR_EVER: &str = "who waits for a node on one of its own threads waits for ever: a method reaches entities \
     by its context (`cx.entity`, `cx.call`, `cx.send`), and a sink or a waker passes a reply on";

/// What a node's handles share.
pub(crate) struct Running {
    /// What can be called now; the committer puts another one here when a change of modules is durable.
    pub catalog: Arc<ArcSwap<Catalog>>,
    pub ingress: Arc<Ingress>,
    pub commit: Arc<Commit>,
    pub counters: Arc<Counters>,
    /// None when the node has stopped.
    pub store: Arc<Mutex<Option<Arc<dyn Store>>>>,
    /// Why the executor ended, if it did not by being stopped.
    pub halted: Arc<Mutex<Option<String>>>,
    /// What the end left out of the store, and why.
    pub unsaved: Arc<Mutex<Option<String>>>,
    /// The node's own threads.
    pub own: Vec<ThreadId>,
    /// The one of them that runs methods.
    pub executes: Option<ThreadId>,
    pub ending: Arc<Mutex<Ending>>,
}

impl Node {
    /// Opens or creates a node in a directory, with default settings. Returns when what the log holds
    /// is replayed.
    ///
    /// # Errors
    /// What is wrong with the directory, and what to do.
    pub fn open<C>(dir: impl AsRef<Path>, entities: C) -> Result<Self, OpenError>
    where
        C: TryInto<Catalog, Error: Into<CatalogError>>,
    {
        Self::open_with(dir, entities, Options::default(), &mut |_| {}).map(|(node, _)| node)
    }

    /// The same with settings. `progress` hears of the replay; [`Recovered`] says what was found.
    ///
    /// # Errors
    /// What is wrong with the directory or the settings, and what to do.
    pub fn open_with<C>(
        dir: impl AsRef<Path>,
        entities: C,
        options: Options,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Recovered), OpenError>
    where
        C: TryInto<Catalog, Error: Into<CatalogError>>,
    {
        recovery::open_dir(dir.as_ref(), catalog(entities)?, options, progress)
    }

    /// The same on any disk and store: in memory for tests, simulated.
    ///
    /// # Errors
    /// As [`Node::open_with`].
    pub fn open_on<C>(
        disk: Arc<dyn Disk>,
        store: Arc<dyn Store>,
        entities: C,
        options: Options,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Recovered), OpenError>
    where
        C: TryInto<Catalog, Error: Into<CatalogError>>,
    {
        recovery::open_on(disk, store, None, catalog(entities)?, options, progress)
    }

    /// The same without threads: nothing happens but by the steps that come back with the node. The
    /// seam for simulations: everything is on the caller's thread, and all that is taken from chance
    /// elsewhere comes from `seed`.
    ///
    /// What blocks until a thread has done something ([`Node::checkpoint`], [`Node::state_hash`],
    /// [`Node::backup`], waiting for a [`Pending`]) would block for ever. [`Node::stop`] only begins
    /// to stop: the steps go on until they end.
    ///
    /// # Errors
    /// As [`Node::open_with`].
    pub fn open_stepped<C>(
        disk: Arc<dyn Disk>,
        store: Arc<dyn Store>,
        entities: C,
        options: Options,
        seed: u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Self, Steps, Recovered), OpenError>
    where
        C: TryInto<Catalog, Error: Into<CatalogError>>,
    {
        recovery::open_stepped(disk, store, catalog(entities)?, options, seed, progress)
    }

    pub(crate) fn of(running: Running) -> Self {
        Self(Arc::new(running))
    }

    /// All that can be called now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog.load_full()
    }

    /// Checks a call: the entity type and the method exist and the arguments fit.
    ///
    /// # Errors
    /// What does not.
    pub fn accept(
        &self,
        entity: EntityId,
        method: &str,
        args: &[u8],
        caller: &str,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<Accepted, Refused> {
        door::accept(
            &self.0.catalog.load(),
            entity,
            method,
            args,
            caller,
            idempotency_key,
        )
    }

    /// The same for a call that this program made of its types.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn accept_parts(
        &self,
        parts: RequestParts,
        caller: &str,
        idempotency_key: Option<IdempotencyKey>,
    ) -> Result<Accepted, Refused> {
        door::accept_parts(&self.0.catalog.load(), parts, caller, idempotency_key)
    }

    /// Queues one request.
    ///
    /// # Errors
    /// Why it was refused; then nothing runs and `reply` is dropped.
    pub fn submit(&self, op: Op, reply: ReplyTo) -> Result<(), Refused> {
        let (work, reply) = (work(op)?, Owed::new(reply));
        self.push_one(Item { work, reply })
    }

    /// Queues one request and gives its reply to come.
    ///
    /// # Errors
    /// Why it was refused; then nothing runs.
    pub fn ask(&self, op: Op) -> Result<Pending, Refused> {
        let (pending, reply) = Pending::new();
        self.submit(op, reply)?;
        Ok(pending)
    }

    /// Queues one request and blocks until its reply is there.
    ///
    /// # Errors
    /// As [`Node::ask`].
    ///
    /// # Panics
    /// On a thread of the node's own: it would wait for itself.
    pub(crate) fn ask_and_wait(&self, op: Op) -> Result<Reply, Refused> {
        self.check_may_wait();
        Ok(self.ask(op)?.wait())
    }

    pub(crate) fn check_may_wait(&self) {
        let own = self.0.own.contains(&thread::current().id());
        assert!(!own, "{WAITS_FOR_EVER}");
    }

    /// Of what is awaited. On the executor's thread it would be polled for ever, and with it the node: there
    /// runs what the reply is waited for. Not so while a reply is given: a waker may poll at once, and does
    /// not wait.
    pub(crate) fn check_may_await(&self) {
        let executes = self.0.executes == Some(thread::current().id());
        assert!(!executes || reply::is_giving(), "{WAITS_FOR_EVER}");
    }

    /// Queues many requests at once, in order, which costs less than one by one. Those that are
    /// refused come back with why; the others are on their way.
    pub fn submit_many(
        &self,
        ops: impl IntoIterator<Item = (Op, ReplyTo)>,
    ) -> Vec<(ReplyTo, Refused)> {
        let (mut items, mut refused) = (VecDeque::new(), Vec::new());
        for (op, reply) in ops {
            match work(op) {
                Ok(work) => {
                    let reply = Owed::new(reply);
                    items.push_back(Item { work, reply });
                }
                Err(why) => refused.push((reply, why)),
            }
        }
        // Whatever does not fit is refused by itself: a read may go where an update may not.
        while !items.is_empty()
            && let Err(why) = self.push(&mut items)
        {
            let item = items.pop_front().expect("what was refused is left");
            refused.push((item.reply.settled(), why));
        }
        refused
    }

    /// Pushes one; what is refused is owed no reply.
    fn push_one(&self, item: Item) -> Result<(), Refused> {
        let mut items = VecDeque::from([item]);
        let result = self.push(&mut items);
        items
            .into_iter()
            .for_each(|item| drop(item.reply.settled()));
        result
    }

    pub(crate) fn push(&self, items: &mut VecDeque<Item>) -> Result<(), Refused> {
        let result = self.0.ingress.push(items);
        match &result {
            Err(Refused::Overloaded { .. }) => Counters::add(&self.0.counters.overloads, 1),
            Err(Refused::Unavailable(Unavailable::Stopping)) => {
                if let Some(reason) = self.halted() {
                    return Err(Unavailable::Halted(reason).into());
                }
            }
            _ => {}
        }
        result
    }

    fn halted(&self) -> Option<String> {
        self.0
            .halted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether updates are taken. Of a node that has stopped: that it is stopping.
    pub fn health(&self) -> Health {
        match (self.halted(), self.0.commit.standing().failure) {
            (Some(reason), _) => Health::Unavailable(Unavailable::Halted(reason)),
            (None, Some(failure)) => Health::Unavailable(failure),
            (None, None) if self.0.ingress.is_closed() => {
                Health::Unavailable(Unavailable::Stopping)
            }
            (None, None) => Health::Ready,
        }
    }

    /// Counters and gauges.
    pub fn counters(&self) -> &Counters {
        Counters::set(&self.0.counters.queue_commands, self.0.ingress.len() as u64);
        &self.0.counters
    }

    /// The last durable command.
    pub fn durable_seq(&self) -> Seq {
        self.0.commit.standing().durable
    }

    /// The store, for metrics and snapshots; none when the node has stopped.
    pub fn store(&self) -> Option<Arc<dyn Store>> {
        self.0
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes the node look at its clock again: for clocks that are moved by hand.
    pub fn nudge(&self) {
        self.0.ingress.nudge();
    }

    /// Takes a checkpoint that holds at least everything answered so far; blocks until it is in the
    /// store. Gives the seq it stands for.
    ///
    /// # Errors
    /// Why none could be taken.
    pub fn checkpoint(&self) -> Result<Seq, Unavailable> {
        self.check_may_wait();
        let (pending, reply) = Pending::new();
        self.begin_checkpoint(reply)?;
        match pending.wait() {
            Reply {
                body: Body::Unavailable(why),
                ..
            } => Err(why),
            Reply { seq, .. } => Ok(seq),
        }
    }

    /// Asks for such a checkpoint; the reply comes when it is in the store.
    ///
    /// # Errors
    /// Why none can be taken; `reply` is dropped then.
    pub fn begin_checkpoint(&self, reply: ReplyTo) -> Result<(), Unavailable> {
        let pushed = self.push_one(Item {
            work: Work::Checkpoint,
            reply: Owed::new(reply),
        });
        pushed.map_err(|refused| match refused {
            Refused::Unavailable(why) => why,
            refused => Unavailable::Halted(refused.to_string()),
        })
    }

    /// A hash of the whole state as of a checkpoint taken now. Two nodes that executed the same log
    /// up to the same seq have the same.
    ///
    /// # Errors
    /// If no checkpoint can be taken or the store cannot be read.
    pub fn state_hash(&self) -> Result<(Seq, StateHash), Unavailable> {
        self.checkpoint()?;
        let failed = |error: ordain_store::Error| {
            tracing::error!(%error, "the state could not be read for its hash");
            Unavailable::from(&error)
        };
        let store = self.store().ok_or(Unavailable::Stopping)?;
        let snapshot = store.snapshot().map_err(failed)?;
        let hash = ordain_store::state_hash(&*snapshot).map_err(failed)?;
        Ok((snapshot.seq(), hash))
    }

    /// Stops: accepts nothing more, finishes what was accepted, takes a last checkpoint, releases
    /// the directory. [`Node::unsaved`] says whether that checkpoint could be taken, and holds all there is.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Of a node that has stopped: why its last checkpoint could not be taken, or why the log may hold more than
    /// was acknowledged; none if the store has everything. Nothing acknowledged is lost, but the log has
    /// commands that only the same build replays: start that again, where the cause is mended, and stop it.
    pub fn unsaved(&self) -> Option<String> {
        let unsaved = self.0.unsaved.lock();
        unsaved.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Running {
    fn stop(&self) {
        self.ingress.close();
        if self.own.contains(&thread::current().id()) {
            // In a reply that is being delivered: this thread is one of those to be waited for.
            let (ending, store) = (self.ending.clone(), self.store.clone());
            thread::spawn(move || ending::end(&ending, &store));
        } else {
            ending::end(&self.ending, &self.store);
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let health = self.health();
        f.debug_struct("Node")
            .field("health", &health)
            .finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn catalog<C>(entities: C) -> Result<Catalog, OpenError>
where
    C: TryInto<Catalog, Error: Into<CatalogError>>,
{
    entities
        .try_into()
        .map_err(|error| OpenError::Catalog(error.into()))
}

fn work(op: Op) -> Result<Work, Refused> {
    let (command, args) = match op {
        Op::Call(Accepted {
            call,
            args,
            kind: MethodKind::Update,
        }) => (Command::Call(call), Some(args)),
        // A query called like an update needs no place in the log, as long as it is one.
        call @ Op::Call(_) => return Ok(Work::Read(call)),
        Op::Send { delay_ms, .. } if delay_ms > limits::SEND_DELAY_MS_MAX => {
            return Err(Refused::Delay { delay_ms });
        }
        Op::Send { accepted, delay_ms } => (
            Command::Send {
                call: accepted.call,
                delay_ms,
            },
            None,
        ),
        Op::Change(Change::Deploy(deploy, loaded)) => {
            let ready: Args = loaded;
            (Command::Deploy(deploy), Some(ready))
        }
        Op::Change(Change::Undeploy(undeploy)) => (Command::Undeploy(undeploy), None),
        Op::Query { accepted, .. } if accepted.kind == MethodKind::Update => {
            return Err(Refused::not_a_query(&accepted.call));
        }
        read => return Ok(Work::Read(read)),
    };
    Ok(Work::Update { command, args })
}

/// What this node puts in force, if it is not yet.
pub(crate) fn in_force(options: &Options, build: String) -> InForce {
    InForce {
        build: ordain_types::BuildId(build),
        build_name: options.build_name.clone(),
        executor_version: limits::EXECUTOR_VERSION,
        retention_ms: options.retention.as_millis() as u64,
    }
}
