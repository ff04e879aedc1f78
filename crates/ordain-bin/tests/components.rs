//! The committed WebAssembly components are those of the committed sources: `.ci/components` wrote down what they
//! were made of, and what has changed since is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files that were written down.
fn listed() -> Vec<String> {
    let list = fs::read_to_string(root().join(".ci/components.txt")).expect("the list is there");
    let file = |line: &str| line.split_once("  ").expect("two columns").1.to_owned();
    list.lines().map(file).collect()
}

/// Whether nothing below this directory has changed, and what is said.
fn check(root: &Path) -> (bool, String) {
    let ended = Command::new("bash")
        .args([".ci/components", "check"])
        .current_dir(root)
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    (ended.status.success(), said)
}

#[test]
fn they_are_made_of_the_sources_beside_them() {
    let (same, said) = check(&root());
    assert!(same, "{said}");
}

#[test]
fn they_hold_no_path_of_the_machine_that_made_them() {
    for file in listed().iter().filter(|file| file.ends_with(".wasm")) {
        let bytes = fs::read(root().join(file)).expect("it is there");
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(holds(b"registry/index.crates.io"), "{file}: it has places");
        for path in ["/registry/", "/home/", "/root/", "/Users/", "/lib/rustlib/"] {
            assert!(!holds(path.as_bytes()), "{file} holds a path with {path}");
        }
    }
}

#[test]
fn what_has_changed_since_is_named() {
    let copy = tempfile::tempdir().expect("a directory");
    let own = [".ci/components", ".ci/components.txt"].map(str::to_owned);
    for file in listed().iter().chain(&own) {
        let to = copy.path().join(file);
        fs::create_dir_all(to.parent().expect("a directory")).expect("writable");
        fs::copy(root().join(file), to).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    assert_eq!(check(copy.path()), (true, String::new()));
    let with = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = copy.path().join(file);
        let whole = fs::read(&path).expect("it was copied");
        let mut changed = whole.clone();
        change(&mut changed);
        fs::write(&path, changed).expect("writable");
        let checked = check(copy.path());
        fs::write(&path, whole).expect("writable");
        checked
    };
    let (source, component) = (
        "crates/ordain/src/guest/tx.rs",
        "crates/hosts/tests/fixtures/transfer.wasm",
    );
    let comment = with(source, &|text| {
        text.extend_from_slice(b"\n  // more of it\n")
    });
    assert_eq!(comment, (true, String::new()));
    let code = with(source, &|text| text.extend_from_slice(b"fn more() {}\n"));
    let damage = with(component, &|bytes| bytes[100] ^= 1);
    for ((same, said), file) in [(code, source), (damage, component)] {
        assert!(!same, "{file}");
        assert!(
            said.contains(file) && said.contains("anew: .ci/components"),
            "{said}"
        );
    }
    fs::remove_file(copy.path().join(source)).expect("it was there");
    let (same, said) = check(copy.path());
    assert!(!same && said.contains("tx.rs (gone)"), "{said}");
}
