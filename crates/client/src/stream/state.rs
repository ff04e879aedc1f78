//! The calls in flight and the frames that wait to be written. Knows no socket: what a connection
//! does to it is three functions, [`Shared::take`], [`Shared::answer`] and [`Shared::broke`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use ordain_api::frame::{CallFrame, FrameError, Frames, ReplyFrame, ReplyStatus};
use ordain_api::{Op, Problem};
use tokio::sync::{Notify, Semaphore, oneshot};

use super::{Completion, Sink, StreamOptions};
use crate::call::{Call, Reply};
use crate::error::{Effect, Error};
use crate::retry::Retries;

/// Frames are put together up to about this size: one message, one write.
const MESSAGE_BYTES: usize = 64 << 10;

/// What the stream's handles and its driver share.
pub(super) struct Shared {
    options: StreamOptions,
    retries: u32,
    /// The server's address, for what errors say.
    url: String,
    state: Mutex<State>,
    /// Rung when there is something to write, or the stream is closed.
    pub(super) bell: Notify,
    /// A permit a call that may still be submitted.
    pub(super) room: Semaphore,
}

#[derive(Default)]
struct State {
    /// By id. An id is used again once its call is answered.
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    in_flight: usize,
    /// What order calls were submitted in.
    submitted: u64,
    /// Those of earlier orders than this were given to a connection to be written.
    taken: u64,
    /// Messages of whole frames, in order.
    ready: Vec<Vec<u8>>,
    /// Calls that wait to be tried again.
    delayed: Vec<(Instant, u32)>,
    closed: bool,
}

struct Entry {
    waiter: Waiter,
    order: u64,
    effect: Effect,
    /// What it takes to ask again; only of calls that may be.
    again: Option<Again>,
}

struct Again {
    call: Call,
    retries: Retries,
    /// How the first answer was lost of what may have done it: with a connection that it was written on, say.
    lost: Option<Box<str>>,
}

impl Entry {
    fn lost(&self) -> Option<&str> {
        self.again.as_ref()?.lost.as_deref()
    }

    /// Why there is no reply of the server at `url`, in the terms of what was asked for.
    fn told(&self, error: Error, url: &str) -> Error {
        error.of(self.effect).after(self.lost(), url)
    }
}

impl Again {
    /// What it was written for came to this. A query did nothing, whatever that is.
    fn came_to(&mut self, error: &Error) {
        if self.lost.is_none() && self.call.op != Op::Query {
            self.lost = error.loss().map(String::into_boxed_str);
        }
    }
}

/// Who waits for a completion.
pub(super) enum Waiter {
    One(oneshot::Sender<Completion>),
    Sink(Arc<dyn Sink>, u64),
}

/// What the driver is to do next.
pub(super) enum Work {
    /// Write these messages.
    Write(Vec<Vec<u8>>),
    /// Wait for the bell, or until then.
    Wait(Option<Instant>),
    /// Nothing is left, and nothing will come.
    End,
}

/// A reply that no call in flight asked for, or bytes that are none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Strange {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a reply has the id {0}, which no call has")]
    Id(u64),
    #[error("a reply says it is a problem and is none: {0}")]
    Problem(String),
}

