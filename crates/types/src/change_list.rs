//! Changes of durable state on their way from the engine to the store.
//!
//! A checkpoint may have a million of them, a few dozen bytes each. They lie one after the other in large
//! pieces of memory, which are used again for the next checkpoint: an allocation for each key and each
//! value, freed by another thread, costs more than what is in them. Large values are shared, not copied.

use std::fmt;

use bytes::Bytes;

/// The size of a piece of memory. Only one that ends with a large change is larger.
const PIECE_BYTES: usize = 1 << 20;
/// A piece with less room is full: most changes that are begun in one then fit.
const ROOM_MIN: usize = 4 << 10;
/// Values from so many bytes on are shared.
const SHARED_BYTES_MIN: usize = 4 << 10;

/// Keys with their new values, in the order in which they were added.
#[derive(Clone, Default)]
pub struct ChangeList {
    pieces: Vec<Vec<u8>>,
    /// The piece that is being filled; those after it are empty.
    piece: usize,
    shared: Vec<Bytes>,
    places: Vec<Place>,
}

/// Where a change of a list is. Places are in the order in which the changes were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    piece: u32,
    at: u32,
}

/// What lies before a key: its length, and what its value is.
const HEAD_BYTES: usize = 8;

#[derive(Clone, Copy)]
enum Value {
    Gone,
    /// So many bytes after the key.
    Beside(u32),
    /// A number among those that are shared.
    Shared(u32),
}

impl Value {
    const IS_SHARED: u32 = 1 << 31;

    fn to_number(self) -> u32 {
        match self {
            Value::Gone => 0,
            Value::Beside(len) => len + 1,
            Value::Shared(number) => number | Self::IS_SHARED,
        }
    }

    fn from_number(number: u32) -> Self {
        match number {
            0 => Value::Gone,
            number if number & Self::IS_SHARED != 0 => Value::Shared(number & !Self::IS_SHARED),
            number => Value::Beside(number - 1),
        }
    }
}

impl ChangeList {
    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Makes room for the places of so many more: to be moved is no small thing for very many.
    pub fn reserve(&mut self, more: usize) {
        self.places.reserve(more);
    }

    /// Adds a key with its new value; none: it is deleted.
    pub fn push(&mut self, key: &[u8], value: Option<&Bytes>) {
        let large = value.filter(|value| value.len() >= SHARED_BYTES_MIN);
        let shared = large.map(|value| {
            self.shared.push(value.clone());
            Value::Shared(bounded(self.shared.len() - 1))
        });
        self.add(
            |out| out.extend_from_slice(key),
            |out| match (shared, value) {
                (Some(shared), _) => shared,
                (None, Some(value)) => beside(out, |out| out.extend_from_slice(value)),
                (None, None) => Value::Gone,
            },
        );
    }

    /// Adds a key with its new value, which are appended where they stay.
    pub fn push_written(
        &mut self,
        key: impl FnOnce(&mut Vec<u8>),
        value: Option<impl FnOnce(&mut Vec<u8>)>,
    ) {
        self.add(key, |out| {
            value.map_or(Value::Gone, |value| beside(out, value))
        });
    }

    fn add(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>) -> Value) {
        let full = |piece: &Vec<u8>| piece.len() > PIECE_BYTES - ROOM_MIN;
        if self.pieces.get(self.piece).is_some_and(full) {
            self.piece += 1;
        }
        if self.piece == self.pieces.len() {
            self.pieces.push(Vec::with_capacity(PIECE_BYTES));
        }
        let out = &mut self.pieces[self.piece];
        let at = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        key(out);
        let key = bounded(out.len() - at - HEAD_BYTES);
        let value = value(out).to_number();
        out[at..at + 4].copy_from_slice(&key.to_ne_bytes());
        out[at + 4..at + 8].copy_from_slice(&value.to_ne_bytes());
        self.places.push(Place {
            piece: bounded(self.piece),
            at: bounded(at),
        });
    }

    /// Where each change is.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The change at a place of this list.
    ///
    /// # Panics
    /// Perhaps, if it is not one of this list's.
    pub fn get(&self, place: Place) -> (&[u8], Option<&[u8]>) {
        let change = &self.pieces[place.piece as usize][place.at as usize..];
        let (head, rest) = change.split_at(HEAD_BYTES);
        let word = |at| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (key, after) = rest.split_at(word(0) as usize);
        let value = match Value::from_number(word(4)) {
            Value::Gone => None,
            Value::Beside(len) => Some(&after[..len as usize]),
            Value::Shared(number) => Some(&self.shared[number as usize][..]),
        };
        (key, value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.places.iter().map(|&place| self.get(place))
    }

    /// Forgets them, and keeps the memory that they took, but for pieces larger than most.
    pub fn clear(&mut self) {
        self.pieces.truncate(self.piece + 1);
        self.pieces.retain(|piece| piece.capacity() <= PIECE_BYTES);
        self.pieces.iter_mut().for_each(Vec::clear);
        if self.places.len() < self.places.capacity() / 2 {
            self.places.shrink_to_fit(); // seldom: it may be moved
        }
        self.places.clear();
        self.shared = Vec::new();
        self.piece = 0;
    }
}

