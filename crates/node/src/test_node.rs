//! A node for tests: in memory, with a clock that is moved by hand, whose state can be looked into and
//! which can be crashed.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ordain_engine::{Catalog, CatalogError};
use ordain_log::disk::MemoryDisk;
use ordain_store::MemoryStore;
use ordain_types::{EntityId, FieldKey, Json, Timestamp};
use serde::de::DeserializeOwned;

use crate::clock::{Clock, VirtualClock};
use crate::node::{Node, Op};
use crate::options::Options;
use crate::recovery::Recovered;
use crate::reply::Body;

/// A node in memory with virtual time. Everything a [`Node`] does it does; nothing touches the disk or
/// the machine's clock. States are read back after each write, so that one which would not survive a
/// restart shows at once.
///
/// Methods panic where a test could only panic.
pub struct TestNode {
    node: Node,
    disk: Arc<MemoryDisk>,
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    options: Options,
}

/// When tests begin, unless told otherwise: 2024-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp(1_704_067_200_000);

/// Longer than any test lets pass.
const SELDOM: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

impl TestNode {
    /// A new node with these entities. It takes checkpoints when it is asked to, not because virtual
    /// time passes: what a crash replays is up to the test.
    pub fn new<C>(entities: C) -> Self
    where
        C: TryInto<Catalog, Error: Into<CatalogError>>,
    {
        let options = Options {
            checkpoint_interval: SELDOM,
            ..Options::default()
        };
        Self::with(entities, options)
    }

    /// The same with settings; its clock is the virtual one all the same.
    pub fn with<C>(entities: C, options: Options) -> Self
    where
        C: TryInto<Catalog, Error: Into<CatalogError>>,
    {
        let clock = Arc::new(VirtualClock::new(BEGIN));
        let options = Options {
            clock: clock.clone(),
            read_back: true,
            ..options
        };
        let build = options.build.or(Some("test".to_owned()));
        let options = Options {
            build,
            segment_bytes: 1 << 20,
            ..options
        };
        let (disk, store) = (
            Arc::new(MemoryDisk::new()),
            Arc::new(MemoryStore::default()),
        );
        let catalog = entities
            .try_into()
            .map_err(Into::into)
            .expect("entities that fit together");
        Self::open(disk, store, clock, options, catalog).0
    }

    fn open(
        disk: Arc<MemoryDisk>,
        store: Arc<MemoryStore>,
        clock: Arc<VirtualClock>,
        options: Options,
        catalog: Catalog,
    ) -> (Self, Recovered) {
        let opened = Node::open_on(
            disk.clone(),
            store.clone(),
            catalog,
            options.clone(),
            &mut |_| {},
        );
        let (node, recovered) = opened.expect("a node in memory opens");
        (
            Self {
                node,
                disk,
                store,
                clock,
                options,
            },
            recovered,
        )
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock forward, step by step from one due send to the next, and delivers what comes
    /// due, and what that sends.
    pub fn advance(&self, by: Duration) {
        self.advance_while(by, || true);
    }

    /// The same as long as `go_on` says so, which is asked often. Says whether it did to the end.
    pub fn advance_while(&self, by: Duration, go_on: impl Fn() -> bool) -> bool {
        let end = self.now().plus_ms(by.as_millis() as u64);
        let mut settled = self.settle_while(&go_on);
        while let Some(due) = self.next_due().filter(|due| settled && *due <= end) {
            self.clock
                .advance(Duration::from_millis(due.0.saturating_sub(self.now().0)));
            self.node.nudge();
            settled = self.settle_while(&go_on);
        }
        if settled {
            self.clock
                .advance(Duration::from_millis(end.0 - self.now().0));
            self.node.nudge();
            settled = self.settle_while(&go_on);
        }
        settled
    }

    /// Waits until every send that is due was delivered.
    pub fn settle(&self) {
        self.settle_while(|| true);
    }

    /// The same as long as `go_on` says so, which is asked often: sends that lead to each other never end. Says
    /// whether all were delivered.
    pub fn settle_while(&self, go_on: impl Fn() -> bool) -> bool {
        while self.next_due().is_some_and(|due| due <= self.now()) {
            if !go_on() {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// When the next send is due; none: no send waits.
    pub fn next_due(&self) -> Option<Timestamp> {
        match self
            .node
            .ask(Op::NextDue)
            .expect("a test's node runs")
            .wait()
            .body
        {
            Body::NextDue(due) => due,
            body => panic!("{body:?}"),
        }
    }

    /// The state of an entity, decoded; none before its first write. `entity` is `type/key`.
    pub fn state<T: DeserializeOwned>(&self, entity: &str) -> Option<T> {
        let (root, _) = self.inspect(entity, None, 0);
        root.map(|json| serde_json::from_slice(&json).expect("the state decodes"))
    }

    /// The first fields of an entity, in order, decoded. `entity` is `type/key`.
    pub fn fields<T: DeserializeOwned>(&self, entity: &str) -> Vec<(String, T)> {
        let mut fields = Vec::new();
        let most = ordain_types::limits::SCAN_ROWS_MAX;
        while fields.len() < most {
            let after = fields
                .last()
                .map(|(field, _): &(FieldKey, _)| field.clone());
            let (_, more) = self.inspect(entity, after, most - fields.len());
            if more.is_empty() {
                break;
            }
            fields.extend(more);
        }
        let decode = |json: &Json| serde_json::from_slice(json).expect("the field decodes");
        fields
            .iter()
            .map(|(key, json)| (key.to_string(), decode(json)))
            .collect()
    }

    fn inspect(
        &self,
        entity: &str,
        after: Option<FieldKey>,
        limit: usize,
    ) -> (Option<Json>, Vec<(FieldKey, Json)>) {
        let entity: EntityId = entity.parse().expect("an entity is type/key");
        let op = Op::Inspect {
            entity: Box::new(entity),
            after,
            limit,
        };
        match self.node.ask(op).expect("a test's node runs").wait().body {
            Body::Entity { root, fields } => (root, fields),
            body => panic!("{body:?}"),
        }
    }

    /// What a `kill -9` now would leave, opened again: everything acknowledged is replayed from the
    /// last checkpoint. Gives what recovery found.
    pub fn crash(self) -> (Self, Recovered) {
        // The store first: it must not stand for more than the log holds.
        let store = Arc::new(self.store.fork());
        let disk = Arc::new(self.disk.fork());
        let catalog = self.node.catalog().of_program();
        Self::open(
            disk,
            store,
            self.clock.clone(),
            self.options.clone(),
            catalog,
        )
    }

    /// The node, for what takes one.
    pub fn node(&self) -> &Node {
        &self.node
    }
}

impl fmt::Debug for TestNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestNode")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl Deref for TestNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
