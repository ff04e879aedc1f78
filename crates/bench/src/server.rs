//! This same program as a server in a child process, which can be killed and started again. The child
//! never outlives its owner.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ordain_client::Client;

/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(120);
/// How often a server is asked whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(2);
/// Lines of its log that are shown when it fails.
const LOG_LINES: usize = 20;

/// A server of ours.
pub struct Server {
    root: PathBuf,
    port: u16,
    /// What it is told beside where to listen.
    words: Vec<String>,
    child: Child,
    client: Client,
}

impl Server {
    /// Starts one on a free port, with its data in `root/data`, these words more, and its messages in
    /// `root/server.log`, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not become ready; the error ends with what it said last.
    pub async fn start(root: &Path, words: &[&str]) -> anyhow::Result<Self> {
        let data = std::path::absolute(root)?.join("data");
        let data = data.to_str().context("the directory's name is not UTF-8")?;
        let serve = ["serve", "--dir", data, "--log-format", "human"];
        Self::spawned(root, &[&serve, words].concat()).await
    }

    /// Starts one that answers without doing anything: what the way to a server and back costs.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn echo(root: &Path) -> anyhow::Result<Self> {
        Self::spawned(root, &["bench", "echo"]).await
    }

    async fn spawned(root: &Path, words: &[&str]) -> anyhow::Result<Self> {
        fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
        let root = std::path::absolute(root)?;
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let port = free_port().context("there is no free port on 127.0.0.1")?;
        let client = Client::builder(&format!("http://127.0.0.1:{port}"))
            .retries(0)
            .build()?;
        let child = spawn(&root, port, &words)?;
        let mut server = Self {
            root,
            port,
            words,
            child,
            client,
        };
        server.ready().await?;
        Ok(server)
    }

    /// Kills it as a power failure would, without a word, and waits until it is gone.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Starts it again after [`Server::kill`]; gives the time until it was ready.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_again(&mut self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.child = spawn(&self.root, self.port, &self.words)?;
        self.ready().await?;
        Ok(began.elapsed())
    }

    /// A client that does not try again by itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            if let Ok(ready) = self.client.ready().await
                && ready.ready
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the server ended ({status}) before it was ready; it said:\n{}",
                    self.said()
                );
            }
            if began.elapsed() > START_MAX {
                bail!(
                    "the server was not ready after {START_MAX:?}; it said:\n{}",
                    self.said()
                );
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The last lines of its log.
    fn said(&self) -> String {
        let log = fs::read_to_string(log_path(&self.root)).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.kill();
    }
}

fn spawn(root: &Path, port: u16, words: &[String]) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let log: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log_path(root))?;
    let mut command = Command::new(&program);
    command.args(words).args(["--listen", "127.0.0.1"]);
    command.args(["--port", &port.to_string()]);
    // No settings but these: neither from the environment nor from an `ordain.toml` of whoever runs us.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORDAIN_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

fn log_path(root: &Path) -> PathBuf {
    root.join("server.log")
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
