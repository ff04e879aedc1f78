//! What every store does, each test run against all of them, and against a model at random.

mod common;

use std::ops::Bound;

use bytes::Bytes;
use common::{Model, apply_to, assert_holds, checkpoint, entries, open, scan, step, stores};
use ordain_store::{Checkpoint, Error, Most, Store, state_hash};
use ordain_types::Seq;
use ordain_types::planted::{Bug, assert_caught};
use proptest::prelude::*;

#[test]
fn a_new_store_is_empty_at_seq_zero() {
    for (store, _dir) in stores() {
        assert_eq!(store.seq(), Seq::ZERO);
        assert_eq!(store.get(b"a").unwrap(), None);
        let snapshot = store.snapshot().unwrap();
        assert_eq!((snapshot.seq(), entries(&*snapshot)), (Seq::ZERO, vec![]));
        assert_eq!(store.stats().failure, None);
    }
}

#[test]
fn a_checkpoint_writes_overwrites_and_deletes() {
    for (store, _dir) in stores() {
        store
            .apply(&checkpoint(3, &[(b"b", Some(b"1")), (b"a", Some(b""))]))
            .unwrap();
        store
            .apply(&checkpoint(
                9,
                &[(b"b", None), (b"c", None), (b"a", Some(b"2"))],
            ))
            .unwrap();
        assert_eq!(store.seq(), Seq(9));
        assert_eq!(store.get(b"a").unwrap(), Some(Bytes::from("2")));
        assert_eq!(store.get(b"b").unwrap(), None);
        assert_eq!(scan(&*store, b"a", b"z", false).len(), 1);
    }
}

#[test]
fn of_one_key_the_last_change_counts() {
    for (store, _dir) in stores() {
        let changes: [(&[u8], Option<&[u8]>); 4] = [
            (b"k", Some(b"1")),
            (b"l", Some(b"1")),
            (b"k", Some(b"2")),
            (b"l", None),
        ];
        store.apply(&checkpoint(1, &changes)).unwrap();
        assert_eq!(store.get(b"k").unwrap(), Some(Bytes::from("2")));
        assert_eq!(store.get(b"l").unwrap(), None);
    }
}

#[test]
fn a_checkpoint_without_changes_moves_the_seq() {
    for (store, _dir) in stores() {
        store.apply(&checkpoint(5, &[])).unwrap();
        assert_eq!(store.seq(), Seq(5));
        assert_eq!(store.snapshot().unwrap().seq(), Seq(5));
    }
}

#[test]
fn the_seq_must_grow_and_a_refusal_changes_nothing() {
    for (store, _dir) in stores() {
        store.apply(&checkpoint(5, &[(b"a", Some(b"1"))])).unwrap();
        for seq in [0, 4, 5] {
            let refused = store.apply(&checkpoint(seq, &[(b"a", None)]));
            assert!(
                matches!(refused, Err(Error::SeqNotGrown { .. })),
                "{refused:?}"
            );
        }
        assert_eq!(store.get(b"a").unwrap(), Some(Bytes::from("1")));
        store.apply(&checkpoint(6, &[(b"a", None)])).unwrap();
    }
}

#[test]
fn keys_of_no_granule_are_refused_and_not_found() {
    let long = vec![1; 65_536];
    for (store, _dir) in stores() {
        for key in [&b""[..], b"\0seq", b"\0", &long] {
            let refused = store.apply(&checkpoint(1, &[(b"a", Some(b"1")), (key, Some(b"2"))]));
            assert!(matches!(refused, Err(Error::Key { .. })), "{refused:?}");
            assert_eq!(store.get(key).unwrap(), None);
        }
        store
            .apply(&checkpoint(1, &[(&long[1..], Some(b"1"))]))
            .unwrap();
        assert_eq!(store.get(&long[1..]).unwrap(), Some(Bytes::from("1")));
        assert_eq!(entries(&*store.snapshot().unwrap()).len(), 1);
    }
}

