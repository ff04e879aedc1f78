//! Calls and their replies as lines of JSON (NDJSON): the bodies of `/v1/batch`, and of
//! `/v1/stream` in text messages, where one message holds one or more lines.
//!
//! ```text
//!   {"id":7,"op":"call","entity":"account","key":"alice","method":"deposit","args":{"amount":5}}
//!   {"id":7,"seq":1234,"value":15}
//!   {"id":8,"seq":1235,"error":{"type":…,"kind":"rejection","code":"insufficient_funds",…}}
//! ```
//!
//! `id` is any JSON, given back as it came, or absent. `op` is `call` unless said otherwise, `args`
//! is `{}`. Optional: `idempotency_key` (calls, sends), `delay_ms` (sends), `min_seq` (queries). A
//! send's value is `{"id":"1234.0"}`. Lines are parsed and written at the rate of the stream: text
//! is borrowed, and arguments and values pass through untouched.

use std::borrow::Cow;

use ordain_types::Seq;
use ordain_types::limits::JSON_DEPTH_MAX;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::call::{NO_ARGS, Op, WireCall};
use crate::error::{Limit, Problem};
use crate::json;

/// Bytes of JSON that an `id` may have.
pub const ID_BYTES_MAX: usize = 256;

/// One call as a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLine<'a> {
    /// The asker's own id, as JSON text.
    pub id: Option<&'a str>,
    /// The call.
    pub call: WireCall<'a>,
}

/// A line that is no call, with its id if that could be read, so that the answer can carry it.
#[derive(Debug, Clone)]
pub struct LineError<'a> {
    /// The asker's own id, as JSON text.
    pub id: Option<&'a str>,
    /// What to answer.
    pub problem: Problem,
}

/// One reply as a line.
#[derive(Debug, Clone)]
pub struct ReplyLine<'a> {
    /// The asker's own id, as JSON text.
    pub id: Option<&'a str>,
    /// The seq of an update; of a query, the last seq it saw.
    pub seq: Option<Seq>,
    /// The value as JSON text, or what was wrong.
    pub result: Result<&'a str, Problem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCall<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(default)]
    op: Op,
    #[serde(borrow)]
    entity: Text<'a>,
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(borrow)]
    method: Text<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    args: Option<&'a RawValue>,
    #[serde(borrow, default)]
    idempotency_key: Option<Text<'a>>,
    #[serde(default)]
    delay_ms: Option<u64>,
    #[serde(default)]
    min_seq: Option<u64>,
}

#[derive(Deserialize)]
struct RawId<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawReply<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<Problem>,
}

/// A member that is there is there, also when it is `null`.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Text, borrowed unless it holds an escape.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Visitor)
    }
}

impl<'a> CallLine<'a> {
    /// Reads a line, with or without its end.
    ///
    /// # Errors
    /// If it is not JSON, nests too deep, lacks a member or has one it should not.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError<'a>> {
        let fail = |id, problem| LineError { id, problem };
        // The line itself is one object around the arguments.
        json::check_depth_to(line, JSON_DEPTH_MAX + 1).map_err(|error| fail(None, error.into()))?;
        let text = std::str::from_utf8(line).map_err(|_| {
            let problem = Problem::malformed_json("the line", "it is not UTF-8");
            fail(None, problem)
        })?;
        // An array would be read as the members in their order, which is nobody's business.
        if !text.trim_start().starts_with('{') {
            serde_json::from_str::<de::IgnoredAny>(text)
                .map_err(|error| fail(None, refused(&error)))?;
            let detail = "a line is one JSON object, with entity, key and method";
            return Err(fail(None, Problem::bad_request("line", detail)));
        }
        let raw: RawCall<'a> =
            serde_json::from_str(text).map_err(|error| fail(readable_id(text), refused(&error)))?;
        let id = raw.id.map(RawValue::get);
        if id.is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return Err(fail(None, id_too_large()));
        }
        Ok(Self {
            id,
            call: WireCall {
                op: raw.op,
                entity: raw.entity.0,
                key: raw.key.0,
                method: raw.method.0,
                args: raw.args.map_or(NO_ARGS, |args| args.get().as_bytes()),
                idempotency_key: raw.idempotency_key.map(|key| key.0),
                delay_ms: raw.delay_ms,
                min_seq: raw.min_seq,
            },
        })
    }

    /// Appends the line with its end. Arguments must be JSON text; line ends in them become spaces.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        write_id(out, self.id);
        let call = &self.call;
        if call.op != Op::Call {
            out.extend_from_slice(b"\"op\":\"");
            out.extend_from_slice(call.op.as_str().as_bytes());
            out.extend_from_slice(b"\",");
        }
        write_text(out, "entity", &call.entity);
        out.push(b',');
        write_text(out, "key", &call.key);
        out.push(b',');
        write_text(out, "method", &call.method);
        out.extend_from_slice(b",\"args\":");
        write_json(out, call.args);
        if let Some(key) = &call.idempotency_key {
            out.push(b',');
            write_text(out, "idempotency_key", key);
        }
        if let Some(delay_ms) = call.delay_ms {
            out.extend_from_slice(b",\"delay_ms\":");
            write_number(out, delay_ms);
        }
        if let Some(min_seq) = call.min_seq {
            out.extend_from_slice(b",\"min_seq\":");
            write_number(out, min_seq);
        }
        out.extend_from_slice(b"}\n");
    }
}

