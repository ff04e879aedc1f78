//! Before-images, newest last. Undoing runs them backwards to a mark.

use std::sync::Arc;

use ordain_types::{Bug, Granule, SendId, Timestamp, planted};

use crate::rows::Row;
use crate::slots::SlotIndex;
use crate::{Catalog, State, Tx};

/// What it takes to undo one write.
pub(crate) enum Undo {
    /// A root value was about to be written.
    State {
        slot: SlotIndex,
        before: Box<dyn State>,
        exists: bool,
        len: u32,
    },
    /// A row was written; none: it was not in memory.
    Row {
        granule: Granule,
        before: Option<Row>,
    },
    /// A send came to wait.
    Pending { due: Timestamp, send: SendId },
    /// A send waits no more.
    Delivered { due: Timestamp, send: SendId },
    /// Other modules came into force.
    Catalog(Arc<Catalog>),
}

impl Undo {
    /// Roughly what it keeps alive, in bytes.
    pub fn bytes(&self) -> usize {
        let held = match self {
            Undo::State { len, .. } => *len as usize,
            Undo::Row { granule, before } => {
                let value = before.as_ref().and_then(|row| row.value.as_ref());
                granule.as_bytes().len() + value.map_or(0, |value| value.len())
            }
            _ => 0,
        };
        std::mem::size_of::<Undo>() + held
    }
}

impl Tx {
    /// Undoes all writes after `mark`, newest first. What is put back counts as written, since a
    /// checkpoint may have passed in between.
    pub(crate) fn roll_back(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop().expect("more than the mark") {
                Undo::State { .. } if planted(Bug::RootStays) => {}
                Undo::Row { .. } if planted(Bug::RowStays) => {}
                Undo::Catalog(_) if planted(Bug::DeploymentStays) => {}
                Undo::Pending { .. } if planted(Bug::PendingStays) => {}
                Undo::Delivered { .. } if planted(Bug::DeliveryStays) => {}
                Undo::State {
                    slot: at,
                    before,
                    exists,
                    len,
                } => {
                    self.slots.set_len(at, len);
                    let slot = self.slots.get_mut(at);
                    if slot.state.is_some() {
                        self.capture.before_slot(at, slot, &self.catalog);
                    }
                    slot.state = Some(before);
                    slot.exists = exists;
                }
                Undo::Row { granule, before } => self.restore_row(granule, before),
                Undo::Pending { due, send } => self.pending.remove(due, send),
                Undo::Delivered { due, send } => self.pending.insert(due, send),
                Undo::Catalog(before) => {
                    self.catalog = Arc::new(before.with_places_of(&self.catalog))
                }
            }
        }
    }

    fn restore_row(&mut self, granule: Granule, before: Option<Row>) {
        match before {
            Some(row) => drop(self.replace_row(&granule, row.value)),
            None => {
                if let Some(mut row) = self.rows.remove(&granule) {
                    self.capture.before_row(&granule, &mut row);
                }
            }
        }
    }
}
