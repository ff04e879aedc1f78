//! `types`: what a TypeScript module may do, as an editor reads it.

use std::fs;
use std::path::PathBuf;

use clap::{Arg, Command, value_parser};

use crate::command::ExtraCommand;
use crate::exit::{Exit, Failure};

/// The name of the file, unless another is given.
pub const FILE: &str = "ordain.d.ts";

/// The command.
pub fn types() -> ExtraCommand {
    let file = Arg::new("file")
        .default_value(FILE)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Where to write it; - prints it");
    let command = Command::new("types")
        .about("Write ordain.d.ts, the types of what a TypeScript module may do")
        .arg(file);
    ExtraCommand::new(command, &[], |context, given| {
        let text = text(context.types)?;
        let path = given.get_one::<PathBuf>("file").expect("it has a default");
        if path.as_os_str() == "-" {
            return Ok(context.output.line(text.trim_end())?);
        }
        fs::write(path, text).map_err(|error| Failure::file("write", path, &error))?;
        let path = path.display();
        match context.output.json {
            true => context
                .output
                .json(&serde_json::json!({ "path": path.to_string() }))?,
            false => context.output.line(format!("written: {path}"))?,
        }
        Ok(())
    })
}

/// The types, if the program has a host for them.
///
/// # Errors
/// If it has none.
pub fn text(types: &'static str) -> Result<&'static str, Failure> {
    match types.is_empty() {
        false => Ok(types),
        true => Err(Failure::new(
            Exit::Failed,
            "this program runs no TypeScript modules; use one that does, as `ordain` does",
        )),
    }
}
