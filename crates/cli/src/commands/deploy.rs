//! `deploy`: a module put in force on a running server, or what that would change.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ordain_api::modules::{Change, Deployed, EntityChange, MethodShape, Plan};
use ordain_types::{MethodKind, ModuleName};

use super::entities::param;
use crate::command::{Context, ExtraCommand};
use crate::exit::Failure;
use crate::output::Output;
use crate::settings::Group;
use crate::sources::gather;

/// The command.
pub fn deploy() -> ExtraCommand {
    let name = Arg::new("name")
        .long("name")
        .value_name("NAME")
        .value_parser(ModuleName::new)
        .help("The module's name [default: that of the file or directory]");
    let dry_run = Arg::new("dry_run")
        .long("dry-run")
        .action(ArgAction::SetTrue)
        .help("Change nothing; check, and print what would change");
    let command = Command::new("deploy")
        .about("Put a module in force on a server")
        .long_about(
            "Put a module in force on a server: a .ts or .js file with the files that it imports, a directory \
             of them, or a WebAssembly component. The server goes on meanwhile; calls that begin afterwards \
             meet the new version. A directory begins with the \"main\" of its package.json, or with index.ts, \
             main.ts or mod.ts.",
        )
        .args([path_arg(), name, dry_run, keep_state()]);
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        run(&context, given)
    })
}

fn path_arg() -> Arg {
    Arg::new("path")
        .required(true)
        .value_name("FILE|DIR")
        .value_parser(value_parser!(PathBuf))
        .help("The module")
}

/// The flag of all that may put state out of reach.
pub fn keep_state() -> Arg {
    Arg::new("keep_state")
        .long("keep-state")
        .action(ArgAction::SetTrue)
        .help("Entities of types that go may hold state, which stays")
}

fn run(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let path: &Path = given.get_one::<PathBuf>("path").expect("it is required");
    let gathered = gather(path)?;
    let name = gathered.name(given.get_one::<ModuleName>("name"), path)?;
    let (client, output) = (context.client()?, context.output);
    let keep_state = given.get_flag("keep_state");
    let failed = |error| gathered.failure(error);
    if given.get_flag("dry_run") {
        let plan = client.plan(&name, &gathered.source, keep_state);
        return print_plan(output, &context.answer(plan)?.map_err(failed)?);
    }
    let deployed = client.deploy(&name, &gathered.source, keep_state);
    print_deployed(output, &context.answer(deployed)?.map_err(failed)?)
}

/// Prints what is in force now.
///
/// # Errors
/// If it cannot be printed.
pub fn print_deployed(output: Output, deployed: &Deployed) -> Result<(), Failure> {
    if output.json {
        return Ok(output.json(deployed)?);
    }
    let Deployed {
        module,
        version,
        hash,
        changed,
    } = deployed;
    let already = if *changed { "" } else { " already" };
    let hash = short(hash);
    Ok(output.line(format!(
        "module {module}: version {version} ({hash}) is in force{already}"
    ))?)
}

/// So much of a hash that people can tell versions apart.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn print_plan(output: Output, plan: &Plan) -> Result<(), Failure> {
    if output.json {
        return Ok(output.json(plan)?);
    }
    output.line(headline(plan))?;
    let rows: Vec<_> = plan.entities.iter().flat_map(rows).collect();
    if !rows.is_empty() {
        let head = ["entity", "method", "change", "now", "then"];
        output.table(&head, &rows)?;
    }
    Ok(())
}

/// What would change, in a line.
pub fn headline(plan: &Plan) -> String {
    let Plan {
        module, new_hash, ..
    } = plan;
    let new = short(new_hash);
    match (plan.version, &plan.old_hash) {
        (Some(version), Some(_)) if !plan.changed => {
            format!("module {module}: nothing would change, version {version} ({new}) is in force")
        }
        (Some(version), Some(old)) => {
            let old = short(old);
            let alone = match plan.entities.is_empty() {
                true => "; only what methods do is different",
                false => "",
            };
            format!("module {module}: {new} in place of version {version} ({old}){alone}")
        }
        _ => format!("module {module}: {new}, none is in force"),
    }
}

/// A line for an entity type, and one for each of its methods.
fn rows(entity: &EntityChange) -> Vec<Vec<String>> {
    let state = |version: Option<u32>| {
        let state = version.map(|version| format!("state version {version}"));
        state.unwrap_or_default()
    };
    let mut rows = vec![vec![
        entity.name.clone(),
        String::new(),
        word(entity.change).to_owned(),
        state(entity.old_state_version),
        state(entity.new_state_version),
    ]];
    for method in &entity.methods {
        let side = |shape: &Option<MethodShape>| shape.as_ref().map(shown).unwrap_or_default();
        rows.push(vec![
            entity.name.clone(),
            method.name.clone(),
            word(method.change).to_owned(),
            side(&method.old),
            side(&method.new),
        ]);
    }
    rows
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Altered => "altered",
    }
}

/// A method in a few words: `update (amount: integer)`.
fn shown(method: &MethodShape) -> String {
    let kind = match method.kind {
        MethodKind::Query => "query",
        MethodKind::Update => "update",
    };
    match &method.params {
        None => format!("{kind} (any)"),
        Some(params) => {
            let params: Vec<_> = params.iter().map(param).collect();
            format!("{kind} ({})", params.join(", "))
        }
    }
}
