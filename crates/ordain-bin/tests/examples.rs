//! The examples' own tests, run as their readers run them.

mod common;

use std::path::Path;

use common::{ordain, text};
use serde_json::{Value, json};

#[test]
fn the_tests_of_all_examples_pass() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let output = ordain(&examples, &["test", "--json"]).output().unwrap();
    let said = text(&output.stdout);
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line["passed"] == false)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let tests = lines.iter().filter(|line| line["test"].is_string()).count();
    assert!(tests >= 32, "{tests} tests ran");
    let summary = json!({ "passed": tests, "failed": 0 });
    assert_eq!(lines.last(), Some(&summary));
}

#[test]
fn the_tests_of_a_new_project_pass() {
    let home = tempfile::tempdir().unwrap();
    let made = ordain(home.path(), &["new", "shop"]).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let output = ordain(&home.path().join("shop"), &["test"])
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("2 passed"), "{said}{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
}
