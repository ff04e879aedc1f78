//! One connection, from its first byte to its last: HTTP/1.1 or HTTP/2, found out by its first bytes,
//! and a watch over clients that are slow or silent. What is answered is not known here.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use crate::config::{HEAD_BYTES_MAX, Limits};
use crate::service;
use crate::shared::Shared;

/// How often the peer of a quiet HTTP/2 connection is asked whether it is there.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to say so.
const H2_PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a stop waits for the rest of the first head of a connection. What was never asked is owed no
/// answer.
const FIRST_HEAD_AT_STOP: Duration = Duration::from_millis(500);
/// How long it waits for a first sign of life from the peer of an HTTP/2 connection, which is told of the stop
/// and asked to say that it heard. One that says nothing is gone, and takes no reply either.
const H2_SIGN_AT_STOP: Duration = Duration::from_secs(3);
/// Bytes of replies that one HTTP/2 stream may have buffered.
const H2_SEND_BUFFER_BYTES: usize = 256 << 10;
/// Streams that a peer may open and reset before they are looked at.
const H2_RESETS_PENDING_MAX: usize = 20;

/// Settings of both protocols.
pub(crate) fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The watch below bounds heads; hyper's own would make a timer for every request.
    builder
        .http1()
        .header_read_timeout(None)
        // A client may say that it sends no more, and wait for its answers. One that is gone is then
        // noticed by what is written to it: an answer takes a bounded time, whoever waits for it.
        .half_close(true)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_TIMEOUT)
        .max_concurrent_streams(limits.h2_streams_max)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_send_buf_size(H2_SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(H2_RESETS_PENDING_MAX);
    builder
}

/// Answers all that comes over one connection.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    builder: Arc<auto::Builder<TokioExecutor>>,
    transport: Transport,
    slot: Slot,
) {
    let watched = Arc::new(Watched::new(slot));
    let io = TokioIo::new(Watching {
        transport,
        watched: watched.clone(),
    });
    let service = {
        let (shared, watched) = (shared.clone(), watched.clone());
        service_fn(move |request| {
            let (shared, busy) = (shared.clone(), watched.busy(request.version()));
            async move { Ok::<_, Infallible>(service::answer(shared, busy, request).await) }
        })
    };
    let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
    let mut look = pin!(tokio::time::sleep(shared.config.limits.head_timeout));
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            () = shared.stopping.cancelled(), if !ending => {
                ending = true;
                watched.heard.store(false, Ordering::Relaxed);
                connection.as_mut().graceful_shutdown();
                let patience = match watched.asked() {
                    true => H2_SIGN_AT_STOP,
                    false => FIRST_HEAD_AT_STOP,
                };
                look.as_mut().reset(Instant::now() + patience);
            }
            () = watched.hang_up.notified() => return,
            () = look.as_mut() => match watched.verdict(&shared.config.limits) {
                _ if shared.stopping.is_cancelled() && watched.is_gone() => return,
                Verdict::Fine(until) => look.as_mut().reset(until),
                Verdict::Idle if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                    look.as_mut().reset(Instant::now() + shared.config.limits.head_timeout);
                }
                Verdict::Idle | Verdict::Slow => return,
            },
        }
    }
}

/// A place among the connections that are allowed; free again when dropped.
pub(crate) struct Slot(Arc<Shared>);

