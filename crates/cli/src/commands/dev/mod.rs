//! `dev`: a server for trying things out. With a module, the module is deployed again whenever it is
//! saved, and what happens is printed as it happens.
//!
//! ```text
//!   watch   from saves to deployments
//!   tell    what is printed, and when
//! ```

mod tell;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ordain_node::{DataDir, Node};
use ordain_types::ModuleName;

use super::serve::{self, GROUPS, Purpose, no_json, replay_flag};
use crate::command::{Context, ExtraCommand};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::node::modules_flag;
use crate::sources::gather;
use tell::Teller;

/// Where a module that is being developed keeps its state, unless a directory is named: not where
/// `serve` does, which would then be a directory within another's.
const SCRATCH: &str = ".ordain-dev";

/// A module that is being developed.
pub struct Developed {
    path: PathBuf,
    name: ModuleName,
    /// Whether what is there from before is to go.
    fresh: bool,
    /// Whether the directory is one that nothing else is kept in.
    alone: bool,
    /// Whether whoever calls it is asked for a token.
    token: bool,
    teller: Teller,
}

/// The command.
pub fn dev() -> ExtraCommand {
    let path = Arg::new("path")
        .value_name("FILE|DIR")
        .value_parser(value_parser!(PathBuf))
        .help("A module: deployed, and again whenever it is saved");
    let name = Arg::new("name")
        .long("name")
        .value_name("NAME")
        .value_parser(ModuleName::new)
        .requires("path")
        .help("The module's name [default: that of the file or directory]");
    let fresh = Arg::new("fresh")
        .long("fresh")
        .action(ArgAction::SetTrue)
        .requires("path")
        .help("Drop the state that is there from before");
    let temp = Arg::new("temp")
        .long("temp")
        .action(ArgAction::SetTrue)
        .conflicts_with_all(["dir", "fresh"])
        .help("Keep the data in a temporary directory, removed at the end");
    let command = Command::new("dev")
        .about("Run the server for trying things out: prints a line to paste for each method")
        .long_about(
            "Run the server for trying things out: prints a line to paste for each method.\n\nWith a module, \
             that alone can be called. It is deployed again whenever it is saved; its state stays, in \
             .ordain-dev unless the flag --dir says otherwise. What does not compile is told with its place, and the \
             version before goes on. Deployments, rejections, faults and what methods say is printed as it \
             happens. Each update is run twice, and what comes out differently is a fault.",
        )
        .args([path, name, fresh, temp, modules_flag(), replay_flag(), no_json()]);
    ExtraCommand::new(command, GROUPS, run)
}

fn run(context: Context, given: &ArgMatches) -> Result<(), Failure> {
    let module = given.get_one::<PathBuf>("path");
    let module = module.map(|path| develop(&context, given, path));
    let purpose = match module.transpose()? {
        Some(module) => Purpose::Developing(Arc::new(module)),
        None => Purpose::Trying,
    };
    if given.get_flag("temp") {
        let dir = tempfile::Builder::new().prefix("ordain-").tempdir();
        let dir = dir.map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("cannot make a temporary directory: {error}"),
            )
        })?;
        let data = dir.path().join("data");
        return serve::run(context, given, &data, Some(dir.path()), purpose);
    }
    let dir = match purpose {
        Purpose::Developing(_) => scratch(&context.config),
        _ => context.config.dir(),
    };
    serve::run(context, given, &dir, None, purpose)
}

fn develop(context: &Context, given: &ArgMatches, path: &Path) -> Result<Developed, Failure> {
    if context.catalog.host().is_none() {
        let message = "this program runs no modules; use one that does, as `ordain` does";
        return Err(Failure::new(Exit::Failed, message));
    }
    let name = gather(path)?.name(given.get_one::<ModuleName>("name"), path)?;
    Ok(Developed {
        path: path.to_owned(),
        name,
        fresh: given.get_flag("fresh"),
        alone: !context.config.is_flag("dir"),
        token: !context.config.tokens.is_empty(),
        teller: Teller::start(context.output)?,
    })
}

/// A variable or a file names the directory of `serve`, whose state is not there to be developed with.
fn scratch(config: &Config) -> PathBuf {
    match config.is_flag("dir") {
        true => config.dir(),
        false => SCRATCH.into(),
    }
}

impl Developed {
    /// What hears of calls.
    pub fn listener(&self) -> Arc<dyn ordain_node::Listener> {
        Arc::new(self.teller.clone())
    }

    /// Makes the directory fit for it, once nothing else is in the way of a start.
    ///
    /// # Errors
    /// If what is there from before is to go and cannot; if it is another's, all of it stays.
    pub fn prepare(&self, dir: &Path) -> Result<(), Failure> {
        match self.fresh {
            true => Ok(DataDir::clear(dir).map_err(ordain_node::OpenError::from)?),
            false => Ok(()),
        }
    }

    /// Deploys the module, and again whenever it is saved, until the node stops. Gives back once it was
    /// deployed, or refused, for the first time.
    pub fn begin(&self, node: Node, url: &str) {
        watch::Watch::new(node, self, url).begin();
    }
}
