//! `serve`, and what `dev` shares with it: a node behind HTTP, until it is told to stop.
//!
//! The server listens first and opens the data directory then, so that `/readyz` can say how far
//! the replay is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use ordain_node::{Catalog, Node, Options, Recovered};
use ordain_server::{BindError, Config as ServerConfig, Handle, Limits, Server, TlsFiles};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::dev::Developed;
use super::telling;
use crate::command::{Context, ExtraCommand};
use crate::config::Config;
use crate::descriptors;
use crate::exit::{Exit, Failure};
use crate::node;
use crate::output::{Messages, tell};
use crate::settings::Group;
use crate::signals::Signals;

/// Signals so close together are one wish: a wrapper passes on what its whole group of processes was sent
/// (`timeout`, `npm run`).
const ONE_WISH: Duration = Duration::from_millis(500);

/// The settings they take.
pub const GROUPS: &[Group] = &[Group::Data, Group::Serve];

/// The command `serve`.
pub fn serve() -> ExtraCommand {
    let command = Command::new("serve").about("Run the server").args([
        node::modules_flag(),
        replay_flag(),
        no_json(),
    ]);
    ExtraCommand::new(command, GROUPS, |context, given| {
        let dir = context.config.dir();
        run(context, given, &dir, None, Purpose::Serving)
    })
}

/// The flag of all that may replay a log.
pub fn replay_flag() -> Arg {
    Arg::new("replay_other_build")
        .long("replay-other-build")
        .action(ArgAction::SetTrue)
        .help("Replay what another build left in the log, and print every outcome that differs")
}

/// In the place of the flag that all commands have, which is not listed where it would do nothing.
pub fn no_json() -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .hide(true)
}

/// What a server is for.
pub enum Purpose {
    /// Serving.
    Serving,
    /// Trying out what the program has.
    Trying,
    /// Developing a module.
    Developing(Arc<Developed>),
}

/// What a start needs to know.
struct Start {
    catalog: Catalog,
    dir: PathBuf,
    /// What is to be gone at the end.
    temp: Option<PathBuf>,
    options: Options,
    context: Context,
    purpose: Purpose,
    messages: Messages,
    phase: watch::Sender<Phase>,
}

/// How far the opening of the node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// What it has to replay is not known.
    Looking,
    /// It replays what no checkpoint holds.
    Replaying,
    /// The server has the node.
    Open,
}

/// Runs a server until it is told to stop. Whoever made a directory `temp` for it removes that afterwards; it is done
/// here where the process ends at once.
///
/// # Errors
/// Why it did not start.
pub fn run(
    context: Context,
    given: &ArgMatches,
    dir: &Path,
    temp: Option<&Path>,
    purpose: Purpose,
) -> Result<(), Failure> {
    if context.output.json {
        return Err(Failure::usage(
            "--json is for results, and a server prints none; its messages are JSON with --log-format json",
        ));
    }
    let messages = telling::start(&context.config)?;
    let as_json = context.config.text("log_format") == Some("json");
    let ended = run_telling(context, given, dir, temp, purpose, &messages);
    let ended = match as_json {
        true => ended.map_err(telling::last_word),
        false => ended,
    };
    messages.flush();
    ended
}

fn run_telling(
    context: Context,
    given: &ArgMatches,
    dir: &Path,
    temp: Option<&Path>,
    purpose: Purpose,
    messages: &Messages,
) -> Result<(), Failure> {
    let module = match &purpose {
        Purpose::Developing(module) => Some(module),
        Purpose::Serving | Purpose::Trying => None,
    };
    // A module that is developed would clash with entities of the same names.
    let bare = module.is_some() || given.get_flag("modules_only");
    let (catalog, options) = node::opened_with(&context, bare)?;
    let options = Options {
        replay_other_build: given.get_flag("replay_other_build"),
        // Of a module its author hears everything, and at once what is not deterministic.
        twice: module.is_some(),
        listener: module.map(|module| module.listener()),
        ..options
    };
    let start = Start {
        catalog,
        dir: dir.to_owned(),
        temp: temp.map(Path::to_owned),
        options,
        context,
        purpose,
        messages: messages.clone(),
        phase: watch::Sender::new(Phase::Looking),
    };
    let runtime = runtime()?;
    let ended = runtime.block_on(start.serve());
    // A replay that was interrupted is not waited for: it changed nothing.
    runtime.shutdown_background();
    ended
}

