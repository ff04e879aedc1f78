//! The order of a checkpoint's changes. It knows keys as bytes.
//!
//! A checkpoint may hold a million keys, which begin alike: with the name of their entity type. Eight
//! bytes from where they differ, kept beside their places, decide most comparisons without a look at
//! the keys themselves, which are all over memory. Those that these bytes do not tell apart are put in
//! order in the same way, from where they in turn differ.

use ordain_types::change_list::{ChangeList, Place};
use ordain_types::granule::head;
use ordain_types::{Bug, planted};

/// A change, and eight bytes of its key.
struct Headed {
    head: u64,
    place: Place,
}

/// So few are put in order by whole keys.
const FEW: usize = 16;

/// The changes by rising key; of one key the last.
pub fn by_key(changes: &ChangeList) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let headed = |&place| Headed { head: 0, place };
    let mut all: Vec<Headed> = changes.places().iter().map(headed).collect();
    sort(&mut all, changes, 0);
    let sorted = (0..all.len()).map(move |n| {
        if n.is_multiple_of(TOGETHER) {
            touch(changes, &all[n..]);
        }
        (all[n].head, changes.get(all[n].place))
    });
    let mut sorted = sorted.peekable();
    std::iter::from_fn(move || {
        let (head, mut last) = sorted.next()?;
        // Most keys are told apart without a look at them.
        while let Some((_, later)) =
            sorted.next_if(|(other, (key, _))| *other == head && *key == last.0)
        {
            if !planted(Bug::FirstChangeCounts) {
                last = later;
            }
        }
        Some(last)
    })
}

/// So many are read together before they are given: they are all over memory, and the processor waits
/// for those that it is asked for at once as long as for one.
const TOGETHER: usize = 32;

fn touch(changes: &ChangeList, all: &[Headed]) {
    let next = all.iter().take(TOGETHER);
    let bytes = next.map(|it| changes.get(it.place).0.first().copied().unwrap_or(0));
    std::hint::black_box(bytes.fold(0, |all, byte| all ^ byte));
}

/// Puts changes in order whose keys have so many bytes alike, or more. Each round goes on from where all
/// keys of a run begin to differ, or ends.
fn sort(all: &mut [Headed], changes: &ChangeList, alike: usize) {
    let key = |it: &Headed| changes.get(it.place).0;
    let rests = all.iter().map(|it| &key(it)[alike..]);
    let alike = alike + begin_alike(rests);
    for it in &mut *all {
        it.head = head(&key(it)[alike..]);
    }
    all.sort_unstable_by_key(|it| (it.head, it.place));
    let count = all.len();
    for run in all.chunk_by_mut(|left, right| left.head == right.head) {
        match run.len() {
            1 => {}
            // Alike to the end of the shortest: it is filled up with zeros, as others may go on.
            len if len <= FEW || len == count => {
                run.sort_unstable_by(|left, right| {
                    (key(left), left.place).cmp(&(key(right), right.place))
                });
            }
            _ => sort(run, changes, alike),
        }
    }
}

/// With how many bytes all of these keys begin alike.
fn begin_alike<'a>(mut keys: impl Iterator<Item = &'a [u8]>) -> usize {
    let Some(first) = keys.next() else {
        return 0;
    };
    let with_first = |key: &[u8], most: usize| {
        let pairs = key.iter().zip(&first[..most]);
        pairs.take_while(|(left, right)| left == right).count()
    };
    keys.fold(first.len(), |most, key| with_first(key, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_a_stable_sort_with_the_last_of_each_key(keys in prop::collection::vec(key(), 0..120)) {
            let number = |(at, key): (usize, Vec<u8>)| (key, Some(at.to_string()));
            let changes: ChangeList = keys.into_iter().enumerate().map(number).collect();
            let mut plain: Vec<_> = changes.iter().collect();
            plain.sort_by_key(|(key, _)| *key);
            plain.reverse();
            plain.dedup_by_key(|(key, _)| *key);
            plain.reverse();
            prop_assert_eq!(by_key(&changes).collect::<Vec<_>>(), plain);
        }
    }

    /// Keys that begin alike, perhaps with more than are compared at once, are each other's beginnings,
    /// or end in zeros.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        (0..4_usize, prop::collection::vec(0..3_u8, 0..12))
            .prop_map(|(kind, tail)| [&b"account\0savings\0it"[..kind * 6], &tail[..]].concat())
    }
}
