//! The modules say what the Rust applications say, and a workload is measured through a module as through
//! the program's own entities: with a host that runs Rust, for which language it is does not matter here.

use std::sync::Arc;

use ordain::Entities;
use ordain_node::{Catalog, Modules, TypeDef};
use ordain_types::module::{EntityManifest, Manifest, MethodManifest, ModuleHash};
use ordain_types::{MethodKind, Package, SourceError};
use tokio::runtime::Runtime;

use super::*;
use crate::bench::Bench;
use crate::words::Words;

fn application(what: What) -> Entities {
    match what {
        What::Transfer => ordain_example_transfer::entities(),
        What::Smallbank => ordain_example_smallbank::entities(),
        What::Marketplace => ordain_example_marketplace::entities(),
        What::Travel => ordain_example_travel::entities(),
        What::Movie => ordain_example_movie::entities(),
        What::Retwis => ordain_example_retwis::entities(),
        What::Notes => ordain_example_probe::entities(),
    }
}

fn catalog(entities: Entities) -> Catalog {
    entities.try_into().expect("no two of one name")
}

/// The part of the script that defines the entity type: up to the line that closes it.
fn definition<'s>(script: &'s str, name: &str) -> &'s str {
    let begin = format!("export const {name} = entity(");
    let at = script.find(&begin);
    let rest = &script[at.unwrap_or_else(|| panic!("no {name}"))..];
    &rest[..rest.find("\n});").expect("it is closed")]
}

#[test]
fn scripts_have_the_types_and_methods_of_the_applications() {
    for (what, module) in SCRIPTS {
        let script = std::str::from_utf8(module.bytes).expect("text");
        let catalog = catalog(application(*what));
        assert_eq!(script.matches("= entity(").count(), catalog.types().count());
        for ty in catalog.types() {
            let definition = definition(script, ty.name.as_str());
            for method in &ty.methods {
                let begin = match method.kind {
                    MethodKind::Query => format!("\n  {}: query(", method.name),
                    MethodKind::Update => format!("\n  {}(cx: ", method.name),
                };
                assert!(definition.contains(&begin), "{}.{}", ty.name, method.name);
            }
        }
    }
}

/// Whatever is compiled becomes the transfer application.
struct Rust;

impl Modules for Rust {
    fn compile(&self, source: &Source) -> Result<Package, SourceError> {
        let entity = |def: &TypeDef| {
            let methods = def.methods.iter().map(|method| MethodManifest {
                name: method.name.clone(),
                kind: method.kind,
                params: None,
                result: "{}".to_owned(),
            });
            let mut methods: Vec<_> = methods.collect();
            methods.sort_by(|a, b| a.name.cmp(&b.name));
            EntityManifest {
                name: def.name.clone(),
                version: 1,
                migrates: false,
                methods,
            }
        };
        let catalog = catalog(ordain_example_transfer::entities());
        let manifest = Manifest {
            language: ordain_types::module::Language::JavaScript,
            sdk: "0.1".to_owned(),
            entities: catalog.types().map(entity).collect(),
        };
        Ok(Package {
            manifest,
            source: source.clone(),
        })
    }

    fn load(&self, _: ModuleHash, _: &Package) -> Result<Vec<TypeDef>, String> {
        let catalog = catalog(ordain_example_transfer::entities());
        Ok(catalog.types().cloned().collect())
    }
}

fn words(text: &str) -> Words {
    Words::of(text.split_whitespace()).expect("words of bench")
}

#[test]
fn languages_take_turns_and_are_shown_side_by_side() {
    let catalog = catalog(ordain_example_transfer::entities()).with_host(Arc::new(Rust));
    let words = words(
        "transfer --lang rust,ts --accounts 50 --in-flight 8 --runs 2 --warm-up 0s --duration 100ms --seed 1",
    );
    words.check(false).expect("they go together");
    let runtime = Runtime::new().expect("a runtime");
    let bench = Bench::new(words, runtime.handle().clone());
    let reports = runtime
        .block_on(bench.run(None, &catalog))
        .expect("reports");
    let languages: Vec<_> = reports.iter().map(|report| report.language).collect();
    assert_eq!(languages, [Language::Rust, Language::Ts]);
    for report in reports {
        assert_eq!(report.violations, [""; 0]);
        assert_eq!((report.faults, report.unanswered), (0, 0));
        let rate = report.figure("per_second").expect("a rate");
        assert!(rate.min > 0.0, "both runs were driven: {rate:?}");
    }
}

/// Both modules of an application run its workload in their own hosts, and leave what must be true. So small, each
/// takes seconds to be compiled and little more.
#[track_caller]
fn modules_do(workload: &str) {
    let words = words(&format!(
        "{workload} --lang ts,wasm --in-flight 8 --runs 1 --warm-up 0s --duration 300ms --seed 1"
    ));
    words.check(false).expect("they go together");
    let catalog = catalog(application(words.what)).with_host(ordain::hosting().modules);
    let runtime = Runtime::new().expect("a runtime");
    let bench = Bench::new(words, runtime.handle().clone());
    let reports = runtime.block_on(bench.run(None, &catalog));
    let reports = reports.expect("reports");
    let languages: Vec<_> = reports.iter().map(|report| report.language).collect();
    assert_eq!(languages, [Language::Ts, Language::Wasm]);
    for report in reports {
        let language = report.language.name();
        assert_eq!(report.violations, [""; 0], "{language}");
        assert_eq!(report.first_trouble, None, "{language}");
        let committed: u64 = report.committed.values().sum();
        assert!(committed > 0, "{language}: {:?}", report.rejections);
    }
}

#[test]
fn modules_of_the_banks_do_what_the_programs_do() {
    modules_do("transfer --accounts 50");
    modules_do("smallbank --classic --customers 50");
}

#[test]
fn modules_of_the_marketplace_do_what_the_program_does() {
    modules_do("marketplace --customers 20 --sellers 5");
}

#[test]
fn modules_of_the_travel_agency_do_what_the_program_does() {
    modules_do("travel --users 20");
}

#[test]
fn modules_of_reviews_and_posts_do_what_the_programs_do() {
    modules_do("movie --users 20 --movies 20");
    modules_do("retwis --users 20");
}

#[test]
fn a_module_needs_a_host() {
    let catalog = catalog(ordain_example_transfer::entities());
    let words = words("transfer --lang ts --accounts 5 --runs 1 --warm-up 0s --duration 10ms");
    let runtime = Runtime::new().expect("a runtime");
    let bench = Bench::new(words, runtime.handle().clone());
    let error = runtime.block_on(bench.run(None, &catalog));
    let error = format!("{:#}", error.expect_err("nothing runs modules"));
    assert!(
        error.contains("bank.ts") && error.contains("no modules"),
        "{error}"
    );
}

#[track_caller]
fn refused(text: &str, url_given: bool, why: &str) {
    let said = match Words::of(text.split_whitespace()) {
        Err(error) => error.to_string(),
        Ok(words) => words.check(url_given).expect_err("refused").to_string(),
    };
    assert!(said.contains(why), "{said}");
}

#[test]
fn languages_that_are_not_there_are_refused() {
    refused("transfer --lang cobol", false, "invalid value 'cobol'");
    refused("transfer --lang ts,ts", false, "names ts twice");
    refused(
        "notes --lang ts",
        false,
        "notes is not in this program for --lang ts",
    );
    refused("retwis --lang wasm-reuse", false, "there: transfer");
    refused("transfer --lang rust,ts", true, "one --lang");
    refused("transfer --lang ts --echo", false, "--echo runs no methods");
    words("transfer --lang rust")
        .check(true)
        .expect("one language");
}
