//! Servers that answer as a test tells them: over HTTP, and over the stream. They know the wire
//! shapes and nothing of Ordain behind them.
#![allow(dead_code, missing_docs, reason = "each test file uses a part")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ordain_api::Problem;
use ordain_api::frame::{self, CallFrame, Frames};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub key: Option<String>,
    pub authorization: Option<String>,
    pub body: Bytes,
}

pub type Log = Arc<Mutex<Vec<Seen>>>;

/// Answers request after request by `answer`; none: breaks the connection instead.
pub async fn serve<F>(answer: F) -> (String, Log)
where
    F: Fn(usize, &Seen) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let log = Log::default();
    let (answer, seen) = (Arc::new(answer), log.clone());
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (answer, seen) = (answer.clone(), seen.clone());
            let service = service_fn(move |request| one(request, answer.clone(), seen.clone()));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(tcp), service);
            tokio::spawn(connection);
        }
    });
    (url, log)
}

async fn one<F>(
    request: Request<Incoming>,
    answer: Arc<F>,
    log: Log,
) -> Result<Response<Full<Bytes>>, std::io::Error>
where
    F: Fn(usize, &Seen) -> Option<Response<Full<Bytes>>>,
{
    let header = |name: &str| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
    let (key, authorization) = (header("idempotency-key"), header("authorization"));
    let line = format!("{} {}", request.method(), request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let seen = Seen {
        line,
        key,
        authorization,
        body,
    };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    answer(number, &seen).ok_or_else(|| std::io::Error::other("broken on purpose"))
}

pub fn reply(status: u16, seq: Option<u64>, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(status);
    if let Some(seq) = seq {
        builder = builder.header("ordain-seq", seq.to_string());
    }
    builder.body(Full::new(body.into())).unwrap()
}

/// One call as it came over a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamCall {
    pub id: u64,
    pub key: String,
    pub idempotency_key: Option<String>,
}

/// The server's side of one stream.
pub struct Peer {
    socket: WebSocketStream<TcpStream>,
    waiting: Vec<StreamCall>,
}

/// Where streams are accepted.
pub struct Streams {
    listener: TcpListener,
}

impl Streams {
    pub async fn listen() -> (String, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (url, Self { listener })
    }

    pub async fn accept(&self) -> Peer {
        let (tcp, _) = self.listener.accept().await.unwrap();
        let socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
        Peer {
            socket,
            waiting: Vec::new(),
        }
    }

    /// Answers the next connection's request with this instead of an upgrade.
    pub async fn turn_away(&self, answer: &str) {
        let (mut tcp, _) = self.listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = tcp.read_buf(&mut head).await.unwrap();
            assert!(read > 0, "the request came");
        }
        tcp.write_all(answer.as_bytes()).await.unwrap();
    }
}

impl Peer {
    /// Reads until `count` calls are there.
    pub async fn read(&mut self, count: usize) -> Vec<StreamCall> {
        while self.waiting.len() < count {
            let message = self.socket.next().await.expect("a message").unwrap();
            let Message::Binary(bytes) = message else {
                panic!("{message:?}")
            };
            for body in Frames::new(&bytes) {
                let frame = CallFrame::decode(body.unwrap()).unwrap();
                self.waiting.push(StreamCall {
                    id: frame.id,
                    key: frame.call.key.into_owned(),
                    idempotency_key: frame.call.idempotency_key.map(Into::into),
                });
            }
        }
        self.waiting.drain(..count).collect()
    }

    /// Answers a call with a problem.
    pub async fn refuse(&mut self, call: &StreamCall, problem: &Problem) {
        let mut message = Vec::new();
        frame::write_problem(&mut message, call.id, None, problem);
        self.write(message).await;
    }

    /// Answers each call with its key as the value and its id as the seq, in one message.
    pub async fn answer(&mut self, calls: &[StreamCall]) {
        let mut out = Vec::new();
        for call in calls {
            let value = format!("\"{}\"", call.key);
            let seq = Some(ordain_types::Seq(call.id + 1));
            frame::write_value(&mut out, call.id, seq, value.as_bytes());
        }
        self.write(out).await;
    }

    pub async fn write(&mut self, message: Vec<u8>) {
        self.socket
            .send(Message::Binary(message.into()))
            .await
            .unwrap();
    }

    /// Waits for the client to close the stream.
    pub async fn closed(mut self) {
        match self.socket.next().await {
            None | Some(Err(_) | Ok(Message::Close(_))) => {}
            Some(Ok(other)) => panic!("{other:?} instead of a close"),
        }
    }
}
