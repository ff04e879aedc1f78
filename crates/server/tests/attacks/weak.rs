//! Servers without defences: an attack that does not succeed against these proves nothing.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

/// The HTTP library with its own defences turned off. `/wait` is never answered; anything else is, once
/// all of its body has been taken into memory.
pub async fn bare() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(1 << 30);
    builder
        .http2()
        .max_concurrent_streams(None)
        .max_header_list_size(u32::MAX >> 1)
        .max_pending_accept_reset_streams(usize::MAX)
        .max_local_error_reset_streams(None);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let builder = builder.clone();
            tokio::spawn(async move {
                let io = TokioIo::new(stream);
                let _ = builder
                    .serve_connection_with_upgrades(io, service_fn(answer))
                    .await;
            });
        }
    });
    addr
}

/// Where the bare server has a WebSocket that reads all that comes, and keeps what it would answer.
pub const STREAM: &str = "/v1/stream";

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path();
    if path == "/wait" {
        std::future::pending::<()>().await;
    }
    if path == STREAM {
        let (mut head, _) = request.into_parts();
        let upgrade = WebSocketUpgrade::from_request_parts(&mut head, &()).await;
        let reply =
            upgrade.expect("an upgrade").on_upgrade(
                async |mut socket| {
                    while let Some(Ok(_)) = socket.next().await {}
                },
            );
        return Ok(reply);
    }
    let _ = request.into_body().collect().await;
    Ok(Response::new(Body::from("ok")))
}
