//! Entities through a real engine.

mod calls;
mod context;
mod surface;
mod world;
