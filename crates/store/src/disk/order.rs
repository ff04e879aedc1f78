//! The order of a checkpoint's changes. It knows keys as bytes.
//!
//! A checkpoint may hold a million keys, which begin alike: with the name of their entity type. Eight
//! bytes from where they differ, kept beside their places, decide most comparisons without a look at
//! the keys themselves, which are all over memory.

use bytes::Bytes;

type Change = (Box<[u8]>, Option<Bytes>);

/// The changes by rising key; those of one key as they came.
pub fn by_key(mut changes: Vec<Change>) -> impl Iterator<Item = Change> {
    let alike = alike(&changes);
    let place = |(at, (key, _)): (usize, &Change)| (head(&key[alike..]), at);
    let mut places: Vec<(u64, usize)> = changes.iter().enumerate().map(place).collect();
    places.sort_unstable_by(|(left_head, left), (right_head, right)| {
        let heads = left_head.cmp(right_head);
        let keys = heads.then_with(|| changes[*left].0.cmp(&changes[*right].0));
        keys.then(left.cmp(right))
    });
    places
        .into_iter()
        .map(move |(_, at)| std::mem::take(&mut changes[at]))
}

/// With how many bytes all keys begin alike.
fn alike(changes: &[Change]) -> usize {
    let Some((first, others)) = changes.split_first() else {
        return 0;
    };
    let with_first = |key: &[u8], most: usize| {
        let pairs = key.iter().zip(&first.0[..most]);
        pairs.take_while(|(left, right)| left == right).count()
    };
    others
        .iter()
        .fold(first.0.len(), |most, (key, _)| with_first(key, most))
}

/// The first eight bytes as a number that is ordered as they are.
fn head(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let len = key.len().min(8);
    head[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_a_stable_sort(keys in prop::collection::vec(key(), 0..60)) {
            let number = |(at, key): (usize, Vec<u8>)| (key.into(), Some(at.to_string().into()));
            let changes: Vec<Change> = keys.into_iter().enumerate().map(number).collect();
            let mut plain = changes.clone();
            plain.sort_by(|(left, _), (right, _)| left.cmp(right));
            prop_assert_eq!(by_key(changes).collect::<Vec<_>>(), plain);
        }
    }

    /// Keys that begin alike, are each other's beginnings, or end in zeros.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        (0..3_usize, prop::collection::vec(0..3_u8, 0..12))
            .prop_map(|(kind, tail)| [&b"account\0"[..kind * 4], &tail[..]].concat())
    }
}
