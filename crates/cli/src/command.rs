//! One command: its words, the settings it takes, and what it runs. The program's own commands and
//! those a program adds are made the same way.

use std::sync::Arc;

use clap::{ArgMatches, Command};
use ordain_client::Client;
use ordain_node::{Catalog, Modules};
use ordain_server::bounded;
use ordain_types::script::Scripts;

use crate::config::Config;
use crate::exit::Failure;
use crate::output::Output;
use crate::settings::Group;

/// More than all root certificates of a system.
const CERT_BYTES_MAX: usize = 16 << 20;

/// What a command has to work with.
pub struct Context {
    /// All that can be called in this program, with its host for modules if it has one.
    pub catalog: Catalog,
    /// What `ordain types` writes: the types of what a TypeScript module may do; empty without a host.
    pub types: &'static str,
    /// Runs tests of modules; none without a host that does.
    pub tests: Option<Arc<dyn Scripts>>,
    /// The settings in effect.
    pub config: Config,
    /// Where results go.
    pub output: Output,
    /// The program's name, version and build, for people: `ordain 0.1.0`.
    pub program: String,
}

/// What a program has that runs modules.
pub struct Hosting {
    /// Compiles and loads them.
    pub modules: Arc<dyn Modules>,
    /// The types of what a TypeScript module may do: the text of `ordain.d.ts`.
    pub types: &'static str,
    /// Runs tests that are written beside them.
    pub tests: Option<Arc<dyn Scripts>>,
}

type Run = Box<dyn FnOnce(Context, &ArgMatches) -> Result<(), Failure>>;

/// A command of the command line; [`crate::run`] takes those that a program adds.
pub struct ExtraCommand {
    pub(crate) command: Command,
    pub(crate) groups: &'static [Group],
    pub(crate) run: Run,
}

impl ExtraCommand {
    /// A command of these words. It takes the flags of the settings in `groups`; `run` gets what
    /// was given.
    pub fn new(
        command: Command,
        groups: &'static [Group],
        run: impl FnOnce(Context, &ArgMatches) -> Result<(), Failure> + 'static,
    ) -> Self {
        Self {
            command,
            groups,
            run: Box::new(run),
        }
    }
}

impl Context {
    /// A client of the server that the settings name.
    ///
    /// # Errors
    /// If a setting is unusable.
    pub fn client(&self) -> Result<Client, Failure> {
        let config = &self.config;
        let mut builder = Client::builder(config.text("url").unwrap_or_default())
            .timeout(config.duration("timeout"))
            .retries(config.count("retries"));
        if let Some(token) = config.text("bearer_token") {
            builder = builder.token(token);
        }
        if let Some(path) = config.path("root_cert") {
            let pem = bounded::read_file(&path, CERT_BYTES_MAX);
            builder = builder.root_pem(pem.map_err(|error| Failure::file("read", &path, &error))?);
        }
        Ok(builder.build()?)
    }

    /// Runs what asks a server, to its end.
    ///
    /// # Errors
    /// Its own, or if the system gives no event queue.
    pub fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, ordain_client::Error>>,
    ) -> Result<T, Failure> {
        Ok(self.answer(work)??)
    }

    /// The same, with what the server said left as it is.
    ///
    /// # Errors
    /// If the system gives no event queue.
    pub fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, ordain_client::Error>>,
    ) -> Result<Result<T, ordain_client::Error>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(anyhow::Error::from)?;
        Ok(runtime.block_on(work))
    }
}