#[test]
fn scans_go_both_ways_with_a_limit_and_any_bounds() {
    use Bound::{Excluded, Included, Unbounded};
    let range_of = |store: &dyn Store, range, reverse, limit| -> String {
        let most = Most::entries(limit);
        let found = store.scan(range, reverse, most).unwrap();
        found.iter().map(|(key, _)| key[0] as char).collect()
    };
    let check = |range, expected: &str| {
        for (store, _dir) in stores() {
            let all: Vec<_> = (b'a'..=b'f').map(|key| [key]).collect();
            for (seq, key) in (1..).zip(&all) {
                store.apply(&checkpoint(seq, &[(key, Some(b"v"))])).unwrap();
            }
            let backwards: String = expected.chars().rev().collect();
            assert_eq!(range_of(&*store, range, false, usize::MAX), expected);
            assert_eq!(range_of(&*store, range, true, usize::MAX), backwards);
            for limit in 0..expected.len() {
                assert_eq!(range_of(&*store, range, false, limit), expected[..limit]);
                assert_eq!(range_of(&*store, range, true, limit), backwards[..limit]);
            }
        }
    };
    check((Unbounded, Unbounded), "abcdef");
    check((Included(b"b"), Excluded(b"d")), "bc");
    check((Excluded(b"b"), Included(b"d")), "cd");
    check((Included(b""), Included(b"a")), "a");
    check((Excluded(b"\0"), Excluded(b"b")), "a");
    check((Unbounded, Included(b"\0seq")), "");
    check((Included(b"\0"), Included(b"\0z")), "");
    check((Included(b"d"), Excluded(b"b")), "");
    check((Excluded(b"b"), Excluded(b"b")), "");
    check((Included(b"b"), Included(b"b")), "b");
    check((Included(b"e"), Unbounded), "ef");
    // Longer than any key: between what they begin with and the next one.
    let (low, high) = (&[b'b'; 70_000][..], &[b'd'; 65_536][..]);
    check((Included(low), Unbounded), "cdef");
    check((Excluded(low), Included(high)), "cd");
    check((Unbounded, Excluded(low)), "ab");
    check((Included(low), Included(&low[1..])), "");
    check((Excluded(high), Excluded(low)), "");
}

#[test]
fn a_scan_ends_with_the_entry_that_brings_it_to_its_bytes() {
    let all = (Bound::Unbounded, Bound::Unbounded);
    for (store, _dir) in stores() {
        let changes = [
            (b"a", Some(&b"four"[..])),
            (b"b", Some(b"")),
            (b"c", Some(b"nine byte")),
        ];
        let changes = changes.map(|(key, value)| (&key[..], value));
        store.apply(&checkpoint(1, &changes)).unwrap();
        let found = |reverse, bytes| {
            let most = Most { entries: 9, bytes };
            store.scan(all, reverse, most).unwrap().len()
        };
        let upwards = [0, 1, 5, 6, 7, 16].map(|bytes| found(false, bytes));
        assert_eq!(upwards, [0, 1, 1, 2, 3, 3]);
        let downwards = [0, 10, 11, 12, 16, 17].map(|bytes| found(true, bytes));
        assert_eq!(downwards, [0, 1, 2, 3, 3, 3]);
    }
}

#[test]
fn a_snapshot_stands_still_while_checkpoints_go_on() {
    for (store, _dir) in stores() {
        let mut model = Model::new();
        let mut held = Vec::new();
        for seq in 1..=60 {
            let next = step(seq, 200);
            apply_to(&mut model, &next);
            store.apply(&next).unwrap();
            if seq % 7 == 0 {
                held.push((seq, model.clone(), store.snapshot().unwrap()));
            }
        }
        for (seq, model, snapshot) in &held {
            assert_eq!(snapshot.seq(), Seq(*seq));
            for _ in 0..2 {
                assert!(entries(&**snapshot).iter().map(|(k, v)| (k, v)).eq(model));
            }
        }
        assert_holds(&*store, &model);
    }
}

