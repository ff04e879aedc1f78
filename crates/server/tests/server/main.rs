//! The server through its sockets: real connections on loopback, a real node in memory.

mod admin;
mod auth;
mod batch;
mod calls;
mod client;
mod entities;
mod lifecycle;
mod limits;
mod protocols;
mod stream;
mod world;
