//! The one room of this crate where `unsafe` is allowed, and each block says why it holds. What is here
//! is small and knows nothing of entities: lending the running transaction to functions that the
//! interpreter calls, entering a context again from such a function, its memory, and a few functions
//! that the library does not bring.
#![allow(unsafe_code, reason = "this is the room for it")]

mod context;
mod lent;
mod memory;
mod values;

pub use context::{Entry, Inside};
pub use lent::{lend, lent};
pub use memory::Metered;
pub use values::{
    Bytecode, add_big_int, address, class_id, class_name, freeze, holds_more, load, own_values,
    parse, stringify, uncatchable,
};
