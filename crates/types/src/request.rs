//! A typed call, before it is a command: what the `#[entity]` macro's `Account::at("alice")` makes
//! and what nodes, clients and contexts take.
//!
//! Making one never fails, so that calls read like calls: a key that is none, or arguments that are
//! not JSON, stay in the request and are refused by whoever it is handed to, before anything runs.

use std::marker::PhantomData;

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
