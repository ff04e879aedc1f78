//! Modules that mean harm: each ends in a clear fault, and the next transaction goes on as if nothing
//! had been.

use ordain_types::{FaultKind, Outcome};

use super::component::Wat;
use super::world::{World, fixture};

pub const CALL: &str = r#"(import "ordain:runtime/calls@0.1.0" "call"
    (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;
pub const SET: &str = r#"(import "ordain:runtime/state@0.1.0" "set" (func $set (param i32 i32)))"#;
pub const GET: &str = r#"(import "ordain:runtime/state@0.1.0" "get" (func $get (param i32)))"#;
const PUT: &str =
    r#"(import "ordain:runtime/fields@0.1.0" "put" (func $put (param i32 i32 i32 i32)))"#;

/// A module whose method does this.
pub fn invoking(imports: &[&str], items: &str, invoke: &str) -> World {
    let wat = Wat {
        imports: imports.concat(),
        items: items.to_owned(),
        invoke: invoke.to_owned(),
        ..Wat::default()
    };
    World::of(wat.build())
}

#[track_caller]
pub fn faults(world: &mut World, kind: FaultKind, message: &str) -> String {
    let mut first = None;
    // The same each time, whatever the runs before left behind.
    for _ in 0..3 {
        let fault = world.fault("thing/x", "run", "{}", kind);
        assert!(fault.message.contains(message), "{fault}");
        assert_eq!(first.get_or_insert(fault.clone()), &fault);
    }
    first.expect("three of them").trace
}

#[test]
fn an_endless_loop() {
    let mut world = invoking(&[], "", "(loop $again (br $again)) unreachable");
    let trace = faults(&mut world, FaultKind::Instructions, "divide the work");
    assert!(trace.contains("invoke"), "{trace}");
}

#[test]
fn an_endless_recursion() {
    let items = "(func $deeper (param i32) (result i32)
        (i32.add (i32.const 1) (call $deeper (i32.add (local.get 0) (i32.const 1)))))";
    let mut world = invoking(&[], items, "(call $deeper (i32.const 0))");
    let trace = faults(&mut world, FaultKind::Stack, "recursion");
    assert!(trace.contains("deeper"), "{trace}");
}

#[test]
fn growth_to_the_limit_is_what_the_module_makes_of_it() {
    // Until it is refused; then how many pages there are is the value, with a 1 before its four digits.
    let grow = "(block $full (loop $more
        (br_if $full (i32.eq (memory.grow (i32.const 64)) (i32.const -1)))
        (br $more)))";
    let items = "(func $digit (param $at i32) (param $power i32)
        (i32.store8 (local.get $at) (i32.add (i32.const 48)
          (i32.rem_u (i32.div_u (memory.size) (local.get $power)) (i32.const 10)))))";
    let digits = "(call $digit (i32.const 100) (i32.const 1000))
        (call $digit (i32.const 101) (i32.const 100))
        (call $digit (i32.const 102) (i32.const 10))
        (call $digit (i32.const 103) (i32.const 1))
        (i32.store8 (i32.const 99) (i32.const 49))
        (call $ok (i32.const 99) (i32.const 5))";
    let mut world = invoking(&[], items, &format!("{grow} {digits}"));
    let pages: usize = world
        .value("thing/x", "run", "{}")
        .parse()
        .expect("a number");
    assert!(
        (10_961..=11_024).contains(&pages),
        "{} pages of 64 KiB",
        pages - 10_000
    );
    let mut world = invoking(&[], "", &format!("{grow} unreachable"));
    faults(&mut world, FaultKind::Memory, "refused more memory");
}

#[test]
fn traps_are_told_by_name() {
    let check = |invoke: &str, message: &str| {
        let mut world = invoking(&[], "", invoke);
        let trace = faults(&mut world, FaultKind::Trap, message);
        assert!(
            trace.contains("hostile") && trace.contains("invoke"),
            "{trace}"
        );
    };
    check("unreachable", "unreachable");
    check("(i32.div_u (i32.const 1) (i32.const 0))", "divide by zero");
    check("(i32.load (i32.const -4))", "out of bounds memory access");
}

