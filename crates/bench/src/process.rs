//! What a process costs: the processor time it took so far.

use std::time::Duration;

/// The processor time of this process; none where the system does not tell.
pub fn cpu_of_this_process() -> Option<Duration> {
    cpu("self")
}

/// The processor time of another process of ours.
pub fn cpu_of(pid: u32) -> Option<Duration> {
    cpu(&pid.to_string())
}

fn cpu(process: &str) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let ticks = ticks(&stat)?;
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Some(Duration::from_secs_f64(seconds))
}

/// User and system time, the 14th and 15th value of `proc(5)`'s `stat`. The second is the program's
/// name in parentheses, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut rest = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = rest.next()?.parse().ok()?;
    let system: u64 = rest.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "7 (a) b) (c) R 1 2 3 4 5 6 7 8 9 10 31 11 0 0";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks(""), None);
    }
}