impl Slot {
    /// Takes a place, if there is one.
    pub fn take(shared: &Arc<Shared>) -> Option<Self> {
        let connections = &shared.metrics.connections;
        let max = shared.config.limits.connections_max as u64;
        let taken = connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            (taken < max).then_some(taken + 1)
        });
        taken.ok().map(|_| Slot(shared.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known of a connection's doings.
pub(crate) struct Watched {
    began: Instant,
    /// Requests being answered, or with replies that come bit by bit.
    busy: AtomicUsize,
    /// Whether there was a request yet.
    asked: AtomicBool,
    /// HTTP/2 says other things than requests, too.
    h2: AtomicBool,
    /// When the first byte of a request came whose head is not complete; 0 if there is none. In
    /// milliseconds since `began`, as is `quiet_since`.
    head_since: AtomicU64,
    quiet_since: AtomicU64,
    /// Bytes left since the last look, other than upkeep of HTTP/2.
    wrote: AtomicBool,
    /// Bytes came since a stop began.
    heard: AtomicBool,
    /// The client does not take its reply.
    hang_up: Notify,
    _slot: Slot,
}

enum Verdict {
    /// Look again then.
    Fine(Instant),
    /// Nothing was asked for too long.
    Idle,
    /// A request's head takes too long.
    Slow,
}

impl Watched {
    fn new(slot: Slot) -> Self {
        Self {
            began: Instant::now(),
            busy: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            h2: AtomicBool::new(false),
            head_since: AtomicU64::new(0),
            quiet_since: AtomicU64::new(0),
            wrote: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            hang_up: Notify::new(),
            _slot: slot,
        }
    }

    fn now(&self) -> u64 {
        // Never 0, which says that there is none.
        self.began.elapsed().as_millis() as u64 + 1
    }

    /// A request's head is complete.
    fn busy(self: &Arc<Self>, version: http::Version) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        if !self.asked() {
            self.h2
                .store(version == http::Version::HTTP_2, Ordering::Relaxed);
            self.asked.store(true, Ordering::Relaxed);
        }
        Busy(self.clone())
    }

    fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether nobody takes what is still to be said over HTTP/2, of whom nothing was heard since a stop began.
    fn is_gone(&self) -> bool {
        let quiet = self.busy.load(Ordering::Relaxed) == 0 && !self.heard.load(Ordering::Relaxed);
        quiet && self.h2.load(Ordering::Relaxed)
    }

    fn read(&self) {
        self.heard.store(true, Ordering::Relaxed);
        let between = self.busy.load(Ordering::Relaxed) == 0;
        if between && self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn verdict(&self, limits: &Limits) -> Verdict {
        let at = |ms: u64| self.began + Duration::from_millis(ms);
        let (now, next) = (self.now(), Instant::now() + limits.head_timeout);
        if self.busy.load(Ordering::Relaxed) > 0 {
            return Verdict::Fine(next);
        }
        if !self.asked() {
            return Verdict::Slow;
        }
        if self.wrote.swap(false, Ordering::Relaxed) {
            self.quiet_since.fetch_max(now, Ordering::Relaxed);
        }
        let head_since = self.head_since.load(Ordering::Relaxed);
        if head_since != 0 && !self.h2.load(Ordering::Relaxed) {
            let until = at(head_since) + limits.head_timeout;
            return match until <= Instant::now() {
                true => Verdict::Slow,
                false => Verdict::Fine(until),
            };
        }
        let until = at(self.quiet_since.load(Ordering::Relaxed)) + limits.idle_timeout;
        match until <= Instant::now() {
            true => Verdict::Idle,
            false => Verdict::Fine(until.min(next)),
        }
    }
}

/// One request being answered on a connection. Whoever answers bit by bit keeps it until the end.
pub(crate) struct Busy(Arc<Watched>);

impl Busy {
    /// Ends a connection whose client does not take its reply: while bytes wait to leave, nothing else
    /// would. An HTTP/2 connection has other replies to give, and ends when it is idle.
    pub fn hang_up(&self) {
        if !self.0.h2.load(Ordering::Relaxed) {
            self.0.hang_up.notify_one();
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let watched = &self.0;
        watched
            .quiet_since
            .fetch_max(watched.now(), Ordering::Relaxed);
        watched.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes in and out, in the clear or not.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A transport that notes when something moved.
struct Watching {
    transport: Transport,
    watched: Arc<Watched>,
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Watching {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.transport).poll_read(cx, buf);
        if read.is_ready() {
            self.watched.read();
        }
        read
    }
}

impl Watching {
    /// Pings go back and forth for as long as a connection lasts: they do not make it less idle.
    fn note(
        &self,
        bytes: &[io::IoSlice<'_>],
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let upkeep = || {
            let h2 = self.watched.h2.load(Ordering::Relaxed);
            h2 && bytes.iter().all(|bytes| is_upkeep(bytes))
        };
        if written.is_ready() && !upkeep() {
            self.watched.wrote.store(true, Ordering::Relaxed);
        }
        written
    }
}

/// Whether this is whole frames of HTTP/2 about the connection itself, and nothing else: pings and their
/// answers, settings. Those are frames of stream 0 (RFC 9113, 4.1).
fn is_upkeep(mut bytes: &[u8]) -> bool {
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        match rest.get(length as usize..) {
            Some(rest) if head[5..] == [0; 4] => bytes = rest,
            _ => return false,
        }
    }
    bytes.is_empty()
}

impl AsyncWrite for Watching {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.note(&[io::IoSlice::new(bytes)], written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, bytes);
        self.note(bytes, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upkeep_is_told_from_replies() {
        let ping = b"\0\0\x08\x06\0\0\0\0\0whothere".to_vec();
        let settings_ack = b"\0\0\0\x04\x01\0\0\0\0".to_vec();
        let data = b"\0\0\x01\0\x01\0\0\0\x01x".to_vec();
        let both = [&ping[..], &settings_ack].concat();
        for upkeep in [&ping, &settings_ack, &both] {
            assert!(is_upkeep(upkeep), "{upkeep:?}");
        }
        for reply in [&data, &[&both[..], &data].concat(), &ping[..16].to_vec()] {
            assert!(!is_upkeep(reply), "{reply:?}");
        }
        assert!(!is_upkeep(b"HTTP/1.1 200 OK\r\n\r\n"));
    }
}
