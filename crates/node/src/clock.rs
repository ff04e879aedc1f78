//! Where batches get their timestamps from, and checkpoints their pace: the machine, or a test.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ordain_types::Timestamp;

use crate::time::Led;

/// A source of timestamps. It may go back; batches never do.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// A reading that never goes back, whatever happens to the time: only the difference of two of one
    /// clock means anything.
    fn instant(&self) -> Instant;
    /// The log that is opened has seen this time already. A clock that can goes on after it.
    fn goes_on_after(&self, _seen: Timestamp) {}
    /// How long to wait, by the machine's time, before looking again whether `due` has come; none:
    /// until someone wakes the node.
    fn wait(&self, due: Timestamp) -> Option<Duration>;
}

/// The machine's clock; when that is set back, its own time goes on (`Led`).
#[derive(Debug)]
pub struct SystemClock {
    led: Mutex<Led>,
}

impl Default for SystemClock {
    fn default() -> Self {
        let led = Mutex::new(Led::new(Timestamp::default(), Instant::now()));
        Self { led }
    }
}

impl SystemClock {
    fn led(&self) -> MutexGuard<'_, Led> {
        self.led.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut led = self.led();
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let shows = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        led.now(shows, Instant::now())
    }

    fn goes_on_after(&self, seen: Timestamp) {
        if seen > self.now() {
            *self.led() = Led::new(seen, Instant::now());
        }
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn wait(&self, due: Timestamp) -> Option<Duration> {
        // A clock that jumps is noticed within a second.
        let left = due.0.saturating_sub(self.now().0);
        Some(Duration::from_millis(left.min(1_000)))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct VirtualClock {
    now_ms: AtomicU64,
    /// Where readings begin; how far they went on is all that shows of it.
    began: Instant,
    passed_ms: AtomicU64,
}

impl VirtualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now_ms: AtomicU64::new(now.0),
            began: Instant::now(),
            passed_ms: AtomicU64::new(0),
        }
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.passed_ms.fetch_add(ms, Ordering::SeqCst);
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the time without any passing, forward or back: as when someone sets a machine's clock.
    pub fn set(&self, now: Timestamp) {
        self.now_ms.store(now.0, Ordering::SeqCst);
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new(Timestamp::default())
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.passed_ms.load(Ordering::SeqCst))
    }

    fn wait(&self, _: Timestamp) -> Option<Duration> {
        None
    }
}
