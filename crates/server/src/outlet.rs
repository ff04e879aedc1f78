//! A reply's body that is written bit by bit: a few chunks wait, then the writer does, and not for
//! ever. A body whose writer did not come to its end breaks off, so that no reader takes it for whole.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Chunks that may wait for the reader.
const CHUNKS_MAX: usize = 4;
/// Bytes of a chunk, where many small writes come together.
const CHUNK_BYTES: usize = 64 << 10;

/// Where the body is written.
pub(crate) struct Outlet {
    to: mpsc::Sender<Chunk>,
    patience: Duration,
}

enum Chunk {
    Bytes(Bytes),
    End,
}

/// The reader is gone, or so slow that it might as well be.
#[derive(Debug, thiserror::Error)]
#[error("the client does not read the reply")]
pub(crate) struct Gone;

/// An outlet and the body that comes out of it.
pub(crate) fn outlet(patience: Duration) -> (Outlet, axum::body::Body) {
    let (to, from) = mpsc::channel(CHUNKS_MAX);
    let body = stream::unfold(Some(from), |from| async {
        let mut from = from?;
        match from.recv().await {
            Some(Chunk::Bytes(bytes)) => Some((Ok(bytes), Some(from))),
            Some(Chunk::End) => None,
            None => Some((Err(io::Error::other("the reply broke off")), None)),
        }
    });
    (Outlet { to, patience }, axum::body::Body::from_stream(body))
}

impl Outlet {
    /// Writes a chunk, as soon as there is room.
    pub async fn write(&self, bytes: Bytes) -> Result<(), Gone> {
        self.send(Chunk::Bytes(bytes)).await
    }

    /// Says that the body is whole.
    pub async fn end(self) -> Result<(), Gone> {
        self.send(Chunk::End).await
    }

    async fn send(&self, chunk: Chunk) -> Result<(), Gone> {
        let sent = tokio::time::timeout(self.patience, self.to.send(chunk)).await;
        sent.map_err(|_| Gone)?.map_err(|_| Gone)
    }

    /// The reader is gone.
    pub async fn closed(&self) {
        self.to.closed().await;
    }
}

/// The same for a thread that writes.
pub(crate) struct BlockingOutlet {
    outlet: Outlet,
    runtime: Handle,
    chunk: Vec<u8>,
}

impl BlockingOutlet {
    /// To be made on the runtime that serves the body.
    pub fn new(outlet: Outlet) -> Self {
        Self {
            outlet,
            runtime: Handle::current(),
            chunk: Vec::with_capacity(CHUNK_BYTES),
        }
    }

    /// Says that the body is whole.
    pub fn end(mut self) -> io::Result<()> {
        self.flush()?;
        let Self {
            outlet, runtime, ..
        } = self;
        runtime.block_on(outlet.end()).map_err(io::Error::other)
    }
}

impl Write for BlockingOutlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() + bytes.len() > CHUNK_BYTES {
            self.flush()?;
        }
        let taken = bytes.len().min(CHUNK_BYTES);
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.runtime
            .block_on(self.outlet.write(chunk.into()))
            .map_err(io::Error::other)
    }
}
