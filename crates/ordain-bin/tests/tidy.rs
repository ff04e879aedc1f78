//! House rules that can be checked are checked here. They only tighten.
//!
//! This file knows the workspace as files and as `cargo metadata` shows it. It knows nothing of
//! what the crates do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Which crates of the workspace a crate may import. Imports go down only; ARCHITECTURE.md says
/// what each crate never learns by that. Nothing imports `ordain-sim`; the binary
/// imports `ordain-bench`, and the torture harness does for its workloads and audits.
const EDGES: &[(&str, &[&str])] = &[
    ("ordain-types", &[]),
    ("ordain-macros", &[]),
    ("ordain-engine", &["ordain-types"]),
    ("ordain-api", &["ordain-types"]),
    ("ordain-log", &["ordain-types"]),
    ("ordain-store", &["ordain-types"]),
    ("ordain-values", &["ordain-types"]),
    (
        "ordain-hosts",
        &["ordain-types", "ordain-engine", "ordain-values"],
    ),
    (
        "ordain-node",
        &[
            "ordain-types",
            "ordain-engine",
            "ordain-log",
            "ordain-store",
        ],
    ),
    (
        "ordain-server",
        &["ordain-types", "ordain-api", "ordain-node"],
    ),
    ("ordain-client", &["ordain-types", "ordain-api"]),
    (
        "ordain-cli",
        &[
            "ordain-types",
            "ordain-api",
            "ordain-log",
            "ordain-store",
            "ordain-node",
            "ordain-server",
            "ordain-client",
        ],
    ),
    (
        "ordain",
        &[
            "ordain-types",
            "ordain-values",
            "ordain-engine",
            "ordain-hosts",
            "ordain-node",
            "ordain-macros",
            "ordain-cli",
            "ordain-client",
        ],
    ),
    ("ordain-example-transfer", &["ordain"]),
    ("ordain-example-smallbank", &["ordain"]),
    ("ordain-example-marketplace", &["ordain"]),
    ("ordain-example-travel", &["ordain"]),
    ("ordain-example-movie", &["ordain"]),
    ("ordain-example-retwis", &["ordain"]),
    ("ordain-example-probe", &["ordain"]),
    ("ordain-example-shop", &["ordain"]),
    (
        // The frames of the API: the echo of a stream parses and answers them as the server does. A node
        // on disk and store in memory: the guard counts the instructions of its steps.
        "ordain-bench",
        &[
            "ordain",
            "ordain-client",
            "ordain-cli",
            "ordain-types",
            "ordain-api",
            "ordain-log",
            "ordain-store",
            "ordain-node",
            "ordain-example-probe",
            "ordain-example-transfer",
            "ordain-example-smallbank",
            "ordain-example-marketplace",
            "ordain-example-travel",
            "ordain-example-movie",
            "ordain-example-retwis",
        ],
    ),
    (
        // Tortures a server from outside: clients, applications, and the bench's workloads. What a
        // data directory holds it knows from the pages that say so, to damage each part of it.
        "ordain-torture",
        &[
            "ordain",
            "ordain-types",
            "ordain-client",
            "ordain-bench",
            "ordain-example-probe",
        ],
    ),
    ("ordain-sim-programs", &["ordain-types", "ordain"]),
    ("ordain-hostile", &["ordain"]),
    ("ordain-person", &["ordain"]),
    ("ordain-macros-ui", &[]),
    (
        "ordain-sim",
        &[
            "ordain-types",
            "ordain-engine",
            "ordain-log",
            "ordain-store",
            "ordain-hosts",
            "ordain-node",
        ],
    ),
    (
        "ordain-bin",
        &[
            "ordain",
            "ordain-cli",
            "ordain-bench",
            "ordain-example-transfer",
            "ordain-example-smallbank",
            "ordain-example-marketplace",
            "ordain-example-travel",
            "ordain-example-movie",
            "ordain-example-retwis",
            "ordain-example-probe",
        ],
    ),
    (
        "ordain-fuzz",
        &[
            "ordain",
            "ordain-types",
            "ordain-engine",
            "ordain-api",
            "ordain-log",
            "ordain-store",
            "ordain-hosts",
            "ordain-node",
            "ordain-server",
            "ordain-cli",
        ],
    ),
];

