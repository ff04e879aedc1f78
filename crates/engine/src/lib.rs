//! The deterministic heart: commands in, outcomes and effects out.
