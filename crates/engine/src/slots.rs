//! Root values in memory, live. One slot an entity, found by (type, key); slots never move while
//! their entity is in memory, so undo and checkpoint name them by number.

use compact_str::CompactString;
use hashbrown::HashTable;
use ordain_types::{Bug, ChangeList, EntityType, Granule, Key, planted};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{State, TypeIndex};

/// A slot's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotIndex(pub u32);

/// One entity's root value and what the checkpoint must know of it. It fills one line of the cache:
/// what a call touches of its entity is this, the table's entry and the value itself.
#[repr(align(64))]
pub(crate) struct Slot {
    pub key: Key,
    /// None while a method on the stack holds it.
    pub state: Option<Box<dyn State>>,
    pub mark: Mark,
    /// Bytes of its encoding when last written or read.
    pub len: u32,
    pub ty: TypeIndex,
    /// Whether it was ever written: what was not is not stored.
    pub exists: bool,
    /// Used since the clock hand last passed.
    pub used: bool,
}

const _: () = assert!(size_of::<Option<Slot>>() == 64);

/// Where a granule stands towards checkpoints: an epoch, which lasts from one freeze to the next, and
/// in the lowest bit whether it was written and not captured since. If it was, the epoch is that of
/// the first such write, else that of the last capture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark(u64);

impl Mark {
    /// Written in `epoch`, and not captured since.
    pub fn dirty(epoch: u64) -> Self {
        Self(epoch << 1 | 1)
    }

    /// As captured in `epoch`.
    pub fn clean(epoch: u64) -> Self {
        Self(epoch << 1)
    }

    pub fn is_dirty(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether it was written before `epoch` began and not captured since.
    pub fn is_dirty_before(self, epoch: u64) -> bool {
        self.is_dirty() && self.0 >> 1 < epoch
    }

    /// Whether memory may forget the granule: [`crate::Cold`] has it.
    pub fn is_cold(self, applied: u64) -> bool {
        let applied = self.0 >> 1 <= applied || planted(Bug::EvictsCaptured);
        !self.is_dirty() && applied || planted(Bug::EvictsDirty)
    }
}

/// What a slot costs beside its key and value, roughly: the slot, its table entry, its allocation.
const SLOT_BYTES: usize = std::mem::size_of::<Slot>() + 48;

#[derive(Default)]
pub(crate) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    seed: u64,
    bytes: usize,
    hand: usize,
}

impl Slots {
    /// The seed hides where entities fall in the table from those who choose keys.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    fn hash(&self, ty: TypeIndex, key: &str) -> u64 {
        hash(self.seed, ty, key)
    }

    pub fn find(&self, ty: TypeIndex, key: &str) -> Option<SlotIndex> {
        let hash = self.hash(ty, key);
        let same = |&at: &u32| {
            self.slots[at as usize]
                .as_ref()
                .is_some_and(|s| s.ty == ty && s.key.as_str() == key)
        };
        self.table.find(hash, same).map(|&at| SlotIndex(at))
    }

    /// Makes room for more, if the system has it, so that nothing moves as they come. What is not used then
    /// takes addresses, and a byte each in the table.
    pub fn reserve(&mut self, count: u64, budget: usize) {
        let fit = budget / SLOT_BYTES;
        let count = usize::try_from(count).map_or(fit, |count| count.min(fit));
        let count = count.saturating_sub(self.slots.len());
        let _ = self.slots.try_reserve(count);
        let (slots, seed) = (&self.slots, self.seed);
        let _ = self.table.try_reserve(count, |&at| rehash(slots, at, seed));
    }

    pub fn insert(&mut self, slot: Slot) -> SlotIndex {
        let hash = self.hash(slot.ty, slot.key.as_str());
        self.bytes += cost(&slot);
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.slots.push(None);
                (self.slots.len() - 1) as u32
            }
        };
        self.slots[at as usize] = Some(slot);
        let (slots, seed) = (&self.slots, self.seed);
        self.table
            .insert_unique(hash, at, |&at| rehash(slots, at, seed));
        SlotIndex(at)
    }

    pub fn get(&self, at: SlotIndex) -> &Slot {
        self.slots[at.0 as usize]
            .as_ref()
            .expect("a slot named is in use")
    }

    pub fn get_mut(&mut self, at: SlotIndex) -> &mut Slot {
        self.slots[at.0 as usize]
            .as_mut()
            .expect("a slot named is in use")
    }

    /// Sets the length of a value, which memory is reckoned by.
    pub fn set_len(&mut self, at: SlotIndex, len: u32) {
        let slot = self.slots[at.0 as usize]
            .as_mut()
            .expect("a slot named is in use");
        let before = std::mem::replace(&mut slot.len, len);
        self.bytes = self.bytes - before as usize + len as usize;
    }

    /// Roughly the bytes of all slots.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether an entity of this type in memory was ever written.
    pub fn any_exists(&self, ty: TypeIndex) -> bool {
        let mut slots = self.slots.iter().flatten();
        slots.any(|slot| slot.ty == ty && slot.exists)
    }

    /// Entities in memory.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Forgets entities that [`crate::Cold`] has and that were not used since the hand last passed,
    /// until `bytes` are freed or the hand has gone round twice.
    pub fn evict(&mut self, bytes: usize, applied: u64) {
        let goal = self.bytes.saturating_sub(bytes);
        for _ in 0..2 * self.slots.len() {
            if self.bytes <= goal {
                return;
            }
            self.hand = if self.hand + 1 >= self.slots.len() {
                0
            } else {
                self.hand + 1
            };
            let Some(slot) = &mut self.slots[self.hand] else {
                continue;
            };
            if std::mem::take(&mut slot.used) || !slot.mark.is_cold(applied) {
                continue;
            }
            self.remove(SlotIndex(self.hand as u32));
        }
    }

    pub fn remove(&mut self, at: SlotIndex) {
        let slot = self.slots[at.0 as usize]
            .take()
            .expect("a slot removed is in use");
        let hash = self.hash(slot.ty, slot.key.as_str());
        match self.table.find_entry(hash, |&other| other == at.0) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("a slot in use is in the table"),
        }
        self.bytes -= cost(&slot);
        self.free.push(at.0);
    }
}

