//! Many calls in one request: lines go out as they are read from an iterator, replies come back in
//! the same order, each call its own transaction. A batch is not tried again by itself: part of it
//! may have run. Calls with idempotency keys can be asked again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::Request as HttpRequest;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use ordain_api::batch::{CallLine, ReplyLine};
use ordain_api::routes;
use ordain_types::Json;

use crate::call::{Call, Reply};
use crate::client::Client;
use crate::error::{Effect, Error};

/// Lines are put together up to about this size before they are sent.
const CHUNK_BYTES: usize = 64 << 10;

/// The replies to a batch, as they come.
pub struct Batch {
    client: Client,
    body: Incoming,
    /// What came and was not given yet: whole lines and the beginning of one.
    rest: BytesMut,
    ended: bool,
    sent: Sent,
}

/// What the calls sent so far do to a server, together: it decides whether to ask again where answers are lost.
#[derive(Clone)]
struct Sent(Arc<Mutex<Effect>>);

impl Sent {
    fn add(&self, effect: Effect) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all = effect.max(*all);
    }

    /// The error in the terms of what was sent.
    fn told(&self, error: Error) -> Error {
        error.of(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Client {
    /// Sends many calls in one request. Their replies come in the same order while later calls are
    /// still being sent; each call needs its own idempotency key to be safe to repeat.
    ///
    /// # Errors
    /// Why the batch was refused as a whole.
    pub async fn batch<I>(&self, calls: I) -> Result<Batch, Error>
    where
        I: IntoIterator<Item = Call>,
        I::IntoIter: Send + 'static,
    {
        let sent = Sent(Arc::new(Mutex::new(Effect::Safe)));
        let chunks = Chunks(calls.into_iter(), sent.clone());
        let body = StreamBody::new(stream::iter(chunks)).boxed_unsync();
        let builder = HttpRequest::builder()
            .method(http::Method::POST)
            .header(CONTENT_TYPE, routes::MEDIA_NDJSON);
        let send = self.shared.send(builder, routes::BATCH, body);
        let response = tokio::time::timeout(self.shared.timeout, send).await;
        let response = response.unwrap_or_else(|_| Err(self.shared.timed_out()));
        let response = response.map_err(|error| sent.told(error))?;
        if !response.status().is_success() {
            return Err(sent.told(self.shared.refusal(response).await));
        }
        Ok(Batch {
            client: self.clone(),
            body: response.into_body(),
            rest: BytesMut::new(),
            ended: false,
            sent,
        })
    }
}

impl Batch {
    /// The next call's reply; none after the last.
    ///
    /// # Errors
    /// The outer one: why no more replies come. The inner one: why this call has no value.
    pub async fn next(&mut self) -> Result<Option<Result<Reply<Json>, Error>>, Error> {
        let next = self.next_line().await;
        next.map_err(|error| self.sent.told(error))
    }

    async fn next_line(&mut self) -> Result<Option<Result<Reply<Json>, Error>>, Error> {
        loop {
            match self.rest.iter().position(|&byte| byte == b'\n') {
                Some(end) => {
                    let line = self.rest.split_to(end + 1).freeze();
                    if !line.iter().all(u8::is_ascii_whitespace) {
                        return self.read(&line).map(Some);
                    }
                }
                None if self.ended => return self.last(),
                None => self.fill().await?,
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        let shared = &self.client.shared;
        let frame = tokio::time::timeout(shared.timeout, self.body.frame()).await;
        match frame.map_err(|_| shared.timed_out())? {
            None => self.ended = true,
            Some(Err(error)) => return Err(shared.lost(crate::client::innermost(&error))),
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.rest.extend_from_slice(data);
                }
            }
        }
        Ok(())
    }

    /// A server ends every line; what is left over was cut off.
    fn last(&self) -> Result<Option<Result<Reply<Json>, Error>>, Error> {
        match self.rest.is_empty() {
            true => Ok(None),
            false => Err(self
                .client
                .shared
                .lost("the connection broke within a line".to_owned())),
        }
    }

    fn read(&self, line: &Bytes) -> Result<Result<Reply<Json>, Error>, Error> {
        let reply = ReplyLine::parse(line).map_err(|error| {
            self.client
                .shared
                .protocol(format!("a line is no reply: {error}"))
        })?;
        let seq = reply.seq;
        Ok(match reply.result {
            Ok(value) => Ok(Reply {
                seq,
                value: line.slice_ref(value.as_bytes()),
            }),
            Err(problem) => Err(Error::answer(problem, seq)),
        })
    }
}

/// Calls as chunks of lines.
struct Chunks<I>(I, Sent);

impl<I: Iterator<Item = Call>> Iterator for Chunks<I> {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut lines = Vec::new();
        while lines.len() < CHUNK_BYTES {
            let Some(call) = self.0.next() else { break };
            self.1.add(call.effect());
            let (id, call) = (None, call.wire());
            CallLine { id, call }.write(&mut lines);
        }
        (!lines.is_empty()).then(|| Ok(Frame::data(lines.into())))
    }
}
