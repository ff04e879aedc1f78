//! `backup` and `restore`: the whole state in one file, and a data directory made from it.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ordain_api::Code;
use ordain_client::{Client, Error};
use ordain_store::snapshot::{self, Progress, Summary};
use serde_json::json;

use crate::command::{Context, ExtraCommand};
use crate::exit::Failure;
use crate::node;
use crate::output::Bar;
use crate::settings::Group;
use crate::unfinished::Unfinished;
use crate::units::show_size;

/// The command `backup`.
pub fn backup() -> ExtraCommand {
    let force = Arg::new("force")
        .long("force")
        .action(ArgAction::SetTrue)
        .help("Replace the file if there is one; never a device, a pipe or a symbolic link");
    let command = Command::new("backup")
        .about("Write the whole state to a file, while the server goes on")
        .long_about(
            "Write the whole state, as of one seq, to a file, while the server goes on. The file is read \
             back and checked before it gets its name.\n\nAsks the server at --url; with --dir, looks into \
             that data directory: it replays what the log holds beyond the last checkpoint, and logs nothing.",
        )
        .args([file(), force, node::modules_flag().requires("dir")]);
    ExtraCommand::new(command, &[Group::Client, Group::Data], write)
}

/// The command `restore`.
pub fn restore() -> ExtraCommand {
    let command = Command::new("restore")
        .about("Make a data directory (--dir, empty or not there) from a backup")
        .arg(file());
    ExtraCommand::new(command, &[Group::Data], |context, given| {
        let path = path(given);
        if is_dash(path) {
            return Err(Failure::usage(
                "a backup is restored from a file: name one (/dev/stdin for what a pipe brings, ./- for one of that \
                 name)",
            ));
        }
        let (dir, input) = (context.config.dir(), open(path)?);
        let options = node::options(&context.config, &context.program)?;
        let total = fs::metadata(path).ok().map(|file| file.len());
        let mut bar = Bar::of_bytes("restoring");
        let mut told = |at: Progress| bar.at(at.bytes, total);
        let restored = ordain_node::restore(BufReader::new(input), &dir, &options, &mut told);
        let summary = restored.map_err(|error| {
            let Failure { exit, message } = error.into();
            let name = |why| format!("cannot restore {}: {why}", path.display());
            let message = message.map(name);
            Failure { exit, message }
        })?;
        drop(bar);
        report(&context, "restored", &dir, &summary)
    })
}

fn file() -> Arg {
    Arg::new("file")
        .required(true)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("The backup")
}

fn path(given: &ArgMatches) -> &Path {
    given.get_one::<PathBuf>("file").expect("it is required")
}

/// Whether standard output or input is meant, as elsewhere by this name.
fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::file("read", path, &error))
}

fn write(context: Context, given: &ArgMatches) -> Result<(), Failure> {
    let path = path(given);
    if is_dash(path) {
        return Err(Failure::usage(
            "a backup is read back, and so goes to a file: name one (./- for one of that name)",
        ));
    }
    let unfinished = Unfinished::begin(path, given.get_flag("force"))?;
    let summary = fill(&context, given, &unfinished)?;
    unfinished.finish()?;
    report(&context, "written", path, &summary)
}

/// Writes, syncs, reads back.
fn fill(
    context: &Context,
    given: &ArgMatches,
    unfinished: &Unfinished,
) -> Result<Summary, Failure> {
    let path = &unfinished.place();
    let failed = |error: std::io::Error| Failure::file("write", path, &error);
    let mut out = BufWriter::new(&unfinished.file);
    let mut bar = Bar::of_bytes("writing");
    if context.config.is_flag("dir") {
        let node = node::open_existing(context, given)?;
        node.backup(&mut out, &mut |at| bar.at(at.bytes, None))?;
        node.stop();
    } else {
        let client = context.client()?;
        let mut told = |bytes| bar.at(bytes, None);
        context.wait(async {
            let written = client.backup(&mut out, &mut told).await;
            match written {
                Err(broken @ Error::Incomplete { .. }) => {
                    Err(why_broken(context, &client).await.unwrap_or(broken))
                }
                written => written,
            }
        })?;
    }
    let synced = out.flush().and_then(|()| out.get_ref().sync_all());
    synced.map_err(failed)?;
    drop(bar);
    let mut bar = Bar::of_bytes("checking");
    let mut told = |at: Progress| bar.at(at.bytes, None);
    Ok(snapshot::verify(BufReader::new(open(path)?), &mut told)?)
}

/// A server that cannot read its state on breaks the backup off, without a word: the answer has begun.
/// A hash is of all that a backup holds, and has its answer still to give.
async fn why_broken(context: &Context, client: &Client) -> Option<Error> {
    let patience = context.config.duration("timeout");
    let asked = tokio::time::timeout(patience, client.state_hash()).await;
    let why = asked.ok()?.err()?;
    let code = why.as_answer()?.table_code();
    (code == Some(Code::StoreDamaged)).then_some(why)
}

fn report(context: &Context, done: &str, path: &Path, summary: &Summary) -> Result<(), Failure> {
    let Summary {
        seq,
        entries,
        bytes,
        hash,
    } = summary;
    // What is no UTF-8 in it is shown as U+FFFD: JSON has no other way to.
    let path = path.to_string_lossy();
    if context.output.json {
        return Ok(context.output.json(&json!({
            "path": path,
            "seq": seq,
            "entries": entries,
            "bytes": bytes,
            "hash": hash.to_string(),
        }))?);
    }
    let size = show_size(*bytes);
    context.output.line(format!(
        "{done}: {path}, seq {seq}, {entries} entries, {size}, hash {hash}"
    ))?;
    Ok(())
}