/// How many entities may be looked for together.
pub(crate) const TOGETHER_MAX: usize = 24;

/// Entities that are looked for together, so that the processor waits for all of memory's answers at once.
pub(crate) struct Together<'a> {
    slots: &'a Slots,
    hashes: [u64; TOGETHER_MAX],
    count: usize,
}

impl<'a> Together<'a> {
    pub fn new(slots: &'a Slots) -> Self {
        Self {
            slots,
            hashes: [0; TOGETHER_MAX],
            count: 0,
        }
    }

    /// One more.
    pub fn add(&mut self, ty: TypeIndex, key: &str) {
        self.hashes[self.count] = self.slots.hash(ty, key);
        self.count += 1;
    }

    /// Reads them, as far as they are in memory. Each step for all of them: what it reads does not depend on
    /// the others'.
    pub fn read(self) {
        let Slots { slots, table, .. } = self.slots;
        let mut places = [u32::MAX; TOGETHER_MAX];
        for (hash, place) in self.hashes[..self.count].iter().zip(&mut places) {
            // Whichever has a hash like it: nearly always the one that is meant.
            *place = table.find(*hash, |_| true).copied().unwrap_or(u32::MAX);
        }
        let mut states = [None; TOGETHER_MAX];
        for (&at, state) in places[..self.count].iter().zip(&mut states) {
            let slot = slots.get(at as usize).and_then(Option::as_ref);
            *state = slot.and_then(|slot| slot.state.as_deref());
        }
        let bytes = states.iter().flatten().map(|state| state.touch());
        std::hint::black_box(bytes.fold(0, u8::wrapping_add));
    }
}

impl Slot {
    /// As cold has it, or, if it was never written, with the type's initial state.
    ///
    /// # Errors
    /// If the value cannot be measured.
    pub fn new(
        ty: TypeIndex,
        key: Key,
        state: Box<dyn State>,
        exists: bool,
    ) -> Result<Self, String> {
        // Measured as after a write, not by what is stored: limits count the same whether it was in
        // memory all the time or comes back, perhaps in another shape.
        let len = match exists {
            true => state.encoded_len()? as u32,
            false => 0,
        };
        Ok(Self {
            key,
            state: Some(state),
            mark: Mark::default(),
            len,
            ty,
            exists,
            used: true,
        })
    }

    /// Adds its root value to what a checkpoint writes.
    pub fn capture(&self, name: &EntityType, changes: &mut ChangeList) {
        let state = self.exists.then(|| {
            let state = self.state.as_ref();
            state.expect("nothing is held when a granule is captured")
        });
        changes.push_written(
            |out| Granule::write_prefix(name, &self.key, out),
            state.map(|state| {
                |out: &mut Vec<u8>| {
                    let encoded = state.encode(out);
                    encoded.expect("a value that was measured encodes");
                }
            }),
        );
    }
}

fn hash(seed: u64, ty: TypeIndex, key: &str) -> u64 {
    let salt = u64::from(ty.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    xxh3_64_with_seed(key.as_bytes(), seed ^ salt)
}

/// Of one that is in the table.
fn rehash(slots: &[Option<Slot>], at: u32, seed: u64) -> u64 {
    let slot = slots[at as usize].as_ref();
    let slot = slot.expect("a slot in the table is in use");
    hash(seed, slot.ty, slot.key.as_str())
}

fn cost(slot: &Slot) -> usize {
    let heap = slot
        .key
        .as_str()
        .len()
        .saturating_sub(std::mem::size_of::<CompactString>());
    SLOT_BYTES + heap + slot.len as usize
}
