//! Real server processes on loopback, and commands that are run to their end.
#![allow(dead_code, missing_docs, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ordain");

/// A command in a directory, without the settings of whoever runs the tests.
pub fn ordain(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORDAIN_") {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).args(words).stdin(Stdio::null());
    command
}

/// Whether commands hear that their terminal closes. Not where `nohup` began these tests: it is handed down, and a
/// command outlives its terminal then, as it is to.
pub fn hangups_are_heard() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let heard = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap() & 1 == 0;
    if !heard {
        eprintln!("SIGHUP is ignored here: what it does is not tried");
    }
    heard
}

/// Sends a signal by its name: `-INT`.
pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([name, &id]).status().unwrap();
    assert!(sent.success());
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec())
        .unwrap()
        .trim_end()
        .to_owned()
}

/// A server process, killed if the test does not stop it.
pub struct Server {
    pub child: Child,
    /// What it printed until it was ready.
    pub said: Vec<String>,
    pub url: String,
    pub home: TempDir,
}

impl Server {
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[])
    }

    pub fn start_in(home: TempDir, more: &[&str]) -> Self {
        let mut words = vec!["serve"];
        if !more.contains(&"--port") {
            words.extend(["--port", "0"]);
        }
        words.extend(more);
        let command = ordain(home.path(), &words);
        Self::of(command, home)
    }

    /// What a command starts, once it is ready.
    pub fn of(mut command: Command, home: TempDir) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().starts_with("ready") {
                break;
            }
        }
        let address = said.iter().find_map(|line| line.strip_prefix("address  "));
        let Some(url) = address.map(str::to_owned) else {
            let mut why = String::new();
            child.stderr.unwrap().read_to_string(&mut why).unwrap();
            panic!("no address in {said:?}: {why}");
        };
        Self {
            child,
            said,
            url,
            home,
        }
    }

    pub fn run(&self, words: &[&str]) -> Output {
        let mut command = ordain(self.home.path(), words);
        command.env("ORDAIN_URL", &self.url).output().unwrap()
    }

    /// What a command that succeeds prints.
    pub fn get(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {error}");
        text(&output.stdout)
    }

    /// How a command fails: its exit code and what it says.
    pub fn fails(&self, words: &[&str]) -> (i32, String) {
        let output = self.run(words);
        assert_eq!(
            text(&output.stdout),
            "",
            "{words:?}: a failure prints no result"
        );
        (output.status.code().unwrap(), text(&output.stderr))
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Kills it, and gives its directory.
    pub fn kill(mut self) -> TempDir {
        self.signal("-KILL");
        self.child.wait().unwrap();
        std::mem::replace(&mut self.home, tempfile::tempdir().unwrap())
    }

    /// Asks it to stop, and gives its exit code and its directory.
    pub fn stop(mut self) -> (Option<i32>, TempDir) {
        self.signal("-TERM");
        let code = self.child.wait().unwrap().code();
        let home = std::mem::replace(&mut self.home, tempfile::tempdir().unwrap());
        (code, home)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An `ordain dev`, killed at the end.
pub struct Dev {
    pub child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    /// What it printed until the first line to paste.
    pub started: Vec<String>,
    pub url: String,
}

impl Dev {
    pub fn start(home: &Path, words: &[&str]) -> Self {
        let words = [&["dev"], words, &["--temp", "--port", "0"]].concat();
        let mut command = ordain(home, &words);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut dev = Self {
            child,
            lines,
            started: Vec::new(),
            url: String::new(),
        };
        dev.started = dev.until("curl ");
        let mut started = dev.started.iter();
        let address = started.find_map(|line| line.strip_prefix("address  "));
        dev.url = address.expect("an address").to_owned();
        dev
    }

    /// What it prints, up to a line that begins so.
    pub fn until(&mut self, begins: &str) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            said.push(self.lines.next().expect("it goes on").unwrap());
            if said.last().unwrap().starts_with(begins) {
                return said;
            }
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended already
        let _ = self.child.wait();
    }
}
