//! Runs one method of one module. Each host turns its language's entities into what the engine
//! calls; who asked, in which order, and what becomes durable is none of its business.
//!
//! ```text
//!   native    entities written in Rust, compiled in: live typed values, no serialization in a call
//!   json_state  root values of modules' entities, for every host that runs modules
//! ```

pub mod json_state;
pub mod native;
