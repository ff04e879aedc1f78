//! The durable log: segments on disk, one write and one sync a batch.
