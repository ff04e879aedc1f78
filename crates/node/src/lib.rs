//! The driver: ingress, log, engine, replies, outbox, checkpoints, recovery.
