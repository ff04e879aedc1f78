//! A damaged, foreign, newer or busy directory is refused; a flipped bit is found or does no harm.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Model, checkpoint, entries, model_after, open, step};
use ordain_store::{DiskStore, Error, Most, Options, Store};
use ordain_types::Seq;
use ordain_types::planted::{Bug, assert_caught};
use tempfile::TempDir;

const STEPS: u64 = 11;
const CHANGES: u64 = 120;

fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for seq in 1..=STEPS {
        store.apply(&step(seq, CHANGES)).unwrap();
    }
    drop(store);
    // Opened again it deletes what is no longer in force.
    drop(open(&dir));
    dir
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

fn copy(from: &Path) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files(from) {
        let to = dir.path().join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
    dir
}

fn try_open(dir: &Path) -> Result<DiskStore, Error> {
    DiskStore::open(dir, Options::default())
}

/// Reads everything in every way; an error, or the right contents, or the test fails.
fn read_all(dir: &Path, model: &Model) -> Result<(), Error> {
    let store = try_open(dir)?;
    assert_eq!(store.seq(), Seq(STEPS));
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let scanned = store.scan(all, true, Most::entries(usize::MAX))?;
    assert!(
        scanned
            .iter()
            .rev()
            .map(|(k, v)| (&k[..], &v[..]))
            .eq(borrowed(model))
    );
    for (key, value) in model {
        assert_eq!(store.get(key)?.as_deref(), Some(&value[..]));
    }
    for number in 0..5_000 {
        let key = format!("key/{number:05}").into_bytes();
        assert_eq!(
            store.get(&key)?.as_deref(),
            model.get(&key).map(|value| &value[..])
        );
    }
    let snapshot = store.snapshot()?;
    snapshot.entries().collect::<Result<Vec<_>, _>>()?;
    assert!(
        entries(&*snapshot)
            .iter()
            .map(|(k, v)| (&k[..], &v[..]))
            .eq(borrowed(model))
    );
    Ok(())
}

fn borrowed(model: &Model) -> impl Iterator<Item = (&[u8], &[u8])> {
    model.iter().map(|(key, value)| (&key[..], &value[..]))
}

/// Copies the store, does harm to one file, and reads all. None: the harm did none.
fn harm(store: &Path, file: &Path, harm: impl FnOnce(&mut Vec<u8>)) -> Option<Error> {
    let copied = copy(store);
    let path = copied.path().join(file.strip_prefix(store).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    harm(&mut bytes);
    fs::write(&path, bytes).unwrap();
    read_all(copied.path(), &model_after(STEPS, CHANGES)).err()
}

#[test]
fn flipped_bits_are_found_or_do_no_harm() {
    let store = filled();
    let (mut tried, mut unfound) = (0, Vec::new());
    for file in files(store.path()) {
        let length = fs::metadata(&file).unwrap().len() as usize;
        // All of what is short, a sample of what is long; its last bytes hold the most sense.
        let spread = (0..length).step_by((length / 24).max(1));
        for at in spread.chain(length.saturating_sub(48)..length) {
            let error = harm(store.path(), &file, |bytes| bytes[at] ^= 1 << (at % 8));
            tried += 1;
            match error {
                Some(error) => assert!(error.is_damage(), "{error:?}"),
                None => unfound.push((file.clone(), at)),
            }
        }
    }
    // Of the tables some parts are never read; of all else nothing may be wrong.
    let of_table = |file: &Path| file.parent().is_some_and(|dir| dir.ends_with("tables"));
    let elsewhere: Vec<_> = unfound.iter().filter(|(file, _)| !of_table(file)).collect();
    assert!(elsewhere.is_empty(), "unfound: {elsewhere:?}");
    assert!(
        unfound.len() * 10 < tried,
        "{tried} tried, unfound: {unfound:?}"
    );
}

#[test]
fn files_cut_short_or_gone_are_found() {
    let store = filled();
    for file in files(store.path())
        .iter()
        .filter(|file| !file.ends_with("LOCK"))
    {
        for keep in [0, 1, 2] {
            let error = harm(store.path(), file, |bytes| {
                bytes.truncate(bytes.len() * keep / 3)
            });
            assert!(
                error.is_some_and(|error| error.is_damage()),
                "{}",
                file.display()
            );
        }
        let copied = copy(store.path());
        fs::remove_file(copied.path().join(file.strip_prefix(store.path()).unwrap())).unwrap();
        let error = read_all(copied.path(), &model_after(STEPS, CHANGES)).err();
        let refused = error
            .is_some_and(|error| error.is_damage() || matches!(error, Error::NotAStore { .. }));
        assert!(refused, "{}", file.display());
    }
}

#[test]
fn verify_names_the_damaged_file() {
    let store = filled();
    let mut told = 0;
    DiskStore::verify(store.path(), &mut |bytes| told = bytes).unwrap();
    let largest = files(store.path())
        .into_iter()
        .max_by_key(|file| fs::metadata(file).unwrap().len())
        .unwrap();
    assert!(told >= fs::metadata(&largest).unwrap().len());
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).unwrap();
    match DiskStore::verify(store.path(), &mut |_| {}) {
        Err(Error::Damaged { path, .. }) => assert_eq!(path, largest),
        other => panic!("{other:?}"),
    }
}

