//! The demo, as a user runs it: a real server that is killed, and nothing left behind.

mod common;

use serde_json::{Value, json};

#[test]
fn the_demo_keeps_its_promises_and_tidies_up() {
    let temp = tempfile::tempdir().expect("a directory");
    let words = ["demo", "--short", "--json", "--seed", "1"];
    let demo = common::ordain(temp.path(), &words)
        .env("TMPDIR", temp.path())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&demo.stderr);
    assert!(demo.status.success(), "{said}");
    assert!(said.contains("SIGKILL"), "{said}");
    let outcome: Value = serde_json::from_slice(&demo.stdout).expect("one object");
    for (name, expected) in [
        ("lost", json!(0)),
        ("duplicated", json!(0)),
        ("unanswered", json!(0)),
        ("faults", json!(0)),
        ("violations", json!([])),
        ("seed", json!(1)),
    ] {
        assert_eq!(outcome[name], expected, "{name} in {outcome}");
    }
    for name in ["transactions", "orders", "retries"] {
        assert!(outcome[name].as_u64() > Some(0), "{name} in {outcome}");
    }
    let left: Vec<_> = temp.path().read_dir().expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
}
