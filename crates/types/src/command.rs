//! What the log holds: one entry each. Encoded with postcard inside a [`crate::Batch`].

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::module::{How, ModuleHash};
use crate::{BuildId, EntityId, IdempotencyKey, Json, LogId, Method, ModuleName, SendId};

/// One entry of the log. New kinds are added at the end: the position is persisted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The first command of every log, also of one that goes on from a backup.
    Genesis {
        /// What tells this log from others.
        log_id: LogId,
    },
    /// From here on, this code and these settings are in force.
    InForce(Box<InForce>),
    /// A call of an update from outside.
    Call(Box<Call>),
    /// A request from outside to call later: becomes a pending send.
    Send {
        /// What to call.
        call: Box<Call>,
        /// How long to wait before, in milliseconds.
        delay_ms: u64,
    },
    /// A pending send is due: call it. Does nothing when it was delivered before.
    Deliver {
        /// Which.
        send: SendId,
    },
    /// From here on, this package is in force as the module of this name.
    Deploy(Box<Deploy>),
    /// From here on, no module of this name is in force.
    Undeploy(Box<Undeploy>),
}

impl Command {
    /// The call that it is, if it is one from outside that runs now.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Command::Call(call) => Some(call),
            _ => None,
        }
    }
}

/// What a module's name stands for from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// The module.
    pub name: ModuleName,
    /// Its package.
    pub hash: ModuleHash,
    /// The package, encoded; none: the state has it.
    pub package: Option<Bytes>,
    /// Whether it is deployed or gone back to.
    pub how: How,
    /// Whether entities of types that this version lacks may hold state, which stays.
    pub keep_state: bool,
    /// Who asks: a token's name, empty when unknown.
    pub caller: String,
}

/// A module that is to be taken out of force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undeploy {
    /// The module.
    pub name: ModuleName,
    /// Whether its entities may hold state, which stays.
    pub keep_state: bool,
    /// Who asks: a token's name, empty when unknown.
    pub caller: String,
}

/// One call from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Whom to call.
    pub entity: EntityId,
    /// What to call.
    pub method: Method,
    /// One JSON object in the method's own spelling: declared order, no white space.
    pub args: Json,
    /// Who asks: a token's name, empty when unknown.
    pub caller: String,
    /// By which a retry is known.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Code and settings that outcomes depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Which program runs the native methods.
    pub build: BuildId,
    /// A name of the build for people: package and version.
    pub build_name: String,
    /// [`crate::limits::EXECUTOR_VERSION`] of that program.
    pub executor_version: u32,
    /// How long answers to idempotency keys and invocations are kept, in milliseconds.
    pub retention_ms: u64,
}
