//! Values of entities written in Rust, as JSON and back: what such entities need wherever their methods
//! run, compiled into a program with an engine or into a module without one.
//!
//! ```text
//!   json        encoding that refuses what could not be read back
//!   measure     the length of that encoding, without encoding
//!   key         what can be a key
//!   address     requests to an entity
//!   plain       arguments that need not be read again
//!   result      what a method returns
//!   cloned      copies where there is a copy
//!   details     a rejection's details from any serde type
//! ```
//!
//! Knows nothing of engines and transactions.

mod address;
mod cloned;
mod details;
mod json;
mod key;
mod measure;
mod plain;
mod result;

pub use address::Address;
pub use cloned::{ByClone, Cloned, NotByClone};
pub use details::WithDetails;
pub use json::{NotJson, append_json, from_json, to_json};
pub use key::IntoKey;
pub use measure::encoded_len;
pub use plain::{ByPlain, NotPlain, Plain, Plainly};
pub use result::MethodResult;
