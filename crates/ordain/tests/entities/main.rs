//! Entities through a real engine.

mod arguments;
mod calls;
mod context;
/// What `ordain new --lang rust` writes: compiled here, and its own tests run.
#[path = "../../../cli/src/templates/rust/src/lib.rs"]
mod project;
mod ready;
mod surface;
mod versions;
mod world;
