//! `GET /v1/stream`: a WebSocket with many calls in flight. All that can be read is read, handed to
//! the node at once, and what came back leaves with one flush. The messages are `docs/stream.md`'s;
//! what is in them is for [`ordain_api`] to say.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use bytes::Bytes;
use compact_str::CompactString;
use futures_util::{FutureExt, SinkExt, StreamExt};
use http_body_util::Either;
use ordain_api::Problem;
use ordain_api::batch::CallLine;
use ordain_api::frame::{self, CallFrame, Frames, MESSAGE_BYTES_MAX};
use ordain_types::limits::VALUE_BYTES_MAX;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::batch;
use crate::body::HttpReply;
use crate::calls::{Calls, Order};
use crate::params::Params;
use crate::service::{Asking, Held, no_header_of_one_call};
use crate::shared::Shared;

/// Bytes after which a message of replies is full. One reply may pass it.
const REPLY_BYTES: usize = 64 << 10;
/// Bytes that may wait to leave: a message of replies and what was there before it. Answers to pings are
/// kept only as far as there is room, or a client that pings and does not read would fill the memory.
const WRITE_BUFFER_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
const _: () = assert!(REPLY_BYTES + 2 * VALUE_BYTES_MAX < WRITE_BUFFER_BYTES_MAX);
/// How long a client may take to answer that the stream is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one may take to hear so that is not read any more.
const UNREAD_WAIT: Duration = Duration::from_millis(500);

