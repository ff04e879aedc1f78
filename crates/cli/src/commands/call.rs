//! `call`, `query` and `send`: one method of one entity, by a running server.

use std::io;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use ordain_client::{Error, Reply, json_request, random_key};
use ordain_server::bounded;
use ordain_types::{IdempotencyKey, Request, Seq, limits};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::command::{Context, ExtraCommand};
use crate::exit::Failure;
use crate::settings::Group;
use crate::sources::BYTE_ORDER_MARK;
use crate::units;

/// What arguments take at most as they may be typed, with spaces and escapes. The server says what is
/// too much; this is for what does not end.
const ARGUMENT_TEXT_BYTES_MAX: usize = 16 * limits::ARGUMENT_BYTES_MAX;

/// The command `call`.
pub fn call() -> ExtraCommand {
    let command = words("call", "Call a method and print its value").arg(key());
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let client = context.client()?;
        let request = request(given)?;
        let key = chosen_key(given);
        let reply = context.answer(client.call_with(request, key.clone()))?;
        print(&context, &reply.map_err(|error| unanswered(error, &key))?)
    })
}

/// The command `query`.
pub fn query() -> ExtraCommand {
    let min_seq = Arg::new("min_seq")
        .long("min-seq")
        .value_name("SEQ")
        .value_parser(value_parser!(u64))
        .help("See at least this seq");
    let command = words("query", "Call a query and print its value").arg(min_seq);
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let client = context.client()?;
        let request = request(given)?;
        let reply = match given.get_one::<u64>("min_seq") {
            Some(seq) => context.wait(client.query_from(request, Seq(*seq))),
            None => context.wait(client.query(request)),
        };
        print(&context, &reply?)
    })
}

/// The command `send`.
pub fn send() -> ExtraCommand {
    let delay = Arg::new("delay")
        .long("delay")
        .value_name("TIME")
        .value_parser(units::parse_duration)
        .help("How long to wait before, as in 5s [default: 0s]");
    let about = "Ask for a call later and print its id, for `invocation`";
    let command = words("send", about).args([delay, key()]);
    ExtraCommand::new(command, &[Group::Client], |context, given| {
        let client = context.client()?;
        let request = request(given)?;
        let delay = given
            .get_one::<Duration>("delay")
            .copied()
            .unwrap_or_default();
        let key = chosen_key(given);
        let sent = context.answer(client.send_with(request, delay, key.clone()))?;
        let sent = sent.map_err(|error| unanswered(error, &key))?;
        let id = sent.value.to_string();
        match context.output.json {
            true => context.output.json(&json!({ "id": id }))?,
            false => context.output.line(id)?,
        }
        Ok(())
    })
}

fn words(name: &'static str, about: &'static str) -> Command {
    let entity = Arg::new("entity").required(true).value_name("TYPE/KEY");
    let method = Arg::new("method").required(true);
    let args = Arg::new("args")
        .default_value("{}")
        .help("The arguments, one JSON object; - reads it from standard input");
    Command::new(name).about(about).args([
        entity.help("The entity, as in account/alice"),
        method.help("Its method"),
        args,
    ])
}

fn key() -> Arg {
    Arg::new("idempotency_key")
        .long("idempotency-key")
        .value_name("KEY")
        .value_parser(IdempotencyKey::new)
        .help("Run at most once under this key, and print the first answer again")
}

fn chosen_key(given: &ArgMatches) -> IdempotencyKey {
    let key = given.get_one::<IdempotencyKey>("idempotency_key");
    key.cloned().unwrap_or_else(random_key)
}

/// Why there is no value; with the key, where the call may have run: asked again under it, it runs once.
fn unanswered(error: Error, key: &IdempotencyKey) -> Failure {
    use Error::{Lost, Protocol, Timeout, Unavailable};
    let may_have_run = matches!(
        error,
        Lost { .. } | Timeout { .. } | Unavailable(_) | Protocol { .. }
    );
    let mut failure = Failure::from(error);
    if let Some(message) = failure.message.as_mut().filter(|_| may_have_run) {
        message.push_str(&format!("\nits idempotency key: {key}"));
    }
    failure
}

fn request(given: &ArgMatches) -> Result<Request<Box<RawValue>>, Failure> {
    let text = |id: &str| {
        given
            .get_one::<String>(id)
            .expect("it is required")
            .as_str()
    };
    let mut args = text("args").to_owned();
    if args == "-" {
        args = read(io::stdin())
            .map_err(|error| Failure::usage(format!("cannot read the arguments: {error}")))?;
    }
    Ok(json_request(text("entity"), text("method"), args))
}

/// Arguments from a pipe or a file, which may begin as some editors begin one.
fn read(from: impl io::Read) -> io::Result<String> {
    let mut bytes = bounded::read(from, ARGUMENT_TEXT_BYTES_MAX)?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    bounded::text(bytes)
}

fn print(context: &Context, reply: &Reply<Box<RawValue>>) -> Result<(), Failure> {
    let (seq, value) = (reply.seq, &reply.value);
    match context.output.json {
        true => context.output.json(&Answered { seq, value })?,
        false => context.output.value(value.get())?,
    }
    Ok(())
}

/// A reply as JSON. The value is given as it came: one that were read in and written again would have
/// other numbers, and texts with half a surrogate pair could not be read in at all.
#[derive(Serialize)]
struct Answered<'r> {
    seq: Option<Seq>,
    value: &'r RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What answers may be a proxy that passed the call on and has a page of its own for what came back.
    #[test]
    fn whoever_does_not_answer_like_a_server_may_have_passed_the_call_on() {
        let strange = Error::Protocol {
            url: "http://a".to_owned(),
            reason: "it answers 500 without a problem document".to_owned(),
        };
        let key = IdempotencyKey::new("mine").unwrap();
        let said = unanswered(strange, &key).message.unwrap();
        assert!(said.ends_with("its idempotency key: mine"), "{said}");
    }

    #[test]
    fn arguments_may_begin_with_a_byte_order_mark() {
        for text in ["{}", "\u{feff}{}"] {
            assert_eq!(read(text.as_bytes()).unwrap(), "{}");
        }
        let error = read(&b"{\xff"[..]).unwrap_err().to_string();
        assert_eq!(error, "byte 1 is not UTF-8");
    }
}
