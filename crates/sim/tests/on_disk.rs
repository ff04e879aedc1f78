//! The node's world with checkpoints in files: the store is the one that real nodes have.

mod common;

use std::sync::Arc;

use common::all_come_through;
use ordain_sim::Scope;
use ordain_sim::chance::Chance;
use ordain_sim::hosting::Cast;
use ordain_sim::node::{self, Medium};
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

/// The same with modules: packages, versions of states and histories are rows of that store.
#[test]
fn the_node_keeps_modules_in_a_store_in_files() {
    let all = all_come_through(4, 2_000_200..2_000_260, |seed| {
        let mut directory = Directory(tempfile::tempdir().expect("a directory"));
        let (chance, scope) = (Chance::new(seed), Scope::default());
        node::run(chance, seed, scope, Cast::mixed, &mut directory)
    });
    println!("{all}");
    for what in ["checkpoints", "deployments replayed"] {
        assert!(all.times(what) >= 20, "{what}: {all}");
    }
    let what = "failed checkpoints with all in";
    assert!(all.times(what) >= 5, "{what}: {all}");
}

#[test]
fn the_node_keeps_its_guarantees_over_a_store_in_files() {
    // Syncs take most of the time: more threads than cores.
    let all = all_come_through(4, 2_000_000..2_000_200, |seed| {
        let mut directory = Directory(tempfile::tempdir().expect("a directory"));
        let (chance, scope) = (Chance::new(seed), Scope::default());
        node::run(chance, seed, scope, |_| Cast::NATIVE, &mut directory)
    });
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
