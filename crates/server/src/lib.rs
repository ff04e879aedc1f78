//! The HTTP API: calls over HTTP/1.1, HTTP/2 and WebSockets, with or without TLS.
//!
//! ```text
//!   server       listens, accepts, stops
//!   connection   one connection: protocol, watch over slow and silent clients
//!   service      one request: who asks, where it goes, what it gets; the order of all checks
//!   ├ heads, site, auth, route, params, body    its checks and its parts
//!   ├ answer     one call to the node, and its reply as a value or a problem
//!   ├ batch, stream ── calls             many calls in flight
//!   ├ inspect, admin ── outlet           states, sends; checkpoints, hashes, backups
//!   └ modules                            deployments
//!   shared       the node once there is one, limits, metrics
//!   bounded      files and pipes, read no further than they may be long; the command line reads with it,
//!                too: no crate below both reads files that are not its own
//! ```
//!
//! What always holds:
//!
//! - **Every answer that is no value is a problem of the table in [`ordain_api`]**, but for bytes that
//!   are no HTTP at all.
//! - **Nothing is read that there is no room for**: calls in flight, bytes of bodies and lines,
//!   connections and requests are bounded, by [`Limits`] and the constants beside it.
//! - **No key, argument, value or token is in a log or a metric.**
//! - **A call whose command was accepted is answered, also while the server stops**, unless its client
//!   is gone.
//!
//! ```no_run
//! # async fn run(open: fn() -> ordain_node::Node) -> Result<(), Box<dyn std::error::Error>> {
//! use ordain_server::{Config, Server};
//!
//! let server = Server::bind(Config::default()).await?;
//! println!("http://{}", server.local_addr());
//! let handle = server.handle();
//! // Opening replays the log; meanwhile the server says how far that is.
//! std::thread::spawn(move || handle.set_node(open()));
//! let stop = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
//! server.serve(stop).await;
//! # Ok(())
//! # }
//! ```
//!
//! The server knows neither the log nor how methods run; it installs nothing global.

mod admin;
mod answer;
mod auth;
mod batch;
mod body;
pub mod bounded;
mod calls;
mod config;
mod connection;
mod heads;
mod inspect;
mod metrics;
mod modules;
mod outlet;
mod params;
mod room;
mod route;
mod server;
mod service;
mod shared;
mod site;
mod stream;
mod tls;

pub use auth::{Scope, Token, TokenError};
pub use config::{
    ADMIN_REQUESTS_MAX, ANSWER_BYTES_MAX, BODY_BYTES_PER_SEC_MIN, BindError, Config,
    HEAD_BYTES_MAX, LINE_BYTES_MAX, Limits, PAGE_BYTES_MAX, PAGE_FIELDS, PAGE_FIELDS_MAX, TlsFiles,
};
pub use route::{ServedRoute, served_routes};
pub use server::{Handle, Server, Stopped};
