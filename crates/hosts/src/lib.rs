//! Runs one method of one module. Each host turns its language's entities into what the engine
//! calls; who asked, in which order, and what becomes durable is none of its business.
//!
//! ```text
//!   javascript  entities in JavaScript and TypeScript, with the feature of that name
//!   native    entities written in Rust, compiled in: live typed values, no serialization in a call
//!   json_state  root values of modules' entities, for every host that runs modules
//! ```

#[cfg(feature = "javascript")]
pub mod javascript;
pub mod json_state;
pub mod native;
#[cfg(feature = "javascript")]
mod params;
