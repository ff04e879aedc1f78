//! Modules that are WebAssembly components of the world `ordain:runtime` (`wit/ordain-runtime.wit`).
//!
//! ```text
//!   host        sources to packages, packages to methods
//!   config      how the runtime is set up: determinism, limits, the pool
//!   imports     what a component may import, and what to do about the rest
//!   world       the world's types, as they cross
//!   describe    what a module says it brings, checked
//!   code        a compiled module
//!   codes       compiled modules by their bytes: in memory, and in a directory
//!   method      one method as the engine runs it
//!   instance    one instance with its memory, and the call it is in
//!   running     what one transaction has of instances, memory and work
//!   warm        instances that wait for the next transaction
//!   reset       an instance becomes again what it was when it was new
//!   functions   what a module imports
//!   migrate     states of other versions
//!   json        texts from a module, checked
//!   trap        traps to faults
//! ```
//!
//! An outcome depends on the module's bytes, the transaction and the limits alone: see `docs/wasm.md`.

mod code;
mod codes;
mod config;
mod describe;
mod functions;
mod host;
mod imports;
mod instance;
mod json;
mod method;
mod migrate;
mod reset;
mod running;
mod trap;
mod warm;
mod world;

pub use host::WasmHost;
