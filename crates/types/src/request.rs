//! A typed call, before it is a command: what the `#[entity]` macro's `Account::at("alice")` makes
//! and what nodes, clients and contexts take.
//!
//! Making one never fails, so that calls read like calls: a key that is none, or arguments that are
//! not JSON, stay in the request and are refused by whoever it is handed to, before anything runs.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{EntityId, Json, Method, NameError};

/// Whether a method may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MethodKind {
    /// Reads only.
    Query,
    /// May read, write, call and send.
    Update,
}

/// A call of one method of one entity, whose value is an `R`.
#[derive(Debug)]
#[must_use = "a request does nothing by itself: give it to `cx.call`, `cx.send`, a node or a client"]
pub struct Request<R> {
    parts: Result<RequestParts, RequestError>,
    result: PhantomData<fn() -> R>,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestParts {
    /// Whom to call.
    pub entity: EntityId,
    /// What to call.
    pub method: Method,
    /// Whether the method may write.
    pub kind: MethodKind,
    /// One JSON object: parameter name to value.
    pub args: Json,
    /// The same as the method takes them, if they are at hand.
    pub ready: Ready,
}

/// Arguments as their method takes them, beside the JSON that they are: a node in the same program
/// need not read that. Whoever puts them in warrants that reading would give the same, and that the
/// JSON is the method's own spelling. They do not show: a copy of a request has none, and is equal.
#[derive(Default)]
pub struct Ready(Mutex<Option<Box<dyn Any + Send>>>); // never locked: it makes what is sent shareable

impl Ready {
    /// These.
    pub fn new(args: impl Any + Send) -> Self {
        Self(Mutex::new(Some(Box::new(args))))
    }

    /// What was put in.
    pub fn into_inner(self) -> Option<Box<dyn Any + Send>> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Ready {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Ready {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Ready {}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// A request that names nothing that could be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The entity's address, or the method's name, is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The arguments cannot be written as JSON.
    #[error("the arguments of `{method}` are not JSON: {reason}")]
    Args {
        /// The method.
        method: Method,
        /// Why not.
        reason: String,
    },
}

impl<R> Request<R> {
    /// A call of `method` of `entity` with `args`.
    pub fn new(entity: EntityId, method: Method, kind: MethodKind, args: Json) -> Self {
        Self::from(Ok(RequestParts {
            entity,
            method,
            kind,
            args,
            ready: Ready::default(),
        }))
    }

    /// What is asked for.
    ///
    /// # Errors
    /// Why nothing can be called with it.
    pub fn parts(&self) -> Result<&RequestParts, &RequestError> {
        self.parts.as_ref()
    }

    /// What is asked for.
    ///
    /// # Errors
    /// Why nothing can be called with it.
    pub fn into_parts(self) -> Result<RequestParts, RequestError> {
        self.parts
    }
}

impl<R> From<Result<RequestParts, RequestError>> for Request<R> {
    fn from(parts: Result<RequestParts, RequestError>) -> Self {
        Self {
            parts,
            result: PhantomData,
        }
    }
}

impl<R> Clone for Request<R> {
    fn clone(&self) -> Self {
        Self::from(self.parts.clone())
    }
}