impl<'a> ReplyLine<'a> {
    /// Reads a line, with or without its end. Members it does not know are passed over: a newer
    /// server may add some.
    ///
    /// # Errors
    /// If it is no reply.
    pub fn parse(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        let raw: RawReply<'a> = serde_json::from_slice(line)?;
        let result = match (raw.value, raw.error) {
            (Some(value), None) => Ok(value.get()),
            (None, Some(problem)) => Err(problem),
            _ => return Err(de::Error::custom("a reply has either a value or an error")),
        };
        Ok(Self {
            id: raw.id.map(RawValue::get),
            seq: raw.seq.map(Seq),
            result,
        })
    }
}

/// Appends the line that answers with a value, given as JSON text.
pub fn write_value(out: &mut Vec<u8>, id: Option<&str>, seq: Option<Seq>, value: &[u8]) {
    write_reply_start(out, id, seq);
    out.extend_from_slice(b"\"value\":");
    write_json(out, value);
    out.extend_from_slice(b"}\n");
}

/// Appends the line that answers with a problem.
pub fn write_problem(out: &mut Vec<u8>, id: Option<&str>, seq: Option<Seq>, problem: &Problem) {
    write_reply_start(out, id, seq);
    out.extend_from_slice(b"\"error\":");
    let start = out.len();
    problem.write_json(out);
    join_lines(&mut out[start..]);
    out.extend_from_slice(b"}\n");
}

/// The lines of a message or body that are not blank.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
}

fn write_reply_start(out: &mut Vec<u8>, id: Option<&str>, seq: Option<Seq>) {
    out.push(b'{');
    write_id(out, id);
    if let Some(Seq(seq)) = seq {
        out.extend_from_slice(b"\"seq\":");
        write_number(out, seq);
        out.push(b',');
    }
}

fn write_id(out: &mut Vec<u8>, id: Option<&str>) {
    if let Some(id) = id {
        out.extend_from_slice(b"\"id\":");
        write_json(out, id.as_bytes());
        out.push(b',');
    }
}

fn write_text(out: &mut Vec<u8>, member: &str, text: &str) {
    out.push(b'"');
    out.extend_from_slice(member.as_bytes());
    out.extend_from_slice(b"\":");
    serde_json::to_writer(out, text).expect("a string encodes into memory");
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    serde_json::to_writer(out, &number).expect("a number encodes into memory");
}

fn write_json(out: &mut Vec<u8>, json: &[u8]) {
    let start = out.len();
    out.extend_from_slice(json);
    join_lines(&mut out[start..]);
}

/// Line ends in JSON text can only be white space between tokens: spaces serve as well.
fn join_lines(json: &mut [u8]) {
    for byte in json {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// The id of a line that was refused, if that much can be read.
fn readable_id(text: &str) -> Option<&str> {
    let raw: RawId<'_> = serde_json::from_str(text).ok()?;
    let id = raw.id?.get();
    (id.len() <= ID_BYTES_MAX).then_some(id)
}

fn refused(error: &serde_json::Error) -> Problem {
    match error.classify() {
        serde_json::error::Category::Data => {
            Problem::bad_request("line", format!("the line is no call: {error}"))
        }
        _ => Problem::malformed_json("the line", error),
    }
}

fn id_too_large() -> Problem {
    let detail = format!("an id has at most {ID_BYTES_MAX} bytes of JSON");
    let mut problem = Problem::bad_request("id", detail);
    problem.limit = Some(Limit {
        name: "id_bytes".into(),
        max: ID_BYTES_MAX as u64,
    });
    problem
}
