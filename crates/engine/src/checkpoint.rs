//! Checkpoints, taken while commands run: copy on write at the granularity of granules.
//!
//! A freeze names the seq and begins a new epoch; what was written in the epoch before and not
//! captured yet is captured step by step between batches, or by whoever writes to it first. So the
//! changes hold each granule as it was at the freeze, and no command waits for a whole checkpoint.

use bytes::Bytes;
use ordain_types::{Bug, ChangeList, Granule, Seq, planted};

use crate::catalog::Catalog;
use crate::rows::{Row, Rows};
use crate::slot_set::SlotSet;
use crate::slots::{Mark, Slot, SlotIndex, Slots};

/// What one checkpoint writes: every granule changed since the one before, as of `seq`.
#[derive(Debug, Clone)]
pub struct Changes {
    /// What the state stands for once these are applied.
    pub seq: Seq,
    /// Granules and their values; none: delete.
    pub granules: ChangeList,
    /// What [`crate::Engine::applied`] is to be told.
    pub epoch: u64,
}

/// The state of capturing. Epochs begin at 1: a granule read from cold has epoch 0 and is clean.
pub(crate) struct Capture {
    epoch: u64,
    pub applied: u64,
    slots: SlotSet,
    rows: Vec<Granule>,
    frozen: Option<Frozen>,
    /// The list of an earlier checkpoint, to be filled again.
    spare: ChangeList,
}

struct Frozen {
    seq: Seq,
    epoch: u64,
    slots: SlotSet,
    rows: Vec<Granule>,
    /// The slots before this number are done.
    slots_done: u32,
    rows_done: usize,
    /// Rows captured as gone: memory need not hide them once this is applied.
    gone: Vec<Granule>,
    changes: ChangeList,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            epoch: 1,
            applied: 0,
            slots: SlotSet::default(),
            rows: Vec::new(),
            frozen: None,
            spare: ChangeList::default(),
        }
    }
}

impl Capture {
    /// To be called before a slot is written, or its old value put back.
    pub fn before_slot(&mut self, at: SlotIndex, slot: &mut Slot, catalog: &Catalog) {
        let late = planted(Bug::RootCapturedLate);
        if slot.mark.is_dirty_before(self.epoch) && !late {
            let frozen = self.frozen.as_mut().expect("an older epoch is frozen");
            slot.capture(&catalog.get(slot.ty).name, &mut frozen.changes);
            slot.mark = Mark::clean(frozen.epoch);
        }
        if !slot.mark.is_dirty() {
            slot.mark = Mark::dirty(self.epoch);
            self.slots.insert(at);
        }
    }

    /// To be called with a row as it was before it was written or put back.
    pub fn before_row(&mut self, granule: &Granule, row: &mut Row) {
        let late = planted(Bug::RowCapturedLate);
        if row.mark.is_dirty_before(self.epoch) && !late {
            let frozen = self.frozen.as_mut().expect("an older epoch is frozen");
            frozen.changes.push(granule.as_bytes(), row.value.as_ref());
            row.mark = Mark::clean(frozen.epoch);
        }
    }

    /// The mark of what is written now.
    pub fn written(&self) -> Mark {
        Mark::dirty(self.epoch)
    }

    /// To be called when a row is written that had another mark before.
    pub fn dirty_row(&mut self, granule: &Granule) {
        self.rows.push(granule.clone());
    }

    /// Granules written since the last freeze.
    pub fn dirty(&self) -> usize {
        self.slots.len() + self.rows.len()
    }

    /// Whether a checkpoint is being taken, from freeze to applied or abandoned.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// The seq of the checkpoint being taken.
    pub fn frozen_at(&self) -> Option<Seq> {
        self.frozen.as_ref().map(|frozen| frozen.seq)
    }

