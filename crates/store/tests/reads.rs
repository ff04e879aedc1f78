//! How much a read takes from the disk where next to nothing of the store is in memory. A file of its own: what
//! is counted is what this process reads.

mod common;

use bytes::Bytes;
use ordain_store::{DiskStore, Options, Store};
use ordain_types::Seq;

use common::checkpoint;

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
    let open = || DiskStore::open(dir.path().join("store"), options.clone()).unwrap();
    let store = open();
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let value: &[u8] = br#"{"balance":1000000}"#;
    let changes: Vec<_> = keys.iter().map(|key| (&key[..], Some(value))).collect();
    store.apply(&checkpoint(1, &changes)).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.seq(), Seq(1));
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