/// Upgrades the connection, and answers its calls from then on.
pub(crate) async fn answer(asking: Asking) -> Result<HttpReply, Problem> {
    let Asking {
        shared,
        caller,
        request,
        held,
    } = asking;
    Params::of(request.uri().query(), &[])?;
    no_header_of_one_call(request.headers())?;
    let node = shared.answering()?.node.clone();
    if request.version() == http::Version::HTTP_2 {
        let detail = "the stream is a WebSocket, which is upgraded to over HTTP/1.1: open a connection of that for it";
        return Err(Problem::bad_request("upgrade", detail));
    }
    let (mut head, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
    let upgrade = upgrade.map_err(|error| {
        let detail = format!("the stream is a WebSocket: {}", error.body_text());
        Problem::bad_request("upgrade", detail)
    })?;
    let most = shared.config.limits.stream_calls_max;
    let calls = Calls::new(node, caller, Order::AsAnswered, most);
    let stream = Stream {
        calls,
        unread: None,
        out: Out::default(),
        ending: None,
        heard: Instant::now(),
    };
    let token = shared.tasks.token();
    let reply = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_failed_upgrade(|error| tracing::debug!(%error, "a stream did not come about"))
        .on_upgrade(move |socket| async move {
            let _open = OpenStream::new(shared.clone(), held);
            stream.run(&shared, socket).await;
            drop(token);
        });
    Ok(reply.map(Either::Right))
}

/// Counts a stream while it is open.
struct OpenStream(
    Arc<Shared>,
    #[expect(dead_code, reason = "held")] crate::connection::Busy,
);

impl OpenStream {
    /// A stream is one request only until it is open: its calls have limits of their own.
    fn new(shared: Arc<Shared>, (busy, _in_flight): Held) -> Self {
        shared.metrics.streams.fetch_add(1, Ordering::Relaxed);
        Self(shared, busy)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.metrics.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a call came, and so how it is answered.
enum Who {
    Line(Option<CompactString>),
    Frame(u64),
}

struct Stream {
    calls: Calls<Who>,
    /// The rest of a message, for when there is room.
    unread: Option<Unread>,
    out: Out,
    /// Why nothing is read any more. What is in flight is answered, then the stream closes.
    ending: Option<CloseFrame>,
    /// When the client was last heard of.
    heard: Instant,
}

impl Stream {
    async fn run(mut self, shared: &Shared, mut socket: WebSocket) {
        let limits = &shared.config.limits;
        let mut tick = tokio::time::interval(limits.idle_timeout / 2);
        loop {
            self.calls.take_turns().await;
            self.take_calls();
            let count = self.calls.submit() as u64;
            shared
                .metrics
                .stream_calls
                .fetch_add(count, Ordering::Relaxed);
            self.calls.collect();
            while let Some((who, answer)) = self.calls.answer() {
                self.out.write(who, &answer);
            }
            if !self.out.is_empty() {
                let began = Instant::now();
                if self
                    .out
                    .send(&mut socket, limits.write_timeout)
                    .await
                    .is_gone()
                {
                    return;
                }
                // Meanwhile nothing was read: that is no silence of the client's.
                self.heard += began.elapsed();
                // Room may have come for the rest of a message.
                continue;
            }
            if self.calls.is_empty()
                && let Some(why) = self.ending.take()
            {
                return close(socket, why).await;
            }
            tokio::select! {
                () = self.calls.came() => {}
                message = socket.next(), if self.reading() => {
                    if self.receive(message).is_gone() || self.drain(&mut socket).is_gone() {
                        return leave(socket, limits.write_timeout).await;
                    }
                }
                () = shared.stopping.cancelled(), if self.ending.is_none() => {
                    self.end(close_code::AWAY, "the server is stopping");
                }
                _ = tick.tick() => {
                    self.calls.give_up_if_halted();
                    let silence = self.heard.elapsed();
                    if silence >= limits.idle_timeout && self.reading() {
                        return;
                    }
                    if silence >= limits.idle_timeout / 2 {
                        self.out.messages.push_back(Message::Ping(Bytes::new()));
                    }
                }
            }
        }
    }

    fn reading(&self) -> bool {
        self.ending.is_none() && self.unread.is_none() && self.calls.has_room()
    }

    /// Takes all that is there already.
    fn drain(&mut self, socket: &mut WebSocket) -> Peer {
        while self.reading()
            && !self.calls.turn_is_over()
            && let Some(message) = socket.next().now_or_never()
        {
            if self.receive(message).is_gone() {
                return Peer::Gone;
            }
        }
        Peer::There
    }

    fn receive(&mut self, message: Option<Result<Message, axum::Error>>) -> Peer {
        self.heard = Instant::now();
        self.calls.count();
        let (text, binary) = match message {
            Some(Ok(Message::Text(text))) => (Bytes::from(text), false),
            Some(Ok(Message::Binary(bytes))) => (bytes, true),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Peer::There,
            Some(Ok(Message::Close(_))) | None => return Peer::Gone,
            Some(Err(error)) => {
                tracing::debug!(%error, "a stream's message cannot be read");
                let Some((code, reason)) = wrong(error) else {
                    return Peer::Gone;
                };
                self.end(code, reason);
                return Peer::There;
            }
        };
        self.unread = Some(Unread {
            bytes: text,
            at: 0,
            binary,
        });
        self.take_calls();
        Peer::There
    }

    /// Takes in calls of the message at hand, as far as there is room.
    fn take_calls(&mut self) {
        let Some(mut unread) = self.unread.take() else {
            return;
        };
        while unread.at < unread.bytes.len() {
            if !self.calls.has_room() {
                self.unread = Some(unread);
                return;
            }
            let taken = match unread.binary {
                true => self.take_frame(&mut unread),
                false => self.take_line(&mut unread),
            };
            if taken.is_none() {
                self.end(
                    close_code::INVALID,
                    "a frame is none; docs/stream.md has the layout",
                );
                return;
            }
        }
    }

    fn take_line(&mut self, unread: &mut Unread) -> Option<()> {
        let rest = &unread.bytes[unread.at..];
        let end = rest.iter().position(|&byte| byte == b'\n');
        let line = &rest[..end.unwrap_or(rest.len())];
        unread.at += line.len() + 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            return Some(());
        }
        match CallLine::parse(line) {
            Ok(line) => {
                let who = Who::Line(line.id.map(CompactString::from));
                self.calls.take(who, Ok(line.call));
            }
            Err(refused) => {
                let who = Who::Line(refused.id.map(CompactString::from));
                self.calls.take(who, Err(refused.problem));
            }
        }
        Some(())
    }

    /// None if it can no longer be told where frames begin or whose answer is whose.
    fn take_frame(&mut self, unread: &mut Unread) -> Option<()> {
        let mut frames = Frames::new(&unread.bytes[unread.at..]);
        let body = frames.next()?.ok()?;
        unread.at = unread.bytes.len() - frames.rest().len();
        match CallFrame::decode(body) {
            Ok(frame) => self.calls.take(Who::Frame(frame.id), Ok(frame.call)),
            Err(error) => {
                let id = CallFrame::readable_id(body)?;
                self.calls.take(Who::Frame(id), Err(error.into()));
            }
        }
        Some(())
    }

    fn end(&mut self, code: u16, reason: &'static str) {
        self.unread = None;
        self.ending = Some(CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        });
    }
}

/// A message that is being read.
struct Unread {
    bytes: Bytes,
    at: usize,
    binary: bool,
}

/// Whether someone is on the other end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    There,
    Gone,
}