/// What Rust says of a panic begins with its place, which callers are not told.
#[test]
fn a_panic_has_its_place_in_the_trace() {
    let raise = r#"(import "ordain:runtime/log@0.1.0" "fault" (func $fault (param i32 i32 i32)))"#;
    let check = |kind: u8, fault: FaultKind, says: &str, message: &str| {
        let len = says.len();
        let items = format!("(data (i32.const 200) \"{}\")", says.replace('\n', "\\n"));
        let invoke = format!(
            "(call $fault (i32.const {kind}) (i32.const 200) (i32.const {len})) unreachable"
        );
        let mut world = invoking(&[raise], &items, &invoke);
        let fault = world.fault("thing/x", "run", "{}", fault);
        assert_eq!(fault.message, message);
        fault.trace
    };
    let says = "panicked at src/lib.rs:3:5:\nit is\non fire";
    let trace = check(0, FaultKind::Panic, says, "it is\non fire");
    assert!(trace.starts_with("    at src/lib.rs:3:5\n"), "{trace}");
    let says = "panicked at src/lib.rs:3:5";
    let silent = check(0, FaultKind::Panic, says, "the method panicked");
    assert_eq!(silent, trace, "a panic without words has its place too");
    assert!(trace.contains("invoke"), "{trace}");
    for says in ["panicked at all", "panicked at all\ntimes", "no\nplace:"] {
        let trace = check(0, FaultKind::Panic, says, says);
        assert!(!trace.contains("panicked"), "{trace}");
    }
}

#[test]
fn results_that_break_the_rules() {
    let check = |invoke: &str, kind: FaultKind, message: &str| {
        faults(&mut invoking(&[], "", invoke), kind, message);
    };
    check("i32.const -8", FaultKind::Trap, "rules of its interface");
    check("i32.const 3", FaultKind::Trap, "rules of its interface");
    check(
        "(call $ok (i32.const 16) (i32.const -1))",
        FaultKind::Trap,
        "rules of its interface",
    );
    check(
        "(call $ok (i32.const 16) (i32.const 3))",
        FaultKind::Encoding,
        "not JSON",
    ); // nul
    check(
        "(i32.store8 (i32.const 100) (i32.const 255)) (call $ok (i32.const 100) (i32.const 1))",
        FaultKind::Trap,
        "rules of its interface",
    ); // no UTF-8
}

#[test]
fn huge_texts_across_the_boundary() {
    // 32 MiB of `1`: one JSON number, far larger than any value may be, and a part of it that is too large still.
    let grow = "(drop (memory.grow (i32.const 600)))
        (memory.fill (i32.const 65536) (i32.const 49) (i32.const 33554432))";
    for (bytes, message) in [
        (1_048_577, "the state has more bytes than the limit"),
        (33_554_432, "gave more than 8388608 bytes at once"),
    ] {
        let set = format!("{grow} (call $set (i32.const 65536) (i32.const {bytes})) (i32.const 0)");
        faults(
            &mut invoking(&[SET], "", &set),
            FaultKind::ValueBytes,
            message,
        );
        let answer = format!("{grow} (call $ok (i32.const 65536) (i32.const {bytes}))");
        let message = message.replace("the state", "the method's value");
        faults(
            &mut invoking(&[], "", &answer),
            FaultKind::ValueBytes,
            &message,
        );
    }
    let put = format!(
        "{grow} (call $put (i32.const 65536) (i32.const 1000) (i32.const 65536)
        (i32.const 10)) (i32.const 0)"
    );
    faults(&mut invoking(&[PUT], "", &put), FaultKind::BadKey, "512");
}

