//! What the context of a method and the code of `#[entity]` stand on where the engine is in the same
//! program.

pub use ordain_engine::{Tx, TypeDef};
pub use ordain_hosts::native::{
    Entities, Entity, Link, define, held, held_mut, method, param, state, state_mut,
};
