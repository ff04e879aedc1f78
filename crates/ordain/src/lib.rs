//! Entities, the embedded node and the test kit: what Rust applications add.
