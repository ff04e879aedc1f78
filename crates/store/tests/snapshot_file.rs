//! Backups: what is written is read back, and nothing else is.

mod common;

use std::io::Cursor;

use bytes::Bytes;
use common::{assert_holds, checkpoint, model_after, open, step, stores};
use ordain_store::snapshot::{self, Summary};
use ordain_store::{DiskStore, Entry, Error, MemoryStore, Options, Snapshot, Store, state_hash};
use ordain_types::Seq;
use ordain_types::planted::{Bug, assert_caught};

fn write(store: &dyn Store) -> (Vec<u8>, Summary) {
    let mut file = Vec::new();
    let snapshot = store.snapshot().unwrap();
    let summary = snapshot::write(&*snapshot, &mut file, &mut |_| {}).unwrap();
    assert_eq!(summary.bytes, file.len() as u64);
    assert_eq!(summary.hash, state_hash(&*snapshot).unwrap());
    (file, summary)
}

fn read(file: &[u8], into: &dyn Store) -> Result<Summary, Error> {
    snapshot::read(Cursor::new(file), into, &mut |_| {})
}

fn small() -> MemoryStore {
    let store = MemoryStore::default();
    let changes: [(&[u8], Option<&[u8]>); 3] =
        [(b"a", Some(b"1")), (b"bb", Some(b"")), (b"c", Some(b"333"))];
    store.apply(&checkpoint(258, &changes)).unwrap();
    store
}

