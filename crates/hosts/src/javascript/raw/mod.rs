//! The room of this host where `unsafe` is allowed, and each block says why it holds. What is here is small
//! and knows nothing of entities: entering a context again from a function that the interpreter calls,
//! its memory, plain values as JSON, their names, and a few functions that the library does not bring.
#![allow(unsafe_code, reason = "this is the room for it")]

mod context;
mod memory;
mod names;
mod plain;
mod plain_read;
mod room;
mod stack;
mod values;

pub use context::{Entry, Inside, stack_address};
pub use memory::{Brake, runtime};
pub use names::Names;
pub use plain::{Plain, Written};
pub use stack::{keep_stack, stack};
pub use values::{
    Bytecode, add_big_int, address, class_id, class_name, collect_garbage, freeze, holds_more,
    load, own_values, parse, prototype, stringify, text, text_within, uncatchable,
};
