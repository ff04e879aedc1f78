//! The Rust client: call, query, send, batch, stream, with retries that run once.
