//! What checkpoints wrote, in memory, with reads that fail when told to.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ordain_engine::{Changes, Cold, ColdError};
use ordain_types::Granule;

/// One durable state, shared by the engine that reads it and the run that writes it.
#[derive(Debug, Clone, Default)]
pub struct Durable(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    granules: BTreeMap<Granule, Bytes>,
    /// Reads that succeed before one fails; none: all succeed.
    good_reads: Option<u64>,
    /// Reads that failed.
    failed: u64,
}

impl Durable {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a checkpoint.
    pub fn apply(&self, changes: &Changes) {
        changes.apply_to(&mut self.contents().granules);
    }

    /// All granules in order.
    pub fn granules(&self) -> BTreeMap<Granule, Bytes> {
        self.contents().granules.clone()
    }

    /// Lets `reads` reads succeed and fails those after; none: all succeed.
    pub fn fail_after(&self, reads: Option<u64>) {
        self.contents().good_reads = reads;
    }

    /// How many reads failed since it was asked last.
    pub fn take_failed(&self) -> u64 {
        std::mem::take(&mut self.contents().failed)
    }

    fn read(&self) -> Result<MutexGuard<'_, Contents>, ColdError> {
        let mut contents = self.contents();
        match &mut contents.good_reads {
            None => Ok(contents),
            Some(0) => {
                contents.failed += 1;
                Err(ColdError("this read was told to fail".to_owned()))
            }
            Some(left) => {
                *left -= 1;
                Ok(contents)
            }
        }
    }
}

impl Cold for Durable {
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError> {
        Cold::get(&self.read()?.granules, granule)
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<(Granule, Bytes)>, ColdError> {
        self.read()?.granules.scan(from, to, reverse, limit, bytes)
    }
}
