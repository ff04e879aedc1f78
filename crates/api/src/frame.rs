//! Calls and their replies as bytes: `/v1/stream` in binary messages. `docs/stream.md` is the
//! specification, byte by byte.
//!
//! ```text
//!   message  := frame+
//!   frame    := length body                         length: varint, bytes of the body
//!   request  := flags id entity key method
//!               [idempotency key] [delay] [min seq]
//!               arguments                           to the end of the body
//!   reply    := status id seq json                  to the end of the body
//! ```
//!
//! `flags` and `status` are one byte, numbers are varints, texts are a varint length and UTF-8.
//! Decoding borrows from the message and allocates nothing; each thing has exactly one encoding.
//! What the names and the JSON mean is not known here.

use std::borrow::Cow;

use ordain_types::Seq;

use crate::call::{Op, WireCall};
use crate::error::{Kind, Problem};

/// Bytes of one message; also the most the server takes of a text message.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

const _: () = assert!(MESSAGE_BYTES_MAX > ordain_types::limits::ARGUMENT_BYTES_MAX + 4_096);
const _: () = assert!(MESSAGE_BYTES_MAX > ordain_types::limits::VALUE_BYTES_MAX + 4_096);

const OP_MASK: u8 = 0b0000_0011;
const HAS_IDEMPOTENCY_KEY: u8 = 0b0000_0100;
const HAS_DELAY: u8 = 0b0000_1000;
const HAS_MIN_SEQ: u8 = 0b0001_0000;
const FLAGS: u8 = OP_MASK | HAS_IDEMPOTENCY_KEY | HAS_DELAY | HAS_MIN_SEQ;

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The message ends inside a frame, or the body inside a part.
    #[error("the frame is cut short at its {part}")]
    Short {
        /// What was being read.
        part: &'static str,
    },
    /// A number with more bytes than it needs, or too large for 64 bits.
    #[error("the {part} is not a varint of at most 64 bits in its shortest form")]
    Varint {
        /// What was being read.
        part: &'static str,
    },
    /// A text that is not UTF-8.
    #[error("the {part} is not UTF-8")]
    Utf8 {
        /// What was being read.
        part: &'static str,
    },
    /// A first byte that means nothing.
    #[error("the first byte {byte:#04x} is of no known {part}")]
    Unknown {
        /// What was being read.
        part: &'static str,
        /// The byte.
        byte: u8,
    },
}

impl From<FrameError> for Problem {
    fn from(error: FrameError) -> Self {
        Problem::bad_request("frame", format!("{error}; docs/stream.md has the layout"))
    }
}

/// One call as a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFrame<'a> {
    /// The asker's own id, given back with the reply.
    pub id: u64,
    /// The call.
    pub call: WireCall<'a>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyStatus {
    /// The value, as JSON.
    Value,
    /// A problem document of this kind.
    Problem(Kind),
}

/// One reply as a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyFrame<'a> {
    /// The id of the call.
    pub id: u64,
    /// The seq of an update; of a query, the last seq it saw. None if nothing ran.
    pub seq: Option<Seq>,
    /// How it ended.
    pub status: ReplyStatus,
    /// The value or the problem document.
    pub json: &'a [u8],
}

/// The bodies of a message's frames, in order. After an error there is nothing more: where the
/// next frame begins is then unknown.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// The frames of one message.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<&'a [u8], FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut reader = Reader { rest: self.rest };
        let body = reader.bytes("length");
        self.rest = if body.is_ok() { reader.rest } else { &[] };
        Some(body)
    }
}

impl<'a> CallFrame<'a> {
    /// Reads the body of one frame.
    ///
    /// # Errors
    /// If it is no call. The connection can go on with the next frame.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        let mut reader = Reader { rest: body };
        let flags = reader.byte("flags")?;
        let op = op_of(flags)?;
        let id = reader.varint("id")?;
        let entity = Cow::Borrowed(reader.text("entity")?);
        let key = Cow::Borrowed(reader.text("key")?);
        let method = Cow::Borrowed(reader.text("method")?);
        let has = |flag: u8| flags & flag != 0;
        let idempotency_key = has(HAS_IDEMPOTENCY_KEY)
            .then(|| reader.text("idempotency key").map(Cow::Borrowed))
            .transpose()?;
        let delay_ms = has(HAS_DELAY).then(|| reader.varint("delay")).transpose()?;
        let min_seq = has(HAS_MIN_SEQ)
            .then(|| reader.varint("min seq"))
            .transpose()?;
        Ok(Self {
            id,
            call: WireCall {
                op,
                entity,
                key,
                method,
                args: reader.rest,
                idempotency_key,
                delay_ms,
                min_seq,
            },
        })
    }

    /// The id of a body that [`CallFrame::decode`] refused, if that much can be read.
    pub fn readable_id(body: &[u8]) -> Option<u64> {
        let mut reader = Reader { rest: body };
        reader.byte("flags").ok()?;
        reader.varint("id").ok()
    }

    /// Appends the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let call = &self.call;
        let texts = [&call.entity, &call.key, &call.method].into_iter();
        let texts = texts.chain(&call.idempotency_key);
        let numbers = [call.delay_ms, call.min_seq];
        let length = 1
            + varint_len(self.id)
            + texts.clone().map(|text| text_len(text)).sum::<usize>()
            + numbers.into_iter().flatten().map(varint_len).sum::<usize>()
            + call.args.len();
        out.reserve(length + varint_len(length as u64));
        write_varint(out, length as u64);
        out.push(flags_of(call));
        write_varint(out, self.id);
        for text in texts {
            write_varint(out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        for number in numbers.into_iter().flatten() {
            write_varint(out, number);
        }
        out.extend_from_slice(call.args);
    }
}

