//! The public face of Ordain as types: what goes over HTTP and the stream, and the one table of
//! public error codes. Shared by server, command line and clients.
//!
//! ```text
//!   error     the table of codes; the problem document every failure is answered with
//!   json      depth and size of a JSON text, looked at before anything is parsed
//!   path      /v1/call/{entity}/{key}/{method}: percent-encoding, both directions
//!   routes    fixed paths, headers, query parameters, media types
//!   call      one call, query or send as it arrives, and its check
//!   batch     the same as lines of JSON (NDJSON): /v1/batch, and /v1/stream in text messages
//!   frame     the same as bytes: /v1/stream in binary messages
//!   replies   bodies of the other endpoints
//!   modules   bodies of the endpoints for modules
//!   describe  entity types and methods, for people, tools and OpenAPI
//!   openapi   the OpenAPI document of the entities present
//! ```
//!
//! This crate knows shapes. It does not know the engine, storage, sockets or any runtime: every
//! function here is a pure function of its arguments.

pub mod batch;
pub mod call;
pub mod describe;
pub mod error;
pub mod frame;
pub mod json;
pub mod modules;
pub mod openapi;
pub mod path;
pub mod replies;
pub mod routes;

pub use call::{Op, Request, WireCall};
pub use describe::{EntityDescription, MethodDescription, Param};
pub use error::{Code, Kind, Problem};
