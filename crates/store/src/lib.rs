//! Durable state: what checkpoints write and cold reads fetch.