#[test]
fn readers_see_whole_checkpoints_only() {
    for (store, _dir) in stores() {
        let last = 60;
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < last {
                        // Every checkpoint writes its seq to all keys.
                        let found = scan(&*store, b"k", b"l", false);
                        let Some((_, first)) = found.first() else {
                            continue;
                        };
                        assert_eq!(found.len(), 50);
                        assert!(found.iter().all(|(_, value)| value == first));
                        let now = u64::from_be_bytes(first[..].try_into().unwrap());
                        assert!(now >= seen);
                        seen = now;
                        let snapshot = store.snapshot().unwrap();
                        let expected = snapshot.seq().0.to_be_bytes();
                        assert!(
                            entries(&*snapshot)
                                .iter()
                                .all(|(_, value)| *value == expected)
                        );
                    }
                });
            }
            for seq in 1..=last {
                let change = |key: u8| ([b'k', key], Some(Bytes::from(seq.to_be_bytes().to_vec())));
                let changes = (0..50).map(change).collect();
                store
                    .apply(&Checkpoint {
                        seq: Seq(seq),
                        changes,
                    })
                    .unwrap();
            }
        });
    }
}

#[test]
fn a_restore_fills_an_empty_store_only_in_order_or_not_at_all() {
    let entry = |key: &str| Ok((key.as_bytes().into(), Bytes::from("v")));
    for (store, _dir) in stores() {
        let refused = store.restore(Seq(4), &mut [entry("b"), entry("a")].into_iter());
        assert!(
            matches!(refused, Err(Error::Order { index: 1 })),
            "{refused:?}"
        );
        assert_eq!((store.seq(), store.get(b"b").unwrap()), (Seq::ZERO, None));
    }
    for (store, _dir) in stores() {
        store
            .restore(Seq(4), &mut [entry("a"), entry("b")].into_iter())
            .unwrap();
        assert_eq!(store.seq(), Seq(4));
        assert_eq!(scan(&*store, b"a", b"c", false).len(), 2);
        let refused = store.restore(Seq(5), &mut [entry("c")].into_iter());
        assert!(
            matches!(refused, Err(Error::NotEmpty { .. })),
            "{refused:?}"
        );
        store.apply(&checkpoint(5, &[(b"c", Some(b"1"))])).unwrap();
    }
}

#[test]
fn equal_contents_have_equal_hashes_whatever_their_history() {
    let [(memory, _), (disk, _dir)] = stores();
    for seq in 1..=30 {
        memory.apply(&step(seq, 300)).unwrap();
        disk.apply(&step(seq, 300)).unwrap();
    }
    let hash = |store: &dyn Store| state_hash(&*store.snapshot().unwrap()).unwrap();
    assert_eq!(hash(&*memory), hash(&*disk));
    for (store, _dir) in stores() {
        let model = common::model_after(30, 300);
        let changes: Vec<_> = model
            .iter()
            .map(|(key, value)| (&key[..], Some(&value[..])))
            .collect();
        store.apply(&checkpoint(1, &changes)).unwrap();
        assert_eq!(hash(&*store), hash(&*memory));
    }
    for (seq, value) in [(31, b"1"), (32, b"2")] {
        let before = hash(&*memory);
        memory
            .apply(&checkpoint(seq, &[(b"one more", Some(value))]))
            .unwrap();
        assert_ne!(hash(&*memory), before);
    }
    assert_ne!(hash(&*memory), hash(&*disk));
}

#[test]
fn many_small_checkpoints_are_merged_as_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for seq in 1..=150 {
        store.apply(&step(seq, 3)).unwrap();
    }
    let held = std::fs::read_dir(dir.path().join("tree/tables"))
        .unwrap()
        .count();
    assert!(held < 150 / 2, "{held} tables");
    assert_holds(&store, &common::model_after(150, 3));
}

