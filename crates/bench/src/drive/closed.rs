//! Closed loop: each slot waits for its reply before it begins its next transaction.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ordain::{Node, Pipeline};
use ordain_client::{Client, Completion, Error, Sink, Stream, StreamOptions};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::lane::Lane;
use crate::answer::{Answer, Ask};
use crate::door::{call, raw};
use crate::measure::Record;

/// Drives a node in this process from this thread, all slots of the lane in flight at once.
///
/// # Errors
/// If the node refuses a request: then the settings ask for more than its queue takes.
pub fn embedded(node: &Node, mut lane: Lane) -> anyhow::Result<Record> {
    let mut pipeline = node.pipeline();
    // Replies come in the order of the requests: the slots in flight, oldest first.
    let mut order: VecDeque<usize> = VecDeque::new();
    let mut asks = Vec::with_capacity(SUBMIT_AT_ONCE);
    let mut replies = Vec::new();
    let now = Instant::now();
    for slot in 0..lane.len() {
        let first = lane.start(slot, now);
        queue(slot, first, &mut order, &mut asks, &mut pipeline)?;
    }
    loop {
        submit(&mut asks, &mut pipeline)?;
        pipeline.receive_many(&mut replies);
        if replies.is_empty() {
            return Ok(lane.into_record());
        }
        let now = Instant::now();
        for received in replies.drain(..) {
            let slot = order.pop_front().expect("a reply has its request");
            let next = lane.answered(slot, &received.reply.into(), now);
            queue(slot, next, &mut order, &mut asks, &mut pipeline)?;
        }
    }
}

/// Requests go in portions, so that the node runs the first while the others are made. All at once,
/// node and client would take turns.
pub(super) const SUBMIT_AT_ONCE: usize = 256;

pub(super) fn queue(
    slot: usize,
    ask: Option<Ask>,
    order: &mut VecDeque<usize>,
    asks: &mut Vec<Ask>,
    pipeline: &mut Pipeline,
) -> anyhow::Result<()> {
    let Some(ask) = ask else { return Ok(()) };
    order.push_back(slot);
    asks.push(ask);
    if asks.len() == SUBMIT_AT_ONCE {
        submit(asks, pipeline)?;
    }
    Ok(())
}

pub(super) fn submit(asks: &mut Vec<Ask>, pipeline: &mut Pipeline) -> anyhow::Result<()> {
    match pipeline.submit_many(asks.drain(..)).into_iter().next() {
        None => Ok(()),
        Some((_, why)) => Err(anyhow::Error::new(why).context("the node refused a request")),
    }
}

/// Drives a server by streams, one for each lane.
///
/// # Errors
/// If there is no connection.
pub async fn streams(client: &Client, lanes: Vec<Lane>, keys: bool) -> anyhow::Result<Vec<Record>> {
    let mut running = Vec::new();
    for lane in lanes {
        let in_flight_max = lane.len();
        let options = StreamOptions {
            in_flight_max,
            idempotency_keys: keys,
        };
        let stream = client.stream(options).await?;
        running.push(Streaming::begin(stream, lane));
    }
    let mut records = Vec::new();
    for streaming in running {
        streaming.over.notified().await;
        records.push(streaming.inner().lane.record().clone());
    }
    Ok(records)
}

/// A lane on a stream. Whatever comes in is answered on the stream's own task with what goes out
/// next, so that a message of replies becomes a message of calls.
struct Streaming {
    inner: Mutex<Inner>,
    over: Notify,
}

struct Inner {
    lane: Lane,
    in_flight: usize,
    /// Gone when the lane is over, and with it the connection.
    stream: Option<Stream>,
}

/// The sink's end: the stream holds it, and it does not hold itself.
struct End(Arc<Streaming>);

