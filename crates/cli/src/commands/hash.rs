//! `state-hash`: one number for the whole state, of a running server or a data directory.

use clap::{ArgMatches, Command};
use ordain_api::replies::StateHash;

use crate::command::{Context, ExtraCommand};
use crate::exit::Failure;
use crate::node;
use crate::settings::Group;

/// The command.
pub fn state_hash() -> ExtraCommand {
    let command = Command::new("state-hash")
        .about("Print a hash over the whole state")
        .long_about(
            "Print a hash over the whole state, and the seq it stands for. Two nodes that executed the \
             same log up to the same seq have the same.\n\nAsks the server at --url; with --dir, looks \
             into that data directory: it replays what the log holds beyond the last checkpoint, and logs \
             nothing.",
        )
        .arg(node::modules_flag().requires("dir"));
    ExtraCommand::new(command, &[Group::Client, Group::Data], |context, given| {
        let StateHash { seq, hash } = find(&context, given)?;
        match context.output.json {
            true => context.output.json(&StateHash { seq, hash })?,
            false => context.output.line(format!("{hash} seq {seq}"))?,
        }
        Ok(())
    })
}

fn find(context: &Context, given: &ArgMatches) -> Result<StateHash, Failure> {
    if !context.config.is_flag("dir") {
        let client = context.client()?;
        return context.wait(client.state_hash());
    }
    let node = node::open_existing(context, given)?;
    let (seq, hash) = node.state_hash().map_err(|why| {
        let Failure { exit, message } = why.into();
        let message = message.map(|why| format!("cannot read the state: {why}"));
        Failure { exit, message }
    })?;
    node.stop();
    let hash = hash.to_string();
    Ok(StateHash { seq, hash })
}
