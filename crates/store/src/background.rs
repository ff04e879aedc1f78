//! Threads whose work can wait: the one that merges, and whoever applies checkpoints.

/// The niceness of such a thread: a tenth of the weight of others, so that these run at once when they have
/// something to do, and it goes on all the same where they take all processors.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Makes the calling thread give way to others of this process and machine. Elsewhere than on Linux, where
/// only whole processes have priorities, it does nothing.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    if rustix::process::getpriority_process(None).is_ok_and(|own| own < NICENESS) {
        // With its old priority it does the same, and others wait for it some milliseconds now and then.
        let _ = rustix::process::setpriority_process(None, NICENESS);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn the_thread_that_calls_gives_way_and_no_other_does() {
        let niceness = || getpriority_process(None).unwrap();
        let before = niceness();
        let of_thread = std::thread::spawn(move || {
            give_way();
            niceness()
        });
        assert_eq!(of_thread.join().unwrap(), before.max(NICENESS));
        assert_eq!(niceness(), before);
    }
}