impl Streaming {
    fn begin(stream: Stream, lane: Lane) -> Arc<Self> {
        let slots = lane.len();
        let inner = Mutex::new(Inner {
            lane,
            in_flight: 0,
            stream: Some(stream),
        });
        let streaming = Arc::new(Self {
            inner,
            over: Notify::new(),
        });
        let sink: Arc<dyn Sink> = Arc::new(End(streaming.clone()));
        let mut inner = streaming.inner();
        let now = Instant::now();
        for slot in 0..slots {
            let ask = inner.lane.start(slot, now);
            inner.put(slot, ask, &sink, now);
        }
        inner.end(&streaming.over);
        drop(inner);
        streaming
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, slot: usize, mut ask: Option<Ask>, sink: &Arc<dyn Sink>, now: Instant) {
        while let Some(one) = ask {
            let stream = self.stream.as_ref();
            let submitted = match (call(one), stream) {
                (Ok(call), Some(stream)) => stream.submit(call, sink, slot as u64),
                (Err(error), _) => Err(error),
                (_, None) => Err(Error::Closed),
            };
            match submitted {
                Ok(()) => {
                    self.in_flight += 1;
                    return;
                }
                // No stream: this slot stays idle.
                Err(Error::Closed) => return,
                Err(error) => {
                    ask = self
                        .lane
                        .answered(slot, &Answer::None(error.to_string()), now);
                }
            }
        }
    }
}

impl Inner {
    /// Ends the lane if nothing is in flight any more.
    fn end(&mut self, over: &Notify) {
        if self.in_flight == 0 {
            self.stream = None;
            over.notify_one();
        }
    }
}

impl Sink for End {
    fn deliver(&self, completions: &mut dyn Iterator<Item = (u64, Completion)>) {
        let mut inner = self.0.inner();
        let sink: Arc<dyn Sink> = Arc::new(End(self.0.clone()));
        let now = Instant::now();
        for (slot, completion) in completions {
            let slot = slot as usize;
            inner.in_flight -= 1;
            let next = inner.lane.answered(slot, &completion.into(), now);
            inner.put(slot, next, &sink, now);
        }
        inner.end(&self.0.over);
    }
}

/// Drives a server by single HTTP requests, each slot on a connection of its own while it waits.
pub async fn calls(client: &Client, lanes: Vec<Lane>) -> anyhow::Result<Vec<Record>> {
    let mut tasks = JoinSet::new();
    for mut lane in lanes {
        assert_eq!(lane.len(), 1, "one request at a time on a connection");
        let client = client.clone();
        tasks.spawn(async move {
            let mut next = lane.start(0, Instant::now());
            while let Some(ask) = next {
                let answer = one(&client, ask).await;
                next = lane.answered(0, &answer, Instant::now());
            }
            lane.into_record()
        });
    }
    Ok(tasks.join_all().await)
}

/// One request by HTTP.
pub async fn one(client: &Client, ask: Ask) -> Answer {
    let query = matches!(ask.parts(), Ok(parts) if parts.kind == ordain_types::MethodKind::Query);
    let text = ordain::Request::from(ask.into_parts());
    let reply = match query {
        true => client.query(text).await,
        false => client.call(text).await,
    };
    raw(reply).into()
}

/// Drives a server by the batch endpoint: each lane sends a request of one call a slot, and waits for
/// all their replies before it sends the next.
pub async fn batches(client: &Client, lanes: Vec<Lane>) -> anyhow::Result<Vec<Record>> {
    let mut tasks = JoinSet::new();
    for mut lane in lanes {
        let client = client.clone();
        tasks.spawn(async move {
            let now = Instant::now();
            let mut next: Vec<_> = (0..lane.len()).map(|slot| lane.start(slot, now)).collect();
            while next.iter().any(Option::is_some) {
                next = batch(&client, &mut lane, next).await?;
            }
            anyhow::Ok(lane.into_record())
        });
    }
    tasks.join_all().await.into_iter().collect()
}

/// One batch; gives what each slot asks next.
async fn batch(
    client: &Client,
    lane: &mut Lane,
    asks: Vec<Option<Ask>>,
) -> anyhow::Result<Vec<Option<Ask>>> {
    let mut next: Vec<Option<Ask>> = asks.iter().map(|_| None).collect();
    let slots: Vec<usize> = (0..asks.len())
        .filter(|&slot| asks[slot].is_some())
        .collect();
    let calls: Result<Vec<_>, _> = asks.into_iter().flatten().map(call).collect();
    let mut batch = client.batch(calls?).await?;
    for slot in slots {
        let completion = match batch.next().await {
            Ok(Some(completion)) => completion,
            Ok(None) => anyhow::bail!("a batch was answered with too few lines"),
            Err(error) => Err(error),
        };
        next[slot] = lane.answered(slot, &completion.into(), Instant::now());
    }
    Ok(next)
}
