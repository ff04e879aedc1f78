//! What a node is told when it is opened.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::listener::Listener;

/// Bytes of a log segment. Each is written whole before it is used: one of another unit than was meant would fill
/// the disk before the start says a word.
const SEGMENT_BYTES_MAX: u64 = 4 << 30;

/// Settings of a node. Every one has a default that suits a laptop.
#[derive(Clone)]
pub struct Options {
    /// Bytes of one log segment.
    pub segment_bytes: u64,
    /// Requests that may wait; beyond it they are refused as overload.
    pub queue_commands_max: usize,
    /// Bytes of requests that may wait.
    pub queue_bytes_max: usize,
    /// How many requests are worth a batch of their own while another is on its way into the log. Fewer wait until it
    /// is durable, with what comes meanwhile: each batch costs a sync and some wakes of threads, however few it holds.
    /// What only reads does not wait for it.
    pub batch_min: usize,
    /// Bytes of entities kept in memory; what was not used lately leaves beyond it.
    pub memory_budget_bytes: usize,
    /// Bytes of the store's block cache.
    pub store_cache_bytes: u64,
    /// The longest time between two checkpoints, while anything changes.
    pub checkpoint_interval: Duration,
    /// Bytes of log after which a checkpoint is taken.
    pub checkpoint_log_bytes: u64,
    /// Bytes of log that are kept, with what recovery needs counted in; that stays, even if it is more.
    pub history_bytes: u64,
    /// How long answers to idempotency keys and invocations are kept.
    pub retention: Duration,
    /// What the log records as the code in force; none: the hash of the running program.
    pub build: Option<String>,
    /// A name of the build for people.
    pub build_name: String,
    /// Replay what another build left behind, and report what comes out differently.
    pub replay_other_build: bool,
    /// Check that every state written reads back as it was: for development and tests, since it costs
    /// an encoding a write.
    pub read_back: bool,
    /// Run each update twice and make a fault of any difference: for development, since it costs a run.
    pub twice: bool,
    /// Take no updates, and log nothing of the node's own accord: neither what is in force nor the sends that are due.
    /// The log keeps its history. For whoever looks into a directory: what its next start is told counts, not this.
    pub read_only: bool,
    /// Hears of what ran, for people.
    pub listener: Option<Arc<dyn Listener>>,
    /// Where timestamps come from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            queue_commands_max: 65_536,
            queue_bytes_max: 64 << 20,
            batch_min: 256,
            memory_budget_bytes: 2 << 30,
            store_cache_bytes: 64 << 20,
            checkpoint_interval: Duration::from_secs(5),
            checkpoint_log_bytes: 160 << 20,
            history_bytes: 1 << 30,
            retention: Duration::from_secs(24 * 3_600),
            build: None,
            build_name: String::new(),
            replay_other_build: false,
            read_back: false,
            twice: false,
            read_only: false,
            listener: None,
            clock: Arc::new(SystemClock::default()),
        }
    }
}

/// A setting out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the setting {name} is {value}, but must be {bounds}")]
pub struct OptionsError {
    /// Which.
    pub name: &'static str,
    /// As given.
    pub value: String,
    /// What it may be.
    pub bounds: &'static str,
}

impl Options {
    /// Checks every setting against its bounds.
    ///
    /// # Errors
    /// The first that is out of them.
    pub fn check(&self) -> Result<(), OptionsError> {
        let within = |name, value: u64, range: RangeInclusive<u64>, bounds| {
            if range.contains(&value) {
                return Ok(());
            }
            let value = value.to_string();
            Err(OptionsError {
                name,
                value,
                bounds,
            })
        };
        let least = |name, value, least, bounds| within(name, value, least..=u64::MAX, bounds);
        within(
            "segment_bytes",
            self.segment_bytes,
            64 << 10..=SEGMENT_BYTES_MAX,
            "at least 65536 bytes and at most 4294967296",
        )?;
        least(
            "queue_commands_max",
            self.queue_commands_max as u64,
            1,
            "at least 1",
        )?;
        least(
            "queue_bytes_max",
            self.queue_bytes_max as u64,
            2 << 20,
            "at least 2097152 bytes",
        )?;
        let budget = self.memory_budget_bytes as u64;
        least(
            "memory_budget_bytes",
            budget,
            1 << 20,
            "at least 1048576 bytes",
        )?;
        least(
            "store_cache_bytes",
            self.store_cache_bytes,
            1 << 20,
            "at least 1048576 bytes",
        )?;
        let interval = self.checkpoint_interval.as_millis() as u64;
        least("checkpoint_interval", interval, 1, "at least 1 ms")?;
        least(
            "checkpoint_log_bytes",
            self.checkpoint_log_bytes,
            1,
            "at least 1 byte",
        )?;
        least(
            "retention",
            self.retention.as_millis() as u64,
            1,
            "at least 1 ms",
        )
    }
}
