//! Before-images, newest last. Undoing runs them backwards to a mark.

use ordain_types::{Granule, SendId, Timestamp};

use crate::State;
use crate::rows::Row;
use crate::slots::SlotIndex;

/// What it takes to undo one write.
pub(crate) enum Undo {
    /// A root value was about to be written.
    State { slot: SlotIndex, before: Box<dyn State>, exists: bool, len: u32 },
    /// A row was written; none: it was not in memory.
    Row { granule: Granule, before: Option<Row> },
    /// A send came to wait.
    Pending { due: Timestamp, send: SendId },
    /// A send waits no more.
    Delivered { due: Timestamp, send: SendId },
    /// What is in force, or the log's identity, changed.
    Meta(Box<crate::Meta>),
}

impl Undo {
    /// Roughly what it keeps alive, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Undo::State { len, .. } => 96 + *len as usize,
            Undo::Row { granule, before } => {
                let value = before.as_ref().and_then(|row| row.value.as_ref());
                96 + granule.as_bytes().len() + value.map_or(0, |value| value.len())
            }
            _ => 96,
        }
    }
}
