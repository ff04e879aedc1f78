//! Reading ahead at a start: what comes next is read while what was read before is used.

use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::recovery::OpenError;
use crate::threads::spawn_within;

/// Whether it is read on a thread of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadAhead {
    OnAThread,
    /// All is done by who uses it, one after the other: the seam for simulations.
    Never,
}

impl ReadAhead {
    /// Reads `items`, of which at most so many wait, for `using`, which need not take all of them.
    pub fn read<T: Send, R>(
        self,
        mut items: impl Iterator<Item = T> + Send,
        most: usize,
        using: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
    ) -> Result<R, OpenError> {
        if self == ReadAhead::Never {
            return Ok(using(&mut items));
        }
        thread::scope(|scope| {
            let (give, take) = sync_channel(most);
            // It ends when there is no more to read, or when nobody takes it.
            let reader = spawn_within(scope, "ordain-reader", move || {
                items.all(|item| give.send(item).is_ok())
            })?;
            let used = using(&mut take.into_iter());
            match reader.join() {
                Ok(_) => Ok(used),
                Err(panic) => resume_unwind(panic),
            }
        })
    }
}
