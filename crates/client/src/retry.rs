//! When to try again, and how long to wait before. Waits double, and each is drawn at random from
//! its upper half, so that clients that failed together do not come back together. So that those do not either that
//! a server told together when to come back, each adds a random part of that time.

use std::time::Duration;

use ordain_api::Code;

use crate::error::Error;

/// The first wait, before it is jittered.
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait that the client chooses itself.
const LONGEST: Duration = Duration::from_secs(5);
/// The longest wait it takes from a server, before it is jittered.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// The retries of one logical call.
#[derive(Debug, Clone)]
pub(crate) struct Retries {
    left: u32,
    done: u32,
}

impl Retries {
    pub(crate) fn new(retries: u32) -> Self {
        Self {
            left: retries,
            done: 0,
        }
    }

    /// How long to wait before trying again after `error`; none to give up.
    pub(crate) fn next(&mut self, error: &Error) -> Option<Duration> {
        self.left = match may_pass(error) {
            true => self.left.checked_sub(1)?,
            false => return None,
        };
        self.done += 1;
        let asked = error.problem().and_then(|problem| problem.retry_after_ms);
        let asked = asked.map_or(Duration::ZERO, Duration::from_millis);
        let asked = asked.min(LONGEST_ASKED);
        Some(backoff(self.done - 1).max(asked + asked.mul_f64(random_part() / 2.0)))
    }
}

/// Whether the same request may fare better later. The caller sees to it that it may be repeated.
pub(crate) fn may_pass(error: &Error) -> bool {
    match error {
        Error::Connect { .. } | Error::Lost { .. } | Error::Timeout { .. } => true,
        Error::Unavailable(answer) => matches!(answer.status, 409 | 429 | 503),
        _ => false,
    }
}

/// Whether it is known that the server did nothing of what was asked.
pub(crate) fn did_nothing(error: &Error) -> bool {
    match error {
        Error::Connect { .. } | Error::Certificate { .. } => true,
        Error::Unavailable(answer) => match answer.table_code() {
            Some(code) => matches!(
                code,
                Code::Overloaded
                    | Code::Deploying
                    | Code::TooManyConnections
                    | Code::Starting
                    | Code::Stopping
            ),
            None => false,
        },
        _ => false,
    }
}

/// The wait after `failures` earlier ones.
pub(crate) fn backoff(failures: u32) -> Duration {
    let whole = FIRST.saturating_mul(1 << failures.min(16)).min(LONGEST);
    whole.mul_f64(0.5 + random_part() / 2.0)
}

/// From 0 to 1.
fn random_part() -> f64 {
    let mut random = [0; 2];
    // Without randomness waits are only less spread.
    let _ = getrandom::fill(&mut random);
    f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordain_api::Problem;

    fn unavailable(retry_after_ms: u64) -> Error {
        Error::answer(Problem::overloaded(retry_after_ms), None)
    }

    #[test]
    fn waits_grow_and_respect_what_the_server_asks() {
        for failures in 0..40 {
            let wait = backoff(failures);
            assert!(wait >= FIRST / 2 && wait <= LONGEST, "{wait:?}");
        }
        let mut retries = Retries::new(2);
        assert!(retries.next(&unavailable(0)).unwrap() <= FIRST);
        assert!(retries.next(&unavailable(7_000)).unwrap() >= Duration::from_secs(7));
        assert_eq!(
            retries.next(&unavailable(0)),
            None,
            "no more than asked for"
        );
    }

    #[test]
    fn answers_that_are_final_are_not_asked_for_again() {
        let mut retries = Retries::new(9);
        for code in [Code::Rejected, Code::Fault, Code::BadKey, Code::Internal] {
            let error = Error::answer(Problem::new(code, ""), None);
            assert_eq!(retries.next(&error), None, "{code:?}");
        }
        let long = unavailable(u64::MAX);
        let wait = retries.next(&long).expect("it may pass");
        let longest = LONGEST_ASKED + LONGEST_ASKED / 2;
        assert!(wait >= LONGEST_ASKED, "{wait:?}");
        assert!(wait <= longest, "no server stops us for ever: {wait:?}");
    }

    /// A queue that was full for all is not full of all of them again.
    #[test]
    fn those_told_together_when_to_come_back_do_not_come_back_together() {
        let asked = Duration::from_secs(7);
        let wait = |_| Retries::new(1).next(&unavailable(7_000)).expect("a wait");
        let waits: Vec<Duration> = (0..64).map(wait).collect();
        assert!(waits.iter().all(|wait| *wait >= asked), "not before");
        let (first, last) = (waits.iter().min(), waits.iter().max());
        let spread = *last.expect("64") - *first.expect("64");
        assert!(spread >= asked / 8, "{waits:?}");
    }
}
