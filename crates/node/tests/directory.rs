//! What opening finds: parts of a directory that are missing, a log longer than it is to be; and opening only to look.

mod common;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{catalog, in_time, request};
use ordain_log::disk::{Dir, MemoryDisk};
use ordain_node::{CallError, Node, OpenError, Options, Refused, Unavailable, VirtualClock};
use ordain_store::MemoryStore;
use ordain_types::Seq;
use serde_json::json;

fn options(clock: &Arc<VirtualClock>) -> Options {
    Options {
        build: Some("b1".into()),
        segment_bytes: 64 << 10,
        checkpoint_interval: Duration::from_secs(3_600),
        clock: clock.clone(),
        ..Options::default()
    }
}

fn clock() -> Arc<VirtualClock> {
    Arc::new(VirtualClock::new(common::start()))
}

/// A log and a store in memory.
#[derive(Clone, Default)]
struct World(Arc<MemoryDisk>, Arc<MemoryStore>);

impl World {
    fn open(&self, options: Options) -> Node {
        let World(disk, store) = self.clone();
        let opened = Node::open_on(disk, store, catalog(), options, &mut |_| {});
        opened.expect("it opens").0
    }

    /// The first and the last seq of the log.
    fn log(&self) -> (Seq, Seq) {
        let report = ordain_log::verify(self.0.clone(), &mut |_| {}).expect("it is in order");
        (report.first_seq, report.last_seq)
    }

    /// A log of more than nine segments, all of it in the store.
    fn long(options: &Options) -> Self {
        let world = World::default();
        let node = world.open(options.clone());
        fill(&node);
        node.stop();
        let bytes = 9 * options.segment_bytes;
        assert!(world.0.bytes() > bytes, "it is long enough");
        world
    }
}

/// Calls that fill more than nine segments.
fn fill(node: &Node) {
    let filler = "x".repeat(20_000);
    for _ in 0..32 {
        let args = json!({ "n": 1, "filler": filler });
        node.call::<i64>(request("a", "add", args)).expect("a call");
    }
}

fn look(node: &Node, key: &str) -> i64 {
    node.query(request(key, "look", json!({})))
        .expect("a query")
}

#[test]
fn a_node_that_is_read_only_delivers_and_logs_nothing() {
    in_time(|| {
        let (world, clock) = (World::default(), clock());
        let node = world.open(options(&clock));
        let args = json!({ "to": "b", "n": 3, "delay_ms": 60_000 });
        node.call::<String>(request("a", "send", args))
            .expect("a send");
        let hash = node.state_hash().expect("a hash");
        node.stop();
        let before = world.log();
        clock.advance(Duration::from_secs(61));
        let node = world.open(Options {
            build: Some("b2".into()),
            retention: Duration::from_secs(1),
            read_only: true,
            ..options(&clock)
        });
        assert_eq!(node.state_hash(), Ok(hash));
        node.backup(io::sink(), &mut |_| {}).expect("a backup");
        assert_eq!(look(&node, "b"), 0);
        let refused = node.call::<i64>(request("b", "add", json!({})));
        let expected = Refused::Unavailable(Unavailable::Halted(
            "it was opened to be looked into, and takes no updates".into(),
        ));
        assert_eq!(refused, Err(CallError::Refused(expected)));
        node.stop();
        assert_eq!((world.log(), node.unsaved()), (before, None));
        let node = world.open(options(&clock));
        while look(&node, "b") != 3 {}
    });
}

#[test]
fn a_node_that_is_read_only_keeps_the_log_as_it_is() {
    let clock = clock();
    let world = World::long(&options(&clock));
    let node = world.open(Options {
        history_bytes: 0,
        read_only: true,
        ..options(&clock)
    });
    node.state_hash().expect("a hash");
    node.backup(io::sink(), &mut |_| {}).expect("a backup");
    node.stop();
    assert_eq!(world.log().0, Seq(1));
}

#[test]
fn a_log_that_is_longer_than_it_is_to_be_is_shortened_at_the_start() {
    let clock = clock();
    let world = World::long(&options(&clock));
    let node = world.open(Options {
        history_bytes: 0,
        ..options(&clock)
    });
    node.stop(); // nothing was asked
    assert!(world.log().0 > Seq(1), "{:?}", world.log());
}

fn entries(dir: &Path) -> usize {
    fs::read_dir(dir).expect("it is there").count()
}

/// Of a log that does not begin at seq 1 any more: neither can do without the other.
#[test]
fn a_part_that_is_missing_is_not_made_anew() {
    let home = tempfile::tempdir().expect("a directory");
    let (dir, aside) = (home.path().join("data"), home.path().join("aside"));
    let clock = clock();
    let open = || {
        let options = Options {
            history_bytes: 0,
            ..options(&clock)
        };
        Node::open_with(&dir, catalog(), options, &mut |_| {}).map(|(node, _)| node)
    };
    let node = open().expect("it opens");
    fill(&node);
    node.checkpoint().expect("a checkpoint");
    node.call::<i64>(request("a", "add", json!({})))
        .expect("a call");
    node.stop();
    let log = Arc::new(Dir::existing(dir.join("log")).expect("it is there"));
    let report = ordain_log::verify(log, &mut |_| {}).expect("it is in order");
    assert!(report.first_seq > Seq(1), "{report:?}");
    for part in ["log", "store"] {
        let part = dir.join(part);
        fs::rename(&part, &aside).expect("it is moved");
        let error = open().expect_err("it is missing");
        assert!(matches!(error, OpenError::Missing { .. }), "{error}");
        let path = part.display().to_string();
        assert!(error.to_string().starts_with(&path), "{error}");
        assert!(!part.exists(), "nothing is in the way");
        fs::rename(&aside, &part).expect("it is put back");
        let node = open().expect("it opens again");
        assert_eq!(look(&node, "a"), 33);
        node.stop();
    }
    // As where the disk of the log is not mounted.
    let log = dir.join("log");
    fs::rename(&log, &aside).expect("it is moved");
    fs::create_dir(&log).expect("its place is free");
    let error = open().expect_err("it is missing");
    assert!(matches!(error, OpenError::Apart { .. }), "{error}");
    assert!(error.to_string().contains("holds nothing"), "{error}");
    assert_eq!(entries(&log), 0);
    fs::remove_dir(&log).expect("it is empty");
    fs::rename(&aside, &log).expect("it is put back");
    let store = dir.join("store");
    fs::rename(&store, &aside).expect("it is moved");
    fs::create_dir(&store).expect("its place is free");
    let error = open().expect_err("it is missing");
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert_eq!(entries(&store), 0);
    fs::remove_dir(&store).expect("it is empty");
    fs::rename(&aside, &store).expect("it is put back");
    assert_eq!(look(&open().expect("it opens again"), "a"), 33);
}
