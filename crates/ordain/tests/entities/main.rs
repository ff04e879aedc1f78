//! Entities through a real engine.

mod calls;
mod context;
mod ready;
mod surface;
mod versions;
mod world;
