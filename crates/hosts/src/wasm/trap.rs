//! Traps to faults: which limit, in words, with the module's own stack.

use std::fmt::{self, Write as _};
use std::io;

use ordain_engine::Tx;
use ordain_types::FaultKind;
use ordain_types::limits::{
    MESSAGE_BYTES_MAX, WASM_CROSSING_BYTES_MAX, WASM_FUEL_MAX, WASM_MEMORY_BYTES_MAX,
    WASM_STACK_BYTES_MAX,
};
use wasmtime::{OutOfMemory, PoolConcurrencyLimitError, Trap, WasmBacktrace};

use super::running::Running;

/// What the runtime says of more than [`WASM_CROSSING_BYTES_MAX`] at once. It has no type of its own.
const TOO_MUCH: &str = "too much data is being copied between the host and the guest";

/// A fault that a module raised where it has no transaction to end: at its start, in `describe` and in `migrate`.
#[derive(Debug, thiserror::Error)]
#[error("{1}")]
pub(super) struct RaisedOutside(pub FaultKind, pub String);

/// Ends the transaction after a trap. In instances with a past it decides nothing: the transaction runs
/// again in new ones. Where the machine had not what it takes, no outcome comes of it.
pub(super) fn end(tx: &mut Tx, error: &wasmtime::Error, refused: bool) -> ! {
    if is_want(error) {
        tx.stop_for_want(format!("a WebAssembly module: {}", error.root_cause()));
    }
    exactly(tx);
    let (kind, message) = told(error, refused);
    raise(tx, kind, &message, &trace(error))
}

/// Ends the transaction. The message is for every caller, and the place in it for those who see traces alone.
pub(super) fn raise(tx: &mut Tx, kind: FaultKind, message: &str, trace: &str) -> ! {
    match place_apart(message).filter(|_| kind == FaultKind::Panic) {
        Some((place, message)) => {
            let place = format!("    at {place}");
            let lines = [&place, trace]
                .into_iter()
                .filter(|lines| !lines.is_empty());
            let trace = lines.collect::<Vec<_>>().join("\n");
            tx.fault_traced(kind, message, trace)
        }
        None => tx.fault_traced(kind, message, trace),
    }
}

/// Where Rust says that it panicked, `panicked at src/lib.rs:3:5:`, and on the next line what it says, if it says
/// anything.
fn place_apart(message: &str) -> Option<(&str, &str)> {
    let (first, said) = message
        .split_once(":\n")
        .unwrap_or((message, "the method panicked"));
    let place = first.strip_prefix("panicked at ")?;
    let mut parts = place.rsplitn(3, ':');
    let mut is_number = || parts.next().is_some_and(|part| part.parse::<u32>().is_ok());
    let is_place = is_number() && is_number() && parts.next().is_some();
    is_place.then_some((place, said))
}

/// Whether it is the machine that refused, or what this process has in common for all: another time it may not.
/// What a module is refused by its limits is none of these.
pub(super) fn is_want(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<io::Error>()
            || cause.is::<OutOfMemory>()
            || cause.is::<PoolConcurrencyLimitError>()
    })
}

/// Runs the transaction again where what it came to may be owed to an instance's past.
pub(super) fn exactly(tx: &mut Tx) {
    if tx.beside::<Running>().is_inexact() {
        tx.run_carefully();
    }
}

/// What a trap says of itself, for whoever deploys the module.
pub(super) fn shown(error: &wasmtime::Error, refused: bool) -> String {
    let (_, message) = told(error, refused);
    let trace = trace(error);
    match trace.is_empty() {
        true => message,
        false => format!("{message}\n{trace}"),
    }
}

fn told(error: &wasmtime::Error, refused: bool) -> (FaultKind, String) {
    if let Some(RaisedOutside(kind, message)) = error.downcast_ref() {
        return (*kind, message.clone());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (
            FaultKind::Instructions,
            format!(
                "the module's methods ran for more than {WASM_FUEL_MAX} instructions in one transaction; \
                 divide the work, for instance by `send`"
            ),
        ),
        Some(Trap::StackOverflow) => (
            FaultKind::Stack,
            format!(
                "the module's functions nest deeper than {WASM_STACK_BYTES_MAX} bytes of stack: a \
                 recursion without an end, perhaps"
            ),
        ),
        _ if refused => (
            FaultKind::Memory,
            format!(
                "the module was refused more memory than {WASM_MEMORY_BYTES_MAX} bytes an instance, and \
                 gave up"
            ),
        ),
        Some(trap) => (FaultKind::Trap, format!("the module's code failed: {trap}")),
        None if error.root_cause().to_string().contains(TOO_MUCH) => (
            FaultKind::ValueBytes,
            format!(
                "the module gave more than {WASM_CROSSING_BYTES_MAX} bytes at once, far more than any value may \
                 have; divide it"
            ),
        ),
        None => (
            FaultKind::Trap,
            format!(
                "the module broke the rules of its interface: {}",
                error.root_cause()
            ),
        ),
    }
}

/// The module's functions, the innermost first.
fn trace(error: &wasmtime::Error) -> String {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    backtrace.map(short).unwrap_or_default()
}

/// As much of a trace as a fault keeps: names are the module's, and may be as long as it likes.
pub(super) fn short(backtrace: &WasmBacktrace) -> String {
    let mut short = Short(String::new());
    let _ = write!(short, "{backtrace}"); // it ends with an error where it is full
    short.0
}

/// A text that takes no more than a message may have.
struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = MESSAGE_BYTES_MAX - self.0.len();
        self.0.push_str(&more[..more.floor_char_boundary(room)]);
        match more.len() > room {
            true => Err(fmt::Error),
            false => Ok(()),
        }
    }
}