/// Merges that meet a damaged table fail, each time anew. Checkpoints went on beside each other without end, until
/// the tree's manifest, which counts them in a byte, was none any more.
#[test]
fn checkpoints_do_not_pile_up_where_none_can_be_merged() {
    let dir = filled();
    let tables = files(&dir.path().join("tree/tables"));
    let size = |file: &PathBuf| fs::metadata(file).unwrap().len();
    let largest = tables.into_iter().max_by_key(size).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let third = bytes.len() / 3; // among its values, and behind the store's own
    bytes[third] ^= 1;
    fs::write(&largest, bytes).unwrap();
    let store = open(&dir);
    let mut refused = 0;
    for seq in STEPS + 1..STEPS + 300 {
        if store.stats().failure.is_some() {
            store.reopen().unwrap();
        }
        match store.apply(&step(seq, 1)) {
            Ok(()) => assert_eq!((store.seq(), refused), (Seq(seq), 0)),
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("failed"), "{error}");
            }
        }
        // It is asked to merge after each, and from so many on it tries.
        while seq > STEPS + 10 && store.stats().failure.is_none() {
            std::thread::yield_now();
        }
    }
    let seq = store.seq();
    assert!(refused > 0);
    drop(store);
    assert_eq!(open(&dir).seq(), seq);
}

#[test]
fn a_directory_of_other_things_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "text").unwrap();
    let refused = try_open(dir.path()).err();
    assert!(
        matches!(refused, Some(Error::NotAStore { .. })),
        "{refused:?}"
    );
    assert_eq!(files(dir.path()), [dir.path().join("thesis.tex")]);
}

#[test]
fn a_store_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    assert!(matches!(try_open(dir.path()), Err(Error::Locked { .. })));
    drop(store);
    try_open(dir.path()).unwrap();
}

fn marker(format: u32, state: u32) -> Vec<u8> {
    let mut bytes = b"ORDSTORE".to_vec();
    bytes.extend(format.to_le_bytes());
    bytes.extend(state.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

#[test]
fn the_marker_has_golden_bytes_and_tells_newer_formats() {
    let store = filled();
    let path = store.path().join("STORE");
    assert_eq!(fs::read(&path).unwrap(), marker(1, 3));
    fs::write(&path, marker(2, 3)).unwrap();
    let refused = try_open(store.path()).err();
    assert!(
        matches!(
            refused,
            Some(Error::Newer {
                found: 2,
                known: 1,
                ..
            })
        ),
        "{refused:?}"
    );
    fs::write(&path, marker(1, 2)).unwrap();
    let refused = try_open(store.path()).err();
    assert!(
        matches!(refused, Some(Error::Unfinished { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_creation_cut_short_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("LOCK"), "").unwrap();
    fs::write(dir.path().join("STORE.new"), "OR").unwrap();
    drop(open(&dir));
    fs::write(dir.path().join("STORE"), marker(1, 1)).unwrap();
    fs::write(dir.path().join("tree/current"), "half").unwrap();
    let store = open(&dir);
    assert_eq!(store.seq(), Seq::ZERO);
    store.apply(&checkpoint(1, &[(b"a", Some(b"1"))])).unwrap();
}

#[test]
fn deliberate_bugs_are_caught() {
    assert_caught(&[(Bug::ManifestUnchecked, flipped_bits_are_found_or_do_no_harm)]);
}
