//! The file a backup is: what `verify` calls sound is what `read` takes, and the store then holds just
//! that; what is refused leaves the store empty.
//!
//! Input: mode, then the file; or, sealed, entries to make one of.

use std::io::{self, Read};

use ordain_store::snapshot::{Summary, read, verify, write};
use ordain_store::{Error, MemoryStore, Store, state_hash};
use ordain_types::Seq;

use crate::input::Input;
use crate::{refused, seal};

/// The target.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() {
        0 => judge(input.0, read_into),
        per_block => {
            let entries = input.entries();
            judge(&seal::snapshot(7, &entries, per_block.into()), read_into);
        }
    }
}

/// Reads a file into a store.
pub type ReadInto = fn(&[u8], &MemoryStore) -> Result<Summary, Error>;

fn read_into(file: &[u8], store: &MemoryStore) -> Result<Summary, Error> {
    read(file, store, &mut |_| {})
}

/// What must hold of a decoder of snapshots.
pub fn judge(file: &[u8], read_into: ReadInto) {
    let mut counted = Counted {
        rest: file,
        calls: 0,
    };
    let verified = verify(&mut counted, &mut |_| {});
    let most = 64 + 8 * file.len();
    assert!(counted.calls <= most, "{} reads", counted.calls);

    let store = MemoryStore::default();
    let taken = read_into(file, &store);
    match (verified, taken) {
        (Ok(verified), Ok(taken)) => {
            assert_eq!(verified, taken);
            assert_eq!(taken.bytes, file.len() as u64);
            assert_eq!(store.seq(), taken.seq);
            let snapshot = store.snapshot().expect("a snapshot");
            assert_eq!(state_hash(&*snapshot).expect("a hash"), taken.hash);
            assert_eq!(snapshot.entries().count() as u64, taken.entries);
            let mut again = Vec::new();
            let written = write(&*snapshot, &mut again, &mut |_| {}).expect("it is written");
            assert_eq!((written.hash, written.entries), (taken.hash, taken.entries));
            let sound = verify(&again[..], &mut |_| {});
            assert_eq!(sound.expect("what was written is sound"), written);
        }
        (Err(found), Err(error)) => {
            refused(&found, "");
            refused(&error, "");
            assert_eq!(store.seq(), Seq::ZERO, "refused and yet taken");
            assert_eq!(store.snapshot().expect("a snapshot").entries().count(), 0);
        }
        (Ok(_), Err(error)) => panic!("verify calls sound what read refuses: {error}"),
        (Err(error), Ok(_)) => panic!("read takes what verify refuses: {error}"),
    }
}

/// A file that counts how often it is read.
struct Counted<'a> {
    rest: &'a [u8],
    calls: usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        self.rest.read(buffer)
    }
}
