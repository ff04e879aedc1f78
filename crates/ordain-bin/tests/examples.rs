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

/// One that could not be read ended the run, and nothing was said of those that had failed.
#[test]
fn tests_that_cannot_be_read_keep_no_others_from_running() {
    let home = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &[u8]| std::fs::write(home.path().join(path), text).unwrap();
    let module = "import { entity } from 'ordain';\nexport const e = entity({ n: 0 }, {\n  bad(cx) { null.x; },\n  \
                  later(cx) { cx.log('on the way'); cx.send(e, cx.key).bad(); },\n});";
    let test = |what: &str| {
        format!("import {{ test }} from 'ordain/test';\ntest('it', (t) => {{ {what} }});")
    };
    for name in ["a", "b", "pipe", "z"] {
        write(&format!("{name}.ts"), module.as_bytes());
    }
    write("a.test.ts", test("t.call('e', 'a', 'bad');").as_bytes());
    write("b.test.ts", b"\xff");
    write("none.test.ts", test("").as_bytes());
    write("z.test.ts", test("t.call('e', 'a', 'later');").as_bytes());
    let pipe = home.path().join("pipe.test.ts");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let output = ordain(home.path(), &["test"]).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for says in [
        "Error: exception in e/a.bad: TypeError: cannot read property 'x' of null, at bad (a.ts:3:13)",
        "b.test.ts > the tests cannot be read\n  b.test.ts: byte 0 is not UTF-8",
        "none.test.ts > the module cannot be read\n  . has no index.ts",
        "pipe.test.ts > the tests cannot be read\n  pipe.test.ts is no file",
        "      e/a.later: on the way\n      fault in what was sent: exception in e/a.bad",
        "1 passed, 4 failed",
    ] {
        assert!(said.contains(says), "{said}\n-- not:\n{says}");
    }
}
