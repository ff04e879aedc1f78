//! What the suites share: a model of a store, and the stores under test.
#![allow(dead_code)] // Each suite uses a part.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use ordain_store::{Checkpoint, DiskStore, Entry, MemoryStore, Most, Options, Snapshot, Store};
use ordain_types::Seq;
use tempfile::TempDir;

pub type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// The stores that must behave the same; the directory lives as long as its store.
pub fn stores() -> [(Box<dyn Store>, Option<TempDir>); 2] {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(&dir);
    [
        (Box::new(MemoryStore::default()), None),
        (Box::new(disk), Some(dir)),
    ]
}

pub fn open(dir: &TempDir) -> DiskStore {
    DiskStore::open(dir.path(), Options::default()).unwrap()
}

pub fn checkpoint(seq: u64, changes: &[(&[u8], Option<&[u8]>)]) -> Checkpoint {
    let owned =
        |(key, value): &(&[u8], Option<&[u8]>)| (key.to_vec(), value.map(Bytes::copy_from_slice));
    Checkpoint {
        seq: Seq(seq),
        changes: changes.iter().map(owned).collect(),
    }
}

pub fn entries(snapshot: &dyn Snapshot) -> Vec<(Vec<u8>, Vec<u8>)> {
    let plain = |entry: Result<Entry, _>| {
        let (key, value) = entry.unwrap();
        (key.into_vec(), value.to_vec())
    };
    snapshot.entries().map(plain).collect()
}

pub fn scan(store: &dyn Store, from: &[u8], to: &[u8], reverse: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let range = (Bound::Included(from), Bound::Excluded(to));
    let found = store
        .scan(range, reverse, Most::entries(usize::MAX))
        .unwrap();
    let plain = |(key, value): Entry| (key.into_vec(), value.to_vec());
    found.into_iter().map(plain).collect()
}

/// The changes of one step of a sequence that is the same every time: some keys anew, some again,
/// some deleted.
pub fn step(seq: u64, changes: u64) -> Checkpoint {
    let change = |index: u64| {
        let random = (seq * 1_000_003 + index).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let key = format!("key/{:05}", random % 5_000);
        let value =
            (!random.is_multiple_of(7)).then(|| Bytes::from(format!("{seq}/{index}/{random:x}")));
        (key, value)
    };
    Checkpoint {
        seq: Seq(seq),
        changes: (0..changes).map(change).collect(),
    }
}

pub fn apply_to(model: &mut Model, checkpoint: &Checkpoint) {
    for (key, value) in checkpoint.changes.iter() {
        match value {
            Some(value) => model.insert(key.to_vec(), value.to_vec()),
            None => model.remove(key),
        };
    }
}

pub fn model_after(seq: u64, changes: u64) -> Model {
    let mut model = Model::new();
    for seq in 1..=seq {
        apply_to(&mut model, &step(seq, changes));
    }
    model
}

pub fn assert_holds(store: &dyn Store, model: &Model) {
    let found = entries(&*store.snapshot().unwrap());
    assert!(
        found.iter().map(|(k, v)| (k, v)).eq(model),
        "{} of {}",
        found.len(),
        model.len()
    );
}