impl Peer {
    fn is_gone(self) -> bool {
        self == Peer::Gone
    }
}

/// Replies on their way to one flush.
#[derive(Default)]
struct Out {
    messages: VecDeque<Message>,
    lines: Vec<u8>,
    frames: Vec<u8>,
}

impl Out {
    fn write(&mut self, who: Who, answer: &Answer) {
        match who {
            Who::Line(id) => {
                batch::write(&mut self.lines, id, answer);
                if self.lines.len() >= REPLY_BYTES {
                    self.cut_lines();
                }
            }
            Who::Frame(id) => {
                match &answer.result {
                    Ok(value) => frame::write_value(&mut self.frames, id, answer.seq, value),
                    Err(problem) => {
                        frame::write_problem(&mut self.frames, id, answer.seq, problem);
                    }
                }
                if self.frames.len() >= REPLY_BYTES {
                    self.cut_frames();
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.lines.is_empty() && self.frames.is_empty()
    }

    fn cut_lines(&mut self) {
        let lines = Bytes::from(std::mem::take(&mut self.lines));
        let text = Utf8Bytes::try_from(lines).expect("answers are JSON, and so UTF-8");
        self.messages.push_back(Message::Text(text));
    }

    fn cut_frames(&mut self) {
        let frames = Bytes::from(std::mem::take(&mut self.frames));
        self.messages.push_back(Message::Binary(frames));
    }

    /// Sends all there is. The client has its time for each message: together they may be of any size, and one
    /// that reads slowly is not one that does not read.
    async fn send(&mut self, socket: &mut WebSocket, patience: Duration) -> Peer {
        if !self.lines.is_empty() {
            self.cut_lines();
        }
        if !self.frames.is_empty() {
            self.cut_frames();
        }
        while let Some(message) = self.messages.pop_front() {
            if in_time(patience, socket.feed(message)).await.is_gone() {
                return Peer::Gone;
            }
        }
        in_time(patience, socket.flush()).await
    }
}

/// Whether the client takes something in its time.
async fn in_time(patience: Duration, taken: impl Future<Output = Result<(), axum::Error>>) -> Peer {
    match tokio::time::timeout(patience, taken).await {
        Ok(Ok(())) => Peer::There,
        Ok(Err(_)) | Err(_) => Peer::Gone,
    }
}

/// What is wrong with what a client sent, by its code of RFC 6455, 7.4.1. None if nothing is: the
/// connection broke.
fn wrong(error: axum::Error) -> Option<(u16, &'static str)> {
    use axum_tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    let error = error.into_inner().downcast::<axum_tungstenite::Error>();
    match *error.ok()? {
        axum_tungstenite::Error::Capacity(_) => Some((
            close_code::SIZE,
            "the message is too large: 4 MiB is the most",
        )),
        axum_tungstenite::Error::Utf8(_) => {
            Some((close_code::INVALID, "a text message is not UTF-8"))
        }
        axum_tungstenite::Error::Protocol(ResetWithoutClosingHandshake) => None,
        axum_tungstenite::Error::Protocol(_) => Some((
            close_code::PROTOCOL,
            "a WebSocket frame is none, or has no mask",
        )),
        _ => None,
    }
}

/// Lets what answers the client's own Close go out, if that is how it left.
async fn leave(mut socket: WebSocket, write_timeout: Duration) {
    // That the stream ends with it is told as an error.
    let _ = tokio::time::timeout(write_timeout, socket.flush()).await;
}

/// Says why, and waits a little for the client to hear it.
async fn close(mut socket: WebSocket, why: CloseFrame) {
    let closing = async {
        socket.send(Message::Close(Some(why))).await?;
        let mut answered = false;
        while let Some(Ok(_)) = socket.next().await {
            answered = true;
        }
        if !answered {
            // What cannot be read is not read any further, and a connection that ends with bytes unread
            // takes back what it said last.
            tokio::time::sleep(UNREAD_WAIT).await;
        }
        Ok::<_, axum::Error>(())
    };
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
}
