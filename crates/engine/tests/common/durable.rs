//! A durable state in memory: what a checkpoint writes, and what is read back cold.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ordain_engine::{Changes, Cold, ColdError, ColdRows};
use ordain_types::Granule;

/// A durable state in memory.
#[derive(Clone, Default)]
pub struct Durable {
    pub granules: Arc<Mutex<BTreeMap<Granule, Bytes>>>,
    pub fails: Arc<Mutex<bool>>,
}

impl Durable {
    fn check(&self) -> Result<(), ColdError> {
        match *self.fails.lock().expect("one thread") {
            true => Err(ColdError("the disk is gone".to_owned())),
            false => Ok(()),
        }
    }

    pub fn dump(&self) -> BTreeMap<Granule, Bytes> {
        self.granules.lock().expect("one thread").clone()
    }

    /// Takes in what a checkpoint changed.
    pub fn apply(&self, changes: &Changes) {
        changes.apply_to(&mut self.granules.lock().expect("one thread"));
    }
}

impl Cold for Durable {
    fn get(&self, granule: &Granule) -> Result<Option<Bytes>, ColdError> {
        self.check()?;
        Cold::get(&*self.granules.lock().expect("one thread"), granule)
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        limit: usize,
        bytes: usize,
    ) -> Result<ColdRows, ColdError> {
        self.check()?;
        let taken = |bound: Bound<&[u8]>| match bound {
            Bound::Unbounded => true,
            Bound::Included(at) | Bound::Excluded(at) => at.len() <= usize::from(u16::MAX),
        };
        assert!(
            taken(from) && taken(to),
            "stores have no keys of that length"
        );
        let granules = self.granules.lock().expect("one thread");
        granules.scan(from, to, reverse, limit, bytes)
    }
}
