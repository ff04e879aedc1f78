//! Time that goes on when the machine's clock is set back: at the pace of the machine, a little slower,
//! until the clock has caught up. Delays are late by an eighth then, and not by all of what the clock
//! was set back. Knows readings, and not where they come from.

use std::time::Instant;

use ordain_types::Timestamp;

/// By this part slower than the machine does time go while it is ahead of the clock.
const SLOWER: u32 = 8;

/// The last reading at which the clock led, and when that was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Led {
    shows: Timestamp,
    at: Instant,
}

impl Led {
    /// From `shows` on, at `at`.
    pub fn new(shows: Timestamp, at: Instant) -> Self {
        Self { shows, at }
    }

    /// The time, by a clock that shows `shows` at `at`: never less than before.
    pub fn now(&mut self, shows: Timestamp, at: Instant) -> Timestamp {
        let passed = at.saturating_duration_since(self.at);
        let slowly = (passed - passed / SLOWER).as_millis();
        let own = self
            .shows
            .plus_ms(u64::try_from(slowly).unwrap_or(u64::MAX));
        if shows >= own {
            *self = Self { shows, at };
        }
        shows.max(own)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Readings of the clock and of the machine's own pace, and the times that come of them, in
    /// milliseconds. It begins with 1,000 at 0.
    fn check(readings: &[(u64, u64, u64)]) {
        let began = Instant::now();
        let mut led = Led::new(Timestamp(1_000), began);
        for &(shows, at_ms, time) in readings {
            let at = began + Duration::from_millis(at_ms);
            let now = led.now(Timestamp(shows), at);
            assert_eq!(now, Timestamp(time), "{shows} at {at_ms}");
        }
    }

    #[test]
    fn time_is_what_the_clock_shows() {
        check(&[(5_000, 0, 5_000), (5_070, 70, 5_070), (90_000, 71, 90_000)]);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_time() {
        let mut readings = vec![(5_000, 0, 5_000), (0, 0, 5_000)];
        // However often it is asked for: parts of a millisecond are not lost.
        readings.extend((1..=800_u64).map(|ms| (ms, ms, 5_000 + ms - ms.div_ceil(8))));
        // The clock catches up, and leads again.
        readings.extend([(100_800, 100_800, 100_800), (100_803, 100_803, 100_803)]);
        check(&readings);
    }

    #[test]
    fn what_was_last_seen_of_time_comes_before_a_clock_that_is_behind() {
        check(&[(10, 0, 1_000), (90, 80, 1_070), (1_200, 1_190, 2_041)]);
    }
}