/// Edges that only tests may use, beside those above.
const TEST_EDGES: &[(&str, &str)] = &[
    ("ordain-cli", "ordain-engine"),
    ("ordain-server", "ordain-engine"),
    ("ordain-server", "ordain-hosts"),
    ("ordain-server", "ordain-log"),
    ("ordain-server", "ordain-store"),
    ("ordain-macros-ui", "ordain"),
    ("ordain-bin", "ordain-types"),
    ("ordain-bin", "ordain-torture"),
];

/// Imports that an embedded application must be able to leave out.
const OPTIONAL: &[(&str, &str)] = &[("ordain", "ordain-cli"), ("ordain", "ordain-client")];

/// The crates whose outcomes are a function of the log: all carry the same `clippy.toml`.
const DETERMINISTIC: &[&str] = &[
    "crates/types",
    "crates/engine",
    "crates/values",
    "crates/hosts",
];

/// The files that allow `unsafe` code, for themselves and what is below them. Each says in its first lines
/// what for, and argues each block.
const UNSAFE: &[&str] = &[
    "crates/hosts/src/javascript/raw/mod.rs",
    "crates/hosts/src/lent.rs",
    "crates/hosts/src/wasm/codes/disk.rs",
    "crates/hosts/src/wasm/reset/pages.rs",
    "crates/ordain/src/guest/memory.rs",
];

/// The feature of `ordain-types` with the deliberate bugs.
const PLANTED: &str = "planted";

/// Lines of one source file.
const LINES_MAX: usize = 650;

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    command.no_deps().exec().expect("cargo metadata runs")
}

fn root() -> PathBuf {
    metadata().workspace_root.into_std_path_buf()
}

#[test]
fn imports_go_down_only() {
    let packages = metadata().packages;
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut wrong = Vec::new();
    for package in &packages {
        wrong.extend(wrong_edges(package, &ours));
        wrong.extend(unused_edges(package));
    }
    let listed: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    let gone = listed.difference(&ours);
    wrong.extend(gone.map(|name| format!("{name} is listed and is no crate any more")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn wrong_edges(package: &Package, ours: &BTreeSet<&str>) -> Vec<String> {
    let from = package.name.as_str();
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == from) else {
        return vec![format!(
            "{from} is not listed: say in EDGES what it may import"
        )];
    };
    let edges = package.dependencies.iter();
    edges
        .filter(|edge| ours.contains(edge.name.as_str()))
        .filter_map(|edge| {
            let to = edge.name.as_str();
            let for_tests = edge.kind == DependencyKind::Development;
            let allowed_in_tests = for_tests && TEST_EDGES.contains(&(from, to));
            if !allowed.contains(&to) && !allowed_in_tests {
                return Some(format!("{from} must not import {to}"));
            }
            let left_out = edge.optional || for_tests || !OPTIONAL.contains(&(from, to));
            (!left_out).then(|| format!("{from} must import {to} only as an optional feature"))
        })
        .collect()
}

/// Edges that are listed and that no dependency needs: whatever used them next would pass unseen.
fn unused_edges(package: &Package) -> Vec<String> {
    let from = package.name.as_str();
    let uses = |to: &str, for_tests: bool| {
        let mut edges = package.dependencies.iter();
        edges.any(|edge| edge.name == to && (edge.kind == DependencyKind::Development) == for_tests)
    };
    let listed = EDGES.iter().filter(|(name, _)| *name == from);
    let unused = listed
        .flat_map(|(_, allowed)| allowed.iter())
        .filter(|to| !uses(to, false))
        .map(|to| format!("{from} does not import {to}, or in tests alone: EDGES lists it"));
    let in_tests = TEST_EDGES.iter().filter(|(name, _)| *name == from);
    let unused_in_tests = in_tests
        .filter(|(_, to)| !uses(to, true))
        .map(|(_, to)| format!("no test of {from} imports {to}: TEST_EDGES lists it"));
    unused.chain(unused_in_tests).collect()
}

#[test]
fn deliberate_bugs_are_compiled_in_for_tests_alone() {
    for package in metadata().packages {
        let name = &package.name;
        for (feature, enables) in &package.features {
            let passes_on = enables.iter().any(|it| it.contains(PLANTED));
            assert!(
                !passes_on,
                "{name}: its feature {feature} would bring in deliberate bugs"
            );
        }
        for edge in &package.dependencies {
            let enables = edge.features.iter().any(|it| it == PLANTED);
            let for_tests = edge.kind == DependencyKind::Development;
            assert!(
                !enables || for_tests,
                "{name} enables {PLANTED} of {}",
                edge.name
            );
        }
    }
}

#[test]
fn every_crate_inherits_the_workspace_s_lints_and_licence() {
    for package in metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
        let inherits = lines
            .windows(2)
            .any(|two| two == ["[lints]", "workspace = true"]);
        assert!(inherits, "{} does not inherit the lints", package.name);
        let licence = package.license.as_deref();
        assert_eq!(licence, Some("MIT OR Apache-2.0"), "{}", package.name);
    }
}

#[test]
fn no_source_file_is_too_long() {
    for file in sources(&root()) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", file.display());
    }
}

