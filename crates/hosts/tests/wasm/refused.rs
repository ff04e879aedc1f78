//! What is no module is refused when it is deployed, with words that help.

use ordain_engine::Modules as _;
use ordain_hosts::wasm::WasmHost;
use ordain_types::module::hash;

use super::component::{Kind, Wat, component_of};
use super::starts::{chain, with_instances};
use super::world::{World, compile, fixture};

#[track_caller]
fn refused(bytes: Vec<u8>, message: &str) {
    let error = compile(&WasmHost::new(None), bytes).expect_err(message);
    assert!(error.message.contains(message), "{error}");
    assert_eq!(error.file.as_deref(), Some("module.wasm"));
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}

#[test]
fn what_is_no_component() {
    refused(b"export const x = 1;".to_vec(), "no WebAssembly component");
    refused(Vec::new(), "no WebAssembly component");
    refused(Wat::default().core(), "wasm-tools component new");
    refused(
        text("(component)"),
        "does not export `ordain:runtime/entities@0.1.0`",
    );
    let whole = fixture("transfer");
    for end in [9, 100, whole.len() / 2, whole.len() - 1] {
        refused(whole[..end].to_vec(), "does not compile");
    }
}

/// Whether a damaged module is refused, with words and the file; else a call of it ends, whatever it comes to, and
/// comes to the same in another engine.
#[track_caller]
fn refused_or_harmless(host: &WasmHost, whole: &[u8], at: usize, call: [&str; 3]) -> bool {
    let mut damaged = whole.to_vec();
    damaged[at] ^= 0x41;
    let package = match compile(host, damaged) {
        Ok(package) => package,
        Err(error) => {
            assert!(!error.message.trim().is_empty(), "at {at}");
            assert_eq!(error.file.as_deref(), Some("module.wasm"), "at {at}");
            return true;
        }
    };
    let outcome = || {
        let types = host.load(hash(&package.encode()), &package);
        let [entity, method, args] = call;
        World::new(types.expect("what compiles loads")).run(entity, method, args)
    };
    assert_eq!(outcome(), outcome(), "at {at}");
    false
}

#[test]
fn damage_is_refused_or_harmless() {
    let host = WasmHost::new(None);
    let large = fixture("transfer");
    for at in (8..large.len()).step_by(large.len() / 8) {
        let deposit = ["account/a", "deposit", r#"{"amount":1}"#];
        refused_or_harmless(&host, &large, at, deposit);
    }
    let small = Wat::default().build();
    let places: Vec<_> = (8..small.len()).step_by(7).collect();
    let refused = places
        .iter()
        .filter(|at| refused_or_harmless(&host, &small, **at, ["thing/x", "run", "{}"]));
    let refused = refused.count();
    assert!(
        (1..places.len()).contains(&refused),
        "some of either: {refused}"
    );
}

#[test]
fn imports_that_are_not_the_world() {
    let wasi = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance))
        (import "wasi:clocks/wall-clock@0.2.0" (instance)))"#;
    refused(text(wasi), "`wasi:cli/environment@0.2.0`");
    refused(text(wasi), "--stub-wasi");
    let other = r#"(component (import "ordain:runtime/state@0.9.0" (instance)))"#;
    refused(text(other), "another version of the world");
    let own = r#"(component (import "my:own/thing" (instance)))"#;
    refused(text(own), "`my:own/thing`");
    let many = |count: usize| {
        let imports = (0..count).map(|at| format!(r#"(import "a:b/c{at}" (instance))"#));
        text(&format!("(component {})", imports.collect::<String>()))
    };
    refused(many(900), "`a:b/c1`, `a:b/c2` and 897 more");
    refused(many(3_000), "limit of 1000");
}

/// Each level makes the one before twenty times.
#[test]
fn components_that_are_made_without_end() {
    let levels = (1..30).map(|level| {
        format!(
            "(component $c{level} (alias outer 1 $c{} (component $one)) {})",
            level - 1,
            "(instance (instantiate $one))".repeat(20)
        )
    });
    let levels: String = levels.collect();
    refused(
        text(&format!(
            "(component (component $c0) {levels} (instance (instantiate $c29)))"
        )),
        "a component within the module has code or instances of its own",
    );
    let wide = "(instance (instantiate $c0))".repeat(65);
    refused(
        text(&format!("(component (component $c0) {wide})")),
        "makes 65 instances of components within it, more than the limit of 64",
    );
}

#[test]
fn instances_of_code_without_end() {
    let with = |more| with_instances(chain("", ""), b"\0asm\x01\0\0\0", more);
    // With the module itself and the two that `wit-component` adds.
    compile(&WasmHost::new(None), with(61)).expect("as many as may be");
    let says = "contains 65 core module instances, which exceeds the configured maximum of 64";
    refused(with(62), says);
}

#[test]
fn tables_without_end() {
    let table = |elements: usize| Wat {
        items: format!("(table {elements} funcref)"),
        ..Wat::default()
    };
    compile(&WasmHost::new(None), table(65_536).build()).expect("as many as may be");
    refused(
        table(65_537).build(),
        "a minimum element size of 65537 which exceeds the limit of 65536",
    );
    // Nor do they grow beyond it.
    let grows = Wat {
        items: "(table $t 65_000 funcref)".to_owned(),
        invoke: "(if (i32.ne (table.grow $t (ref.null func) (i32.const 536)) (i32.const 65000)) (then unreachable))
            (if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))
            (call $ok (i32.const 16) (i32.const 4))"
            .to_owned(),
        ..Wat::default()
    };
    assert_eq!(
        World::of(grows.build()).value("thing/x", "run", "{}"),
        "null"
    );
}

