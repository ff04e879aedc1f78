//! `log verify` and `log dump`: the log's files, read as they lie, also while a server writes them.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command, value_parser};
use ordain_log::disk::{Dir, Disk};
use ordain_log::{Cut, Progress, ReadError, Record, Report};
use ordain_types::module::How;
use ordain_types::{Batch, Call, Command as Entry, Seq, Timestamp};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::command::{Context, ExtraCommand};
use crate::exit::{Exit, Failure};
use crate::node;
use crate::output::{Bar, printable, unwritten};
use crate::settings::Group;
use crate::units::show_size;

/// The command.
pub fn log() -> ExtraCommand {
    let verify = Command::new("verify").about("Read the whole log and say whether it is in order");
    let seq = |id: &'static str, help: &'static str| {
        let arg = Arg::new(id).long(id).value_name("SEQ").help(help);
        arg.value_parser(value_parser!(u64))
    };
    let dump = Command::new("dump")
        .about("Print the log's commands, a line of JSON each")
        .args([
            seq("from", "From this seq on [default: the oldest]"),
            seq("to", "Up to this seq [default: the last]"),
        ]);
    let command = Command::new("log")
        .about("Look into the log of a data directory")
        .subcommand_required(true)
        .args_conflicts_with_subcommands(false)
        .subcommands([verify, dump]);
    ExtraCommand::new(command, &[Group::Data], |context, given| {
        match given.subcommand() {
            Some(("verify", _)) => self::verify(&context),
            Some(("dump", given)) => self::dump(&context, given),
            _ => Err(Failure::usage("log needs verify or dump")),
        }
    })
}

fn disk(context: &Context) -> Result<Arc<dyn Disk>, Failure> {
    let path = node::existing(&context.config)?.join("log");
    let dir = Dir::existing(&path).map_err(|error| Failure::file("read", &path, &error))?;
    Ok(Arc::new(dir))
}

fn verify(context: &Context) -> Result<(), Failure> {
    let mut bar = Bar::of_bytes("verifying");
    let mut told = |at: Progress| bar.at(at.bytes, Some(at.bytes_total));
    let report = ordain_log::verify(disk(context)?, &mut told)?;
    drop(bar);
    if context.output.json {
        let unfinished = report.unfinished.as_ref().map(|cut| {
            let Cut {
                file,
                offset,
                bytes,
            } = cut;
            json!({ "file": file, "offset": offset, "bytes": bytes })
        });
        return Ok(context.output.json(&json!({
            "segments": report.segments,
            "records": report.records,
            "first_seq": report.first_seq,
            "last_seq": report.last_seq,
            "bytes": report.bytes,
            "unfinished": unfinished,
        }))?);
    }
    Ok(context.output.line(in_order(&report))?)
}

/// What a log in order holds, for people.
fn in_order(report: &Report) -> String {
    let count = |count: u64, thing: &str| match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    };
    let mut said = match report.records {
        0 => format!("in order: empty, the next seq is {}", report.first_seq),
        records => format!(
            "in order: seq {} to {}, {} of {} in {}",
            report.first_seq,
            report.last_seq,
            count(records, "record"),
            show_size(report.bytes),
            count(report.segments, "segment")
        ),
    };
    if let Some(Cut { file, offset, .. }) = &report.unfinished {
        said.push_str(&format!(
            "\nan unfinished write at {file}, offset {offset}, never acknowledged; the next start cuts it"
        ));
    }
    said
}

/// One command as a line.
#[derive(Serialize)]
struct Line<'a> {
    seq: Seq,
    timestamp: Timestamp,
    command: &'static str,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Genesis {
        log_id: String,
    },
    InForce(&'a ordain_types::InForce),
    Call {
        entity: String,
        method: &'a str,
        args: &'a RawValue,
        #[serde(skip_serializing_if = "str::is_empty")]
        caller: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
    },
    Deliver {
        send: String,
    },
    Deploy {
        module: &'a str,
        hash: String,
        how: How,
        keep_state: bool,
        /// None: the state had it already.
        #[serde(skip_serializing_if = "Option::is_none")]
        package_bytes: Option<usize>,
        #[serde(skip_serializing_if = "str::is_empty")]
        caller: &'a str,
    },
    Undeploy {
        module: &'a str,
        keep_state: bool,
        #[serde(skip_serializing_if = "str::is_empty")]
        caller: &'a str,
    },
}

