//! Ordered granules in memory: fields and system tables, as bytes over what [`Cold`] has.
//!
//! Rows lie by their owner: an entity, or a system table. An owner's rows that have a value are apart
//! from those that are gone and only hide what cold may still have, so that a scan passes over none of
//! these, however many were deleted.
//!
//! Each owner has a stretch of keys that is **known**: whatever cold has there, memory has too, as a
//! value or as gone. A read in a known stretch asks cold for nothing. What keeps this true:
//!
//! - while cold is empty, everything is known;
//! - a scan that asks cold puts what it got into memory, and the stretch it asked for becomes known;
//! - cold gets a row from a checkpoint alone, and so from memory, which keeps it until it is evicted;
//! - a row that leaves memory while cold may have it (evicted, or a write undone of a row that was not
//!   in memory before) ends the known stretch there.
//!
//! It only says where to look. No result depends on it.

use std::ops::Bound;

use bytes::Bytes;
use hashbrown::HashTable;
use ordain_types::granule::prefix_end;
use ordain_types::{Bug, Granule, planted};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::cold::{Cold, ColdError};
use crate::known::{Cut, Stretch};
use crate::row_key::RowKey;
use crate::row_map::RowMap;
use crate::slots::Mark;

/// One granule in memory. A value of none hides one that `Cold` may have.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub value: Option<Bytes>,
    pub mark: Mark,
}

/// What memory says of a granule.
pub(crate) enum Look<'a> {
    Value(&'a Bytes),
    /// There is none, whatever cold has.
    Gone,
    /// Cold is to be asked.
    Unknown,
}

/// A key within its owner, with its value.
pub(crate) type Found = (Box<[u8]>, Bytes);

/// How much a scan gives yet: nothing after the row that passes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    rows: usize,
    /// Of keys and values; none: passed.
    bytes: Option<usize>,
}

impl Most {
    /// So many rows, and none after the one with which there are more bytes than these.
    pub fn new(rows: usize, bytes: usize) -> Self {
        let bytes = Some(bytes);
        Self { rows, bytes }
    }

    fn has_room(&self) -> bool {
        self.rows > 0 && self.bytes.is_some()
    }

    fn less(&mut self, key: &[u8], value: &Bytes) {
        self.rows -= 1;
        let len = key.len() + value.len();
        self.bytes = self.bytes.and_then(|bytes| bytes.checked_sub(len));
    }
}

/// A place among others, of which a third is empty, and the value's own allocation.
const ROW_BYTES: usize = size_of::<(RowKey, Live)>() * 3 / 2 + 32;
/// With its place and its entry in the table.
const OWNER_BYTES: usize = size_of::<Owner>() + 64;

/// Rows asked of cold at a time: where each question costs more than a row, few questions.
const ASK_MIN: usize = 16;
const ASK_MAX: usize = 4_096;
/// Bytes asked of cold at a time. One row may pass it.
const ASK_BYTES_MAX: usize = 8 << 20;

/// Bytes of rows that one transaction may read into memory before others leave for them.
const LOADED_BYTES_MAX: usize = 64 << 20;

pub(crate) struct Rows {
    owners: Vec<Option<Box<Owner>>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    seed: u64,
    cold_is_empty: bool,
    bytes: usize,
    loaded: usize,
    /// Where evicting goes on: an owner, and a key of it.
    hand: (usize, Option<RowKey>),
}

struct Owner {
    /// What its granules begin with, and no others.
    prefix: RowKey,
    live: RowMap<Live>,
    gone: RowMap<Mark>,
    known: Stretch,
}

struct Live {
    value: Bytes,
    mark: Mark,
}

impl Rows {
    /// The seed hides where owners fall in the table from those who choose keys.
    pub fn new(seed: u64, cold_is_empty: bool) -> Self {
        Self {
            owners: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            seed,
            cold_is_empty,
            bytes: 0,
            loaded: 0,
            hand: (0, None),
        }
    }

    /// Whether cold has nothing at all: spares looks into it.
    pub fn cold_is_empty(&self) -> bool {
        self.cold_is_empty
    }

