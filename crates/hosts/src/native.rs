//! Entities written in Rust, compiled in. The `#[entity]` macro writes the glue; what it needs at run
//! time is here: live typed values behind the engine's [`State`](ordain_engine::State), methods behind
//! its [`Run`](ordain_engine::Run), and the link by which one entity's method calls another's directly.
//!
//! ```text
//!   entity      what the macro implements, and the list of entities a program brings
//!   state       live values: made, copied, encoded, lent to a method
//!   method      a method as the engine runs it: arguments in, value out
//!   arguments   one JSON object, checked; errors name the parameter
//!   link        typed calls inside a transaction
//! ```

mod arguments;
mod entity;
mod link;
mod method;
mod state;

pub use entity::{Entities, Entity, Migrate, define};
pub use link::Link;
pub use method::{method, param};
pub use ordain_values::{
    Address, ByClone, ByPlain, Cloned, IntoKey, MethodResult, NotByClone, NotJson, NotPlain, Plain,
    Plainly, WithDetails, encoded_len, from_json, to_json,
};
pub use state::{NativeType, held, held_mut, state, state_mut};