#[test]
fn what_is_written_is_read_back_by_every_store() {
    for (from, _dir) in stores() {
        for seq in 1..=20 {
            from.apply(&step(seq, 500)).unwrap();
        }
        let (file, written) = write(&*from);
        let model = model_after(20, 500);
        assert_eq!(written.seq, Seq(20));
        assert_eq!(written.entries, model.len() as u64);
        for (into, _dir) in stores() {
            assert_eq!(read(&file, &*into).unwrap(), written);
            assert_eq!(into.seq(), Seq(20));
            assert_holds(&*into, &model);
            into.apply(&step(21, 10)).unwrap();
            let refused = read(&file, &*into);
            assert!(
                matches!(refused, Err(Error::NotEmpty { .. })),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn large_values_and_many_blocks_go_through_and_progress_is_told() {
    let from = MemoryStore::default();
    let value = |index: u32| Bytes::from(vec![index as u8; 40_000 * (index as usize % 9)]);
    let change = |index: u32| (index.to_string(), Some(value(index)));
    let changes = (0..60).map(change).collect();
    from.apply(&ordain_store::Checkpoint {
        seq: Seq(1),
        changes,
    })
    .unwrap();
    let (file, written) = write(&from);
    for (into, _dir) in stores() {
        let mut told = Vec::new();
        let read = snapshot::read(Cursor::new(&file), &*into, &mut |at| told.push(at)).unwrap();
        assert_eq!(read, written);
        assert!(told.len() > 3 && told.is_sorted_by_key(|at| at.bytes));
        assert_eq!(
            told.last().map(|at| (at.entries, at.bytes)),
            Some((60, written.bytes))
        );
        assert_eq!(
            state_hash(&*into.snapshot().unwrap()).unwrap(),
            written.hash
        );
    }
    assert_eq!(
        snapshot::verify(Cursor::new(&file), &mut |_| {}).unwrap(),
        written
    );
}

#[test]
fn an_empty_store_is_a_snapshot_too() {
    let (file, written) = write(&MemoryStore::default());
    assert_eq!((written.seq, written.entries), (Seq::ZERO, 0));
    for (into, _dir) in stores() {
        assert_eq!(read(&file, &*into).unwrap(), written);
        assert_eq!(into.seq(), Seq::ZERO);
    }
}

#[test]
fn golden_bytes() {
    let (file, written) = write(&small());
    let checked = |mut bytes: Vec<u8>| {
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    };
    let header = checked(b"ORDSNAPS\x02\0\0\0\x02\x01\0\0\0\0\0\0".to_vec());
    let length = 32u32.to_le_bytes();
    let entries = b"\x01\0\0\0\x01\0\0\0a1\x02\0\0\0\0\0\0\0bb\x01\0\0\0\x03\0\0\0c333";
    let checksum = crc32c::crc32c(&[&length[..], entries].concat()).to_le_bytes();
    let hash = written.hash.0.to_le_bytes();
    let trailer = checked([&b"\0\0\0\0\x03\0\0\0\0\0\0\0"[..], &hash].concat());
    assert_eq!(
        file,
        [&header[..], &length, &checksum, entries, &trailer].concat()
    );
}

#[test]
fn every_flipped_bit_is_found_and_nothing_is_taken_in() {
    let (file, _) = write(&small());
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let into = MemoryStore::default();
        let refused = read(&flipped, &into).unwrap_err();
        let newer = matches!(refused, Error::SnapshotFormat { .. }) && (64..96).contains(&bit);
        assert!(refused.is_damage() || newer, "bit {bit}: {refused:?}");
        assert_eq!((into.seq(), into.get(b"a").unwrap()), (Seq::ZERO, None));
    }
}

#[test]
fn a_file_of_another_format_is_refused_by_its_name() {
    let (file, _) = write(&small());
    for format in [0_u32, 1, 3, u32::MAX] {
        let mut other = file.clone();
        other[8..12].copy_from_slice(&format.to_le_bytes());
        let checksum = crc32c::crc32c(&other[..20]).to_le_bytes();
        other[20..24].copy_from_slice(&checksum);
        let into = MemoryStore::default();
        let refused = read(&other, &into).unwrap_err().to_string();
        assert!(refused.contains(&format!("format {format},")), "{refused}");
        assert_eq!((into.seq(), into.get(b"a").unwrap()), (Seq::ZERO, None));
    }
}

#[test]
fn a_file_cut_short_or_with_more_behind_it_is_refused() {
    let (file, _) = write(&small());
    for length in 0..file.len() {
        let refused = read(&file[..length], &MemoryStore::default()).unwrap_err();
        assert!(refused.is_damage(), "{length}: {refused:?}");
    }
    let more = [&file[..], b"\0"].concat();
    let refused = read(&more, &MemoryStore::default()).unwrap_err();
    let Error::SnapshotDamaged { offset, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(offset, file.len() as u64);
}

#[test]
fn an_interrupted_restore_leaves_a_store_that_is_refused() {
    let (file, _) = write(&small());
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    assert!(
        read(&file[..file.len() - 1], &store)
            .unwrap_err()
            .is_damage()
    );
    assert_eq!(store.seq(), Seq::ZERO);
    let refused = store.apply(&checkpoint(1, &[]));
    assert!(
        matches!(refused, Err(Error::Poisoned { .. })),
        "{refused:?}"
    );
    drop(store);
    let refused = DiskStore::open(dir.path(), Options::default()).err();
    assert!(
        matches!(refused, Some(Error::Unfinished { .. })),
        "{refused:?}"
    );
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[
        (
            Bug::RestoreUnmarked,
            an_interrupted_restore_leaves_a_store_that_is_refused,
        ),
        (
            Bug::BlockUnchecked,
            every_flipped_bit_is_found_and_nothing_is_taken_in,
        ),
    ]);
}

/// Checksums and all are right here: the writer was wrong, and no store takes what it wrote.
#[test]
fn a_file_whose_keys_do_not_rise_is_refused_by_verify_too() {
    for keys in [[&b"a"[..], b"a"], [b"b", b"a"], [b"", b"a"]] {
        let file = file_of(&keys.map(|key| (key, &b"v"[..])));
        let read = read(&file, &MemoryStore::default()).unwrap_err();
        let verified = snapshot::verify(Cursor::new(&file), &mut |_| {}).unwrap_err();
        assert_eq!(verified.to_string(), read.to_string());
    }
}

/// A snapshot file of these entries, in this order, by way of a snapshot that has them.
fn file_of(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
    struct Listed<'a>(&'a [(&'a [u8], &'a [u8])]);

    impl Snapshot for Listed<'_> {
        fn seq(&self) -> Seq {
            Seq(1)
        }
        fn entries(&self) -> Box<dyn Iterator<Item = Result<Entry, Error>> + Send + '_> {
            let entry = |(key, value): &(&[u8], &[u8])| {
                Ok((Box::from(*key), Bytes::copy_from_slice(value)))
            };
            Box::new(self.0.iter().map(entry))
        }
    }

    let mut file = Vec::new();
    snapshot::write(&Listed(entries), &mut file, &mut |_| {}).unwrap();
    file
}

/// Nothing could come after it.
#[test]
fn a_seq_that_no_log_comes_to_is_refused() {
    let with = |seq: u64| {
        let (mut file, _) = write(&small());
        file[12..20].copy_from_slice(&seq.to_le_bytes());
        let checksum = crc32c::crc32c(&file[..20]);
        file[20..24].copy_from_slice(&checksum.to_le_bytes());
        read(&file, &MemoryStore::default())
    };
    assert_eq!(with(Seq::MAX.0).unwrap().seq, Seq::MAX);
    let refused = with(Seq::MAX.0 + 1).unwrap_err();
    assert!(refused.is_damage(), "{refused:?}");
    assert!(refused.to_string().contains("seq"), "{refused}");
}