impl Shared {
    pub(super) fn new(options: StreamOptions, retries: u32, url: &str) -> Self {
        Self {
            options,
            retries,
            url: url.to_owned(),
            state: Mutex::default(),
            bell: Notify::new(),
            room: Semaphore::new(options.in_flight_max.clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    /// Whether nothing is in flight, and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        self.state().is_over()
    }

    pub(super) fn full(&self) -> Error {
        Error::Full {
            max: self.options.in_flight_max,
        }
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.bell.notify_one();
    }

    /// Puts a call in flight. The caller holds a permit of `room`.
    pub(super) fn put(&self, call: Call, waiter: Waiter) {
        let call = match self.options.idempotency_keys {
            true => call.with_key(),
            false => call,
        };
        let mut state = self.state();
        let id = state.free.pop().unwrap_or(state.entries.len() as u32);
        state.write(id, &call);
        let effect = call.effect();
        let again = (call.may_repeat() && self.retries > 0).then(|| Again {
            call,
            retries: Retries::new(self.retries),
            lost: None,
        });
        let order = state.submitted;
        state.submitted += 1;
        state.in_flight += 1;
        let entry = Some(Entry {
            waiter,
            order,
            effect,
            again,
        });
        match state.entries.get_mut(id as usize) {
            Some(slot) => *slot = entry,
            None => state.entries.push(entry),
        }
        drop(state);
        self.bell.notify_one();
    }

    /// What is to be written now.
    pub(super) fn take(&self, now: Instant) -> Work {
        let mut state = self.state();
        state.write_due(now);
        if !state.ready.is_empty() {
            state.taken = state.submitted;
            return Work::Write(std::mem::take(&mut state.ready));
        }
        match state.is_over() {
            true => Work::End,
            false => Work::Wait(state.delayed.iter().map(|(due, _)| *due).min()),
        }
    }

    /// Takes in one message of replies and delivers them.
    pub(super) fn answer(&self, message: &Bytes, now: Instant) -> Result<(), Strange> {
        let mut done = Vec::new();
        let mut state = self.state();
        let taken = Frames::new(message).try_for_each(|body| {
            let reply = ReplyFrame::decode(body?)?;
            let completion = completion(message, &reply)?;
            done.extend(state.finish(reply.id, completion, now, &self.url)?);
            Ok(())
        });
        let closing = state.is_over();
        let waiting = !state.delayed.is_empty();
        drop(state);
        if closing || waiting {
            self.bell.notify_one();
        }
        self.deliver(done);
        taken
    }

    /// After a connection broke: what may be asked again waits for the next one, in its order; the
    /// rest ends in `error`.
    pub(super) fn broke(&self, error: &Error) {
        let mut state = self.state();
        state.ready.clear();
        state.delayed.clear();
        let taken = state.taken;
        let mut again = Vec::new();
        let mut done = Vec::new();
        for id in 0..state.entries.len() as u32 {
            let Some(entry) = &mut state.entries[id as usize] else {
                continue;
            };
            let may = |again: &mut &mut Again| again.retries.next(error).is_some();
            match entry.again.as_mut().take_if(may) {
                Some(asked) => {
                    if entry.order < taken {
                        asked.came_to(error);
                    }
                    again.push((entry.order, id));
                }
                None => done.extend(state.remove(id).map(|entry| {
                    let told = entry.told(error.clone(), &self.url);
                    (entry.waiter, Err(told))
                })),
            }
        }
        again.sort_unstable();
        for (_, id) in again {
            state.write_again(id);
        }
        drop(state);
        self.deliver(done);
    }

    /// Ends everything that is in flight in `error`; what was written on a connection that broke, as lost.
    pub(super) fn fail_all(&self, error: &Error) {
        let mut state = self.state();
        state.ready.clear();
        state.delayed.clear();
        let taken = state.taken;
        let ids = 0..state.entries.len() as u32;
        let entries: Vec<_> = ids.filter_map(|id| state.remove(id)).collect();
        drop(state);
        let done = entries.into_iter().map(|entry| {
            // The stream has ended: what was written may be done all the same.
            let error = match matches!(error, Error::Closed) && entry.order < taken {
                true => Error::Lost {
                    url: self.url.clone(),
                    reason: "the stream ended before it came".to_owned(),
                    effect: entry.effect,
                },
                false => error.clone(),
            };
            let error = entry.told(error, &self.url);
            (entry.waiter, Err(error))
        });
        self.deliver(done.collect());
    }

    /// Gives back the room and hands out completions; neighbours for one sink go together. Who panics
    /// loses what was his, and takes nothing from the others.
    fn deliver(&self, done: Vec<(Waiter, Completion)>) {
        self.room.add_permits(done.len());
        let mut done = done.into_iter().peekable();
        while let Some((waiter, completion)) = done.next() {
            match waiter {
                // Whoever dropped the future does not care.
                Waiter::One(one) => held(|| drop(one.send(completion))),
                Waiter::Sink(sink, token) => {
                    let mut rest = std::iter::from_fn(|| {
                        match done.next_if(|(waiter, _)| is_for(waiter, &sink))? {
                            (Waiter::Sink(_, token), completion) => Some((token, completion)),
                            (Waiter::One(_), _) => unreachable!("asked for the sink's"),
                        }
                    });
                    let run = std::iter::once((token, completion)).chain(rest.by_ref());
                    held(|| sink.deliver(&mut { run }));
                    rest.for_each(drop); // what it did not take was its own as well
                    held(|| drop(sink));
                }
            }
        }
    }
}

/// Runs what is not the stream's own, a sink or a waker. The panic's hook has said what it panicked with.
fn held(run: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(run));
}

impl State {
    fn is_over(&self) -> bool {
        self.closed && self.in_flight == 0
    }

