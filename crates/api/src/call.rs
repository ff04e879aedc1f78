//! One call, query or send as it arrives, however it arrives: names unchecked, borrowed from the
//! message. [`WireCall::check`] makes it a [`Request`]. Whether entity and method exist is not
//! known here.

use std::borrow::Cow;
use std::fmt;

use ordain_types::limits::{ARGUMENT_BYTES_MAX, SEND_DELAY_MS_MAX};
use ordain_types::{EntityId, IdempotencyKey, Method, Seq};
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::{json, routes};

/// The arguments of a call that gives none.
pub const NO_ARGS: &[u8] = b"{}";

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// A call, waiting for its value.
    #[default]
    Call,
    /// A call of a query, which never writes.
    Query,
    /// A call later.
    Send,
}

impl Op {
    /// The word in paths and lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Call => "call",
            Op::Query => "query",
            Op::Send => "send",
        }
    }

    /// The path that `/{entity}/{key}/{method}` follows.
    pub fn route(self) -> &'static str {
        match self {
            Op::Call => routes::CALL,
            Op::Query => routes::QUERY,
            Op::Send => routes::SEND,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call, query or send, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireCall<'a> {
    /// What is asked for.
    pub op: Op,
    /// The entity's type.
    pub entity: Cow<'a, str>,
    /// The entity's key.
    pub key: Cow<'a, str>,
    /// The method.
    pub method: Cow<'a, str>,
    /// The arguments: one JSON object as text.
    pub args: &'a [u8],
    /// By which a retry is known; of calls and sends.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// How long to wait, in milliseconds; of sends.
    pub delay_ms: Option<u64>,
    /// The seq to see at least; of queries.
    pub min_seq: Option<u64>,
}

/// One call, query or send whose names are names and whose sizes are within their limits. That the
/// arguments are JSON, and fit, is for the method's decoder to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked for.
    pub op: Op,
    /// Of whom.
    pub entity: EntityId,
    /// Which method.
    pub method: Method,
    /// The arguments as text, within depth and size.
    pub args: &'a [u8],
    /// By which a retry is known.
    pub idempotency_key: Option<IdempotencyKey>,
    /// How long to wait, in milliseconds; 0 unless a send says so.
    pub delay_ms: u64,
    /// The seq to see at least; zero unless a query says so.
    pub min_seq: Seq,
}

impl<'a> WireCall<'a> {
    /// A call without idempotency key.
    pub fn new(op: Op, entity: &'a EntityId, method: &'a Method, args: &'a [u8]) -> Self {
        Self {
            op,
            entity: Cow::Borrowed(entity.ty.as_str()),
            key: Cow::Borrowed(entity.key.as_str()),
            method: Cow::Borrowed(method.as_str()),
            args,
            idempotency_key: None,
            delay_ms: None,
            min_seq: None,
        }
    }

    /// Checks names, sizes, depth, and that no member is of another op.
    ///
    /// # Errors
    /// The first thing wrong, as the problem to answer with.
    pub fn check(&self) -> Result<Request<'a>, Problem> {
        self.check_members()?;
        Ok(Request {
            op: self.op,
            entity: EntityId::new(&self.entity, &self.key)?,
            method: Method::new(&self.method)?,
            args: check_args(self.args)?,
            idempotency_key: self
                .idempotency_key
                .as_deref()
                .map(check_idempotency_key)
                .transpose()?,
            delay_ms: check_delay(self.delay_ms.unwrap_or(0))?,
            min_seq: Seq(self.min_seq.unwrap_or(0)),
        })
    }

    fn check_members(&self) -> Result<(), Problem> {
        let strange = match self.op {
            Op::Query if self.idempotency_key.is_some() => "idempotency_key",
            Op::Query | Op::Call if self.delay_ms.is_some() => "delay_ms",
            Op::Call | Op::Send if self.min_seq.is_some() => "min_seq",
            _ => return Ok(()),
        };
        let detail = format!("a {} takes no {strange}", self.op);
        Err(Problem::bad_request(strange, detail))
    }
}

/// Refuses arguments that are too large or nest too deep, before anything parses them.
///
/// # Errors
/// The problem to answer with.
pub fn check_args(args: &[u8]) -> Result<&[u8], Problem> {
    if args.len() > ARGUMENT_BYTES_MAX {
        let max = ARGUMENT_BYTES_MAX as u64;
        let (what, limit) = ("the arguments' JSON", "argument_bytes");
        return Err(Problem::request_too_large(what, limit, max));
    }
    json::check_depth(args)?;
    Ok(args)
}