    /// Cold has something from now on.
    pub fn cold_is_filled(&mut self) {
        self.cold_is_empty = false;
    }

    /// A transaction begins.
    pub fn begin(&mut self) {
        self.loaded = 0;
    }

    pub fn look(&self, granule: &Granule) -> Look<'_> {
        let (prefix, key) = granule.split();
        let Some(at) = self.find(prefix) else {
            return match self.cold_is_empty {
                true => Look::Gone,
                false => Look::Unknown,
            };
        };
        let (owner, key) = (self.owner(at), RowKey::from(key));
        match owner.live.get(&key) {
            Some(live) => Look::Value(&live.value),
            None if owner.gone.contains(&key) || owner.known.contains(&key) => Look::Gone,
            None => Look::Unknown,
        }
    }

    /// The value and the mark of a row in memory.
    pub fn get_mut(&mut self, granule: &Granule) -> Option<(Option<&Bytes>, &mut Mark)> {
        let (prefix, key) = granule.split();
        let (at, key) = (self.find(prefix)?, RowKey::from(key));
        let Owner { live, gone, .. } = self.owner_mut(at);
        match live.get_mut(&key) {
            Some(live) => Some((Some(&live.value), &mut live.mark)),
            None => gone.get_mut(&key).map(|mark| (None, mark)),
        }
    }

    /// Puts a row and gives back the one it replaces.
    pub fn put(&mut self, granule: &Granule, row: Row) -> Option<Row> {
        let (prefix, key) = granule.split();
        let at = self.find_or_make(prefix);
        self.bytes += cost(key, row.value.as_ref());
        let before = self.owner_mut(at).put(key.into(), row);
        if let Some(before) = &before {
            self.bytes -= cost(key, before.value.as_ref());
        }
        before
    }

    /// Takes out a row that was not in memory before it was written.
    pub fn remove(&mut self, granule: &Granule) -> Option<Row> {
        let (prefix, key) = granule.split();
        let at = self.find(prefix)?;
        let owner = self.owner_mut(at);
        if !planted(Bug::UndoneStaysKnown) {
            owner.known.leave(key);
        }
        let row = owner.take(&key.into())?;
        self.bytes -= cost(key, row.value.as_ref());
        Some(row)
    }

    /// Takes in what cold has for a granule.
    pub fn load(&mut self, granule: &Granule, value: Bytes, applied: u64) {
        self.make_room(applied);
        let (prefix, key) = granule.split();
        let at = self.find_or_make(prefix);
        self.load_at(at, key, value);
    }

    /// Whether memory has a row with a value of any owner whose prefix begins so.
    pub fn any_lives(&self, beginning: &[u8]) -> bool {
        let mut owners = self.owners.iter().flatten();
        owners.any(|owner| owner.prefix.starts_with(beginning) && !owner.live.is_empty())
    }

    /// Roughly the bytes of all rows.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows with values of a stretch of an owner, from its first upwards or its last downwards.
    pub fn scan(
        &mut self,
        cold: &dyn Cold,
        prefix: &[u8],
        mut left: Stretch,
        reverse: bool,
        mut most: Most,
        applied: u64,
    ) -> Result<Vec<Found>, ColdError> {
        let mut found = Vec::new();
        if self.cold_is_empty && self.find(prefix).is_none() {
            return Ok(found);
        }
        self.make_room(applied);
        let at = self.find_or_make(prefix);
        let mut ask = most.rows.max(ASK_MIN);
        while most.has_room() && !left.is_empty() {
            let owner = self.owner(at);
            if let Some(near) = owner.known.take_near(&mut left, reverse) {
                owner.read(&near, reverse, &mut most, &mut found);
                continue;
            }
            let part = owner.known.up_to(&left, reverse);
            self.ask(cold, at, part, reverse, ask)?;
            // What memory hides cost a look for nothing: ask for more at a time.
            ask = (4 * ask).min(ASK_MAX).max(ask);
        }
        Ok(found)
    }

    /// Reads the first or last rows of a stretch from cold into memory: so far it is known then.
    fn ask(
        &mut self,
        cold: &dyn Cold,
        at: u32,
        mut part: Stretch,
        reverse: bool,
        ask: usize,
    ) -> Result<(), ColdError> {
        let prefix = &self.owner(at).prefix;
        let skip = prefix.len();
        let (from, to) = full_bounds(prefix, &part);
        let chunk = cold.scan(borrowed(&from), borrowed(&to), reverse, ask, ASK_BYTES_MAX)?;
        let bytes = |(key, value): &(Granule, Bytes)| key.as_bytes().len() + value.len();
        let full = chunk.len() >= ask || chunk.iter().map(bytes).sum::<usize>() >= ASK_BYTES_MAX;
        if full && let Some((last, _)) = chunk.last() {
            let last = &last.as_bytes()[skip..];
            match reverse {
                false => part.to = Cut::after(last),
                true if planted(Bug::ReverseOverreach) => {}
                true => part.from = Cut::before(last),
            }
        }
        for (granule, value) in chunk {
            self.load_at(at, &granule.as_bytes()[skip..], value);
        }
        self.owner_mut(at).known.join(part);
        Ok(())
    }

    fn load_at(&mut self, at: u32, key: &[u8], value: Bytes) {
        let (owner, key) = (self.owner_mut(at), RowKey::from(key));
        let hidden = owner.live.contains(&key) || owner.gone.contains(&key);
        if hidden && !planted(Bug::HidesNothing) {
            return;
        }
        let row = Row {
            mark: Mark::default(),
            value: Some(value),
        };
        let cost = cost(&key, row.value.as_ref());
        owner.put(key, row);
        self.bytes += cost;
        self.loaded += cost;
    }

    fn make_room(&mut self, applied: u64) {
        if self.loaded > LOADED_BYTES_MAX {
            self.evict(self.loaded, applied);
            self.loaded = 0;
        }
    }

    /// Forgets a row if it is gone: `Cold` has none either, and so it hides nothing.
    pub fn forget_gone(&mut self, granule: &Granule) {
        let (prefix, key) = granule.split();
        let Some(at) = self.find(prefix) else { return };
        if self.owner_mut(at).gone.remove(&key.into()).is_some() {
            self.bytes -= cost(key, None);
        }
    }

    /// Forgets rows that `Cold` has, until `bytes` are freed or all were looked at once.
    pub fn evict(&mut self, bytes: usize, applied: u64) {
        let goal = self.bytes.saturating_sub(bytes);
        for _ in 0..=self.owners.len() {
            if self.bytes <= goal || self.owners.is_empty() {
                return;
            }
            let (at, from) = (self.hand.0 % self.owners.len(), self.hand.1.take());
            self.hand.0 = at;
            if let Some(owner) = &mut self.owners[at] {
                self.hand.1 = owner.evict(from, applied, &mut self.bytes, goal);
                if self.hand.1.is_some() {
                    return;
                }
                if owner.live.is_empty() && owner.gone.is_empty() {
                    self.drop_owner(at as u32);
                }
            }
            self.hand.0 += 1;
        }
    }

    fn hash(&self, prefix: &[u8]) -> u64 {
        xxh3_64_with_seed(prefix, self.seed)
    }

    fn find(&self, prefix: &[u8]) -> Option<u32> {
        let same = |&at: &u32| self.owner(at).prefix[..] == *prefix;
        self.table.find(self.hash(prefix), same).copied()
    }

    fn owner(&self, at: u32) -> &Owner {
        self.owners[at as usize]
            .as_ref()
            .expect("an owner named is there")
    }

    fn owner_mut(&mut self, at: u32) -> &mut Owner {
        self.owners[at as usize]
            .as_mut()
            .expect("an owner named is there")
    }

    fn find_or_make(&mut self, prefix: &[u8]) -> u32 {
        if let Some(at) = self.find(prefix) {
            return at;
        }
        let known = match self.cold_is_empty {
            true => Stretch::ALL,
            false => Stretch::NONE,
        };
        let owner = Box::new(Owner {
            prefix: prefix.into(),
            live: RowMap::new(),
            gone: RowMap::new(),
            known,
        });
        self.bytes += OWNER_BYTES + RowKey::beside(prefix.len());
        let at = self.free.pop().unwrap_or(self.owners.len() as u32);
        match self.owners.get_mut(at as usize) {
            Some(place) => *place = Some(owner),
            None => self.owners.push(Some(owner)),
        }
        let (hash, owners, seed) = (self.hash(prefix), &self.owners, self.seed);
        self.table.insert_unique(hash, at, |&at| {
            let owner = owners[at as usize].as_ref().expect("an owner in the table");
            xxh3_64_with_seed(&owner.prefix, seed)
        });
        at
    }

    fn drop_owner(&mut self, at: u32) {
        let owner = self.owners[at as usize]
            .take()
            .expect("an owner dropped is there");
        let hash = self.hash(&owner.prefix);
        match self.table.find_entry(hash, |&other| other == at) {
            Ok(entry) => drop(entry.remove()),
            Err(_) => unreachable!("an owner that is there is in the table"),
        }
        self.bytes -= OWNER_BYTES + RowKey::beside(owner.prefix.len());
        self.free.push(at);
    }
}

