//! What builds modules works wherever it is run: it needs nothing of this repository's workspace.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A toolchain in whose place these programs stand, each a line of shell; `DIR` is the directory they lie in.
const STAND_INS: &[(&str, &str)] = &[
    ("rustc", r#"echo "$DIR/sysroot""#),
    ("cargo", r#"printf '%s\n' "$@" > "$DIR/arguments""#),
    ("wasm-tools", "true"),
];

fn stand_ins(dir: &Path) {
    for (name, line) in STAND_INS {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{line}\n")).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let std = dir.join("sysroot/lib/rustlib/wasm32-unknown-unknown");
    fs::create_dir_all(std).expect("writable");
}

/// A crate that belongs to no workspace but its own.
fn crate_of_its_own(dir: &Path) -> PathBuf {
    let project = dir.join("project");
    fs::create_dir_all(project.join("src")).expect("writable");
    let manifest = "[package]\nname = \"alone\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(project.join("Cargo.toml"), manifest).expect("writable");
    fs::write(project.join("src/lib.rs"), "").expect("writable");
    project
}

/// What the script gives to cargo.
fn given_to_cargo(dir: &Path, project: &Path) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/rust/build.sh");
    let path = std::env::var("PATH").expect("there is one");
    let ended = Command::new("bash")
        .arg(script)
        .args(["alone", "alone.wasm"])
        .current_dir(project)
        .env("PATH", format!("{}:{path}", dir.display()))
        .env("DIR", dir)
        .output()
        .expect("bash starts");
    assert!(ended.status.success(), "{ended:?}");
    let given = fs::read_to_string(dir.join("arguments")).expect("cargo was called");
    given.lines().map(str::to_owned).collect()
}

#[test]
fn the_script_brings_its_profile_along() {
    let dir = tempfile::tempdir().expect("a directory");
    stand_ins(dir.path());
    let project = crate_of_its_own(dir.path());
    let given = given_to_cargo(dir.path(), &project);
    let checks = given
        .iter()
        .any(|word| word.contains("overflow-checks=true"));
    assert!(checks, "a number that has wrapped would be kept: {given:?}");
    let pairs = given.windows(2);
    let of_profile = pairs.filter(|pair| ["--profile", "--config"].contains(&pair[0].as_str()));
    let checked = Command::new(env!("CARGO"))
        .args(["check", "--offline"])
        .args(of_profile.flatten())
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", dir.path().join("target"))
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(said.contains("`module` profile [optimized]"), "{said}");
}
