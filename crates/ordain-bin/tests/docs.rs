//! The documentation is held to the code here: limits, links, and the tests it points to. It knows
//! the pages as text and nothing of what they explain.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ordain_types::limits;
use ordain_types::planted::{Bug, Part};

const CONSTANTS: &str = include_str!("../../types/src/limits.rs");
const ENTITIES: &str = include_str!("../../../docs/entities.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace's root")
}

/// Every page, by its path from the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let root = root();
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
    ];
    let mut paths: Vec<PathBuf> = top.into_iter().map(PathBuf::from).collect();
    for entry in fs::read_dir(root.join("docs")).expect("docs/ is there") {
        let name = entry.expect("an entry of docs/").file_name();
        paths.push(Path::new("docs").join(name));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(root.join(&path)).expect("a page that was listed");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn the_table_of_limits_is_the_code_s() {
    macro_rules! values {
        ($($name:ident)+) => { BTreeMap::from([$((stringify!($name), limits::$name as u64)),+]) };
    }
    let values = values! {
        KEY_BYTES_MAX NAME_BYTES_MAX FIELD_KEY_BYTES_MAX IDEMPOTENCY_KEY_BYTES_MAX CALLER_BYTES_MAX
        CALL_DEPTH_MAX CALLS_MAX WRITTEN_BYTES_MAX WRITE_BYTES VALUE_BYTES_MAX ARGUMENT_BYTES_MAX SENDS_MAX SENDS_PENDING_MAX
        SEND_DELAY_MS_MAX SCAN_ROWS_MAX SCAN_BYTES_MAX READ_BYTES_MAX MESSAGE_BYTES_MAX CODE_BYTES_MAX JSON_DEPTH_MAX
        EXPIRIES_PER_COMMAND LOG_BYTES_MAX MODULE_BYTES_MAX MODULE_FILES_MAX MODULE_PATH_BYTES_MAX
        SCRIPT_BYTES_MAX SCRIPT_DEPTH_MAX MODULES_MAX MODULE_VERSIONS_MAX ENTITY_TYPES_MAX METHODS_MAX JAVASCRIPT_TICKS_MAX
        JAVASCRIPT_MEMORY_BYTES_MAX JAVASCRIPT_STACK_BYTES_MAX JAVASCRIPT_THREAD_STACK_BYTES_MIN WASM_FUEL_MAX WASM_FUNCTION_FUEL
        WASM_BYTES_PER_FUEL WASM_FUEL_PER_JSON_BYTE WASM_FUEL_PER_START_BYTE WASM_RESULTS_MAX WASM_FUNCTIONS_MAX WASM_TYPES_DEPTH_MAX WASM_CROSSING_BYTES_MAX WASM_MEMORY_BYTES_MAX WASM_TRANSACTION_MEMORY_BYTES_MAX WASM_TABLE_ELEMENTS_MAX
        WASM_MODULES_PER_COMPONENT_MAX WASM_STACK_BYTES_MAX WASM_IDLE_MAX WASM_INSTANCES_MAX BATCH_COMMANDS_MAX BATCH_BYTES_MAX
    };
    let declared = CONSTANTS.lines().filter_map(|line| {
        let name = line.strip_prefix("pub const ")?.split(':').next()?;
        (name != "EXECUTOR_VERSION").then_some(name)
    });
    assert_eq!(
        declared.collect::<BTreeSet<_>>(),
        values.keys().copied().collect(),
        "the list in this test lacks a limit"
    );
    let (_, section) = ENTITIES
        .split_once("\n## Limits\n")
        .expect("a section of limits");
    let rows: BTreeMap<&str, u64> = section.lines().filter_map(limit_row).collect();
    assert_eq!(rows, values, "docs/entities.md, Limits");
}

/// The name and value in `| `NAME` | 512 | … |`.
fn limit_row(line: &str) -> Option<(&str, u64)> {
    let mut cells = line.strip_prefix("| `")?.split(" | ");
    let name = cells.next()?.strip_suffix('`')?;
    Some((name, cells.next()?.parse().expect("a limit's value")))
}

#[test]
fn the_table_of_deliberate_bugs_is_the_code_s() {
    let page = include_str!("../../../docs/mutations.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|line| line.trim_end_matches(" |").split(" | ").collect())
        .collect();
    let named: Vec<&str> = rows
        .iter()
        .map(|row| row[0].trim_end_matches('`'))
        .collect();
    let bugs: Vec<String> = Bug::ALL.iter().map(|bug| format!("{bug:?}")).collect();
    assert_eq!(named, bugs, "docs/mutations.md");
    for (bug, row) in Bug::ALL.iter().zip(&rows) {
        let [_, what, place, caught_by] = row[..] else {
            panic!("{bug:?} has other columns");
        };
        assert_eq!(what, bug.what(), "{bug:?}");
        assert!(!caught_by.is_empty(), "{bug:?}");
        // Simulated lives hunt all bugs of their parts; other tests name those that they catch.
        let simulated = matches!(bug.part(), Part::Engine | Part::Node);
        assert!(simulated || links(caught_by).next().is_some(), "{bug:?}");
        for file in links(place).chain(links(caught_by)) {
            let source = fs::read_to_string(root().join("docs").join(file)).unwrap_or_default();
            let site = format!("Bug::{bug:?}");
            assert!(source.contains(&site), "{file} has nothing of {bug:?}");
        }
        assert!(links(place).next().is_some(), "{bug:?} is planted nowhere");
    }
}

#[test]
fn the_first_program_is_the_example_that_is_tested() {
    let shop = root().join("examples/shop");
    let files = ["src/lib.rs", "src/main.rs", "examples/embedded.rs"];
    let files = files.map(|file| fs::read_to_string(shop.join(file)).expect("an example"));
    let page = include_str!("../../../docs/getting-started.md");
    let blocks: Vec<&str> = page
        .split("\n```rust")
        .skip(1)
        .filter_map(|block| block.split_once('\n')?.1.split("\n```").next())
        .collect();
    for block in &blocks {
        let tried = files.iter().any(|file| file.contains(block));
        assert!(tried, "not in examples/shop:\n{block}");
    }
    assert!(blocks.len() >= files.len(), "all of it is shown");
}

/// An integer that wraps would be made durable: what users are told to build with, and what is built here.
#[test]
fn release_builds_check_for_overflow() {
    let release = |manifest: &str| {
        let profiles = manifest.split("\n[profile.release]\n").skip(1);
        let settings: Vec<&str> = profiles
            .filter_map(|rest| rest.split("\n[").next())
            .flat_map(|settings| settings.split("\n```").next())
            .collect();
        settings.join("\n")
    };
    for file in [
        "Cargo.toml",
        "docs/getting-started.md",
        "crates/cli/src/templates/rust/Cargo.toml",
    ] {
        let text = fs::read_to_string(root().join(file)).expect("it is there");
        let checks = release(&text).lines().any(|line| {
            let setting = line.split('#').next().unwrap_or_default();
            setting.trim() == "overflow-checks = true"
        });
        assert!(checks, "{file} builds releases without overflow checks");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let (root, mut wrong) = (root(), Vec::new());
    let pages = pages();
    for (page, text) in &pages {
        for link in links(text) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => normal(&page.parent().expect("a file's directory").join(path)),
            };
            if !root.join(&target).exists() {
                wrong.push(format!("{}: {link} is not there", page.display()));
            } else if !anchor.is_empty()
                && !pages
                    .get(&target)
                    .is_some_and(|text| anchors(text).contains(anchor))
            {
                wrong.push(format!("{}: {link} has no such section", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands in `](…)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// The names of a page's sections, as they are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// `docs/../crates` is `crates`.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part.as_os_str() {
            up if up == ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts
}

#[test]
fn every_test_that_is_pointed_to_is_there() {
    let (root, mut found, mut wrong) = (root(), 0, Vec::new());
    for (page, text) in pages() {
        for reference in text.split('`').filter(|part| part.contains(".rs::")) {
            let (file, name) = reference.split_once("::").expect("just seen");
            found += 1;
            let source = fs::read_to_string(root.join("crates").join(file)).unwrap_or_default();
            let declared = [format!("fn {name}("), format!("fn {name}()")];
            if !declared
                .iter()
                .any(|declaration| source.contains(declaration))
            {
                wrong.push(format!("{}: {reference} is no test", page.display()));
            }
        }
    }
    assert!(
        found > 0,
        "docs/guarantees.md points to tests as `crate/tests/file.rs::name`"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
