//! A server with a node in memory, to be asked over its socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ordain_log::disk::MemoryDisk;
use ordain_node::{Catalog, Node, Options};
use ordain_server::{Config, Handle, Limits, Scope, Server, Stopped, Token};
use ordain_store::MemoryStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::entities;

/// Long enough for anything that is not stuck.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub addr: SocketAddr,
    pub disk: Arc<MemoryDisk>,
    pub handle: Handle,
    node: Option<Node>,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<Stopped>,
}

impl World {
    /// With default settings.
    pub async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    /// With the default limits changed.
    pub async fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut config = Config::default();
        change(&mut config.limits);
        Self::start_with(config).await
    }

    pub async fn start_with(config: Config) -> Self {
        Self::start_on(config, Options::default()).await
    }

    pub async fn start_on(config: Config, options: Options) -> Self {
        let mut world = Self::starting(config).await;
        world.open(options);
        world
    }

    /// Without a node yet.
    pub async fn starting(config: Config) -> Self {
        let server = Server::bind(config).await.expect("a server listens");
        let (shutdown, signal) = oneshot::channel();
        Self {
            addr: server.local_addr(),
            disk: Arc::new(MemoryDisk::new()),
            handle: server.handle(),
            node: None,
            shutdown,
            serving: tokio::spawn(server.serve(async {
                let _ = signal.await;
            })),
        }
    }

    pub fn open(&mut self, options: Options) {
        self.open_with(entities::catalog(), options);
    }

    /// With what can be called, perhaps with a host for modules.
    pub fn open_with(&mut self, catalog: Catalog, options: Options) {
        let options = Options {
            build: Some("tests".to_owned()),
            segment_bytes: 1 << 20,
            ..options
        };
        let store = Arc::new(MemoryStore::default());
        let opened = Node::open_on(self.disk.clone(), store, catalog, options, &mut |_| {});
        let (node, _) = opened.expect("a new node opens");
        self.node = Some(node.clone());
        self.handle.set_node(node);
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("a node is open")
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// Tells it to stop; wait for it with the task that comes back.
    pub fn begin_stop(self) -> JoinHandle<Stopped> {
        let _ = self.shutdown.send(());
        self.serving
    }

    pub async fn stop(self) -> Stopped {
        let stopping = tokio::time::timeout(PATIENCE, self.begin_stop());
        stopping
            .await
            .expect("it stops")
            .expect("it does not panic")
    }
}

/// A token's text is its name and `-token`.
pub fn token(name: &str, scopes: &[Scope]) -> Token {
    let hash = Token::hash(&format!("{name}-token"));
    Token::new(name, &hash, scopes).expect("a token")
}