fn dump(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let seq = |id: &str| given.get_one::<u64>(id).copied();
    let disk = disk(context)?;
    let (from, to) = (seq("from").unwrap_or(0), seq("to").unwrap_or(u64::MAX));
    let reader = match ordain_log::read_from(disk.clone(), Seq(from.max(1))) {
        // Unless asked for more, what there is.
        Err(ReadError::Removed { first_seq, .. }) if from == 0 => {
            ordain_log::read_from(disk, first_seq)?
        }
        reader => reader?,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for record in reader {
        let record = record?;
        if record.first_seq.0 > to {
            break;
        }
        write_record(&mut out, &record, from, to)?;
    }
    Ok(out.flush().map_err(unwritten)?)
}

fn write_record(out: &mut impl Write, record: &Record, from: u64, to: u64) -> Result<(), Failure> {
    let damaged = |what: &dyn std::fmt::Display| {
        let (file, offset) = (&record.file, record.offset);
        Failure::new(Exit::Damaged, format!("{file}, offset {offset}: {what}"))
    };
    let batch = Batch::decode(&record.payload).map_err(|error| damaged(&error))?;
    for (seq, command) in (batch.first_seq.0..).zip(&batch.commands) {
        if !(from..=to).contains(&seq) {
            continue;
        }
        let (command, what) = describe(command).map_err(|error| damaged(&error))?;
        let line = Line {
            seq: Seq(seq),
            timestamp: batch.timestamp,
            command,
            what,
        };
        let text = serde_json::to_string(&line).map_err(|error| damaged(&error))?;
        let text = text.replace('\r', " ");
        writeln!(out, "{}", printable(&text)).map_err(unwritten)?;
    }
    Ok(())
}

fn describe(command: &Entry) -> Result<(&'static str, What<'_>), serde_json::Error> {
    Ok(match command {
        Entry::Genesis { log_id } => {
            let log_id = log_id.to_string();
            ("genesis", What::Genesis { log_id })
        }
        Entry::InForce(in_force) => ("in_force", What::InForce(in_force)),
        Entry::Call(call) => ("call", what(call, None)?),
        Entry::Send { call, delay_ms } => ("send", what(call, Some(*delay_ms))?),
        Entry::Deliver { send } => {
            let send = send.to_string();
            ("deliver", What::Deliver { send })
        }
        Entry::Deploy(deploy) => {
            let what = What::Deploy {
                module: deploy.name.as_str(),
                hash: deploy.hash.to_string(),
                how: deploy.how,
                keep_state: deploy.keep_state,
                package_bytes: deploy.package.as_ref().map(|package| package.len()),
                caller: &deploy.caller,
            };
            ("deploy", what)
        }
        Entry::Undeploy(undeploy) => {
            let what = What::Undeploy {
                module: undeploy.name.as_str(),
                keep_state: undeploy.keep_state,
                caller: &undeploy.caller,
            };
            ("undeploy", what)
        }
    })
}

fn what(call: &Call, delay_ms: Option<u64>) -> Result<What<'_>, serde_json::Error> {
    Ok(What::Call {
        entity: call.entity.to_string(),
        method: call.method.as_str(),
        args: serde_json::from_slice(&call.args)?,
        caller: &call.caller,
        idempotency_key: call.idempotency_key.as_ref().map(|key| key.as_str()),
        delay_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_as_it_is() {
        let empty = Report {
            segments: 1,
            records: 0,
            first_seq: Seq(18),
            last_seq: Seq(17),
            bytes: 0,
            unfinished: None,
        };
        assert_eq!(in_order(&empty), "in order: empty, the next seq is 18");
        let one = Report {
            records: 1,
            last_seq: Seq(20),
            bytes: 12,
            ..empty
        };
        let said = "in order: seq 18 to 20, 1 record of 12 B in 1 segment";
        assert_eq!(in_order(&one), said);
        let torn = Report {
            segments: 2,
            records: 2,
            unfinished: Some(Cut {
                file: "0000000001.segment".to_owned(),
                offset: 4096,
                bytes: 7,
            }),
            ..one
        };
        let said = "in order: seq 18 to 20, 2 records of 12 B in 2 segments\n\
            an unfinished write at 0000000001.segment, offset 4096, never acknowledged; the next start cuts it";
        assert_eq!(in_order(&torn), said);
    }
}
