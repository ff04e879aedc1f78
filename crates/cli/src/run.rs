//! From the words of a command line to the exit code.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ordain_node::Catalog;

use crate::command::{Context, ExtraCommand, Hosting};
use crate::config::{Config, Sources};
use crate::exit::{self, Exit, Failure};
use crate::output::{Output, tell};
use crate::settings::{Group, SETTINGS, Setting};
use crate::{commands, node};

/// The whole command line, with these entities and these commands more.
///
/// Reads the process's arguments and environment, writes to its standard output and error, and gives
/// what `main` is to return.
pub fn run<E>(entities: E, extras: Vec<ExtraCommand>) -> ExitCode
where
    E: TryInto<Catalog>,
    E::Error: Display,
{
    ended(try_run(entities, None, extras))
}

/// The same for a program that runs modules as well.
pub fn run_hosting<E>(entities: E, hosting: Hosting, extras: Vec<ExtraCommand>) -> ExitCode
where
    E: TryInto<Catalog>,
    E::Error: Display,
{
    ended(try_run(entities, Some(hosting), extras))
}

fn ended(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            if let Some(message) = failure.message {
                // If standard error is gone, the code still says it.
                tell(message);
            }
            failure.exit.into()
        }
    }
}

fn try_run<E>(
    entities: E,
    hosting: Option<Hosting>,
    extras: Vec<ExtraCommand>,
) -> Result<(), Failure>
where
    E: TryInto<Catalog>,
    E::Error: Display,
{
    let catalog = entities
        .try_into()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let (catalog, types, tests) = match hosting {
        Some(hosting) => (
            catalog.with_host(hosting.modules),
            hosting.types,
            hosting.tests,
        ),
        None => (catalog, "", None),
    };
    let mut all = commands::all();
    all.extend(extras);
    let name = program_name();
    let words = all.iter().map(with_settings);
    let mut whole = whole(&name).subcommands(words);
    let matches = match whole.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(answer) => return help(&answer),
    };
    let program = format!("{name} {}", env!("CARGO_PKG_VERSION"));
    let output = Output {
        json: matches.get_flag("json"),
    };
    if matches.get_flag("version") {
        return version(output, &program);
    }
    let Some((name, given)) = matches.subcommand() else {
        return Err(Failure::usage(whole.render_help().to_string().trim_end()));
    };
    if name == commands::completions::NAME {
        return commands::completions::run(&mut whole, given);
    }
    let command = all
        .into_iter()
        .find(|command| command.command.get_name() == name);
    let command = command.expect("clap knows only these");
    let config = Config::load(&Sources {
        flags: flags(command.groups, given),
        file: matches.get_one::<PathBuf>("config").cloned(),
        env: std::env::vars_os().collect(),
    })?;
    let context = Context {
        catalog,
        types,
        tests,
        config,
        output,
        program,
    };
    (command.run)(context, given)
}

/// The program's name as it was called: a user's own server is not named `ordain`.
fn program_name() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    let stem = path.as_ref().and_then(|path| path.file_stem()?.to_str());
    stem.unwrap_or("ordain").to_owned()
}

fn whole(name: &str) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("The file of settings [env: ORDAIN_CONFIG] [default: ordain.toml, if there is one]");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Print JSON");
    let version = Arg::new("version")
        .long("version")
        .short('V')
        .action(ArgAction::SetTrue)
        .help("Print the version and the build");
    Command::new(name.to_owned())
        .about("Durable, strictly serializable entities behind HTTP")
        .disable_version_flag(true)
        .args_conflicts_with_subcommands(false)
        .args([config, json, version])
        .after_help(format!(
            "Settings: a flag, else a variable ORDAIN_*, else ordain.toml, else the default; `{name} config` \
             shows them.\n\n{}",
            exit::table()
        ))
}

/// A command with the flags of its settings.
fn with_settings(extra: &ExtraCommand) -> Command {
    let settings = SETTINGS
        .iter()
        .filter(|setting| extra.groups.contains(&setting.group));
    // A command's own commands (`log verify`) take its flags, before their name and after it.
    let nested = extra.command.is_subcommand_required_set();
    let flags = settings.map(|setting| flag(setting).global(nested));
    extra.command.clone().args(flags)
}

fn flag(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let env = setting.env();
    Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.kind.unit().to_ascii_uppercase())
        .help(format!("{} [env: {env}]{default}", setting.meaning))
        .help_heading("Settings")
}

fn flags(groups: &[Group], given: &ArgMatches) -> BTreeMap<&'static str, String> {
    let settings = SETTINGS
        .iter()
        .filter(|setting| groups.contains(&setting.group));
    settings
        .filter_map(|setting| Some((setting.key, given.get_one::<String>(setting.key)?.clone())))
        .collect()
}

/// Help that was asked for, or what is wrong with the words: clap knows where and how to print it.
fn help(answer: &clap::Error) -> Result<(), Failure> {
    answer.print()?;
    match answer.exit_code() {
        0 => Ok(()),
        _ => Err(Failure {
            exit: Exit::Usage,
            message: None,
        }),
    }
}

fn version(output: Output, program: &str) -> Result<(), Failure> {
    let build = node::this_build()?;
    match output.json {
        true => output.json(&serde_json::json!({ "version": program, "build": build }))?,
        false => output.line(format!("{program} (build {build})"))?,
    }
    Ok(())
}
