//! The real server as a child process: started, watched until it is ready, killed, stopped, paused,
//! given limits and an environment. Only ever the process that was started here is touched.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a start may take.
pub const START_MAX: Duration = Duration::from_secs(60);
/// How long a stop may take.
const STOP_MAX: Duration = Duration::from_secs(60);
/// How often a process is asked whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Lines of its messages that are shown when it fails.
const SAID_LINES: usize = 12;

/// How a server is started.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The program.
    pub program: PathBuf,
    /// Its data directory.
    pub data: PathBuf,
    /// Where its messages go.
    pub messages: PathBuf,
    /// The port; the same over restarts, so that clients find it again.
    pub port: u16,
    /// Settings, as flags and values.
    pub settings: Vec<(&'static str, String)>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Limits of the shell's `ulimit`, as in `-n 64`.
    pub limits: Vec<String>,
}

/// A server that was started. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    lines: Receiver<String>,
    messages: PathBuf,
    replayed: Option<u64>,
}

/// A server that ended before it was ready.
#[derive(Debug, thiserror::Error)]
#[error("the server ended before it was ready ({status}); it said:\n{said}")]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// Its last messages.
    pub said: String,
}

/// A port that nobody listens on.
///
/// # Errors
/// If there is none.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

impl Setup {
    /// Small segments and many checkpoints, so that a short run passes through all of them.
    pub fn new(program: &Path, root: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            program: program.to_owned(),
            data: root.join("data"),
            messages: root.join("server.log"),
            port: free_port()?,
            settings: vec![
                ("--segment-size", "256KiB".into()),
                ("--checkpoint-interval", "300ms".into()),
                ("--memory-budget", "4MiB".into()),
                ("--store-cache", "1MiB".into()),
                ("--stop-timeout", "10s".into()),
            ],
            environment: Vec::new(),
            limits: Vec::new(),
        })
    }

    /// Replaces or adds a setting.
    pub fn set(&mut self, flag: &'static str, value: impl Into<String>) {
        self.settings.retain(|(name, _)| *name != flag);
        self.settings.push((flag, value.into()));
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The program with these words, without the settings of whoever runs us.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        clean(&mut command);
        command.current_dir(self.home()).stdin(Stdio::null());
        command
    }

    /// Where nobody has left an `ordain.toml`.
    fn home(&self) -> &Path {
        self.messages.parent().expect("messages go to a file")
    }

    /// Starts it and waits for nothing.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn spawn(&self) -> anyhow::Result<Server> {
        let mut command = self.limited();
        command.args(["serve", "--log-format", "human", "--port"]);
        command.arg(self.port.to_string());
        command.arg("--dir").arg(&self.data);
        for (flag, value) in &self.settings {
            command.args([flag, value.as_str()]);
        }
        clean(&mut command);
        command.envs(self.environment.iter().cloned());
        command.current_dir(self.home()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(self.messages()?);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        // Ends when the process does: nobody else holds the other end of the pipe.
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let messages = self.messages.clone();
        Ok(Server {
            child,
            lines,
            messages,
            replayed: None,
        })
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// [`Ended`] if it ended; otherwise if it cannot be run or does not become ready.
    pub fn start(&self) -> anyhow::Result<Server> {
        let mut server = self.spawn()?;
        server.wait_ready(START_MAX)?;
        Ok(server)
    }

    /// A shell sets limits and becomes the program, so that the process is the same.
    fn limited(&self) -> Command {
        if self.limits.is_empty() {
            return Command::new(&self.program);
        }
        let limits = self
            .limits
            .iter()
            .map(|limit| format!("ulimit {limit} && "));
        let script = format!("{}exec \"$0\" \"$@\"", limits.collect::<String>());
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).arg(&self.program);
        shell
    }

    fn messages(&self) -> anyhow::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&self.messages);
        file.with_context(|| format!("cannot write {}", self.messages.display()))
    }
}

impl Server {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Commands that it replayed, as it said when it was ready.
    pub fn replayed(&self) -> Option<u64> {
        self.replayed
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// [`Ended`] if it ended; or if it took longer than `max`.
    pub fn wait_ready(&mut self, max: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + max;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with("ready") => {
                    self.replayed = replayed(&line);
                    return Ok(());
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("not ready after {max:?}; it said:\n{}", self.said())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    let said = self.said();
                    return Err(anyhow!(Ended { status, said }));
                }
            }
        }
    }

    /// As `kill -9`: no handler runs, nothing is flushed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// If it does not in time; it is killed then.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let status = self.wait(STOP_MAX)?;
        status.with_context(|| format!("it did not stop; it said:\n{}", self.said()))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("it has a process id")?, signal)?;
        Ok(())
    }

    /// Waits until it has ended by itself; none: it has not, in that time.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn wait(&mut self, max: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let end = Instant::now() + max;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Its last messages.
    pub fn said(&self) -> String {
        let messages = std::fs::read_to_string(&self.messages).unwrap_or_default();
        let lines: Vec<_> = messages.lines().collect();
        lines[lines.len().saturating_sub(SAID_LINES)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of `ready    seq 7, 3 replayed`: 3.
fn replayed(line: &str) -> Option<u64> {
    let (_, replayed) = line.strip_suffix(" replayed")?.rsplit_once(' ')?;
    replayed.parse().ok()
}

/// No settings but those given: none from the environment of whoever runs us. And no backtraces: one
/// that is written when there is no memory for it may keep a process from ending.
fn clean(command: &mut Command) {
    command.env_remove("RUST_BACKTRACE");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORDAIN_") {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_run_where_no_settings_are() {
        let setup = Setup::new(Path::new("/bin/ordain"), Path::new("/run/1")).unwrap();
        let command = setup.command(&["state-hash"]);
        assert_eq!(command.get_current_dir(), Some(Path::new("/run/1")));
    }

    #[test]
    fn the_line_of_a_server_that_is_ready_tells_what_it_replayed() {
        assert_eq!(replayed("ready    seq 17, 3 replayed"), Some(3));
        assert_eq!(replayed("ready    seq 17"), None);
    }
}
