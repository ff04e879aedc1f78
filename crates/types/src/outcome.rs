//! How a command ends. The encoding here is what the deduplication table and invocation records
//! hold, and what outcome digests are taken over.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Json, limits};

/// The end of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The method's value, as JSON.
    Value(Json),
    /// The method said no; all it did is undone.
    Rejected(Box<Rejection>),
    /// A limit was broken or the method crashed; all it did is undone.
    Fault(Box<Fault>),
}

/// A business "no".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Stable, for programs: `insufficient_funds`.
    pub code: String,
    /// For people.
    pub message: String,
    /// Any JSON the method adds.
    pub details: Option<Json>,
}

impl Rejection {
    /// A rejection without details. The code is for programs to compare: 1 to 64 of `a-z`, `0-9` and
    /// `_`. What is not so is made so (see [`Rejection::bounded`]), for a refusal must not fail.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            details: None,
        }
        .bounded()
    }

    /// The same within its limits: in the code, capitals become small, any other character that is not
    /// of `a-z`, `0-9` and `_` becomes `_`, what passes the limit is cut, and nothing becomes
    /// `rejected`; a message past its limit is cut at a character.
    pub fn bounded(mut self) -> Self {
        if !code_is_good(&self.code) {
            let good = |c: char| match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9' | '_') => c,
                _ => '_',
            };
            let chars = self.code.chars().take(limits::CODE_BYTES_MAX);
            self.code = chars.map(good).collect();
            if self.code.is_empty() {
                self.code.push_str("rejected");
            }
        }
        if self.message.len() > limits::MESSAGE_BYTES_MAX {
            let end = self.message.floor_char_boundary(limits::MESSAGE_BYTES_MAX);
            self.message.truncate(end);
        }
        self
    }
}

fn code_is_good(code: &str) -> bool {
    let good = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
    (1..=limits::CODE_BYTES_MAX).contains(&code.len()) && code.bytes().all(good)
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Rejection {}

/// A broken limit, trap, panic or host error: never a business answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What broke.
    pub kind: FaultKind,
    /// What was attempted and what to do, for people: whoever called sees it.
    pub message: String,
    /// Where: `account/alice.withdraw`, empty if no method ran.
    pub at: String,
    /// The module's own stack where it has one, from the place where it failed on, for those who operate or develop it; else
    /// empty.
    pub trace: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at.is_empty() {
            true => write!(f, "{}: {}", self.kind.code(), self.message),
            false => write!(f, "{} in {}: {}", self.kind.code(), self.at, self.message),
        }
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// The fault in one line with the innermost line of its trace, where that is a place: for whoever may see traces.
    pub fn with_place(&self) -> String {
        let first = self.trace.lines().next().map(str::trim);
        match first.filter(|line| line.starts_with("at ")) {
            Some(place) => format!("{self}, {place}"),
            None => self.to_string(),
        }
    }
}

/// What broke. New kinds are added at the end: the position is persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FaultKind {
    /// The method panicked.
    Panic,
    /// More nested calls than [`crate::limits::CALL_DEPTH_MAX`].
    CallDepth,
    /// More calls than [`crate::limits::CALLS_MAX`].
    Calls,
    /// More bytes written than [`crate::limits::WRITTEN_BYTES_MAX`].
    WrittenBytes,
    /// A value larger than [`crate::limits::VALUE_BYTES_MAX`].
    ValueBytes,
    /// Arguments larger than [`crate::limits::ARGUMENT_BYTES_MAX`].
    ArgumentBytes,
    /// More sends than [`crate::limits::SENDS_MAX`], or too many waiting, or too long a delay.
    Sends,
    /// A scan asked for more rows than [`crate::limits::SCAN_ROWS_MAX`].
    ScanRows,
    /// A call came back to an entity whose state a method on the stack holds.
    EntityHeld,
    /// A query tried to write, or to call an update.
    WriteInQuery,
    /// A call to an entity type that is not there.
    UnknownEntity,
    /// A call to a method that is not there.
    UnknownMethod,
    /// Arguments that do not fit the method, in a call from inside.
    Arguments,
    /// A stored state or field that does not decode as its type.
    StoredValue,
    /// A state, field or result that cannot be encoded as JSON.
    Encoding,
    /// A key that is empty, too long or holds a control character.
    BadKey,
    /// A module's method threw something that is no rejection.
    Exception,
    /// A WebAssembly module trapped.
    Trap,
    /// A module's methods ran longer than their limit of instructions.
    Instructions,
    /// A module's methods used more memory than their limit.
    Memory,
    /// A module's methods nested deeper than their stack.
    Stack,
    /// A module changed state of its own outside of entities, or broke another rule of modules.
    ModuleState,
    /// Run a second time, a method came out differently: see the node's option to run twice.
    Differs,
    /// More bytes read than [`crate::limits::SCAN_BYTES_MAX`] in one scan, or than
    /// [`crate::limits::READ_BYTES_MAX`] in one transaction.
    ReadBytes,
}

