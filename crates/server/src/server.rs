//! The server: listens, hands each connection to a task of its own, and stops without dropping what
//! was accepted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use ordain_api::Problem;
use ordain_api::error::PROBLEM_JSON;
use ordain_api::replies;
use ordain_node::{Node, Progress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::config::{BindError, Config, TURNED_AWAY_MAX};
use crate::connection::{self, Slot, Transport};
use crate::shared::Shared;
use crate::tls;

/// How long to wait when the system has no more sockets to give.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How long a connection that is turned away may take to hear so.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of its request that are still read then.
const UNREAD_BYTES_MAX: u64 = 1 << 20;

/// A server that listens. It answers once [`Server::serve`] runs, and calls once it has a node.
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
}

/// What a start tells a running server.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Whether every client took its replies before the time for that was over.
    pub drained: bool,
    /// Why the last checkpoint could not be taken; none if it was.
    pub unsaved: Option<String>,
}

impl Server {
    /// Listens. Connections wait until [`Server::serve`].
    ///
    /// # Errors
    /// If the configuration must not be served, or the address or the certificate cannot be used.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        config.check()?;
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let failed = |error| BindError::Listen {
            addr: config.listen,
            error,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            addr,
            tls,
            shared: Arc::new(Shared::new(config)),
        })
    }

    /// Where it listens, with the port it was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// What sets the node and the progress of its start.
    pub fn handle(&self) -> Handle {
        Handle(self.shared.clone())
    }

    /// Answers until `shutdown` comes. Then nothing new is accepted, what was accepted is finished and
    /// answered, streams are closed, and the node is stopped.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Stopped {
        let Self {
            listener,
            tls,
            shared,
            ..
        } = self;
        let accepting = Accepting {
            builder: Arc::new(connection::builder(&shared.config.limits)),
            turned_away: Arc::default(),
            tls_turning_away: tls.as_ref().map(tls::without_alpn),
            tls,
            shared: shared.clone(),
        };
        tokio::select! {
            () = accepting.run(listener) => {}
            () = shutdown => {}
        }
        stop(&shared).await
    }
}

async fn stop(shared: &Shared) -> Stopped {
    shared.stopping.cancel();
    shared.tasks.close();
    let drained =
        tokio::time::timeout(shared.config.limits.stop_timeout, shared.tasks.wait()).await;
    let mut unsaved = None;
    if let Some(open) = shared.open() {
        let node = open.node.clone();
        let stopped = tokio::task::spawn_blocking(move || {
            node.stop();
            node.unsaved()
        });
        unsaved = stopped.await.unwrap_or_else(|_| {
            tracing::error!("stopping the node panicked");
            Some("stopping the node panicked".to_owned())
        });
    }
    let drained = drained.is_ok();
    if !drained {
        tracing::warn!("some clients did not take their replies in time");
    }
    Stopped { drained, unsaved }
}

impl Handle {
    /// Calls are answered by this node from now on. Only the first counts.
    pub fn set_node(&self, node: Node) {
        if self.0.set_node(node).is_err() {
            tracing::error!("the server has a node already; the new one is not used");
        }
    }

    /// How far the start has come: what `/readyz` says until there is a node.
    pub fn set_progress(&self, progress: Progress) {
        self.0.set_progress(replies::Progress {
            from: progress.first,
            seq: progress.at,
            to: progress.last,
        });
    }
}

/// What accepts connections.
struct Accepting {
    shared: Arc<Shared>,
    builder: Arc<auto::Builder<TokioExecutor>>,
    tls: Option<TlsAcceptor>,
    /// For those that are turned away, in HTTP/1.1.
    tls_turning_away: Option<TlsAcceptor>,
    turned_away: Arc<AtomicUsize>,
}

impl Accepting {
    /// Does not end by itself. Returning closes the listener.
    async fn run(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => self.take(stream),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let Some(slot) = Slot::take(&self.shared) else {
            return self.turn_away(stream);
        };
        let (shared, builder, tls) = (self.shared.clone(), self.builder.clone(), self.tls.clone());
        self.shared.tasks.spawn(async move {
            let timeout = shared.config.limits.head_timeout;
            let made = tokio::select! {
                made = handshake(stream, tls, timeout) => made,
                // Nothing was asked yet, so nothing is owed.
                () = shared.stopping.cancelled() => return,
            };
            match made {
                Ok(transport) => connection::serve(shared, builder, transport, slot).await,
                Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
            }
        });
    }

    /// Tells the client that there are too many; beyond a few of those, just closes.
    fn turn_away(&self, stream: TcpStream) {
        let refused = &self.shared.metrics.connections_refused;
        refused.fetch_add(1, Ordering::Relaxed);
        let waiting = self.turned_away.clone();
        if waiting.fetch_add(1, Ordering::Relaxed) >= TURNED_AWAY_MAX {
            waiting.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let tls = self.tls_turning_away.clone();
        let max = self.shared.config.limits.connections_max;
        self.shared.tasks.spawn(async move {
            let told = async {
                let transport = handshake(stream, tls, TURN_AWAY_TIMEOUT).await?;
                tell(transport, &Problem::too_many_connections(max as u64)).await
            };
            let _ = tokio::time::timeout(TURN_AWAY_TIMEOUT, told).await;
            waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn handshake(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    timeout: Duration,
) -> std::io::Result<Transport> {
    let Some(tls) = tls else {
        return Ok(Transport::Plain(stream));
    };
    let shaken = async {
        // Every method of HTTP begins with a letter, and no handshake does.
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0].is_ascii_alphabetic() {
            let why = Problem::bad_request("scheme", "this port speaks TLS; ask with https://");
            tokio::time::timeout(TURN_AWAY_TIMEOUT, tell(Transport::Plain(stream), &why)).await??;
            return Err(std::io::Error::other("plain HTTP came where TLS is spoken"));
        }
        Ok(Transport::Tls(Box::new(tls.accept(stream).await?)))
    };
    tokio::time::timeout(timeout, shaken).await?
}

/// Gives a connection its only answer.
async fn tell(mut transport: Transport, problem: &Problem) -> std::io::Result<()> {
    // Unread bytes would make the system reset the connection, answer and all.
    let _ = transport.read(&mut [0; 4_096]).await?;
    transport.write_all(&only_answer(problem)).await?;
    transport.shutdown().await?;
    let mut rest = transport.take(UNREAD_BYTES_MAX);
    tokio::io::copy(&mut rest, &mut tokio::io::sink())
        .await
        .map(drop)
}

/// The whole answer, for a connection that gets no other.
fn only_answer(problem: &Problem) -> Bytes {
    let body = problem.to_json();
    let status = StatusCode::from_u16(problem.status).expect("the table has only such");
    let retry = match problem.retry_after_secs() {
        Some(secs) => format!("retry-after: {secs}\r\n"),
        None => String::new(),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\n\
         {retry}connection: close\r\n\r\n",
        body.len(),
    );
    [head.as_bytes(), &body].concat().into()
}
