//! What the context of a method and the code of `#[entity]` stand on where the engine is in the same
//! program.

use ordain_engine::{MethodDef, Param};
pub use ordain_engine::{Tx, TypeDef};
pub use ordain_hosts::native::{
    Entities, Entity, Link, Migrate, define, held, held_mut, param, state, state_mut,
};
use ordain_types::{MethodKind, Rejection};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The definition of a method whose arguments are an `A` and whose value is an `R`.
pub fn method<A, R>(
    name: &str,
    kind: MethodKind,
    params: impl FnOnce() -> Vec<Param>,
    result: &str,
    run: fn(&mut Tx, A) -> Result<R, Rejection>,
) -> MethodDef
where
    A: Serialize + DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
{
    ordain_hosts::native::method(name, kind, params(), result, run)
}