impl Owner {
    fn put(&mut self, key: RowKey, row: Row) -> Option<Row> {
        let Row { value, mark } = row;
        let Some(value) = value else {
            let before = self.take(&key);
            self.gone.insert(key, mark);
            return before;
        };
        // It is in one of them at most.
        let hid = self.gone.remove(&key);
        let before = self.live.insert(key, Live { value, mark });
        before.map(Row::from).or(hid.map(gone))
    }

    fn take(&mut self, key: &RowKey) -> Option<Row> {
        let live = self.live.remove(key).map(Row::from);
        live.or_else(|| self.gone.remove(key).map(gone))
    }

    fn read(&self, part: &Stretch, reverse: bool, most: &mut Most, found: &mut Vec<Found>) {
        if part.is_empty() || !most.has_room() {
            return;
        }
        let (from, to) = part.bounds();
        let bounds = (from.map(RowKey::from), to.map(RowKey::from));
        self.live.visit(bounds, reverse, |(key, live)| {
            most.less(key, &live.value);
            found.push((key[..].into(), live.value.clone()));
            most.has_room()
        });
    }

    /// Forgets rows after `from` that cold has. Gives the key it came to if there was enough.
    fn evict(
        &mut self,
        from: Option<RowKey>,
        applied: u64,
        bytes: &mut usize,
        goal: usize,
    ) -> Option<RowKey> {
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let is_cold = |live: &Live| live.mark.is_cold(applied);
        self.live.extract(from, is_cold, |key, live| {
            *bytes -= cost(&key, Some(&live.value));
            last = Some(key);
            *bytes > goal
        });
        if let Some(last) = last.as_ref().filter(|_| !planted(Bug::EvictedStaysKnown)) {
            self.known.leave(last);
        }
        if *bytes <= goal {
            return last;
        }
        let is_cold = |mark: &Mark| mark.is_cold(applied);
        self.gone.extract(Bound::Unbounded, is_cold, |key, _| {
            *bytes -= cost(&key, None);
            true
        });
        None
    }
}

impl From<Live> for Row {
    fn from(Live { value, mark }: Live) -> Self {
        let value = Some(value);
        Self { value, mark }
    }
}

fn gone(mark: Mark) -> Row {
    Row { value: None, mark }
}

/// The bounds of a stretch over whole granules. An entity's root, which has its prefix for a key, lies
/// outside.
fn full_bounds(prefix: &[u8], part: &Stretch) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let join = |key: &[u8]| [prefix, key].concat();
    let from = match part.from.lower() {
        Bound::Unbounded => Bound::Excluded(prefix.to_vec()),
        bound => bound.map(join),
    };
    let to = match part.to.upper() {
        Bound::Unbounded => Bound::Excluded(prefix_end(prefix).expect("a prefix ends below 255")),
        bound => bound.map(join),
    };
    (from, to)
}

fn borrowed(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

fn cost(key: &[u8], value: Option<&Bytes>) -> usize {
    ROW_BYTES + RowKey::beside(key.len()) + value.map_or(0, Bytes::len)
}