/// Where requests are served. A system that gives no thread for it makes tokio panic, and then wait
/// for ever for threads that never began: so a panic here ends the process.
fn runtime() -> Result<Runtime, Failure> {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|why| {
        let why = why.payload_as_str().unwrap_or("no reason given");
        tell(format_args!(
            "cannot start the server's threads: {why}; allow this process more memory (address space) or more threads"
        ));
        std::process::exit(i32::from(Exit::Failed.code()));
    }));
    let built = Builder::new_multi_thread().enable_all().build();
    std::panic::set_hook(usual);
    Ok(built.map_err(anyhow::Error::from)?)
}

impl Start {
    async fn serve(self) -> Result<(), Failure> {
        let mut signals = Signals::new().map_err(|error| Failure::new(Exit::Failed, error))?;
        let config = server_config(
            &self.context.config,
            !matches!(self.purpose, Purpose::Serving),
        )?;
        let server = Server::bind(config).await?;
        if let Purpose::Developing(module) = &self.purpose {
            module.prepare(&self.dir)?;
        }
        let url = self.url(&server);
        self.say_where(&url)?;
        let (handle, mut failure, mut interrupted) = (server.handle(), None, false);
        let until = async {
            let mut opening = pin!(self.open(handle, &url));
            let opened = tokio::select! {
                opened = &mut opening => Some(opened),
                () = signals.next() => None,
            };
            match opened {
                Some(Ok(())) => signals.next().await,
                Some(Err(why)) => return failure = Some(why),
                None => {}
            }
            let is_open = opened.is_some();
            tracing::info!("stopping; a second signal stops at once");
            let (messages, temp) = (self.messages.clone(), self.temp.clone());
            tokio::spawn(exit_at_next(signals, messages, temp));
            if !is_open {
                tokio::select! {
                    opened = &mut opening => failure = opened.err(),
                    replays = self.replays() => interrupted = replays,
                }
            }
        };
        let stopped = server.serve(until).await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let interrupted = interrupted.then(|| INTERRUPTED.to_owned());
        let left = stopped.unsaved.or(interrupted);
        let saved = left.is_none();
        tracing::info!(drained = stopped.drained, saved, "stopped");
        left.map_or(Ok(()), |why| Err(unsaved(&why)))
    }

    /// Whether there is something to replay that is not replayed, once that is known.
    async fn replays(&self) -> bool {
        let mut phase = self.phase.subscribe();
        let known = phase.wait_for(|phase| *phase != Phase::Looking).await;
        known.is_ok_and(|phase| *phase == Phase::Replaying)
    }

    /// Opens the node, off the threads that serve, and gives it to the server.
    async fn open(&self, handle: Handle, url: &str) -> Result<(), Failure> {
        let began = Instant::now();
        let (dir, catalog) = (self.dir.clone(), self.catalog.clone());
        let options = self.options.clone();
        let (progress, phase) = (handle.clone(), self.phase.clone());
        let opened = tokio::task::spawn_blocking(move || {
            node::open(&dir, catalog, options, &mut |at| {
                phase.send_replace(Phase::Replaying);
                progress.set_progress(at);
            })
        });
        let opened = opened
            .await
            .map_err(|_| Failure::new(Exit::Failed, "the start panicked"))?; // the torture knows this word
        let (node, recovered): (Node, Recovered) = opened?;
        handle.set_node(node.clone());
        self.phase.send_replace(Phase::Open);
        self.say_ready(&node, &recovered, url);
        tracing::info!(
            seq = recovered.seq.0,
            replayed = recovered.replayed,
            took_ms = began.elapsed().as_millis() as u64,
            url,
            "ready"
        );
        if let Purpose::Developing(module) = &self.purpose {
            let module = module.clone();
            let url = url.to_owned();
            let begun = tokio::task::spawn_blocking(move || module.begin(node, &url));
            begun
                .await
                .map_err(|_| Failure::new(Exit::Failed, "the first deployment panicked"))?;
        }
        Ok(())
    }