#[test]
fn every_file_begins_by_saying_what_it_knows() {
    for file in rust_sources(&root()) {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().find(|line| !line.trim().is_empty());
        let says = first.is_some_and(|line| line.starts_with("//!"));
        assert!(says, "{} must begin with `//!`", file.display());
    }
}

#[test]
fn no_test_is_left_out() {
    let attribute = concat!("#[", "ignore");
    for file in rust_sources(&root()) {
        let text = fs::read_to_string(&file).unwrap();
        let at = text.lines().position(|line| line.contains(attribute));
        assert_eq!(at, None, "{}: mend the test or remove it", file.display());
    }
}

#[test]
fn unsafe_code_is_where_it_is_listed() {
    let root = root();
    // Whatever allows it, on one line or over several, names the lint on a line of its own or in brackets.
    let lint = concat!("unsafe", "_code");
    let allows = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        text.lines().any(|line| {
            let line = line.trim_start();
            line.starts_with(&format!("{lint},")) || line.contains(&format!("({lint}"))
        })
    };
    let mut found: Vec<_> = rust_sources(&root).into_iter().filter(allows).collect();
    found.sort();
    let listed: Vec<_> = UNSAFE.iter().map(|file| root.join(file)).collect();
    assert_eq!(
        found, listed,
        "unsafe code is allowed elsewhere than listed"
    );
}

#[test]
fn the_deterministic_crates_are_held_to_the_same_rules() {
    let rules = |dir: &&str| {
        let file = root().join(dir).join("clippy.toml");
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    let all: BTreeSet<String> = DETERMINISTIC.iter().map(rules).collect();
    assert_eq!(
        all.len(),
        1,
        "{DETERMINISTIC:?} have different clippy.toml files"
    );
}

/// Programs of the project, in any language, that people read and change.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(root, &mut found);
    found.retain(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|known| ["rs", "ts", "js", "py", "sh"].contains(&known))
    });
    assert!(found.len() > EDGES.len(), "the sources are somewhere else");
    found
}

/// Without the snippets that compile-fail tests feed to the compiler.
fn rust_sources(root: &Path) -> Vec<PathBuf> {
    let mut found = sources(root);
    found.retain(|file| {
        let snippet = file.components().any(|part| part.as_os_str() == "ui");
        file.extension().is_some_and(|extension| extension == "rs") && !snippet
    });
    found
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type().unwrap().is_dir() {
            // `target` is what cargo builds; directories with a dot are other tools'.
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                walk(&entry.path(), found);
            }
        } else {
            found.push(entry.path());
        }
    }
}