impl<'a> ReplyFrame<'a> {
    /// Reads the body of one frame.
    ///
    /// # Errors
    /// If it is no reply.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        let mut reader = Reader { rest: body };
        let status = match reader.byte("status")? {
            0 => ReplyStatus::Value,
            1 => ReplyStatus::Problem(Kind::Rejection),
            2 => ReplyStatus::Problem(Kind::Fault),
            3 => ReplyStatus::Problem(Kind::Refused),
            4 => ReplyStatus::Problem(Kind::Unavailable),
            byte => {
                let part = "status";
                return Err(FrameError::Unknown { part, byte });
            }
        };
        let id = reader.varint("id")?;
        let seq = reader.varint("seq")?;
        Ok(Self {
            id,
            seq: (seq != 0).then_some(Seq(seq)),
            status,
            json: reader.rest,
        })
    }

    /// Appends the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let seq = self.seq.map_or(0, |seq| seq.0);
        let length = 1 + varint_len(self.id) + varint_len(seq) + self.json.len();
        out.reserve(length + varint_len(length as u64));
        write_varint(out, length as u64);
        out.push(match self.status {
            ReplyStatus::Value => 0,
            ReplyStatus::Problem(Kind::Rejection) => 1,
            ReplyStatus::Problem(Kind::Fault) => 2,
            ReplyStatus::Problem(Kind::Refused) => 3,
            ReplyStatus::Problem(Kind::Unavailable) => 4,
        });
        write_varint(out, self.id);
        write_varint(out, seq);
        out.extend_from_slice(self.json);
    }
}

/// Appends the frame that answers with a value, given as JSON text.
pub fn write_value(out: &mut Vec<u8>, id: u64, seq: Option<Seq>, json: &[u8]) {
    let status = ReplyStatus::Value;
    let reply = ReplyFrame {
        id,
        seq,
        status,
        json,
    };
    reply.write(out);
}

/// Appends the frame that answers with a problem.
pub fn write_problem(out: &mut Vec<u8>, id: u64, seq: Option<Seq>, problem: &Problem) {
    let reply = ReplyFrame {
        id,
        seq,
        status: ReplyStatus::Problem(problem.kind),
        json: &problem.to_json(),
    };
    reply.write(out);
}

fn op_of(flags: u8) -> Result<Op, FrameError> {
    let unknown = FrameError::Unknown {
        part: "flags",
        byte: flags,
    };
    if flags & !FLAGS != 0 {
        return Err(unknown);
    }
    match flags & OP_MASK {
        0 => Ok(Op::Call),
        1 => Ok(Op::Query),
        2 => Ok(Op::Send),
        _ => Err(unknown),
    }
}

fn flags_of(call: &WireCall<'_>) -> u8 {
    let op = match call.op {
        Op::Call => 0,
        Op::Query => 1,
        Op::Send => 2,
    };
    let flag = |has: bool, flag: u8| if has { flag } else { 0 };
    op | flag(call.idempotency_key.is_some(), HAS_IDEMPOTENCY_KEY)
        | flag(call.delay_ms.is_some(), HAS_DELAY)
        | flag(call.min_seq.is_some(), HAS_MIN_SEQ)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self, part: &'static str) -> Result<u8, FrameError> {
        let (&byte, rest) = self.rest.split_first().ok_or(FrameError::Short { part })?;
        self.rest = rest;
        Ok(byte)
    }

    /// Little-endian groups of seven bits, the high bit set on all but the last (LEB128).
    #[inline]
    fn varint(&mut self, part: &'static str) -> Result<u64, FrameError> {
        match self.rest {
            // Nearly every length.
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok((*byte).into())
            }
            _ => self.long_varint(part),
        }
    }

    fn long_varint(&mut self, part: &'static str) -> Result<u64, FrameError> {
        let mut number = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte(part)?;
            let group = u64::from(byte & 0x7f);
            let fits = (group << shift) >> shift == group;
            let shortest = byte != 0 || shift == 0;
            if !fits || !shortest {
                return Err(FrameError::Varint { part });
            }
            number |= group << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(FrameError::Varint { part })
    }

    fn bytes(&mut self, part: &'static str) -> Result<&'a [u8], FrameError> {
        let length = self.varint(part)?;
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = split.ok_or(FrameError::Short { part })?;
        self.rest = rest;
        Ok(bytes)
    }

    fn text(&mut self, part: &'static str) -> Result<&'a str, FrameError> {
        std::str::from_utf8(self.bytes(part)?).map_err(|_| FrameError::Utf8 { part })
    }
}

fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn varint_len(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()).div_ceil(7).max(1) as usize
}

fn text_len(text: &str) -> usize {
    varint_len(text.len() as u64) + text.len()
}

#[cfg(test)]
mod tests;