#[derive(Debug, Clone)]
enum Action {
    Apply(Vec<(u8, Option<Vec<u8>>)>),
    Reopen,
    Close,
    Hold,
    Drop,
    Scan(u8, u8, bool, usize),
}

fn action() -> impl Strategy<Value = Action> {
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..40));
    prop_oneof![
        8 => prop::collection::vec((1..60u8, value), 0..30).prop_map(Action::Apply),
        1 => Just(Action::Reopen),
        1 => Just(Action::Close),
        1 => Just(Action::Hold),
        1 => Just(Action::Drop),
        3 => (any::<u8>(), any::<u8>(), any::<bool>(), 0..20usize)
            .prop_map(|(from, to, reverse, limit)| Action::Scan(from, to, reverse, limit)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_disk_store_is_a_map(actions in prop::collection::vec(action(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(&dir);
        let mut model = Model::new();
        let mut seq = 0;
        let mut held = None;
        for action in actions {
            match action {
                Action::Apply(changes) => {
                    seq += 1;
                    let own = |(key, value): (u8, Option<Vec<u8>>)| {
                        ([key], value.map(Bytes::from))
                    };
                    let changes = changes.into_iter().map(own).collect();
                    let next = Checkpoint { seq: Seq(seq), changes };
                    apply_to(&mut model, &next);
                    store.apply(&next).unwrap();
                }
                Action::Reopen => match (store.reopen(), &held) {
                    (Err(Error::Busy { .. }), Some(_)) | (Ok(()), None) => {}
                    other => panic!("{:?}", other.0),
                },
                Action::Close => {
                    held = None;
                    drop(store);
                    store = open(&dir);
                }
                Action::Hold => held = Some((seq, model.clone(), store.snapshot().unwrap())),
                Action::Drop => held = None,
                Action::Scan(from, to, reverse, limit) => {
                    let (from, to) = (vec![from], vec![to]);
                    let range = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
                    let most = Most::entries(limit);
                    let found = store.scan(range, reverse, most).unwrap();
                    let mut expected: Vec<_> = model.iter()
                        .filter(|(key, _)| **key >= from && **key < to)
                        .collect();
                    if reverse {
                        expected.reverse();
                    }
                    expected.truncate(limit);
                    let found: Vec<_> = found.into_iter()
                        .map(|(key, value)| (key.into_vec(), value.to_vec()))
                        .collect();
                    prop_assert!(found.iter().map(|(k, v)| (k, v)).eq(expected));
                }
            }
            prop_assert_eq!(store.seq(), Seq(seq));
        }
        if let Some((seq, model, snapshot)) = &held {
            prop_assert_eq!(snapshot.seq(), Seq(*seq));
            prop_assert!(entries(&**snapshot).iter().map(|(k, v)| (k, v)).eq(model));
        }
        for key in 1..60u8 {
            let expected = model.get(&vec![key]).map(|value| value.to_vec());
            prop_assert_eq!(store.get(&[key]).unwrap().map(|value| value.to_vec()), expected);
        }
        assert_holds(&store, &model);
    }
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (Bug::SeqFirst, readers_see_whole_checkpoints_only),
        (Bug::DeleteLost, a_checkpoint_writes_overwrites_and_deletes),
        (Bug::FirstChangeCounts, of_one_key_the_last_change_counts),
        (
            Bug::ScanEndsLate,
            scans_go_both_ways_with_a_limit_and_any_bounds,
        ),
        (
            Bug::SnapshotMoves,
            a_snapshot_stands_still_while_checkpoints_go_on,
        ),
        (
            Bug::SeqMayStand,
            the_seq_must_grow_and_a_refusal_changes_nothing,
        ),
        (
            Bug::HashSkipsValues,
            equal_contents_have_equal_hashes_whatever_their_history,
        ),
    ]);
}
