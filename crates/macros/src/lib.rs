//! The `#[entity]` attribute.
