//! What the engine reads when a granule is not in memory: the state as of the last applied
//! checkpoint.

use std::ops::Bound;

use bytes::Bytes;
use ordain_types::Granule;

/// The durable state could not be read: the engine stops rather than guess.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct ColdError(pub String);

/// Rows in order.
pub type ColdRows = Vec<(Granule, Bytes)>;

/// The state as of the last applied checkpoint. Must not change but by a checkpoint being applied,
/// and the engine must be told ([`crate::Engine::applied`]) only after reads show it.
pub trait Cold: Send {
    /// The value of one granule.
    ///
    /// # Errors
    /// If it cannot be read.
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError>;

    /// At most `limit` granules within the bounds, from the first upwards or the last downwards.
    ///
    /// # Errors
    /// If they cannot be read.
    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        limit: usize,
    ) -> Result<ColdRows, ColdError>;
}

/// Nothing was ever checkpointed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Empty;

impl Cold for Empty {
    fn get(&self, _: &Granule) -> Result<Option<Bytes>, ColdError> {
        Ok(None)
    }

    fn scan(
        &self,
        _: Bound<&[u8]>,
        _: Bound<&[u8]>,
        _: bool,
        _: usize,
    ) -> Result<ColdRows, ColdError> {
        Ok(Vec::new())
    }
}
