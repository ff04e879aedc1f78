//! A server that answers without doing anything, on the stack of the real one: what the way there and back
//! costs. It knows how connections are set up and how frames look, and nothing of what calls mean.
//!
//! Its settings are those of the real server's connections; what it leaves out is the server's own: checks,
//! limits, the watch over clients, the node.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use bytes::Bytes;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use futures_util::{FutureExt, SinkExt, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use ordain_api::frame::{self, CallFrame, Frames, MESSAGE_BYTES_MAX};
use ordain_api::routes;
use ordain_cli::Failure;
use ordain_types::Seq;
use tokio::net::TcpListener;

use crate::run::until_interrupted;

/// The value that every call of a stream has; one by HTTP gets its own arguments back.
const VALUE: &[u8] = b"1000000";
/// What it says when it is asked whether it is ready: a client waits for that.
const READY: &[u8] = br#"{"ready":true,"status":"ready","seq":1}"#;
/// Bytes of a request's head at most.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes after which a message of replies is full.
const REPLY_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Args)]
struct Words {
    /// The address to listen on
    #[arg(long)]
    listen: IpAddr,
    /// The port
    #[arg(long)]
    port: u16,
}

/// The command: for `bench --echo`, which starts it.
pub fn command() -> Command {
    let about = "Answer requests and calls of streams without doing anything";
    Words::augment_args(Command::new("echo").about(about).hide(true))
}

/// Serves until somebody wants this process to end.
///
/// # Errors
/// If it cannot listen.
pub fn run(given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    Ok(until_interrupted(|_| {
        serve(SocketAddr::new(words.listen, words.port))
    })?)
}

async fn serve(addr: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(addr).await?;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let builder = builder.clone();
        tokio::spawn(async move {
            let service =
                service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
            let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            // A client that goes away is no news.
            let _ = served.await;
        });
    }
}

type Reply = Response<Either<Full<Bytes>, axum::body::Body>>;

async fn answer(request: Request<Incoming>) -> Reply {
    if request.uri().path() == routes::STREAM {
        return stream(request).await;
    }
    let body = match request.uri().path() == routes::READY {
        true => Bytes::from_static(READY),
        false => match request.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            // The client is gone already.
            Err(_) => Bytes::new(),
        },
    };
    let mut reply = Response::new(Either::Left(Full::new(body)));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(routes::MEDIA_JSON));
    headers.insert(routes::HEADER_SEQ, HeaderValue::from(1_u64));
    reply
}

async fn stream(request: Request<Incoming>) -> Reply {
    let (mut head, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
    let reply = match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(MESSAGE_BYTES_MAX)
            .max_frame_size(MESSAGE_BYTES_MAX)
            .on_upgrade(async |socket| {
                // A client that goes away is no news.
                let _ = frames(socket).await;
            }),
        Err(refused) => axum::response::IntoResponse::into_response(refused),
    };
    reply.map(Either::Right)
}

/// Takes all that is there, answers every frame of it, and flushes once.
async fn frames(mut socket: WebSocket) -> Result<(), axum::Error> {
    let mut seq = 0;
    while let Some(first) = socket.next().await {
        let mut next = Some(first);
        let mut out = Vec::new();
        while let Some(message) = next {
            if let Message::Binary(message) = message? {
                echo(&message, &mut out, &mut seq);
            }
            if out.len() >= REPLY_BYTES {
                socket
                    .feed(Message::Binary(std::mem::take(&mut out).into()))
                    .await?;
            }
            next = socket.next().now_or_never().flatten();
        }
        if !out.is_empty() {
            socket.feed(Message::Binary(out.into())).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

fn echo(message: &[u8], out: &mut Vec<u8>, seq: &mut u64) {
    for body in Frames::new(message).flatten() {
        if let Ok(call) = CallFrame::decode(body) {
            *seq += 1;
            frame::write_value(out, call.id, Some(Seq(*seq)), VALUE);
        }
    }
}

#[cfg(test)]
mod tests {
    use ordain_api::call::{Op, WireCall};
    use ordain_api::frame::ReplyFrame;

    use super::*;

    #[test]
    fn every_frame_of_a_message_is_answered() {
        let mut message = Vec::new();
        for id in [3, 9] {
            let call = WireCall {
                op: Op::Call,
                entity: "account".into(),
                key: "a".into(),
                method: "balance".into(),
                args: b"{}",
                idempotency_key: None,
                delay_ms: None,
                min_seq: None,
            };
            CallFrame { id, call }.write(&mut message);
        }
        let (mut out, mut seq) = (Vec::new(), 0);
        echo(&message, &mut out, &mut seq);
        let replies = Frames::new(&out).map(|body| {
            let reply = ReplyFrame::decode(body.expect("a frame")).expect("a reply");
            (reply.id, reply.seq, reply.json.to_vec())
        });
        let replies: Vec<_> = replies.collect();
        let value = VALUE.to_vec();
        assert_eq!(
            replies,
            [(3, Some(Seq(1)), value.clone()), (9, Some(Seq(2)), value)]
        );
    }
}
