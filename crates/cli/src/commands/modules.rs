//! `modules`, `rollback` and `undeploy`: what is in force on a running server, and what was.

use clap::{Arg, Command, value_parser};
use ordain_api::modules::{Deployment, Module};
use ordain_types::ModuleName;
use ordain_types::module::{How, Language};

use super::deploy::{keep_state, print_deployed, short};
use crate::command::ExtraCommand;
use crate::settings::Group;
use crate::units::show_time;

/// The command `modules`.
pub fn modules() -> ExtraCommand {
    let command = Command::new("modules")
        .about("Print the modules of a server, or the versions of one")
        .arg(name().required(false));
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let (client, output) = (context.client()?, context.output);
        let Some(name) = given.get_one::<ModuleName>("name") else {
            let modules = context.wait(client.modules())?;
            if output.json {
                return Ok(output.json(&modules)?);
            }
            let rows: Vec<_> = modules.modules.iter().map(row).collect();
            let head = [
                "module", "version", "hash", "language", "entities", "when", "who",
            ];
            return Ok(output.table(&head, &rows)?);
        };
        let module = context.wait(client.module(name))?;
        if output.json {
            return Ok(output.json(&module)?);
        }
        let in_force = module.in_force.as_ref().map(|in_force| in_force.version);
        let rows = module
            .history
            .iter()
            .map(|line| version_row(line, in_force));
        let rows: Vec<_> = rows.collect();
        let head = ["version", "how", "hash", "when", "who", "seq", "in force"];
        Ok(output.table(&head, &rows)?)
    })
}

/// The command `rollback`.
pub fn rollback() -> ExtraCommand {
    let to = Arg::new("to")
        .long("to")
        .value_name("VERSION")
        .value_parser(value_parser!(u32))
        .help("The version to go back to [default: the one before that in force]");
    let command = Command::new("rollback")
        .about("Put an earlier version of a module in force again")
        .args([name(), to, keep_state()]);
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let name = given.get_one::<ModuleName>("name").expect("it is required");
        let to = given.get_one::<u32>("to").copied();
        let client = context.client()?;
        let done = client.rollback(name, to, given.get_flag("keep_state"));
        print_deployed(context.output, &context.wait(done)?)
    })
}

/// The command `undeploy`.
pub fn undeploy() -> ExtraCommand {
    let command = Command::new("undeploy")
        .about("Take a module out of force")
        .args([name(), keep_state()]);
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let name = given.get_one::<ModuleName>("name").expect("it is required");
        let client = context.client()?;
        let done = context.wait(client.undeploy(name, given.get_flag("keep_state")))?;
        match context.output.json {
            true => context.output.json(&done)?,
            false => context
                .output
                .line(format!("module {}: out of force", done.module))?,
        }
        Ok(())
    })
}

fn name() -> Arg {
    Arg::new("name")
        .required(true)
        .value_name("NAME")
        .value_parser(ModuleName::new)
        .help("The module")
}

fn row(module: &Module) -> Vec<String> {
    let last = module.history.last();
    let of_last = |show: fn(&Deployment) -> String| last.map(show).unwrap_or_default();
    let (version, hash, language, entities) = match &module.in_force {
        None => ("none", "", "", String::new()),
        Some(in_force) => {
            let entities = in_force.entities.iter().map(|entity| entity.name.as_str());
            let entities: Vec<_> = entities.collect();
            let language = match in_force.language {
                Language::JavaScript => "javascript",
                Language::Wasm => "wasm",
            };
            (
                &*in_force.version.to_string(),
                short(&in_force.hash),
                language,
                entities.join(", "),
            )
        }
    };
    vec![
        module.name.clone(),
        version.to_owned(),
        hash.to_owned(),
        language.to_owned(),
        entities,
        of_last(|line| show_time(line.at)),
        of_last(|line| line.caller.clone()),
    ]
}

fn version_row(line: &Deployment, in_force: Option<u32>) -> Vec<String> {
    let how = match line.how {
        How::Deploy => "deploy".to_owned(),
        How::Rollback => format!("rollback to {}", line.origin),
        How::Undeploy => "undeploy".to_owned(),
    };
    let now = match Some(line.version) == in_force {
        true => "yes",
        false => "",
    };
    vec![
        line.version.to_string(),
        how,
        short(&line.hash).to_owned(),
        show_time(line.at),
        line.caller.clone(),
        line.seq.to_string(),
        now.to_owned(),
    ]
}
