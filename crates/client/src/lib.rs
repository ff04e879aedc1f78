//! The Rust client of a running server: call, query, send, batch and stream, with retries that run
//! once.
//!
//! ```text
//!   client      a server's address and how to talk to it; one method per kind of request
//!   base        the address itself
//!   modules     deploying, and what is in force
//!   call        what to call, and what comes back
//!   batch       many calls in one request, answered in order
//!   stream/     many calls in flight on one connection
//!   retry       when to try again, and when not
//!   connect     TCP and TLS connections
//!   error       why there is no value
//! ```
//!
//! Calls and sends carry a random idempotency key, the same for all attempts, so that trying again
//! after a broken connection runs nothing twice.
//!
//! The client knows HTTP, the wire shapes of `ordain-api`, and tokio. It does not know the engine,
//! the log, or what a method does.
//!
//! ```no_run
//! use ordain_client::{Client, json_request};
//!
//! # async fn run() -> Result<(), ordain_client::Error> {
//! let client = Client::new("http://127.0.0.1:4433")?;
//! let deposit = json_request("account/alice", "deposit", r#"{"amount":5}"#);
//! let reply = client.call(deposit).await?;
//! println!("{} at seq {:?}", reply.value, reply.seq);
//! # Ok(())
//! # }
//! ```

mod backup;
mod base;
mod batch;
mod call;
mod client;
mod connect;
mod error;
mod modules;
mod retry;
mod stream;

pub use batch::Batch;
pub use call::{Call, Reply, json_request, random_key};
pub use client::{Builder, Client};
pub use error::{Answer, Effect, Error};
pub use modules::ModuleSource;
pub use ordain_api::modules::ModuleFiles;
pub use stream::{Completion, InFlight, Sink, Stream, StreamOptions};
