//! Opening a node over a log whose last record holds anything: it opens, or says which record cannot be
//! replayed and why; and it does the same the next time.
//!
//! Input: how many commands the record claims; whether the batch is made to follow the log; the payload.

use std::sync::Arc;

use ordain_log::Log;
use ordain_node::{Node, OpenError};
use ordain_store::{MemoryStore, StateHash};
use ordain_types::{Batch, Seq};

use crate::input::Input;
use crate::{entities, refused, seeds};

/// The target.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let (count, follows) = (input.byte(), input.byte());
    let payload = match Batch::decode(input.0) {
        Ok(batch) if follows & 1 != 0 => following(batch),
        _ => input.0.to_vec(),
    };
    let count = match Batch::decode(&payload) {
        Ok(batch) if follows & 2 != 0 => batch.commands.len() as u32,
        _ => u32::from(count).max(1),
    };
    let first = open(&payload, count);
    if let Err(error) = &first {
        assert!(!error.contains("was changed"), "{error}");
    }
    assert_eq!(first, open(&payload, count), "the same log, another state");
}

/// The batch, in seq and time after the log.
fn following(batch: Batch) -> Vec<u8> {
    let (seq, timestamp) = *seeds::log_end();
    Batch {
        first_seq: seq.next(),
        timestamp: timestamp.plus_ms(batch.timestamp.0 % 100_000),
        ..batch
    }
    .encode()
}

fn open(payload: &[u8], count: u32) -> Result<(Seq, StateHash), String> {
    let disk = Arc::new(seeds::log().fork());
    let options = ordain_log::Options {
        segment_bytes: seeds::options().segment_bytes,
    };
    let (mut log, _) = Log::open(disk.clone(), options).expect("a log");
    let next = log.last_seq().next();
    log.append(next, count, payload).expect("it is appended");
    drop(log);
    let store = Arc::new(MemoryStore::default());
    let catalog = entities::entities();
    let opened = Node::open_on(disk, store, catalog, seeds::options(), &mut |_| {});
    match opened {
        Ok((node, recovered)) => {
            assert_eq!(recovered.seq, Seq(next.0 + u64::from(count) - 1));
            let hash = node.state_hash().map_err(|error| error.to_string());
            node.stop();
            hash
        }
        Err(error) => {
            refused(&error, "");
            if matches!(error, OpenError::Batch { .. }) {
                refused(&error, "segment, offset");
            }
            Err(error.to_string())
        }
    }
}
