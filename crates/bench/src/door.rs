//! Where requests go when time does not matter: to load data and to check it. Many are in flight, and
//! answers come in the order of the requests.

use futures_util::{StreamExt, stream};
use ordain::{Node, Pipeline, Request};
use ordain_client::{Call, Client, Stream, StreamOptions};
use ordain_types::MethodKind;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::answer::{Answer, Ask, ask};

/// Requests in flight at once.
const IN_FLIGHT: usize = 1_024;

/// Takes requests and gives an answer for each, in order.
pub trait Door {
    /// Asks all of them. Each answer comes with the number of its request, from 0; an error from
    /// `take` ends it.
    ///
    /// # Errors
    /// That of `take`, or why requests cannot be made at all.
    fn each(
        &mut self,
        asks: &mut (dyn Iterator<Item = Ask> + Send),
        take: &mut (dyn FnMut(usize, Answer) -> anyhow::Result<()> + Send),
    ) -> anyhow::Result<()>;
}

/// Asks all of these for their values, which must be there.
///
/// # Errors
/// The first that has none.
pub fn values<R: DeserializeOwned>(
    door: &mut dyn Door,
    requests: impl IntoIterator<Item = Request<R>, IntoIter: Send>,
    mut take: impl FnMut(usize, R) + Send,
) -> anyhow::Result<()> {
    let mut asks = requests.into_iter().map(ask);
    door.each(&mut asks, &mut |at, answer| {
        take(at, answer.value()?);
        Ok(())
    })
}

/// A node in this process.
pub struct Embedded(pub Node);

impl Door for Embedded {
    fn each(
        &mut self,
        asks: &mut (dyn Iterator<Item = Ask> + Send),
        take: &mut (dyn FnMut(usize, Answer) -> anyhow::Result<()> + Send),
    ) -> anyhow::Result<()> {
        let mut pipeline = self.0.pipeline();
        let receive = |pipeline: &mut Pipeline, take: &mut dyn FnMut(usize, Answer) -> _| {
            pipeline
                .receive()
                .map(|received| take(received.number as usize, received.reply.into()))
        };
        for one in asks {
            while pipeline.in_flight() >= IN_FLIGHT as u64 {
                receive(&mut pipeline, take).transpose()?;
            }
            pipeline.submit(one)?;
        }
        while receive(&mut pipeline, take).transpose()?.is_some() {}
        Ok(())
    }
}

/// A server, by its stream.
pub struct Remote {
    handle: Handle,
    stream: Stream,
}

impl Remote {
    /// Connects. Not from within an async task, which it would block.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn open(handle: &Handle, client: &Client) -> anyhow::Result<Self> {
        // What is loaded leaves no answers to keys behind, which would be measured with it.
        let options = StreamOptions {
            idempotency_keys: false,
            ..Default::default()
        };
        let stream = handle.block_on(client.stream(options))?;
        Ok(Self {
            handle: handle.clone(),
            stream,
        })
    }
}

impl Door for Remote {
    fn each(
        &mut self,
        asks: &mut (dyn Iterator<Item = Ask> + Send),
        take: &mut (dyn FnMut(usize, Answer) -> anyhow::Result<()> + Send),
    ) -> anyhow::Result<()> {
        let stream = &self.stream;
        let answers = stream::iter(asks.map(|one| async move {
            let started = match call(one) {
                Ok(call) => stream.start(call).await,
                Err(error) => Err(error),
            };
            match started {
                Ok(in_flight) => Answer::from(raw(in_flight.await)),
                Err(error) => Answer::from(raw(Err(error))),
            }
        }));
        self.handle.block_on(async {
            let mut answers = std::pin::pin!(answers.buffered(IN_FLIGHT).enumerate());
            while let Some((at, answer)) = answers.next().await {
                take(at, answer)?;
            }
            Ok(())
        })
    }
}

type RawReply = ordain_client::Reply<Box<serde_json::value::RawValue>>;

/// A completion of bytes from one of text.
pub fn raw(reply: Result<RawReply, ordain_client::Error>) -> ordain_client::Completion {
    let text = |reply: RawReply| ordain_client::Reply {
        seq: reply.seq,
        value: String::from(Box::<str>::from(reply.value)).into(),
    };
    reply.map(text)
}

/// The request as a client takes it.
///
/// # Errors
/// If it names nothing that could be called.
pub fn call(one: Ask) -> Result<Call, ordain_client::Error> {
    let query = matches!(one.parts(), Ok(parts) if parts.kind == MethodKind::Query);
    Ok(if query {
        Call::query(one)?
    } else {
        Call::new(one)?
    })
}
