//! Modules that are WebAssembly components: what they can do, what they cannot, and what becomes of
//! those that mean harm.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read the modules they run from files"
)]

mod component;
mod costs;
mod floats;
mod guest;
mod hostile;
mod isolation;
mod refused;
mod reset;
mod starts;
mod versions;
#[cfg(target_os = "linux")]
mod want;
mod world;
