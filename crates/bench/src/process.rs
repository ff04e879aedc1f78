//! Processes: what one costs, and one that ends with its owner.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

use crate::run::blocking;

/// How long a process that is to end may take to put its things away.
const END_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether it has ended.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The processor time of this process; none where the system does not tell.
pub fn cpu_of_this_process() -> Option<Duration> {
    cpu("self")
}

/// The processor time of another process of ours.
pub fn cpu_of(pid: u32) -> Option<Duration> {
    cpu(&pid.to_string())
}

/// The processor time of another process and of its children that have ended.
pub fn cpu_of_family(pid: u32) -> Option<Duration> {
    cpu_in(&pid.to_string(), 4)
}

/// The processor time of another process, to the nanosecond. The system tells that of threads, for as long as they
/// are: what a thread had when it was looked at last is kept when it has ended.
pub struct ExactCpu {
    pid: u32,
    threads: BTreeMap<OsString, u64>,
    ended: u64,
}

impl ExactCpu {
    /// Of that process. To be looked at now and then: of a thread that ends, what it took since is not seen.
    pub fn of(pid: u32) -> Self {
        Self {
            pid,
            threads: BTreeMap::new(),
            ended: 0,
        }
    }

    /// What the threads have taken that are now, or were when it was looked at; none where the system does not tell.
    pub fn look(&mut self) -> Option<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?;
        let mut living = BTreeMap::new();
        for thread in threads.flatten() {
            // It may have ended meanwhile.
            let stat = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
            let nanos = stat.split_ascii_whitespace().next();
            if let Some(nanos) = nanos.and_then(|nanos| nanos.parse().ok()) {
                living.insert(thread.file_name(), nanos);
            }
        }
        self.seen(living)
    }

    /// These threads are there, with their nanoseconds. Of a number that is given out again the time is less than it was.
    fn seen(&mut self, living: BTreeMap<OsString, u64>) -> Option<Duration> {
        for (thread, nanos) in &self.threads {
            if living.get(thread).is_none_or(|now| now < nanos) {
                self.ended += nanos;
            }
        }
        self.threads = living;
        (!self.threads.is_empty())
            .then(|| Duration::from_nanos(self.ended + self.threads.values().sum::<u64>()))
    }
}

/// Bytes of memory that this process has.
pub fn resident() -> Option<u64> {
    resident_in("self")
}

/// Bytes of memory that another process has.
pub fn resident_of(pid: u32) -> Option<u64> {
    resident_in(&pid.to_string())
}

/// The second value of `proc(5)`'s `statm`, in pages.
fn resident_in(process: &str) -> Option<u64> {
    let pages = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

fn cpu(process: &str) -> Option<Duration> {
    cpu_in(process, 2)
}

fn cpu_in(process: &str, values: usize) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let ticks = ticks(&stat, values)?;
    let seconds = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Some(Duration::from_secs_f64(seconds))
}

/// User and system time, the 14th and 15th value of `proc(5)`'s `stat`, and with four values those of
/// children that have ended. The second is the program's name in parentheses, which may hold anything.
fn ticks(stat: &str, values: usize) -> Option<u64> {
    let rest = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let times: Vec<u64> = rest
        .skip(11)
        .take(values)
        .map_while(|time| time.parse().ok())
        .collect();
    (times.len() == values).then(|| times.iter().sum())
}

/// A process of ours. Dropped, it is asked to end, so that it puts away what it has made.
pub struct Running {
    child: Child,
    end: Signal,
}

impl Running {
    /// Starts it. `end` is what asks it to end.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command, end: Signal) -> io::Result<Self> {
        let child = command.spawn()?;
        Ok(Self { child, end })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            kill_process(pid, self.end)?;
        }
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < END_MAX {
            std::thread::sleep(ASK_AGAIN);
        }
        if !self.has_ended() {
            self.child.kill()?;
            self.child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended() {
            // Gone already is as good.
            let _ = self.end();
        }
    }
}

/// What a process said.
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// On its standard output.
    pub out: String,
    /// On its standard error.
    pub err: String,
}

/// Runs a command to its end. Who drops this before ends it.
///
/// # Errors
/// If it cannot be started.
pub async fn output(mut command: Command) -> anyhow::Result<Said> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = Running::start(&mut command, Signal::TERM)
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let (out, err) = (running.child.stdout.take(), running.child.stderr.take());
    let (out, err) = tokio::try_join!(blocking(|| whole(out)), blocking(|| whole(err)))?;
    let status = running.child.wait()?;
    Ok(Said { status, out, err })
}

fn whole(from: Option<impl Read>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut from = from.context("its output is not there")?;
    from.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_took_stays_when_it_has_ended() {
        let mut cpu = ExactCpu::of(1);
        let mut seen = |threads: &[(&str, u64)]| {
            let threads = threads.iter().map(|(name, nanos)| ((*name).into(), *nanos));
            cpu.seen(threads.collect()).map(|time| time.as_nanos())
        };
        assert_eq!(seen(&[("1", 5), ("2", 70)]), Some(75));
        assert_eq!(seen(&[("1", 6)]), Some(76));
        assert_eq!(seen(&[("1", 7), ("2", 3)]), Some(80), "its number again");
        assert_eq!(seen(&[("1", 7), ("2", 1)]), Some(81), "and again");
        assert_eq!(seen(&[]), None, "the process is gone");
    }

    #[test]
    fn the_time_of_a_process_does_not_go_back_when_a_thread_ends() {
        let mut cpu = ExactCpu::of(std::process::id());
        let (tell, burnt) = std::sync::mpsc::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let burning = std::thread::spawn(move || {
            let began = cpu_of_this_thread();
            while cpu_of_this_thread() - began < Duration::from_millis(50) {
                std::hint::spin_loop();
            }
            tell.send(()).unwrap();
            ends.recv().unwrap_err();
        });
        burnt.recv().unwrap();
        let before = cpu.look().unwrap();
        assert!(before >= Duration::from_millis(50));
        drop(end);
        burning.join().unwrap();
        assert!(cpu.look().unwrap() >= before);
    }

    fn cpu_of_this_thread() -> Duration {
        let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let nanos = stat.split_ascii_whitespace().next().unwrap();
        Duration::from_nanos(nanos.parse().unwrap())
    }

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "7 (a) b) (c) R 1 2 3 4 5 6 7 8 9 10 31 11 0 0";
        assert_eq!(ticks(stat, 2), Some(42));
        assert_eq!(ticks(stat, 4), Some(42));
        assert_eq!(ticks(stat, 9), None);
        assert_eq!(ticks("", 2), None);
    }
}
