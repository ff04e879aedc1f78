//! Runs one method of one module. Each host turns its language's entities into what the engine
//! calls; who asked, in which order, and what becomes durable is none of its business.
//!
//! ```text
//!   native      entities written in Rust, compiled in: live typed values, no serialization in a call
//!   javascript  modules in JavaScript and TypeScript (feature `javascript`)
//!   wasm        modules that are WebAssembly components, in a sandbox (feature `wasm`)
//!   anatomy     what a component is made of, read before it is compiled (feature `anatomy`, which `wasm` has in it)
//!   modules     the host of modules in any of these languages
//!   json_state  root values of modules' entities, for every host that runs modules
//!   versioned   root values as they are stored, with the version of their shape
//!   params      arguments of modules' methods, checked
//!   shape       what a value must be, as a JSON schema says it
//!   depth       how deep JSON nests
//!   halves      halves of surrogate pairs in JSON
//!   scanner     JSON that is plain, read in little time
//!   lent        the running transaction, lent to functions that foreign code calls
//! ```

#[cfg(feature = "anatomy")]
pub mod anatomy;
#[cfg(any(feature = "javascript", feature = "wasm"))]
mod depth;
#[cfg(any(feature = "javascript", feature = "wasm"))]
mod halves;
#[cfg(feature = "javascript")]
pub mod javascript;
pub mod json_state;
#[cfg(any(feature = "javascript", feature = "wasm"))]
mod lent;
mod modules;
pub mod native;
#[cfg(any(feature = "javascript", feature = "wasm"))]
mod params;
#[cfg(any(feature = "javascript", feature = "wasm"))]
mod scanner;
#[cfg(any(feature = "javascript", feature = "wasm"))]
mod shape;
mod versioned;
#[cfg(feature = "wasm")]
pub mod wasm;

pub use modules::Hosts;
