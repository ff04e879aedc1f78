//! `types`: what a TypeScript module may do, as an editor reads it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, Command, value_parser};

use crate::command::ExtraCommand;
use crate::exit::{Exit, Failure};

/// The name of the file, unless another is given.
pub const FILE: &str = "ordain.d.ts";

/// More than the lines have by which the types of any version are known.
const HEAD_BYTES_MAX: u64 = 4_096;

/// The command.
pub fn types() -> ExtraCommand {
    let file = Arg::new("file")
        .default_value(FILE)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Where to write it, in place of nothing but an earlier one; - prints it");
    let command = Command::new("types")
        .about("Write ordain.d.ts, the types of what a TypeScript module may do")
        .arg(file);
    ExtraCommand::new(command, &[], |context, given| {
        let text = text(context.types)?;
        let path = given.get_one::<PathBuf>("file").expect("it has a default");
        if path.as_os_str() == "-" {
            return Ok(context.output.line(text.trim_end())?);
        }
        write(path, text)?;
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

/// Writes the types to a path where nothing is, or other types.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error| Failure::file("write", path, &error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = File::create_new(path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(failed)
        }
        Err(error) => Err(failed(error)),
        Ok(there) if there.is_file() && holds_types(path, text).map_err(failed)? => {
            fs::write(path, text).map_err(failed)
        }
        Ok(_) => Err(Failure::usage(format!(
            "{} is there, and `types` did not write it: name another file, or remove it first",
            path.display()
        ))),
    }
}

/// Whether a file begins as the types do; those of another version go on otherwise.
fn holds_types(path: &Path, text: &str) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?
        .take(HEAD_BYTES_MAX)
        .read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    Ok(head.lines().take(2).eq(text.lines().take(2)))
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