/// A value that is appended.
fn beside(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) -> Value {
    let at = out.len();
    value(out);
    Value::Beside(bounded(out.len() - at))
}

/// # Panics
/// If there are more than two thousand million of something: limits of states and memory come first.
fn bounded(count: usize) -> u32 {
    let number = u32::try_from(count).ok();
    let number = number.filter(|number| *number < Value::IS_SHARED - 1);
    number.expect("limits keep lists and values far smaller")
}

impl<K: AsRef<[u8]>, V: Into<Bytes>> FromIterator<(K, Option<V>)> for ChangeList {
    fn from_iter<I: IntoIterator<Item = (K, Option<V>)>>(changes: I) -> Self {
        let mut list = Self::default();
        for (key, value) in changes {
            list.push(key.as_ref(), value.map(Into::into).as_ref());
        }
        list
    }
}

impl PartialEq for ChangeList {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ChangeList {}

impl fmt::Debug for ChangeList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let changes = self.iter();
        f.debug_map()
            .entries(changes.map(|(key, value)| (shown(key), value.map(shown))))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Plain = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn plain(list: &ChangeList) -> Plain {
        let own = |(key, value): (&[u8], Option<&[u8]>)| (key.into(), value.map(<[u8]>::to_vec));
        list.iter().map(own).collect()
    }

    /// Short and long ones, some of them larger than a piece.
    fn changes() -> impl Strategy<Value = Plain> {
        let len =
            prop_oneof![8 => 0..40_usize, 2 => 4_000..5_000_usize, 1 => 900_000..1_200_000_usize];
        let value = prop::option::of((any::<u8>(), len));
        let change = (prop::collection::vec(any::<u8>(), 0..60), value);
        let own = |(key, value): (_, Option<_>)| (key, value.map(|(byte, len)| vec![byte; len]));
        prop::collection::vec(change.prop_map(own), 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_holds_what_was_added_also_when_it_is_used_again(rounds in prop::collection::vec(changes(), 1..4)) {
            let mut list = ChangeList::default();
            for changes in rounds {
                list.clear();
                for (at, (key, value)) in changes.iter().enumerate() {
                    match (at % 2, value) {
                        (0, value) => list.push(key, value.clone().map(Bytes::from).as_ref()),
                        (_, value) => list.push_written(
                            |out| out.extend_from_slice(key),
                            value.as_ref().map(|value| |out: &mut Vec<u8>| out.extend_from_slice(value)),
                        ),
                    }
                }
                prop_assert_eq!(list.len(), changes.len());
                prop_assert_eq!(&plain(&list), &changes);
                prop_assert_eq!(list.clone(), changes.into_iter().collect());
            }
        }
    }

    #[test]
    fn pieces_stay_small_whatever_is_in_them() {
        let mut list = ChangeList::default();
        for n in 0..100_u32 {
            let state = |out: &mut Vec<u8>| out.extend_from_slice(&vec![n as u8; 700 << 10]);
            list.push_written(|out| out.extend_from_slice(&n.to_be_bytes()), Some(state));
        }
        let most = list.pieces.iter().map(Vec::len).max();
        assert!(most < Some(2 * PIECE_BYTES), "{most:?}");
        let whole = |(key, value): (&[u8], Option<&[u8]>)| {
            value.is_some_and(|value| value.len() == 700 << 10 && value[9] == key[3])
        };
        assert!(list.len() == 100 && list.iter().all(whole));
    }

    #[test]
    fn its_memory_is_used_again_and_no_more_of_it_kept_than_was_used() {
        let mut list = ChangeList::default();
        let fill = |list: &mut ChangeList, count: u32| {
            for n in 0..count {
                list.push(&n.to_be_bytes(), Some(&Bytes::from_static(&[7; 1_000])));
            }
        };
        let pieces = |list: &ChangeList| -> Vec<*const u8> {
            list.pieces.iter().map(|piece| piece.as_ptr()).collect()
        };
        fill(&mut list, 5_000);
        let many = pieces(&list);
        assert!(many.len() >= 5, "{}", many.len());
        list.clear();
        fill(&mut list, 5_000);
        assert_eq!(pieces(&list), many);
        list.clear();
        fill(&mut list, 10);
        list.clear();
        assert_eq!(pieces(&list), many[..1]);
        assert!(list.places.capacity() <= 10);
    }
}
