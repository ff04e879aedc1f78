//! The store as the engine reads it.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ordain_engine::{Cold, ColdError, ColdRows};
use ordain_store::{Most, Store};
use ordain_types::Granule;

/// Reads of granules go to the store.
pub(crate) struct StoreCold {
    store: Arc<dyn Store>,
    reads: Reads,
}

/// How many rows of entities were read and found, each by itself.
#[derive(Clone, Default)]
pub(crate) struct Reads(Arc<AtomicU64>);

impl Reads {
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, granule: &Granule, value: Option<&Bytes>) {
        if value.is_some() && granule.as_bytes().starts_with(Granule::entities()) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl StoreCold {
    pub fn new(store: Arc<dyn Store>, reads: Reads) -> Self {
        Self { store, reads }
    }
}

fn failed(error: ordain_store::Error) -> ColdError {
    ColdError(error.to_string())
}

impl Cold for StoreCold {
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError> {
        let value = self.store.get(granule.as_bytes()).map_err(failed)?;
        self.reads.add(granule, value.as_ref());
        Ok(value)
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        limit: usize,
        bytes: usize,
    ) -> Result<ColdRows, ColdError> {
        let most = Most {
            entries: limit,
            bytes,
        };
        let entries = self.store.scan((from, to), reverse, most).map_err(failed)?;
        Ok(entries
            .into_iter()
            .map(|(key, value)| (Granule::from_bytes(&key), value))
            .collect())
    }
}
