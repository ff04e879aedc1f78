//! An owner's rows by key. Most owners have few: those lie in one piece, in their order, with little room
//! to spare, where the first node of a tree has all its places from the first row on. It knows nothing of
//! what rows hold.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::row_key::RowKey;

/// So many lie in one piece. A node of the standard library's trees has eleven places.
const FEW: usize = 8;

/// Rows by key. What had many once stays a tree.
pub(crate) enum RowMap<V> {
    Few(Vec<(RowKey, V)>),
    Many(BTreeMap<RowKey, V>),
}

impl<V> RowMap<V> {
    pub fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Self::Few(rows) => rows.is_empty(),
            Self::Many(rows) => rows.is_empty(),
        }
    }

    pub fn get(&self, key: &RowKey) -> Option<&V> {
        match self {
            Self::Few(rows) => place(rows, key).ok().map(|at| &rows[at].1),
            Self::Many(rows) => rows.get(key),
        }
    }

    pub fn get_mut(&mut self, key: &RowKey) -> Option<&mut V> {
        match self {
            Self::Few(rows) => place(rows, key).ok().map(|at| &mut rows[at].1),
            Self::Many(rows) => rows.get_mut(key),
        }
    }

    pub fn contains(&self, key: &RowKey) -> bool {
        self.get(key).is_some()
    }

    /// Puts a row and gives back what it replaces.
    pub fn insert(&mut self, key: RowKey, value: V) -> Option<V> {
        let rows = match self {
            Self::Few(rows) => rows,
            Self::Many(rows) => return rows.insert(key, value),
        };
        match place(rows, &key) {
            Ok(at) => return Some(std::mem::replace(&mut rows[at].1, value)),
            Err(at) if rows.len() < FEW => {
                if rows.len() == rows.capacity() {
                    rows.reserve_exact(rows.len().max(1)); // not four at once, for a single one
                }
                rows.insert(at, (key, value));
            }
            Err(_) => {
                let few = std::mem::take(rows).into_iter();
                *self = Self::Many(few.chain([(key, value)]).collect());
            }
        }
        None
    }

    pub fn remove(&mut self, key: &RowKey) -> Option<V> {
        match self {
            Self::Few(rows) => place(rows, key).ok().map(|at| rows.remove(at).1),
            Self::Many(rows) => rows.remove(key),
        }
    }

    /// Shows the rows between two bounds, of which the first is not above the second, from the first upwards
    /// or the last downwards, as long as `visit` wants more.
    pub fn visit<'a>(
        &'a self,
        (from, to): (Bound<RowKey>, Bound<RowKey>),
        reverse: bool,
        visit: impl FnMut((&'a RowKey, &'a V)) -> bool,
    ) {
        match self {
            Self::Few(rows) => {
                let end = match &to {
                    Bound::Unbounded => rows.len(),
                    Bound::Included(to) => rows.partition_point(|(key, _)| key <= to),
                    Bound::Excluded(to) => rows.partition_point(|(key, _)| key < to),
                };
                let part = rows[start(rows, &from).min(end)..end].iter();
                walk(part.map(|(key, value)| (key, value)), reverse, visit);
            }
            Self::Many(rows) => walk(rows.range((from, to)), reverse, visit),
        }
    }

    /// Takes out rows from a bound on upwards, those of `which`, as long as whoever has `taken` one wants more.
    pub fn extract(
        &mut self,
        from: Bound<RowKey>,
        mut which: impl FnMut(&V) -> bool,
        mut taken: impl FnMut(RowKey, V) -> bool,
    ) {
        match self {
            Self::Few(rows) => {
                let mut at = start(rows, &from);
                while at < rows.len() {
                    if !which(&rows[at].1) {
                        at += 1;
                        continue;
                    }
                    let (key, value) = rows.remove(at);
                    if !taken(key, value) {
                        return;
                    }
                }
            }
            Self::Many(rows) => {
                let leave = rows.extract_if((from, Bound::Unbounded), |_, value| which(value));
                for (key, value) in leave {
                    if !taken(key, value) {
                        return;
                    }
                }
            }
        }
    }
}

