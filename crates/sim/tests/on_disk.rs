//! The node's world with checkpoints in files: the store is the one that real nodes have.

use std::sync::Arc;

use ordain_sim::chance::Chance;
use ordain_sim::node::{self, Medium};
use ordain_sim::{Exercised, Scope};
use ordain_store::{DiskStore, Error, Options, Store};
use tempfile::TempDir;

/// A directory, which a kill leaves as it is.
struct Directory(TempDir);

impl Medium for Directory {
    fn open(&mut self) -> Result<Arc<dyn Store>, Error> {
        let store = DiskStore::open(self.0.path().join("store"), Options::default())?;
        Ok(Arc::new(store))
    }
}

#[test]
fn the_node_keeps_its_guarantees_over_a_store_in_files() {
    let mut all = Exercised::default();
    for seed in 2_000_000..2_000_200 {
        let mut directory = Directory(tempfile::tempdir().expect("a directory"));
        let chance = Chance::new(seed);
        match node::run(chance, seed, Scope::default(), &mut directory) {
            Ok(report) => all.merge(&report.exercised),
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{all}");
    for what in ["checkpoints", "answered after healing", "replays compared"] {
        assert!(all.times(what) >= 500, "{what}: {all}");
    }
    for what in [
        "failed checkpoints with all in",
        "failed checkpoints with nothing in",
    ] {
        assert!(all.times(what) >= 20, "{what}: {all}");
    }
}
