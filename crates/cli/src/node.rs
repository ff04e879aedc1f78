//! Opening a data directory with the settings in effect, with a progress bar and what was found told.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches};
use ordain_node::{Catalog, Node, Options, Progress, Recovered};

use crate::command::Context;
use crate::config::{Config, ConfigError};
use crate::exit::{Exit, Failure};
use crate::output::Bar;

/// What follows in the name of a build that runs without the program's own entities.
const WITHOUT_OWN: &str = "-modules-only";

/// The flag of all that may open a data directory without what the program brings.
pub fn modules_flag() -> Arg {
    Arg::new("modules_only")
        .long("modules-only")
        .action(ArgAction::SetTrue)
        .help("Leave out this program's own entities: their types are free for modules")
}

/// The same without what the program itself can call: only what is deployed.
pub fn modules_only(catalog: &Catalog) -> Catalog {
    let empty = Catalog::default();
    match catalog.host() {
        Some(host) => empty.with_host(host.clone()),
        None => empty,
    }
}

/// What a node is opened with, by the settings; with `bare`, without the program's own entities. The log records that
/// as a build of its own: a replay with the others would come to something else, and the last batches' replay is held
/// against nothing.
///
/// # Errors
/// If a setting is out of its bounds, or the program's own file cannot be read.
pub fn opened_with(context: &Context, bare: bool) -> Result<(Catalog, Options), Failure> {
    let options = options(&context.config, &context.program)?;
    if !bare {
        return Ok((context.catalog.clone(), options));
    }
    let whole = options.build.clone().map_or_else(this_build, Ok)?;
    let options = Options {
        build: Some(whole + WITHOUT_OWN),
        ..options
    };
    Ok((modules_only(&context.catalog), options))
}

/// The node's options by the settings.
///
/// # Errors
/// The first setting that is out of its bounds, and where it was said.
pub fn options(config: &Config, program: &str) -> Result<Options, ConfigError> {
    let bytes = |key| usize::try_from(config.size(key)).unwrap_or(usize::MAX);
    let options = Options {
        segment_bytes: config.size("segment_size"),
        queue_commands_max: config.count("queue_commands") as usize,
        queue_bytes_max: bytes("queue_size"),
        memory_budget_bytes: bytes("memory_budget"),
        store_cache_bytes: config.size("store_cache"),
        checkpoint_interval: config.duration("checkpoint_interval"),
        checkpoint_log_bytes: config.size("checkpoint_log"),
        history_bytes: config.size("history_size"),
        retention: config.duration("retention"),
        build: config.text("build").map(str::to_owned),
        build_name: program.to_owned(),
        ..Options::default()
    };
    match options.check() {
        Ok(()) => Ok(options),
        Err(error) => Err(config.unfit(setting_of(error.name), error.bounds)),
    }
}

/// The setting that a field of the options is said by.
fn setting_of(field: &'static str) -> &'static str {
    match field {
        "segment_bytes" => "segment_size",
        "queue_commands_max" => "queue_commands",
        "queue_bytes_max" => "queue_size",
        "memory_budget_bytes" => "memory_budget",
        "store_cache_bytes" => "store_cache",
        "checkpoint_log_bytes" => "checkpoint_log",
        same => same,
    }
}

/// Opens the data directory; `progress` hears of the replay as well.
///
/// # Errors
/// Why it cannot be opened, with the exit code for it.
pub fn open(
    dir: &Path,
    catalog: Catalog,
    options: Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Node, Recovered), Failure> {
    let mut bar = Bar::of_things("replaying");
    let mut told = |at: Progress| {
        bar.at(
            at.at.0.saturating_sub(at.first.0),
            Some(at.last.0 - at.first.0),
        );
        progress(at);
    };
    let opened = Node::open_with(dir, catalog, options, &mut told);
    Ok(opened?)
}

/// Opens a directory that must be there, for commands that only look into it; they have [`modules_flag`]. Nothing
/// is logged, whatever settings and flags they were given: what a start makes of them stays to the next start.
///
/// # Errors
/// If it is not there, or as [`open`].
pub fn open_existing(context: &Context, given: &ArgMatches) -> Result<Node, Failure> {
    let dir = existing(&context.config)?;
    let (catalog, options) = opened_with(context, given.get_flag("modules_only"))?;
    let options = Options {
        read_only: true,
        ..options
    };
    let opened = open(&dir, catalog, options, &mut |_| {});
    let (node, _) = opened.map_err(|failure| {
        // What a start would be told to take, these commands have not.
        let with_serve =
            |said: String| said.replace("--replay-other-build", "serve --replay-other-build");
        let message = failure.message.map(with_serve);
        Failure { message, ..failure }
    })?;
    Ok(node)
}

/// The data directory, which must be one: looking into it makes none.
///
/// # Errors
/// If it is none.
pub fn existing(config: &Config) -> Result<PathBuf, Failure> {
    let dir = config.dir();
    match dir.join("ordain").is_file() {
        true => Ok(dir),
        false => Err(Failure::new(
            Exit::Failed,
            format!(
                "{} is no Ordain data directory; name one with --dir",
                dir.display()
            ),
        )),
    }
}

/// The build of this program.
///
/// # Errors
/// If the program's own file cannot be read.
pub fn this_build() -> Result<String, Failure> {
    let build = ordain_node::build_of_this_program();
    build.map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot read this program's own file: {error}"),
        )
    })
}