#[test]
fn what_instances_cannot_be_counted_of() {
    let check = |items: &str, message| refused(text(&format!("(component {items})")), message);
    let own_code = "(component (core module) (core instance (instantiate 0)))";
    check(own_code, "has code or instances of its own");
    check(
        "(component (component))",
        "has code or instances of its own",
    );
    let whole = "passes on core modules or components as a whole";
    check("(core module $m) (export \"m\" (core module $m))", whole);
    check("(component $c) (export \"c\" (component $c))", whole);
    check("(core module $m) (alias outer 0 $m (core module))", whole);
    for function in ["new", "drop", "rep"] {
        let resource =
            format!("(type $r (resource (rep i32))) (core func (canon resource.{function} $r))");
        check(&resource, "has resources, tasks or streams of its own");
    }
}

/// Each level is three bytes, for which the parser calls itself.
#[test]
fn types_within_types_without_end() {
    let deep = |kind: u8, levels: usize| {
        let mut types = vec![1];
        types.extend([kind, 1, 1].repeat(levels - 1));
        types.extend([kind, 0]);
        let mut bytes = b"\0asm\x0d\0\x01\0\x07".to_vec();
        let len = types.len() as u32;
        // Its length, in as many bytes as there may be.
        bytes.extend(
            (0..5).map(|at| (len >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 }),
        );
        bytes.extend(types);
        bytes
    };
    for kind in [0x41, 0x42] {
        refused(deep(kind, 300_000), "within each other, more than 100 deep");
        refused(deep(kind, 101), "within each other, more than 100 deep");
        refused(deep(kind, 90), "does not export"); // the compiler has read it
    }
}

/// Types one after the other, each of instances of the one before: the parser asserts that there are few.
#[test]
fn types_of_types_without_end() {
    let types = (1..900).map(|at| {
        let before = at - 1;
        format!(
            r#"(type $t{at} (instance (alias outer 1 $t{before} (type $of)) (export "a" (instance (type $of)))))"#
        )
    });
    let types: String = types.collect();
    refused(
        text(&format!("(component (type $t0 (instance)) {types})")),
        "breaks an assertion of the compiler",
    );
}

/// Each is four bytes, and some kilobytes to the compiler.
#[test]
fn functions_without_end() {
    let wat = Wat {
        items: "(func) ".repeat(150_000),
        ..Wat::default()
    };
    refused(wat.build(), "functions, more than the limit of 100000");
}

/// Two instructions make a thousand values, which the compiler keeps apart in each block.
#[test]
fn blocks_of_many_values() {
    let values = "i32 ".repeat(900);
    let items = format!(
        "(type $wide (func (param {values}) (result {values})))
        (func (type $wide) {} {})",
        (0..900)
            .map(|at| format!("(local.get {at})"))
            .collect::<String>(),
        "block (type $wide) end ".repeat(100_000)
    );
    let wat = Wat {
        items,
        ..Wat::default()
    };
    refused(
        wat.build(),
        "a function or a block with 900 results, more than the limit of 16",
    );
}

#[test]
fn imports_of_other_types() {
    let wrong = r#"(component
        (import "ordain:runtime/context@0.1.0" (instance
            (export "now" (func (result string))))))"#;
    refused(text(wrong), "does not export");
    let wrong = r#"(component
        (import "ordain:runtime/context@0.1.0" (instance
            (export "yesterday" (func (result u64)))))
        (instance $entities)
        (export "ordain:runtime/entities@0.1.0" (instance $entities)))"#;
    refused(text(wrong), "has no function `describe`");
}

#[test]
fn functions_of_other_types() {
    let (ours, theirs) = ("from-version: u32) -> json", "from-version: s32) -> json");
    let wit = include_str!("../../../../wit/ordain-runtime.wit");
    assert!(wit.contains(ours));
    let other = component_of(&Wat::default().core(), &wit.replace(ours, theirs));
    refused(other, "has another function `migrate`");
}

#[test]
fn descriptions_that_do_not_hold() {
    let described = |wat: Wat, message: &str| refused(wat.build(), message);
    let methods = |names: &[&'static str]| Wat {
        methods: names.iter().map(|name| (*name, Kind::Query)).collect(),
        ..Wat::default()
    };
    described(
        methods(&["run", "run"]),
        "two methods of `thing` are named `run`",
    );
    described(methods(&["Run"]), "names a method `thing.Run`");
    let named = |entity| Wat {
        entity,
        ..Wat::default()
    };
    described(named("Thing"), "names an entity type `Thing`");
    described(named(""), "names an entity type ``");
    let version = Wat {
        version: 0,
        ..Wat::default()
    };
    described(version, "version 0");
}

#[test]
fn a_module_that_fails_to_describe_itself() {
    let describing = |describe: &str, imports: &str| Wat {
        describe: Some(describe.to_owned()),
        imports: imports.to_owned(),
        ..Wat::default()
    };
    let wat = describing("unreachable", "").build();
    refused(wat.clone(), "does not describe itself");
    refused(wat, "describe"); // its function, by name
    refused(
        describing("(loop $again (br $again)) unreachable", "").build(),
        "instructions",
    );
    refused(
        describing("i32.const -8", "").build(),
        "rules of its interface",
    );
    let now = r#"(import "ordain:runtime/context@0.1.0" "now" (func $now (result i64)))"#;
    refused(
        describing("(drop (call $now)) unreachable", now).build(),
        "`describe` and `migrate` use none",
    );
}
