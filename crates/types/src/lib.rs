//! The vocabulary of Ordain as types, and the encoding of everything that is persisted.
//!
//! ```text
//!   id           names: entity types, keys, methods, fields, seqs, send ids
//!   limits       every bound of the engine, in one place
//!   outcome      how a command ends: value, rejection or fault
//!   command      what the log holds: one entry each
//!   batch        consecutive commands and the digests of earlier ones; one log record
//!   granule      the ordered keys of durable state
//!   change_list  changes of durable state, in large pieces of memory
//!   module       what is deployed: packages, manifests, their history
//!   near         names like an unknown one
//!   request      a typed call, before it is a command
//!   script       tests of modules: the seam between their host and their world
//!   planted      deliberate bugs, compiled in for tests alone
//! ```
//!
//! This crate knows no I/O, no clock and no shape of the HTTP API. Every persisted thing has one
//! file with its encoding, a round-trip test and golden bytes.

pub mod batch;
pub mod change_list;
pub mod command;
pub mod granule;
pub mod id;
pub mod limits;
pub mod module;
pub mod near;
pub mod outcome;
pub mod planted;
pub mod request;
pub mod script;

pub use batch::{Batch, BatchDigest};
pub use change_list::ChangeList;
pub use command::{Call, Command, Deploy, InForce, Undeploy};
pub use granule::Granule;
pub use id::{
    BuildId, EntityId, EntityType, FieldKey, IdempotencyKey, Key, LogId, Method, ModuleName,
    NameError, SendId, Seq, Timestamp,
};
pub use module::{Package, Param, Source, SourceError};
pub use outcome::{Fault, FaultKind, Outcome, Rejection};
pub use planted::{Bug, planted};
pub use request::{MethodKind, Ready, Request, RequestError, RequestParts};

/// JSON text as bytes: arguments, results, states, details. Shared, never copied.
pub type Json = bytes::Bytes;
