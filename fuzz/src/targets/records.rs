//! What log records hold: whatever decodes encodes again to something that decodes to the same, and
//! every byte belongs to it.
//!
//! Input: which kind, then its bytes.

use std::fmt::{Debug, Display};

use ordain_engine::Meta;
use ordain_types::{Batch, BatchDigest, Command, Outcome, SendId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::input::Input;
use crate::refused;

/// The target.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 6 {
        0 => batch(input.0, Batch::decode),
        1 => row::<Command>(input.0),
        2 => row::<Outcome>(input.0),
        3 => row::<Meta>(input.0),
        4 => row::<BatchDigest>(input.0),
        _ => row::<SendId>(input.0),
    }
}

/// What must hold of a decoder of batches.
pub fn batch<E: Debug + Display + PartialEq>(bytes: &[u8], decode: fn(&[u8]) -> Result<Batch, E>) {
    match decode(bytes) {
        Err(error) => refused(&error, "not a batch"),
        Ok(batch) => {
            let again = batch.encode();
            assert!(again.len() <= bytes.len(), "the encoding is the shortest");
            let read = decode(&again).expect("what was written reads");
            assert_eq!(read, batch);
            assert_eq!(read.encode(), again);
            assert!(!batch.commands.is_empty() && batch.last_seq() >= batch.first_seq);
            let mut longer = again;
            longer.push(0);
            assert!(decode(&longer).is_err(), "a byte too many was taken");
        }
    }
}

fn row<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(row) = postcard::from_bytes::<T>(bytes) {
        let again = postcard::to_allocvec(&row).expect("what was read is written");
        assert!(again.len() <= bytes.len(), "the encoding is the shortest");
        assert_eq!(postcard::from_bytes::<T>(&again).as_ref(), Ok(&row));
    }
}
