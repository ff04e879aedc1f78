//! `completions SHELL`: what a shell needs to complete words.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::command::ExtraCommand;
use crate::exit::Failure;
use crate::output::Output;

/// The command's name: it needs the whole command line, and is therefore run by itself.
pub const NAME: &str = "completions";

/// The command.
pub fn completions() -> ExtraCommand {
    let shell = Arg::new("shell")
        .required(true)
        .value_parser(value_parser!(Shell));
    let command = Command::new(NAME)
        .about("Print completions for a shell")
        .arg(shell);
    ExtraCommand::new(command, &[], |_, _| Ok(()))
}

/// Prints them.
///
/// # Errors
/// If they cannot be written.
pub fn run(whole: &mut Command, given: &ArgMatches) -> Result<(), Failure> {
    let shell = *given.get_one::<Shell>("shell").expect("it is required");
    let (name, mut text) = (whole.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, whole, name, &mut text);
    let json = false;
    Output { json }.line(String::from_utf8_lossy(&text).trim_end())?;
    Ok(())
}