/// Refuses an idempotency key that is empty, too long, holds control characters, or begins or ends with a
/// space: HTTP/1.1 leaves those out of headers, so that the key would be another one there.
///
/// # Errors
/// The problem to answer with.
pub fn check_idempotency_key(key: &str) -> Result<IdempotencyKey, Problem> {
    if key.starts_with(' ') || key.ends_with(' ') {
        let detail =
            "the idempotency key begins or ends with a space, which not every way here keeps";
        return Err(Problem::bad_request("idempotency_key", detail));
    }
    IdempotencyKey::new(key)
        .map_err(|error| Problem::bad_request("idempotency_key", error.to_string()))
}

/// Refuses a send's delay that is too long.
///
/// # Errors
/// The problem to answer with.
pub fn check_delay(delay_ms: u64) -> Result<u64, Problem> {
    if delay_ms <= SEND_DELAY_MS_MAX {
        return Ok(delay_ms);
    }
    let detail = format!("a send waits at most {SEND_DELAY_MS_MAX} ms, not {delay_ms}");
    Err(Problem::bad_request("delay_ms", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> WireCall<'static> {
        WireCall {
            op: Op::Call,
            entity: "account".into(),
            key: "al".into(),
            method: "deposit".into(),
            args: NO_ARGS,
            idempotency_key: None,
            delay_ms: None,
            min_seq: None,
        }
    }

    #[test]
    fn a_good_call_is_taken_whole() {
        let call = WireCall {
            op: Op::Send,
            idempotency_key: Some("k".into()),
            delay_ms: Some(SEND_DELAY_MS_MAX),
            ..call()
        };
        let request = call.check().unwrap();
        assert_eq!(request.entity.to_string(), "account/al");
        assert_eq!(request.delay_ms, SEND_DELAY_MS_MAX);
        assert_eq!(request.idempotency_key.unwrap().as_str(), "k");
    }

    #[test]
    fn each_member_is_checked() {
        let deep = "[".repeat(65);
        let large = vec![b' '; ARGUMENT_BYTES_MAX + 1];
        let long = "k".repeat(257);
        let query = || WireCall {
            op: Op::Query,
            ..call()
        };
        let send = || WireCall {
            op: Op::Send,
            ..call()
        };
        let refused = [
            (
                WireCall {
                    entity: "A".into(),
                    ..call()
                },
                "bad_name",
                None,
            ),
            (
                WireCall {
                    key: "".into(),
                    ..call()
                },
                "bad_key",
                None,
            ),
            (
                WireCall {
                    key: "a\n".into(),
                    ..call()
                },
                "bad_key",
                None,
            ),
            (
                WireCall {
                    method: "a-b".into(),
                    ..call()
                },
                "bad_name",
                None,
            ),
            (
                WireCall {
                    args: deep.as_bytes(),
                    ..call()
                },
                "json_too_deep",
                None,
            ),
            (
                WireCall {
                    args: &large,
                    ..call()
                },
                "request_too_large",
                None,
            ),
            (
                WireCall {
                    idempotency_key: Some("".into()),
                    ..call()
                },
                "bad_request",
                Some("idempotency_key"),
            ),
            (
                WireCall {
                    idempotency_key: Some(long.into()),
                    ..call()
                },
                "bad_request",
                Some("idempotency_key"),
            ),
            (
                WireCall {
                    idempotency_key: Some("k".into()),
                    ..query()
                },
                "bad_request",
                Some("idempotency_key"),
            ),
            (
                WireCall {
                    delay_ms: Some(0),
                    ..call()
                },
                "bad_request",
                Some("delay_ms"),
            ),
            (
                WireCall {
                    delay_ms: Some(0),
                    ..query()
                },
                "bad_request",
                Some("delay_ms"),
            ),
            (
                WireCall {
                    delay_ms: Some(SEND_DELAY_MS_MAX + 1),
                    ..send()
                },
                "bad_request",
                Some("delay_ms"),
            ),
            (
                WireCall {
                    min_seq: Some(1),
                    ..call()
                },
                "bad_request",
                Some("min_seq"),
            ),
            (
                WireCall {
                    min_seq: Some(1),
                    ..send()
                },
                "bad_request",
                Some("min_seq"),
            ),
        ];
        for (call, code, field) in refused {
            let problem = call.check().unwrap_err();
            assert_eq!((&*problem.code, problem.field.as_deref()), (code, field));
        }
    }
}