    fn url(&self, server: &Server) -> String {
        let tls = self.context.config.path("tls_cert").is_some();
        let scheme = if tls { "https" } else { "http" };
        format!("{scheme}://{}", server.local_addr())
    }

    fn say_where(&self, url: &str) -> Result<(), Failure> {
        let dir = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
        let build = match &self.options.build {
            Some(build) => build.clone(),
            None => node::this_build()?,
        };
        self.say(format!("{}, build {build}", self.context.program));
        self.say(format!("data     {}", dir.display()));
        self.say(format!("address  {url}"));
        Ok(())
    }

    fn say_ready(&self, node: &Node, recovered: &Recovered, url: &str) {
        for difference in &recovered.differences {
            let (seq, method, now) = (difference.seq, &difference.method, &difference.now);
            tracing::warn!(seq = seq.0, method, now, "came out differently in replay");
        }
        if recovered.cut.is_some() {
            tracing::info!(
                "an unfinished write at the end of the log was cut; nobody was answered for it"
            );
        }
        let (seq, replayed) = (recovered.seq, recovered.replayed);
        self.say(format!("ready    seq {seq}, {replayed} replayed"));
        if let Purpose::Trying = self.purpose {
            self.say("");
            let token = !self.context.config.tokens.is_empty();
            for line in telling::curl_lines(&node.catalog(), url, token) {
                self.say(line);
            }
        }
    }

    /// A server whose standard output nobody reads goes on.
    fn say(&self, text: impl std::fmt::Display) {
        let _ = self.context.output.line(text);
    }
}

/// Why a stop during a replay saved nothing.
const INTERRUPTED: &str = "it was told to stop before all that the log holds was replayed";

/// Not as good as a stop that was asked for: another build could not start now.
fn unsaved(why: &str) -> Failure {
    Failure::new(
        Exit::Unsaved,
        format!(
            "stopped without a last checkpoint of all that the log may hold: {why}\nAll that was acknowledged is in the log, which this build \
             replays when it starts again. Another build refuses to: before an upgrade, mend the cause (free \
             space if the disk is full), start this build once more, and stop it."
        ),
    )
}

/// `friendly`: whoever asks is a developer, and sees the traces of faults.
///
/// # Errors
/// If a setting is out of its bounds, or must not be served.
pub fn server_config(config: &Config, friendly: bool) -> Result<ServerConfig, Failure> {
    let tls = config.path("tls_cert").zip(config.path("tls_key"));
    let connections = config.count("connections").into();
    if connections == 0 {
        return Err(config.unfit("connections", "at least 1").into());
    }
    let config = ServerConfig {
        listen: config.listen(),
        tokens: config.tokens.clone(),
        names: config.names("names"),
        traces: friendly,
        tls: tls.map(|(cert, key)| TlsFiles { cert, key }),
        limits: Limits {
            connections_max: descriptors::connections(connections) as usize,
            stop_timeout: config.duration("stop_timeout"),
            ..Limits::default()
        },
    };
    config.check()?;
    Ok(config)
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        let exit = match error {
            BindError::Listen { .. } => Exit::Failed,
            _ => Exit::Usage,
        };
        Failure::new(exit, error)
    }
}

/// Whoever asks twice does not want to wait: what is accepted is in the log or unanswered.
async fn exit_at_next(mut signals: Signals, messages: Messages, temp: Option<PathBuf>) {
    let first = Instant::now();
    loop {
        signals.next().await;
        if first.elapsed() >= ONE_WISH {
            break;
        }
    }
    if let Some(temp) = temp {
        // Again where files came to be in it that were not there when it was looked through.
        for _ in 0..100 {
            match fs::remove_dir_all(&temp) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                _ => break,
            }
        }
    }
    messages.flush();
    std::process::exit(i32::from(Exit::Failed.code()));
}
