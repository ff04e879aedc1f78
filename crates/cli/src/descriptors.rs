//! How many connections a process has descriptors for. Log and store need some as well, and must not go
//! without because clients took them all.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not for connections: the tables that the store keeps open, segments, sockets
/// that listen, and what a process has anyway.
const OWN: u64 = 320;

/// Asks the system for as many as it gives, and tells how many connections there may be: at most
/// `wanted`.
pub fn connections(wanted: u64) -> u64 {
    let limit = raised(getrlimit(Resource::Nofile));
    let fitting = limit.map_or(wanted, |limit| fitting(wanted, limit));
    if fitting < wanted {
        tracing::warn!(
            wanted,
            connections = fitting,
            descriptors = limit,
            "there are not descriptors for as many connections; raise the limit (ulimit -n)"
        );
    }
    fitting
}

/// The limit after it was raised as far as it goes; none: there is no limit.
fn raised(limit: Rlimit) -> Option<u64> {
    let highest = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, highest) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// Where there are few descriptors, half of them are for connections.
fn fitting(wanted: u64, limit: u64) -> u64 {
    let own = OWN.min(limit / 2);
    wanted.min(limit - own).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(fitting(4_096, 1 << 20), 4_096);
        assert_eq!(fitting(4_096, 1_024), 704);
        assert_eq!(fitting(4_096, 64), 32);
        assert_eq!(fitting(10, 64), 10);
        assert_eq!(fitting(4_096, 1), 1);
    }
}
