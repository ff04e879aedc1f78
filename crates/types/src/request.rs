//! A typed call, before it is a command: what the `#[entity]` macro's `Account::at("alice")` makes
//! and what nodes, clients and contexts take.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::{EntityId, Json, Method};

/// Whether a method may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MethodKind {
    /// Reads only.
    Query,
    /// May read, write, call and send.
    Update,
}

/// A call of one method of one entity, whose value is an `R`. Arguments are one JSON object.
#[derive(Debug)]
pub struct Request<R> {
    /// Whom to call.
    pub entity: EntityId,
    /// What to call.
    pub method: Method,
    /// Whether the method may write.
    pub kind: MethodKind,
    /// One JSON object: parameter name to value.
    pub args: Json,
    result: PhantomData<fn() -> R>,
}

impl<R> Request<R> {
    /// A call of `method` of `entity` with `args`.
    pub fn new(entity: EntityId, method: Method, kind: MethodKind, args: Json) -> Self {
        Self {
            entity,
            method,
            kind,
            args,
            result: PhantomData,
        }
    }
}

impl<R> Clone for Request<R> {
    fn clone(&self) -> Self {
        Self::new(
            self.entity.clone(),
            self.method.clone(),
            self.kind,
            self.args.clone(),
        )
    }
}