fn place<V>(rows: &[(RowKey, V)], key: &RowKey) -> Result<usize, usize> {
    rows.binary_search_by(|(other, _)| other.cmp(key))
}

fn start<V>(rows: &[(RowKey, V)], from: &Bound<RowKey>) -> usize {
    match from {
        Bound::Unbounded => 0,
        Bound::Included(from) => rows.partition_point(|(key, _)| key < from),
        Bound::Excluded(from) => rows.partition_point(|(key, _)| key <= from),
    }
}

fn walk<T>(
    mut rows: impl DoubleEndedIterator<Item = T>,
    reverse: bool,
    visit: impl FnMut(T) -> bool,
) {
    // Whether it ended with the last or before is the same to who visits.
    let _ = match reverse {
        false => rows.all(visit),
        true => rows.rev().all(visit),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u8, u32),
        Remove(u8),
        Extract(Bound<u8>, u32, usize),
        Visit(Bound<u8>, Bound<u8>, bool, usize),
    }

    fn key(byte: u8) -> RowKey {
        RowKey::from(&[byte][..])
    }

    fn bound() -> impl Strategy<Value = Bound<u8>> {
        prop_oneof![
            Just(Bound::Unbounded),
            (0..24_u8).prop_map(Bound::Included),
            (0..24_u8).prop_map(Bound::Excluded),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..24_u8, any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
            4 => (0..24_u8).prop_map(Step::Remove),
            1 => (bound(), 1..4_u32, 1..6_usize).prop_map(|(from, by, most)| Step::Extract(from, by, most)),
            2 => (bound(), bound(), any::<bool>(), 1..20_usize)
                .prop_map(|(from, to, reverse, most)| Step::Visit(from, to, reverse, most)),
        ]
    }

    /// Whether a tree takes them.
    fn are_ordered(from: Bound<u8>, to: Bound<u8>) -> bool {
        let of = |bound| match bound {
            Bound::Unbounded => None,
            Bound::Included(key) => Some((key, true)),
            Bound::Excluded(key) => Some((key, false)),
        };
        match (of(from), of(to)) {
            (Some((from, with_from)), Some((to, with_to))) => {
                from < to || from == to && (with_from || with_to)
            }
            _ => true,
        }
    }

    proptest! {
        #[test]
        fn it_is_a_map_in_order(steps in prop::collection::vec(step(), 0..200)) {
            let (mut map, mut model) = (RowMap::new(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(at, value) => {
                        prop_assert_eq!(map.insert(key(at), value), model.insert(key(at).to_vec(), value));
                    }
                    Step::Remove(at) => {
                        prop_assert_eq!(map.remove(&key(at)), model.remove(&key(at)[..]));
                    }
                    Step::Extract(from, by, most) => {
                        let mut taken = Vec::new();
                        map.extract(from.map(key), |value| value % by == 0, |key, value| {
                            taken.push((key.to_vec(), value));
                            taken.len() < most
                        });
                        let range = (from.map(|at| vec![at]), Bound::Unbounded);
                        let expected = model.extract_if(range, |_, value| *value % by == 0);
                        prop_assert_eq!(taken, expected.take(most).collect::<Vec<_>>());
                    }
                    Step::Visit(from, to, reverse, most) if are_ordered(from, to) => {
                        let mut seen = Vec::new();
                        map.visit((from.map(key), to.map(key)), reverse, |(key, value)| {
                            seen.push((key.to_vec(), *value));
                            seen.len() < most
                        });
                        let range = model.range((from.map(|at| vec![at]), to.map(|at| vec![at])));
                        let mut expected: Vec<_> = range.map(|(key, value)| (key.clone(), *value)).collect();
                        if reverse {
                            expected.reverse();
                        }
                        expected.truncate(most);
                        prop_assert_eq!(seen, expected);
                    }
                    Step::Visit(..) => {}
                }
                prop_assert_eq!(map.is_empty(), model.is_empty());
                for at in 0..24 {
                    prop_assert_eq!(map.get(&key(at)).copied(), model.get(&key(at)[..]).copied());
                }
            }
        }
    }
}
