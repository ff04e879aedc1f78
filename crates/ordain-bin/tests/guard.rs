//! The guard sees the defect it is for: a path that takes more instructions than it did. And the figures are
//! the same every time, or it would see defects that are none.

mod common;

use std::path::Path;
use std::process::Output;

/// A path that needs little: the test is of the guard.
const PATH: &str = "command-encode";

fn guard(figures: &Path, words: &[&str]) -> Output {
    let dir = figures.parent().expect("the directory of the figures");
    common::ordain(dir, &["bench", "guard", "--only", PATH, "--figures"])
        .arg(figures)
        .args(words)
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

/// The figure in a file of figures.
fn figure(text: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(PATH));
    let value = line.and_then(|line| line.strip_prefix(" = "));
    value
        .and_then(|value| value.parse().ok())
        .expect("a figure")
}

#[test]
fn a_path_that_takes_more_instructions_is_caught() {
    let temp = tempfile::tempdir().expect("a directory");
    let figures = temp.path().join("guard.toml");
    let written = guard(&figures, &["--write"]);
    assert!(written.status.success(), "{}", said(&written));
    if said(&written).contains("valgrind is not installed") {
        assert!(!figures.exists(), "nothing was counted");
        return;
    }
    let text = std::fs::read_to_string(&figures).expect("they are written");
    let once = figure(&text);

    let same = guard(&figures, &["--tolerance", "0.5"]);
    assert!(same.status.success(), "not the same twice: {}", said(&same));

    let twentieth = format!("{PATH}={}", (once / 20.0).ceil());
    let slower = guard(&figures, &["--plant", &twentieth]);
    assert_eq!(slower.status.code(), Some(1), "{}", said(&slower));
    assert!(said(&slower).contains("TOO MUCH"), "{}", said(&slower));

    let compiler = text.replace("rustc = \"", "rustc = \"another ");
    std::fs::write(&figures, compiler).expect("a file");
    let other = guard(&figures, &[]);
    assert!(
        other.status.success() && said(&other).contains("not compared"),
        "{}",
        said(&other)
    );
}
