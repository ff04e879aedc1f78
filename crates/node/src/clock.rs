//! Where batches get their timestamps from: the machine, or a test.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ordain_types::Timestamp;

/// A source of timestamps. It may go back; batches never do.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// How long to wait, by the machine's time, before looking again whether `due` has come; none:
    /// until someone wakes the node.
    fn wait(&self, due: Timestamp) -> Option<Duration>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn wait(&self, due: Timestamp) -> Option<Duration> {
        // A clock that jumps is noticed within a second.
        let left = due.0.saturating_sub(self.now().0);
        Some(Duration::from_millis(left.min(1_000)))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct VirtualClock(AtomicU64);

impl VirtualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.0))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn wait(&self, _: Timestamp) -> Option<Duration> {
        None
    }
}
