//! The program `ordain-sim` as one calls it.

use std::process::{Command, Output};

fn sim(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ordain-sim"));
    command.args(args).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn arguments_that_make_no_sense_are_told() {
    let check = |args: &[&str], says: &str| {
        let output = sim(args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
        assert!(
            told.contains(says) && told.contains("usage:"),
            "{args:?}: {told}"
        );
    };
    check(&[], "say --seeds, --minutes or --seed");
    check(&["--seeds"], "--seeds needs a value");
    check(&["--seeds", "ten"], "--seeds needs a number, not \"ten\"");
    check(
        &["--world", "moon", "--seeds", "1"],
        "--world is engine, node, javascript, wasm, mixed, node-mixed or all",
    );
    check(
        &["--seed", "1", "--seeds", "1"],
        "either one --seed, or many",
    );
    check(&["--speed", "9"], "there is no option --speed");
    check(
        &["--seeds", "1", "--jobs", "0"],
        "--jobs must be at least 1",
    );
}

#[test]
fn many_seeds_are_counted_and_one_is_told() {
    let output = sim(&["--seeds", "6", "--from", "9", "--jobs", "2"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("6 seeds from 9"), "{told}");
    assert!(
        told.contains("answered after healing") && told.contains("roll-backs"),
        "{told}"
    );

    let output = sim(&["--seed", "9", "--world", "node"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("ask 0") && told.contains("all is mended"),
        "{told}"
    );
    assert_eq!(told, text(&sim(&["--seed", "9", "--world", "node"]).stdout));

    let help = text(&sim(&["--help"]).stdout);
    assert!(
        help.contains("--minutes") && help.contains("Exits with"),
        "{help}"
    );
}