    /// Begins a checkpoint as of `seq`, which must be the last executed.
    pub fn freeze(&mut self, seq: Seq, meta: Bytes) {
        assert!(self.frozen.is_none(), "one checkpoint at a time");
        let mut changes = std::mem::take(&mut self.spare);
        changes.reserve(1 + self.dirty());
        changes.push(Granule::meta("engine").as_bytes(), Some(&meta));
        let room = Vec::with_capacity(self.rows.len()); // until the next as many will be written
        self.frozen = Some(Frozen {
            seq,
            epoch: self.epoch,
            slots: std::mem::take(&mut self.slots),
            rows: std::mem::replace(&mut self.rows, room),
            slots_done: 0,
            rows_done: 0,
            gone: Vec::new(),
            changes,
        });
        self.epoch += 1;
    }

    /// Captures at most `most` granules more. Gives the changes once all are.
    pub fn step(
        &mut self,
        most: usize,
        slots: &mut Slots,
        rows: &mut Rows,
        catalog: &Catalog,
    ) -> Option<Changes> {
        let frozen = self.frozen.as_mut()?;
        let mut left = most;
        while left > 0
            && let Some(at) = frozen.slots.first_from(frozen.slots_done)
        {
            let slot = slots.get_mut(at);
            frozen.slots_done = at.0 + 1;
            left -= 1;
            if slot.mark == Mark::dirty(frozen.epoch) {
                slot.capture(&catalog.get(slot.ty).name, &mut frozen.changes);
                slot.mark = Mark::clean(frozen.epoch);
            }
        }
        while left > 0 && frozen.rows_done < frozen.rows.len() {
            let granule = &frozen.rows[frozen.rows_done];
            frozen.rows_done += 1;
            left -= 1;
            let Some((value, mark)) = rows.get_mut(granule) else {
                continue;
            };
            if *mark == Mark::dirty(frozen.epoch) {
                let gone = value.is_none();
                frozen.changes.push(granule.as_bytes(), value);
                *mark = Mark::clean(frozen.epoch);
                match gone {
                    true if planted(Bug::DeletionForgotten) => rows.forget_gone(granule),
                    true => frozen.gone.push(granule.clone()),
                    false => {}
                }
            }
        }
        let slots_left = frozen.slots.first_from(frozen.slots_done).is_some();
        let done = !slots_left && frozen.rows_done == frozen.rows.len();
        (done && !frozen.changes.is_empty()).then(|| Changes {
            seq: frozen.seq,
            epoch: frozen.epoch,
            granules: std::mem::take(&mut frozen.changes),
        })
    }

    /// The checkpoint of `epoch` is in cold. Gives the seq it stands for.
    pub fn applied(&mut self, epoch: u64, rows: &mut Rows) -> Seq {
        let frozen = self.frozen.take().expect("what is applied was frozen");
        assert_eq!(frozen.epoch, epoch, "checkpoints are applied in order");
        self.applied = epoch;
        for granule in frozen.gone {
            rows.forget_gone(&granule);
        }
        frozen.seq
    }

    /// Takes a list back whose changes were applied, and keeps its memory while there is much to do.
    pub fn reuse(&mut self, mut list: ChangeList) {
        if self.dirty() >= list.len() / 4 {
            list.clear();
            self.spare = list;
        }
    }

    /// The checkpoint being taken will not be applied: all it held is dirty again.
    pub fn abandon(&mut self, slots: &mut Slots, rows: &mut Rows) {
        let Some(frozen) = self.frozen.take() else {
            return;
        };
        if planted(Bug::AbandonLoses) {
            return;
        }
        let dirty = Mark::dirty(self.epoch);
        for at in frozen.slots.iter() {
            let slot = slots.get_mut(at);
            if slot.mark != dirty {
                slot.mark = dirty;
                self.slots.insert(at);
            }
        }
        for granule in frozen.rows {
            let Some((_, mark)) = rows.get_mut(&granule) else {
                continue;
            };
            if *mark != dirty {
                *mark = dirty;
                self.rows.push(granule);
            }
        }
    }
}
