//! How the node is, for readiness and metrics. Read from any thread, at no cost to the executor.

use std::sync::atomic::{AtomicU64, Ordering};

use ordain_engine::Engine;

use crate::reply::Unavailable;

/// Whether updates are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// They are.
    Ready,
    /// They are not; reads may go on.
    Unavailable(Unavailable),
}

/// Counters since the node was opened, and gauges. All are approximate to one another.
#[derive(Debug, Default)]
#[expect(
    missing_docs,
    reason = "their names say it; the metrics' help texts repeat it"
)]
pub struct Counters {
    pub commands: AtomicU64,
    pub queries: AtomicU64,
    pub rejections: AtomicU64,
    pub faults: AtomicU64,
    pub repeated: AtomicU64,
    pub batches: AtomicU64,
    pub overloads: AtomicU64,
    pub syncs: AtomicU64,
    pub sync_us: AtomicU64,
    pub log_bytes: AtomicU64,
    pub checkpoints: AtomicU64,
    pub checkpoint_failures: AtomicU64,
    pub checkpoint_seq: AtomicU64,
    pub seq: AtomicU64,
    pub durable_seq: AtomicU64,
    pub queue_commands: AtomicU64,
    pub entities_in_memory: AtomicU64,
    pub memory_bytes: AtomicU64,
    pub sends_pending: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(gauge: &AtomicU64, value: u64) {
        gauge.store(value, Ordering::Relaxed);
    }

    /// What an engine holds.
    pub(crate) fn show(&self, engine: &Engine) {
        Self::set(&self.seq, engine.seq().0);
        Self::set(&self.entities_in_memory, engine.entities_in_memory() as u64);
        Self::set(&self.memory_bytes, engine.memory_bytes() as u64);
        Self::set(&self.sends_pending, engine.sends_pending() as u64);
    }
}