impl FaultKind {
    /// The stable code shown to users.
    pub fn code(self) -> &'static str {
        match self {
            FaultKind::Panic => "panic",
            FaultKind::CallDepth => "call_depth_exceeded",
            FaultKind::Calls => "calls_exceeded",
            FaultKind::WrittenBytes => "written_bytes_exceeded",
            FaultKind::ValueBytes => "value_too_large",
            FaultKind::ArgumentBytes => "arguments_too_large",
            FaultKind::Sends => "sends_exceeded",
            FaultKind::ScanRows => "scan_rows_exceeded",
            FaultKind::EntityHeld => "entity_held",
            FaultKind::WriteInQuery => "write_in_query",
            FaultKind::UnknownEntity => "unknown_entity",
            FaultKind::UnknownMethod => "unknown_method",
            FaultKind::Arguments => "bad_arguments",
            FaultKind::StoredValue => "stored_value_unreadable",
            FaultKind::Encoding => "value_not_json",
            FaultKind::BadKey => "bad_key",
            FaultKind::Exception => "exception",
            FaultKind::Trap => "trap",
            FaultKind::Instructions => "instructions_exceeded",
            FaultKind::Memory => "memory_exceeded",
            FaultKind::Stack => "stack_exceeded",
            FaultKind::ModuleState => "module_state_changed",
            FaultKind::Differs => "not_deterministic",
            FaultKind::ReadBytes => "read_bytes_exceeded",
        }
    }

    /// Every kind, for tables in docs and tests.
    pub const ALL: [FaultKind; 24] = [
        FaultKind::Panic,
        FaultKind::CallDepth,
        FaultKind::Calls,
        FaultKind::WrittenBytes,
        FaultKind::ValueBytes,
        FaultKind::ArgumentBytes,
        FaultKind::Sends,
        FaultKind::ScanRows,
        FaultKind::EntityHeld,
        FaultKind::WriteInQuery,
        FaultKind::UnknownEntity,
        FaultKind::UnknownMethod,
        FaultKind::Arguments,
        FaultKind::StoredValue,
        FaultKind::Encoding,
        FaultKind::BadKey,
        FaultKind::Exception,
        FaultKind::Trap,
        FaultKind::Instructions,
        FaultKind::Memory,
        FaultKind::Stack,
        FaultKind::ModuleState,
        FaultKind::Differs,
        FaultKind::ReadBytes,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_messages_stay_within_their_limits() {
        let check =
            |code: &str, expected: &str| assert_eq!(Rejection::new(code, "").code, expected);
        check("insufficient_funds", "insufficient_funds");
        check("", "rejected");
        check("Sold-Out ü!", "sold_out___");
        check(&"x".repeat(65), &"x".repeat(64));
        let long = "a".repeat(limits::MESSAGE_BYTES_MAX - 1);
        let cut = Rejection::new("no", format!("{long}üü")).message;
        assert_eq!(cut, long, "cut before the character that passes the limit");
    }
}
