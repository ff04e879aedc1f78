//! What methods read and write: the states of entities, and rows.
//!
//! A state lives in its slot, decoded. Who writes it leaves a before-image first, once a call, and one for
//! the checkpoint that waits for it; what a call leaves is measured when it ends.

use bytes::Bytes;
use ordain_types::{Bug, EntityId, FaultKind, Granule, Json, Key, MethodKind, planted};

use crate::catalog::{State, TypeIndex};
use crate::rows::{Look, Row};
use crate::slots::{Slot, SlotIndex};
use crate::transaction::{Frame, Tx};
use crate::undo::Undo;

impl Tx {
    /// The slot of an entity, read from cold if need be.
    pub(crate) fn slot(&mut self, ty: TypeIndex, key: &Key) -> SlotIndex {
        if let Some(at) = self.slots.find(ty, key.as_str()) {
            self.slots.get_mut(at).used = true;
            return at;
        }
        self.load_slot(ty, key)
    }

    fn load_slot(&mut self, ty: TypeIndex, key: &Key) -> SlotIndex {
        let def = self.catalog.get(ty);
        let (state_type, name) = (def.state.clone(), def.name.clone());
        let entity = EntityId {
            ty: name,
            key: key.clone(),
        };
        let stored = self.read_cold(&Granule::root(&entity));
        let state = match &stored {
            None => Ok(state_type.initial()),
            Some(json) => state_type.decode(json),
        };
        let slot = state.and_then(|state| Slot::new(ty, key.clone(), state, stored.is_some()));
        match slot {
            Ok(slot) => self.slots.insert(slot),
            Err(error) => {
                let message = format!("the stored state of {entity} does not decode: {error}");
                self.fault(FaultKind::StoredValue, message)
            }
        }
    }

    /// An entity's root value as JSON; none if it was never written.
    pub(crate) fn root(&mut self, entity: &EntityId) -> Option<Json> {
        let place = self.catalog.place(entity.ty.as_str());
        let stored = self.stored_root(entity, place)?;
        Some(match (place, self.catalog.host()) {
            (Some(ty), _) => self.catalog.get(ty).state.shown(stored),
            (None, Some(host)) => host.shown(stored),
            (None, None) => stored,
        })
    }

    fn stored_root(&mut self, entity: &EntityId, place: Option<TypeIndex>) -> Option<Json> {
        let slot = place.and_then(|ty| self.slots.find(ty, entity.key.as_str()));
        let Some(at) = slot else {
            return self.read_cold(&Granule::root(entity));
        };
        let slot = self.slots.get(at);
        let state = slot.state.as_ref().filter(|_| slot.exists)?;
        let mut json = Vec::with_capacity(slot.len as usize);
        state
            .encode(&mut json)
            .expect("a value that was measured encodes");
        Some(json.into())
    }

    fn read_cold(&mut self, granule: &Granule) -> Option<Bytes> {
        if self.rows.cold_is_empty() {
            return None;
        }
        match self.cold.get(granule) {
            Ok(value) => value,
            Err(error) => self.stop(error),
        }
    }

    /// The value of a row, from memory or cold.
    pub(crate) fn read_row(&mut self, granule: &Granule) -> Option<Bytes> {
        match self.rows.look(granule) {
            Look::Value(value) => return Some(value.clone()),
            Look::Gone => return None,
            Look::Unknown => {}
        }
        let value = self.read_cold(granule)?;
        let applied = self.capture.applied;
        self.rows.load(granule, value.clone(), applied);
        Some(value)
    }

    /// Writes a row, with its undo.
    pub(crate) fn write_row(&mut self, granule: Granule, value: Option<Bytes>) {
        self.trace_row(&granule, value.as_ref());
        let before = self.replace_row(&granule, value);
        self.undo.push(Undo::Row { granule, before });
    }

    /// Puts a row in the place of another, which is captured first if a checkpoint waits for it.
    pub(crate) fn replace_row(&mut self, granule: &Granule, value: Option<Bytes>) -> Option<Row> {
        let mark = self.capture.written();
        let mut before = self.rows.put(granule, Row { value, mark });
        if let Some(row) = &mut before {
            self.capture.before_row(granule, row);
        }
        let unmarked = before.as_ref().is_none_or(|row| row.mark != mark);
        if unmarked {
            self.capture.dirty_row(granule);
        }
        before
    }

