//! What the context of a method and the code of `#[entity]` stand on in a WebAssembly module: the same
//! names as in a program with an engine, over the imports of the world `ordain:runtime`.
//!
//! ```text
//!   world       the world's imports and exports, made from its WIT text
//!   tx          the running transaction, as the imports show it
//!   state       the state of the running method: read at first use, written before anyone could see it
//!   link        typed calls to other entities
//!   entity      what `#[entity]` implements; the list of a module's entity types
//!   method      a method by its name: JSON arguments in, JSON value out
//!   export      what the module answers: describe, invoke, migrate
//!   memory      its allocator, made for instances as new
//! ```

mod entity;
mod export;
mod link;
mod memory;
mod method;
mod state;
mod tx;
#[doc(hidden)]
pub mod world;

pub use entity::{Entities, Entity, Migrate, TypeDef, define};
pub use export::Module;
pub use link::Link;
pub use method::{method, param};
pub use state::{held, held_mut, state, state_mut};
pub use tx::Tx;
