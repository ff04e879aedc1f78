//! How much a read takes from the disk where next to nothing of the store is in memory. A file of its own: what
//! is counted is what this process reads.

mod common;

use std::ops::Bound;

use bytes::Bytes;
use common::{checkpoint, open};
use ordain_store::{DiskStore, Entry, Most, Options, Store};

const KEYS: u32 = 400_000;
const READS: u32 = 2_000;
/// Pieces of a filter and of an index, and the block of a value, each about 4 KiB: with room for a few more.
const BYTES_A_READ_MAX: u64 = 32 << 10;

fn key(number: u32) -> Vec<u8> {
    format!("account/{number:09}").into_bytes()
}

/// Bytes that this process has read, be they in the system's cache or not.
fn read_so_far() -> Option<u64> {
    let io = std::fs::read_to_string("/proc/self/io").ok()?;
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: "))?;
    line.trim().parse().ok()
}

#[test]
fn a_read_takes_a_few_blocks_however_large_the_table_is() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        cache_bytes: 64 << 10,
    };
    let store = DiskStore::open(dir.path().join("store"), options).unwrap();
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let value: &[u8] = br#"{"balance":1000000}"#;
    let changes: Vec<_> = keys.iter().map(|key| (&key[..], Some(value))).collect();
    // Not opened again: of a table that no merge has moved yet, filter and index would be kept in memory.
    store.apply(&checkpoint(1, &changes)).unwrap();
    let Some(before) = read_so_far() else {
        eprintln!("the system does not say what a process reads: nothing is checked");
        return;
    };
    for number in 0..READS {
        let at = number * 7_919 % KEYS;
        assert_eq!(
            store.get(&key(at)).unwrap(),
            Some(Bytes::from_static(value))
        );
        // What is not there is looked for as well: every entity before its first write.
        assert_eq!(store.get(&[&key(at)[..], b"+"].concat()).unwrap(), None);
    }
    let each = (read_so_far().unwrap() - before) / u64::from(2 * READS);
    println!("{each} bytes a read");
    assert!(each <= BYTES_A_READ_MAX, "{each} bytes a read");
}

/// All keys, a page after the other, from either end.
fn pages(store: &DiskStore, reverse: bool) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    loop {
        let range = match (keys.last(), reverse) {
            (None, _) => (Bound::Unbounded, Bound::Unbounded),
            (Some(last), false) => (Bound::Excluded(&last[..]), Bound::Unbounded),
            (Some(last), true) => (Bound::Unbounded, Bound::Excluded(&last[..])),
        };
        let page = store.scan(range, reverse, Most::entries(1_000)).unwrap();
        if page.is_empty() {
            return keys;
        }
        keys.extend(page.into_iter().map(|(key, _): Entry| key.into_vec()));
    }
}

/// Over many pieces of an index, and over two tables that have keys in common.
#[test]
fn pages_over_many_pieces_hold_every_key_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut keys: Vec<_> = (0..60_000).map(key).collect();
    let all = |store: &DiskStore, keys: &[Vec<u8>]| {
        assert_eq!(pages(store, false), keys);
        let back: Vec<_> = keys.iter().rev().cloned().collect();
        assert_eq!(pages(store, true), back);
    };
    let value: &[u8] = &[b'x'; 60];
    let changes: Vec<_> = keys.iter().map(|key| (&key[..], Some(value))).collect();
    store.apply(&checkpoint(1, &changes)).unwrap();
    all(&store, &keys);
    let gone: Vec<_> = keys.iter().step_by(3).cloned().collect();
    let changes: Vec<_> = gone.iter().map(|key| (&key[..], None)).collect();
    store.apply(&checkpoint(2, &changes)).unwrap();
    let mut at = 0;
    keys.retain(|_| {
        at += 1;
        at % 3 != 1
    });
    all(&store, &keys);
    for key in gone.iter().step_by(101) {
        assert_eq!(store.get(key).unwrap(), None);
    }
}