    fn write(&mut self, id: u32, call: &Call) {
        if self
            .ready
            .last()
            .is_none_or(|last| last.len() >= MESSAGE_BYTES)
        {
            self.ready.push(Vec::with_capacity(1 << 10));
        }
        let message = self.ready.last_mut().expect("there is one now");
        let (id, call) = (u64::from(id), call.wire());
        CallFrame { id, call }.write(message);
    }

    fn write_again(&mut self, id: u32) {
        let entry = self.entries[id as usize].take();
        let again = entry.as_ref().and_then(|entry| entry.again.as_ref());
        if let Some(again) = again {
            self.write(id, &again.call);
        }
        self.entries[id as usize] = entry;
    }

    fn write_due(&mut self, now: Instant) {
        if self.delayed.is_empty() {
            return;
        }
        let delayed = std::mem::take(&mut self.delayed);
        let (due, later) = delayed.into_iter().partition(|(due, _)| *due <= now);
        self.delayed = later;
        let due: Vec<(Instant, u32)> = due;
        for (_, id) in due {
            self.write_again(id);
        }
    }

    /// The end of a call, unless it is to be tried again.
    fn finish(
        &mut self,
        id: u64,
        completion: Completion,
        now: Instant,
        url: &str,
    ) -> Result<Option<(Waiter, Completion)>, Strange> {
        let at = u32::try_from(id).map_err(|_| Strange::Id(id))?;
        let entry = self.entries.get_mut(at as usize).and_then(Option::as_mut);
        let entry = entry.ok_or(Strange::Id(id))?;
        if let (Err(error), Some(again)) = (&completion, &mut entry.again)
            && let Some(wait) = again.retries.next(error)
        {
            again.came_to(error);
            self.delayed.push((now + wait, at));
            return Ok(None);
        }
        Ok(self.remove(at).map(|entry| {
            let told = completion.map_err(|error| entry.told(error, url));
            (entry.waiter, told)
        }))
    }

    fn remove(&mut self, id: u32) -> Option<Entry> {
        let entry = self.entries[id as usize].take()?;
        self.free.push(id);
        self.in_flight -= 1;
        Some(entry)
    }
}

/// What a reply says; a value shares the message's bytes.
fn completion(message: &Bytes, reply: &ReplyFrame<'_>) -> Result<Completion, Strange> {
    let seq = reply.seq;
    match reply.status {
        ReplyStatus::Value => Ok(Ok(Reply {
            seq,
            value: message.slice_ref(reply.json),
        })),
        ReplyStatus::Problem(_) => match serde_json::from_slice::<Problem>(reply.json) {
            Ok(problem) => Ok(Err(Error::answer(problem, seq))),
            Err(error) => Err(Strange::Problem(error.to_string())),
        },
    }
}

fn is_for(waiter: &Waiter, sink: &Arc<dyn Sink>) -> bool {
    matches!(waiter, Waiter::Sink(other, _) if Arc::ptr_eq(other, sink))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::json_request;

    #[test]
    fn a_stream_is_over_once_it_is_closed_and_nothing_is_in_flight() {
        let shared = Shared::new(StreamOptions::default(), 1, "http://a");
        assert!(!shared.is_over(), "there may come something");
        let put = || {
            let (waiter, completion) = oneshot::channel();
            let call = Call::new(json_request("account/a", "deposit", "{}")).expect("a call");
            shared.put(call, Waiter::One(waiter));
            completion
        };
        let mut written = put();
        shared.close();
        assert!(!shared.is_over());
        // Whoever asks takes nothing: what waits is written by the next connection.
        assert!(matches!(shared.take(Instant::now()), Work::Write(_)));
        let mut unwritten = put();
        shared.fail_all(&Error::Closed);
        assert!(shared.is_over());
        let told = |completion: &mut oneshot::Receiver<Completion>| completion.try_recv();
        assert!(matches!(told(&mut written), Ok(Err(Error::Lost { .. }))));
        assert!(matches!(told(&mut unwritten), Ok(Err(Error::Closed))));
    }
}
