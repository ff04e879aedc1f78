//! What happens when a write fails: no checkpoint is taken in half, reads go on, nothing more is
//! written until the store is reopened. The failure is real: a limit on the size of files, set by
//! the shell that starts this test's other process.
#![cfg(unix)]

mod common;

use std::process::Command;

use bytes::Bytes;
use common::{assert_holds, model_after, step};
use ordain_store::{Checkpoint, DiskStore, Error, Options, Store};
use ordain_types::Seq;

const LIMITED: &str = "ORDAIN_STORE_TEST_LIMITED";
const NAME: &str = "a_failed_checkpoint_is_the_last_until_reopened";

#[test]
fn a_failed_checkpoint_is_the_last_until_reopened() {
    if let Ok(dir) = std::env::var(LIMITED) {
        return run_limited(&dir);
    }
    let dir = tempfile::tempdir().unwrap();
    // Ignored, the signal leaves the write to fail with an error.
    let limited = r#"trap "" XFSZ; ulimit -f 1024; exec "$0" "$@""#;
    let status = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--nocapture"])
        .env(LIMITED, dir.path())
        .status()
        .unwrap();
    assert!(status.success());

    let store = DiskStore::open(dir.path(), Options::default()).unwrap();
    assert_eq!(store.seq(), Seq(4));
    assert_holds(&store, &model_after(4, 100));
    store.apply(&too_large(5)).unwrap();
}

/// A disk that became read-only, or whose directory went: what was opened before reads on.
#[test]
fn what_can_be_read_is_not_given_up_for_what_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), Options::default()).unwrap();
    store.apply(&step(1, 100)).unwrap();
    let in_the_way = dir.path().join("STORE.new");
    std::fs::create_dir(&in_the_way).unwrap();
    let failed = store.reopen().unwrap_err();
    assert!(failed.to_string().contains("STORE.new"), "{failed}");
    assert_holds(&store, &model_after(1, 100));
    std::fs::remove_dir(&in_the_way).unwrap();
    store.reopen().unwrap();
    assert_holds(&store, &model_after(1, 100));
    assert!(!in_the_way.exists());
    store.apply(&step(2, 100)).unwrap();
}

/// What a merge that found no space left behind is what fills the disk, and goes when the store is reopened.
#[cfg(target_os = "linux")]
#[test]
fn what_fills_the_disk_goes_with_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), Options::default()).unwrap();
    store.apply(&step(1, 100)).unwrap();
    let left_behind = dir.path().join("tree/tables/999");
    std::fs::write(&left_behind, "half a table").unwrap();
    // A new file could be made, and no byte written to it.
    std::os::unix::fs::symlink("/dev/full", dir.path().join("STORE.new")).unwrap();
    store.reopen().unwrap();
    assert!(!left_behind.exists());
    assert_holds(&store, &model_after(1, 100));
}

fn too_large(seq: u64) -> Checkpoint {
    let change = |index: u32| ([1, index as u8], Some(Bytes::from(vec![7; 1 << 18])));
    Checkpoint {
        seq: Seq(seq),
        changes: (0..16).map(change).collect(),
    }
}

fn run_limited(dir: &str) {
    let store = DiskStore::open(dir, Options::default()).unwrap();
    for seq in 1..=3 {
        store.apply(&step(seq, 100)).unwrap();
    }
    let failed = store.apply(&too_large(4)).unwrap_err();
    assert!(matches!(failed, Error::Io { .. }), "{failed:?}");

    assert!(store.stats().failure.is_some());
    let refused = store.apply(&step(4, 100)).unwrap_err();
    assert!(matches!(refused, Error::Poisoned { .. }), "{refused:?}");
    assert_eq!(refused.is_full(), failed.is_full());
    assert_eq!(store.seq(), Seq(3));
    assert_holds(&store, &model_after(3, 100));

    let snapshot = store.snapshot().unwrap();
    let refused = store.reopen().unwrap_err();
    assert!(matches!(refused, Error::Busy { .. }), "{refused:?}");
    drop(snapshot);
    store.reopen().unwrap();
    assert_eq!(store.stats().failure, None);
    assert_eq!(store.seq(), Seq(3));
    store.apply(&step(4, 100)).unwrap();
    assert_holds(&store, &model_after(4, 100));
}