    /// The root value of the entity whose method runs.
    pub fn state(&mut self) -> &dyn State {
        let at = self.frame().slot;
        if self.slots.get(at).state.is_none() {
            self.held();
        }
        self.slots.get(at).state.as_deref().expect("just seen")
    }

    /// The same, to be written.
    pub fn state_mut(&mut self) -> &mut dyn State {
        self.before_write();
        let at = self.frame().slot;
        self.slots
            .get_mut(at)
            .state
            .as_deref_mut()
            .expect("seen before the write")
    }

    /// Takes the root value out of its slot, to be read across calls. Until it is put back, a call
    /// that comes back to the entity is a fault.
    pub fn hold(&mut self) -> Box<dyn State> {
        let at = self.frame().slot;
        match self.slots.get_mut(at).state.take() {
            Some(state) => state,
            None => self.held(),
        }
    }

    /// The same, to be written.
    pub fn hold_mut(&mut self) -> Box<dyn State> {
        self.before_write();
        self.hold()
    }

    /// Puts back what [`Tx::hold`] or [`Tx::hold_mut`] gave in the same call.
    pub fn put_back(&mut self, state: Box<dyn State>) {
        let at = self.frame().slot;
        let slot = self.slots.get_mut(at);
        assert!(slot.state.is_none(), "only what was held is put back");
        slot.state = Some(state);
    }

    fn held(&mut self) -> ! {
        let entity = self.entity();
        self.fault(
            FaultKind::EntityHeld,
            format!(
                "a call came back to {entity} while a method of it that takes `self` and a context \
                 is on the stack and holds its state; let that method take `cx: &mut \
                 Context<Self>` instead of `self` and use `cx.state()` and `cx.state_mut()`"
            ),
        )
    }

    /// Keeps the before-image of the root value, once a call, and marks it for the checkpoint.
    fn before_write(&mut self) {
        let frame = self.frame();
        let (at, kind, written) = (frame.slot, frame.kind, frame.written);
        if self.slots.get(at).state.is_none() {
            self.held();
        }
        let again = |undo: &Undo| matches!(undo, Undo::State { slot, .. } if *slot == at);
        if written || planted(Bug::OneImage) && self.undo.iter().any(again) {
            return;
        }
        if kind == MethodKind::Query {
            self.fault(
                FaultKind::WriteInQuery,
                "a query tried to write its entity's state",
            );
        }
        self.frame_mut().written = true;
        let slot = self.slots.get_mut(at);
        self.capture.before_slot(at, slot, &self.catalog);
        let before = slot.state.as_ref().expect("seen above").snapshot();
        self.undo.push(Undo::State {
            slot: at,
            before,
            exists: slot.exists,
            len: slot.len,
        });
        slot.exists = true;
    }

    /// Ends a call that came to its value: measures what it wrote.
    pub(crate) fn settle(&mut self) {
        let Frame {
            slot: at,
            written: true,
            ..
        } = *self.frame()
        else {
            return;
        };
        let Some(state) = &self.slots.get(at).state else {
            return;
        };
        let len = match state.encoded_len() {
            Ok(len) => len,
            Err(error) => {
                let message = format!("the state of {} is not JSON: {error}", self.entity());
                self.fault(FaultKind::Encoding, message)
            }
        };
        self.check_value(len, "the state");
        self.count_written(len);
        self.trace_state();
        self.slots.set_len(at, len as u32);
        if self.read_back {
            self.read_back(at);
        }
    }

    /// Puts what reads back from a state's encoding in its place.
    fn read_back(&mut self, at: SlotIndex) {
        let slot = self.slots.get(at);
        let mut json = Vec::new();
        let state = slot.state.as_ref().expect("a call that ends holds nothing");
        state
            .encode(&mut json)
            .expect("a value that was measured encodes");
        match self.catalog.get(slot.ty).state.decode(&json) {
            Ok(state) => self.slots.get_mut(at).state = Some(state),
            Err(error) => {
                let message = format!("the state of {} does not read back: {error}", self.entity());
                self.fault(FaultKind::StoredValue, message)
            }
        }
    }
}
