//! The server through its sockets: real connections on loopback, a real node in memory.

mod admin;
mod auth;
mod batch;
mod bodies;
mod calls;
mod client;
mod entities;
mod halves;
mod host;
mod lifecycle;
mod limits;
mod modules;
mod protocols;
mod stream;
#[path = "../../../engine/tests/common/toy.rs"]
#[allow(
    dead_code,
    reason = "shared with the engine's tests; here a part is used"
)]
mod toy;
mod traces;
mod world;
