//! Entities written in Rust, compiled in. The `#[entity]` macro writes the glue; what it needs at run
//! time is here: live typed values behind the engine's [`State`](ordain_engine::State), methods behind
//! its [`Run`](ordain_engine::Run), and the link by which one entity's method calls another's directly.
//!
//! ```text
//!   entity      what the macro implements, and the list of entities a program brings
//!   state       live values: made, copied, encoded, lent to a method
//!   method      a method as the engine runs it: arguments in, value out
//!   arguments   one JSON object, checked; errors name the parameter
//!   link        typed calls inside a transaction, typed requests outside
//!   json        encoding that refuses what could not be read back
//!   measure     the length of that encoding, without encoding
//!   key         what can be a key
//!   plain       arguments that need not be read again
//!   details     a rejection's details from any serde type
//! ```

mod arguments;
mod details;
mod entity;
mod json;
mod key;
mod link;
mod measure;
mod method;
mod plain;
mod state;

pub use details::WithDetails;
pub use entity::{Entities, Entity, define};
pub use json::{NotJson, from_json, to_json};
pub use key::IntoKey;
pub use link::{Address, Link};
pub use measure::encoded_len;
pub use method::{MethodResult, method, param};
pub use plain::{ByPlain, NotPlain, Plain, Plainly};
pub use state::{
    ByClone, Cloned, NativeState, NativeType, NotByClone, held, held_mut, state, state_mut,
};
