//! The bill of materials that CI writes: it names every package that is linked into the release program,
//! each with version, address, checksum and licence, and holds together.
//!
//! `SBOM_FILE` names the file. In CI it must be there; elsewhere, without it, only the check itself is
//! checked.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use serde_json::{Value, json};

/// Name and version.
type Package = (String, String);

const PROGRAM: &str = "ordain-bin";

#[test]
fn the_bill_of_materials_names_all_that_is_linked() {
    let Some(path) = std::env::var_os("SBOM_FILE") else {
        assert!(std::env::var_os("CI").is_none(), "CI names the file");
        return;
    };
    let text = std::fs::read(&path).expect("the bill of materials is there");
    let bill = serde_json::from_slice(&text).expect("it is JSON");
    assert_eq!(faults(&bill, &linked()), Vec::<String>::new());
}

#[test]
fn a_bill_with_a_package_too_few_is_noticed() {
    let linked = linked();
    let whole = bill_of(&linked);
    assert_eq!(faults(&whole, &linked), Vec::<String>::new());
    for at in 0..linked.len() - 1 {
        let mut short = whole.clone();
        let gone = short["components"].as_array_mut().unwrap().remove(at);
        let faults = faults(&short, &linked);
        let name = gone["name"].as_str().unwrap();
        assert!(faults.iter().any(|fault| fault.contains(name)), "{name}");
    }
    for (member, value) in [
        ("bomFormat", json!("SPDX")),
        ("metadata", json!({})),
        ("dependencies", json!([{"ref": "nobody"}])),
    ] {
        let mut wrong = whole.clone();
        wrong[member] = value;
        assert!(!faults(&wrong, &linked).is_empty(), "{member}");
    }
    for member in ["licenses", "hashes"] {
        let mut bare = whole.clone();
        for component in bare["components"].as_array_mut().unwrap() {
            component[member] = json!([]);
        }
        assert!(!faults(&bare, &linked).is_empty(), "{member}");
    }
}

/// What is wrong with a bill of materials of a program that is linked from these.
fn faults(bill: &Value, linked: &BTreeSet<Package>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, fault: String| {
        if !holds {
            faults.push(fault);
        }
    };
    let root = &bill["metadata"]["component"];
    must(bill["bomFormat"] == "CycloneDX", "another format".into());
    must(
        bill["specVersion"].is_string(),
        "no version of the format".into(),
    );
    must(root["name"] == PROGRAM, "of another program".into());
    let components = bill["components"].as_array().cloned().unwrap_or_default();
    let mut refs = BTreeSet::from([text(root, "bom-ref")]);
    let mut named = BTreeSet::from([(text(root, "name"), text(root, "version"))]);
    for component in &components {
        let name = text(component, "name");
        must(
            refs.insert(text(component, "bom-ref")),
            format!("{name} twice"),
        );
        named.insert((name.clone(), text(component, "version")));
        let purl = text(component, "purl");
        must(
            purl.starts_with("pkg:cargo/"),
            format!("{name} has no address"),
        );
        let some = |member: &str| {
            component[member]
                .as_array()
                .is_some_and(|it| !it.is_empty())
        };
        must(some("licenses"), format!("{name} has no licence"));
        let ours = name == "ordain" || name.starts_with("ordain-");
        must(ours || some("hashes"), format!("{name} has no checksum"));
    }
    for (name, version) in linked.difference(&named) {
        must(false, format!("{name} {version} is linked and not named"));
    }
    for dependency in bill["dependencies"].as_array().into_iter().flatten() {
        let on = dependency["dependsOn"].as_array().into_iter().flatten();
        let on = on.map(|on| on.as_str().unwrap_or_default().to_owned());
        for at in on.chain([text(dependency, "ref")]) {
            must(
                refs.contains(&at),
                format!("{at} is depended on and not named"),
            );
        }
    }
    faults
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

/// A right bill of these.
fn bill_of(linked: &BTreeSet<Package>) -> Value {
    let component = |(name, version): &Package| {
        json!({
            "name": name, "version": version, "bom-ref": format!("{name} {version}"),
            "purl": format!("pkg:cargo/{name}@{version}"), "licenses": [{"expression": "MIT"}],
            "hashes": [{"alg": "SHA-256", "content": "00"}],
        })
    };
    let (root, others): (Vec<_>, Vec<_>) = linked.iter().partition(|(name, _)| name == PROGRAM);
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5",
        "metadata": {"component": component(root[0])},
        "components": others.into_iter().map(component).collect::<Vec<_>>(),
        "dependencies": [],
    })
}

/// The packages that the program's normal dependencies reach on this machine, but for macros.
fn linked() -> BTreeSet<Package> {
    let host = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output();
    let host = String::from_utf8(host.expect("rustc runs").stdout).expect("text");
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(vec!["--filter-platform".to_owned(), host.trim().to_owned()])
        .exec()
        .expect("cargo metadata runs");
    let reached = reached(&metadata);
    assert!(reached.len() > 100, "the program has more dependencies");
    reached
}

fn reached(metadata: &Metadata) -> BTreeSet<Package> {
    let packages: BTreeMap<&PackageId, _> =
        metadata.packages.iter().map(|it| (&it.id, it)).collect();
    let resolve = metadata
        .resolve
        .as_ref()
        .expect("dependencies are resolved");
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|it| (&it.id, it)).collect();
    let root = metadata
        .packages
        .iter()
        .find(|it| it.name.as_str() == PROGRAM);
    let mut ahead = vec![&root.expect("the program").id];
    let mut seen = BTreeSet::new();
    while let Some(id) = ahead.pop() {
        let is_macro = packages[id]
            .targets
            .iter()
            .any(|target| target.is_proc_macro());
        if is_macro || !seen.insert(id) {
            continue;
        }
        let normal = |kinds: &[cargo_metadata::DepKindInfo]| {
            kinds.iter().any(|it| it.kind == DependencyKind::Normal)
        };
        let deps = nodes[id].deps.iter().filter(|dep| normal(&dep.dep_kinds));
        ahead.extend(deps.map(|dep| &dep.pkg));
    }
    let name = |id: &PackageId| {
        (
            packages[id].name.to_string(),
            packages[id].version.to_string(),
        )
    };
    seen.into_iter().map(name).collect()
}
