//! What `#[entity]` answers to what it does not take: see `tests/ui`.
