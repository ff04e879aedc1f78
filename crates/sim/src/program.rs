//! The language of simulated methods: small programs that are the argument of the method that runs
//! them. Only their shape and meaning; the hosts and the oracle each interpret them in their own way.
//!
//! Most of it is for methods in any language: numbers are small and wrap, texts are counted in
//! characters. Holding a root value and spoiling it are for native methods alone, taking too much of
//! an interpreter for modules' alone.

use ordain_types::{EntityId, Method, limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a method does, in order. Its value is the list of all that its operations saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// What it does.
    pub ops: Vec<Op>,
}

/// One operation on the entity whose method runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Sees the root value; and if a module runs it, the number of its release.
    Read,
    /// Adds to the root value's number, which wraps.
    Add(i32),
    /// Sets how long the root value's padding is.
    Pad(u32),
    /// Makes the root value one that cannot be encoded, or makes it sound again. Native alone.
    Spoil,
    /// Sees something of the transaction, and mixes it into the root value if told to keep it.
    Note {
        /// What to see.
        source: Source,
        /// Whether the root value changes by it.
        keep: bool,
    },
    /// Sees a field.
    Get(String),
    /// Puts a field: its value is a JSON string of so many `v`.
    Put(String, u32),
    /// Deletes a field.
    Delete(String),
    /// Puts the fields `fill/0`, `fill/1`, … with values of so many bytes.
    Fill {
        /// How many.
        fields: u32,
        /// How long each value is.
        bytes: u32,
    },
    /// Deletes the fields `fill/n`, `fill/n+1`, …
    Clear {
        /// The first number.
        first: u32,
        /// How many.
        fields: u32,
    },
    /// Sees fields in order.
    Scan {
        /// Where the range begins.
        from: Edge,
        /// Where it ends.
        to: Edge,
        /// From its end.
        reverse: bool,
        /// At most so many.
        limit: usize,
    },
    /// Calls and sees the value.
    Call {
        /// What to call.
        call: Invoke,
        /// What to do if it does not come to a value.
        or: Or,
    },
    /// The same call so many times, seeing only that all came to values.
    CallMany {
        /// How often.
        times: u32,
        /// What to call.
        call: Invoke,
    },
    /// Calls the entity itself so many levels deep, runs `ops` there and sees their value.
    Dive {
        /// How deep.
        levels: u32,
        /// What to do at the ground.
        ops: Vec<Op>,
    },
    /// Sends and sees the send's id.
    Send {
        /// What to call later.
        call: Invoke,
        /// How much later.
        delay_ms: u64,
        /// How many such sends.
        times: u32,
    },
    /// Takes the root value out of the engine's hands while `ops` run. Native alone.
    Hold {
        /// To be written.
        write: bool,
        /// What to do meanwhile.
        ops: Vec<Op>,
    },
    /// Ends the method with a rejection.
    Reject {
        /// Its code.
        code: String,
        /// How long its message is, in characters of two bytes.
        message: u32,
        /// How many bytes its details have; none: no details.
        details: Option<u32>,
    },
    /// Panics with this text; in a language without panics, throws an error that says it.
    Panic(String),
    /// Sees a text of so many bytes, of its own making.
    Say(u32),
    /// Takes so many mebibytes of the interpreter's memory and gives them back. Nothing, if native.
    Hoard(u32),
    /// Recurses without end. Nothing, if native.
    Sink,
    /// Goes round without end. Nothing, if native.
    Spin,
}

/// What a transaction knows beside state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The batch's timestamp.
    Now,
    /// The upper 53 bits of the next random number.
    Random,
    /// A fresh id.
    Uuid,
    /// The transaction's seq.
    Seq,
    /// Who asked.
    Caller,
    /// The entity whose method runs.
    Entity,
}

/// One end of a range of fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edge {
    /// No bound.
    Open,
    /// This key and what lies within.
    At(String),
    /// Only what lies within.
    Past(String),
}

/// What a caller does when its callee does not come to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Or {
    /// Passes a rejection on.
    Pass,
    /// Catches a rejection and sees it.
    Catch,
    /// Catches a rejection, and tries to catch a fault or a panic as well.
    Shield,
}

/// A call to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// Whom to call.
    pub entity: EntityId,
    /// What to call.
    pub method: Method,
    /// With what.
    pub with: With,
}

/// Arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum With {
    /// A program.
    Program(Program),
    /// No program.
    Nonsense,
    /// More bytes than arguments may have.
    TooMuch,
}

impl With {
    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            With::Program(program) => program.json(),
            With::Nonsense => b"{\"opz\":7}".to_vec(),
            With::TooMuch => vec![b' '; limits::ARGUMENT_BYTES_MAX + 1],
        }
    }
}

impl Program {
    /// The program as the argument of a method.
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a program is JSON")
    }

    /// One level of [`Op::Dive`].
    pub fn dive(levels: u32, ops: &[Op]) -> Self {
        match levels {
            0 => Program { ops: ops.to_vec() },
            _ => Program {
                ops: vec![Op::Dive {
                    levels: levels - 1,
                    ops: ops.to_vec(),
                }],
            },
        }
    }
}

/// What [`Op::Dive`] sees of the value of the call that it makes: the value at the ground.
pub fn dived(levels: u32, value: Value) -> Value {
    match value {
        Value::Array(mut seen) if levels > 0 => seen.swap_remove(0),
        value => value,
    }
}

/// The text of a field's value.
pub fn field_value(length: u32) -> Vec<u8> {
    let mut json = vec![b'v'; length as usize + 2];
    json[0] = b'"';
    json[length as usize + 1] = b'"';
    json
}

/// The message of a rejection.
pub fn message(length: u32) -> String {
    "ü".repeat(length as usize)
}
