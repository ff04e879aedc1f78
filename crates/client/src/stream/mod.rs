//! Many calls in flight on one connection, in the compact framing of `docs/stream.md`.
//!
//! ```text
//!   submit ──► state (frames put together) ──► driver ──► one message of many frames
//!   replies ◄── completions, a message at a time ◄── driver ◄── one message of many replies
//! ```
//!
//! Whoever submits writes the frame; the driver, one task a stream, only moves bytes. Replies reach a
//! future, or a [`Sink`] that takes a whole message's replies at once.

mod driver;
mod state;

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ordain_types::{Json, Request, SendId};
use serde::de::DeserializeOwned;
use tokio::sync::{TryAcquireError, oneshot};

use crate::call::{Call, Reply};
use crate::client::Shared as Server;
use crate::error::Error;
use state::{Shared, Waiter};

/// How a call of a stream ended. A value shares the bytes of the message it came in: whoever keeps
/// it for long copies it.
pub type Completion = Result<Reply<Json>, Error>;

/// Takes replies as they come, many at once.
pub trait Sink: Send + Sync {
    /// Called on the stream's own task: must not block, nor panic. May submit. `tokens` are those given with
    /// the calls.
    fn deliver(&self, completions: &mut dyn Iterator<Item = (u64, Completion)>);
}

/// How a stream works.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions {
    /// Calls in flight at most.
    pub in_flight_max: usize,
    /// Gives every call and send an idempotency key, so that what was unanswered when a connection
    /// broke is asked again on the next one and still runs once. Without, it ends in
    /// [`Error::Lost`]. Costs bytes and the server's memory for each call.
    pub idempotency_keys: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            in_flight_max: 16_384,
            idempotency_keys: true,
        }
    }
}

/// Many calls in flight on one connection, which is made anew when it breaks. Clones share it; when
/// the last is dropped, what is in flight is still answered.
///
/// Calls begin in the order they are submitted, save those that are tried again; replies come in
/// any order.
#[derive(Clone)]
pub struct Stream {
    handle: Arc<Handle>,
}

/// Closes the stream when the last clone goes.
struct Handle {
    shared: Arc<Shared>,
}

/// A call in flight: await its value.
#[must_use = "the value comes by awaiting it"]
pub struct InFlight<R> {
    completion: oneshot::Receiver<Completion>,
    result: PhantomData<fn() -> R>,
}

impl Stream {
    pub(crate) async fn open(server: Arc<Server>, options: StreamOptions) -> Result<Self, Error> {
        let first = server.retrying(|| driver::connect(&server)).await?;
        let shared = Arc::new(Shared::new(options, server.retries, &server.base.text));
        tokio::spawn(driver::run(server, shared.clone(), first));
        let handle = Arc::new(Handle { shared });
        Ok(Self { handle })
    }

    /// Calls a method and waits for its value; waits also for room when too many calls are in flight.
    ///
    /// # Errors
    /// The rejection, the fault, or why there was no answer.
    pub async fn call<R: DeserializeOwned>(&self, request: Request<R>) -> Result<Reply<R>, Error> {
        self.start(Call::new(request)?).await?.await
    }

    /// Calls a query, otherwise like [`Stream::call`].
    ///
    /// # Errors
    /// As [`Stream::call`]; an update is refused.
    pub async fn query<R: DeserializeOwned>(&self, request: Request<R>) -> Result<Reply<R>, Error> {
        self.start(Call::query(request)?).await?.await
    }

    /// Asks for a call later, in a transaction of its own.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn send<R>(
        &self,
        request: Request<R>,
        delay: std::time::Duration,
    ) -> Result<Reply<SendId>, Error> {
        let sent = self.start::<ordain_api::replies::Sent>(Call::send(request, delay)?);
        let sent = sent.await?.await?;
        Ok(Reply {
            seq: sent.seq,
            value: sent.value.id,
        })
    }

    /// Waits for room and puts a call in flight; its value comes by awaiting the result.
    ///
    /// # Errors
    /// If the stream is closed, or the arguments are larger than any server takes.
    pub async fn start<R: DeserializeOwned>(&self, call: Call) -> Result<InFlight<R>, Error> {
        call.check_size()?;
        let shared = &self.handle.shared;
        let permit = shared.room.acquire().await.map_err(|_| Error::Closed)?;
        permit.forget();
        let (waiter, completion) = oneshot::channel();
        shared.put(call, Waiter::One(waiter));
        Ok(InFlight {
            completion,
            result: PhantomData,
        })
    }

    /// Puts a call in flight without waiting; its completion goes to `sink` with `token`.
    ///
    /// # Errors
    /// [`Error::Full`] if too many calls are in flight; [`Error::Refused`] if the arguments are larger
    /// than any server takes; [`Error::Closed`].
    pub fn submit(&self, call: Call, sink: &Arc<dyn Sink>, token: u64) -> Result<(), Error> {
        call.check_size()?;
        let shared = &self.handle.shared;
        match shared.room.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::NoPermits) => return Err(shared.full()),
            Err(TryAcquireError::Closed) => return Err(Error::Closed),
        }
        shared.put(call, Waiter::Sink(sink.clone(), token));
        Ok(())
    }

    /// Calls whose completion did not come yet.
    pub fn in_flight(&self) -> usize {
        self.handle.shared.in_flight()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<R: DeserializeOwned> Future for InFlight<R> {
    type Output = Result<Reply<R>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.completion)
            .poll(cx)
            // The driver went with its runtime.
            .map(|completion| completion.unwrap_or(Err(Error::Closed))?.decode())
    }
}
