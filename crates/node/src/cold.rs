//! The store as the engine reads it.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use ordain_engine::{Cold, ColdError, ColdRows};
use ordain_store::{Most, Store};
use ordain_types::Granule;

/// Reads of granules go to the store.
pub(crate) struct StoreCold(Arc<dyn Store>);

impl StoreCold {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }
}

fn failed(error: ordain_store::Error) -> ColdError {
    ColdError(error.to_string())
}

impl Cold for StoreCold {
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError> {
        self.0.get(granule.as_bytes()).map_err(failed)
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
        let entries = self.0.scan((from, to), reverse, most).map_err(failed)?;
        Ok(entries
            .into_iter()
            .map(|(key, value)| (Granule::from_bytes(&key), value))
            .collect())
    }
}
