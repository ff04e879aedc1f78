//! Panics on the node's own threads: a bug, of ours or of what a program brought (an encoding, a
//! sink, a disk). They are caught where the thread can still tell those who wait for it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ordain_engine::panic_text;

/// What `run` gives, or what it panicked with.
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| text(&*panic))
}

/// What a panic says.
pub(crate) fn text(panic: &(dyn Any + Send)) -> String {
    panic_text(panic).unwrap_or("no reason given").to_owned()
}