#[test]
fn calls_with_hostile_names() {
    // The names lie at 200: the type, the key and the method, each with its length.
    let call = |ty: &str, key: &str, method: &str, args: &str| {
        let data = format!("{ty}{key}{method}{args}");
        let items = format!("(data (i32.const 200) \"{data}\")");
        let mut at = 200;
        let mut part = |text: &str| {
            let place = format!("(i32.const {at}) (i32.const {})", text.len());
            at += text.len();
            place
        };
        let parts = [part(ty), part(key), part(method), part(args)].join(" ");
        invoking(
            &[CALL],
            &items,
            &format!("(call $call {parts} (i32.const 128)) (i32.const 0)"),
        )
    };
    let long = "k".repeat(513);
    faults(
        &mut call("thing", "", "run", "{}"),
        FaultKind::BadKey,
        "a call by names",
    );
    faults(
        &mut call("thing", &long, "run", "{}"),
        FaultKind::BadKey,
        "a call by names",
    );
    faults(
        &mut call("Thing", "x", "run", "{}"),
        FaultKind::UnknownEntity,
        "a call by names",
    );
    faults(
        &mut call("nothing", "x", "run", "{}"),
        FaultKind::UnknownEntity,
        "nothing",
    );
    faults(
        &mut call("thing", "x", "none", "{}"),
        FaultKind::UnknownMethod,
        "none",
    );
    faults(
        &mut call("thing", "x", "run", "[1]"),
        FaultKind::Arguments,
        "not a JSON object",
    );
    // It calls itself: 64 calls deep, each in an instance of its own.
    faults(
        &mut call("thing", "x", "run", "{}"),
        FaultKind::CallDepth,
        "64",
    );
}

#[test]
fn imports_in_a_loop_cost_fuel() {
    // A state of a megabyte, read again and again into the same place.
    let invoke = "(drop (memory.grow (i32.const 40)))
        (memory.fill (i32.const 65536) (i32.const 49) (i32.const 1048576))
        (i32.store8 (i32.const 65536) (i32.const 34))
        (i32.store8 (i32.const 1114111) (i32.const 34))
        (call $set (i32.const 65536) (i32.const 1048576))
        (loop $again
          (global.set $next (i32.const 1114112))
          (call $get (i32.const 128))
          (br $again))
        unreachable";
    let mut world = invoking(&[GET, SET], "", invoke);
    world.fault("thing/x", "run", "{}", FaultKind::Instructions);
}

/// What a toolchain makes of methods that mean harm; `crates/hosts/modules/hostile`.
#[test]
fn methods_in_rust_that_mean_harm() {
    let mut world = World::of(fixture("hostile"));
    let mut check = |method: &str, args: &str, kind, message: &str| {
        let mut first = None;
        for _ in 0..2 {
            let fault = world.fault("hostile/x", method, args, kind);
            assert!(fault.message.contains(message), "{fault}");
            assert_eq!(first.get_or_insert(fault.clone()), &fault);
        }
    };
    check("endless", "{}", FaultKind::Instructions, "divide the work");
    check("recursion", "{}", FaultKind::Stack, "recursion");
    check("memory", "{}", FaultKind::Memory, "refused more memory");
    check("chatter", "{}", FaultKind::Instructions, "divide the work");
    check("text", "{}", FaultKind::ValueBytes, "more bytes than");
    check("key", r#"{"key":""}"#, FaultKind::BadKey, "key");
    let long = format!(r#"{{"key":"{}"}}"#, "k".repeat(513));
    check("key", &long, FaultKind::BadKey, "512");
}

#[test]
fn an_entity_type_of_another_module() {
    let mut world = World::hosting();
    let module = |entity, invoke: &str| {
        let wat = Wat {
            entity,
            invoke: invoke.to_owned(),
            ..Wat::default()
        };
        wat.build()
    };
    let own = "(call $ok (i32.const 16) (i32.const 4))";
    let first = world.deploy("first", module("thing", own));
    assert!(matches!(first, Outcome::Value(_)), "{first:?}");
    match world.deploy("second", module("thing", "unreachable")) {
        Outcome::Rejected(no) => {
            assert_eq!(no.code, "module_clash");
            assert!(no.message.contains("`thing`"), "{no}");
            assert!(no.message.contains("`first`"), "{no}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.value("thing/x", "run", "{}"), "null");
}
