//! What the engine reads when a granule is not in memory: the state as of the last applied
//! checkpoint.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use ordain_types::granule::Part;
use ordain_types::{Bug, Granule, planted};

use crate::checkpoint::Changes;
use crate::slots::Slot;
use crate::{Engine, Tx};

/// The durable state could not be read: the engine stops rather than guess.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct ColdError(pub String);

/// Rows in order.
pub type ColdRows = Vec<(Granule, Bytes)>;

/// The state as of the last applied checkpoint. Must not change but by a checkpoint being applied,
/// and the engine must be told ([`crate::Engine::applied`]) only after reads show it.
pub trait Cold: Send {
    /// The value of one granule.
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError>;

    /// Granules within the bounds, from the first upwards or the last downwards: at most `limit`, and
    /// none after the one that brings keys and values to `bytes`.
    ///
    /// # Errors
    /// If they cannot be read.
    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        limit: usize,
        bytes: usize,
    ) -> Result<ColdRows, ColdError>;
}

impl Tx {
    /// Takes what cold has for a granule into memory, unless memory has it. What does not decode is
    /// left to whoever needs it, to say so.
    pub(crate) fn load(&mut self, granule: &Granule, value: Bytes) {
        let entity = match granule.part() {
            Some(Part::Root(entity)) => entity,
            Some(Part::Field(..)) => {
                self.rows.begin(); // who reads ahead keeps within the budget
                return self.rows.load(granule, value, self.capture.applied);
            }
            _ => return,
        };
        let Some(ty) = self.catalog.index(entity.ty.as_str()) else {
            return;
        };
        if let Some(at) = self.slots.find(ty, entity.key.as_str()) {
            if !planted(Bug::LoadedOverNewer) {
                return;
            }
            self.slots.remove(at);
        }
        let state = self.catalog.get(ty).state.decode(&value);
        let slot = state.and_then(|state| Slot::new(ty, entity.key, state, true));
        if let Ok(slot) = slot {
            self.slots.insert(slot);
        }
    }
}

/// Nothing was ever checkpointed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Empty;

impl Cold for Empty {
    fn get(&self, _: &Granule) -> Result<Option<Bytes>, ColdError> {
        Ok(None)
    }

    fn scan(
        &self,
        _: Bound<&[u8]>,
        _: Bound<&[u8]>,
        _: bool,
        _: usize,
        _: usize,
    ) -> Result<ColdRows, ColdError> {
        Ok(Vec::new())
    }
}

/// Rows held in memory.
impl Cold for BTreeMap<Granule, Bytes> {
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError> {
        Ok(BTreeMap::get(self, granule).cloned())
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        limit: usize,
        bytes: usize,
    ) -> Result<ColdRows, ColdError> {
        let rows = self.range::<[u8], _>((from, to));
        let rows = rows.map(|(granule, value)| (granule.clone(), value.clone()));
        let mut left = bytes;
        let mut room = |(granule, value): &(Granule, Bytes)| {
            let room = left > 0;
            left = left.saturating_sub(granule.as_bytes().len() + value.len());
            room
        };
        Ok(match reverse {
            false => rows.take(limit).take_while(&mut room).collect(),
            true => rows.rev().take(limit).take_while(&mut room).collect(),
        })
    }
}

impl Changes {
    /// Takes them into rows held in memory.
    pub fn apply_to(&self, rows: &mut BTreeMap<Granule, Bytes>) {
        for (granule, value) in self.granules.iter() {
            let granule = Granule::from_bytes(granule);
            match value {
                Some(value) => rows.insert(granule, Bytes::copy_from_slice(value)),
                None => rows.remove(&granule),
            };
        }
    }
}

/// All that an engine has which took no checkpoint yet, as its first one writes it.
pub fn first_checkpoint(engine: &mut Engine) -> BTreeMap<Granule, Bytes> {
    engine.begin_checkpoint();
    let changes = engine.step_checkpoint(usize::MAX);
    let mut rows = BTreeMap::new();
    changes.expect("all of it, in one step").apply_to(&mut rows);
    rows
}
