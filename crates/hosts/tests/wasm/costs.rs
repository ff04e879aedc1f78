//! What the host does for a module is paid by the module: else a call that costs it little would hold all
//! others up for long. Each of these does something a number of times that is more than a transaction can
//! pay, and less than would be noticed were it free.

use ordain_hosts::wasm::WasmHost;
use ordain_types::{FaultKind, limits};

use super::component::{Kind, Wat};
use super::hostile::{CALL, GET, faults, invoking};
use super::world::{World, types};

const WRITE: &str = r#"(import "ordain:runtime/log@0.1.0" "write" (func $write (param i32 i32)))"#;
const PUT: &str =
    r#"(import "ordain:runtime/fields@0.1.0" "put" (func $put (param i32 i32 i32 i32)))"#;
const SCAN: &str = r#"(import "ordain:runtime/fields@0.1.0" "scan"
    (func $scan (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;

/// Does this so many times, and then answers `null`.
fn times(count: usize, this: &str) -> String {
    format!(
        "(global.set $left (i32.const {count}))
        (loop $again
          {this}
          (global.set $left (i32.sub (global.get $left) (i32.const 1)))
          (br_if $again (global.get $left)))
        (call $ok (i32.const 16) (i32.const 4))"
    )
}

const LEFT: &str = "(global $left (mut i32) (i32.const 0))";
/// From 64 KiB on, 4 MiB of `k`.
const LONG: &str = "(drop (memory.grow (i32.const 70)))
    (memory.fill (i32.const 65536) (i32.const 107) (i32.const 4194304))";

/// It does it a few times for little, and not 300 times.
#[track_caller]
fn is_paid(imports: &[&str], before: &str, this: &str) {
    let world = |count| invoking(imports, LEFT, &format!("{before} {}", times(count, this)));
    assert_eq!(world(3).value("thing/x", "run", "{}"), "null");
    faults(&mut world(300), FaultKind::Instructions, "divide the work");
}

#[test]
fn texts_of_which_little_is_kept() {
    let write = "(call $write (i32.const 65536) (i32.const 4194304))";
    is_paid(&[WRITE], LONG, write);
}

#[test]
fn bounds_of_a_scan() {
    for (kind, start, end) in [
        ("from", 1, 0),
        ("after", 2, 0),
        ("to", 0, 1),
        ("until", 0, 2),
    ] {
        let bound = |bound| format!("(i32.const {bound}) (i32.const 65536) (i32.const 4194304)");
        let scan = format!(
            "(call $scan {} {} (i32.const 0) (i32.const 0) (i32.const 128)) ;; {kind}\n",
            bound(start),
            bound(end)
        );
        is_paid(&[SCAN], LONG, &scan);
    }
}

#[test]
fn a_bound_longer_than_any_key_is_after_all_that_it_begins_with() {
    // Of the fields `kk` and `l`: what lies before and after so long a key.
    let count = |start: u32, end: u32| {
        let bound = |bound| format!("(i32.const {bound}) (i32.const 65536) (i32.const 100000)");
        let invoke = format!(
            "{LONG}
            (i32.store8 (i32.const 65530) (i32.const 108))
            (call $put (i32.const 65536) (i32.const 2) (i32.const 16) (i32.const 4))
            (call $put (i32.const 65530) (i32.const 1) (i32.const 16) (i32.const 4))
            (call $scan {} {} (i32.const 0) (i32.const 9) (i32.const 128))
            (i32.store8 (i32.const 100) (i32.add (i32.const 48) (i32.load (i32.const 132))))
            (call $ok (i32.const 100) (i32.const 1))",
            bound(start),
            bound(end)
        );
        invoking(&[PUT, SCAN], "", &invoke).value("thing/x", "run", "{}")
    };
    assert_eq!(count(0, 0), "2");
    assert_eq!((count(1, 0), count(2, 0)), ("1".to_owned(), "1".to_owned()));
    assert_eq!((count(0, 1), count(0, 2)), ("1".to_owned(), "1".to_owned()));
}

/// `run` calls `no`, which is rejected with details of 800 KiB, and catches that.
#[test]
fn rejections_that_are_caught() {
    let run = |count| {
        let run = times(
            count,
            "(global.set $next (i32.const 1200000))
            (call $call (i32.const 200) (i32.const 5) (i32.const 205) (i32.const 1)
              (i32.const 206) (i32.const 2) (i32.const 208) (i32.const 2) (i32.const 128))",
        );
        let wat = Wat {
            methods: vec![("no", Kind::Update), ("run", Kind::Update)],
            imports: CALL.to_owned(),
            items: format!(
                r#"{LEFT} (data (i32.const 200) "thingxno{{}}")
                (func $no (result i32)
                  (drop (memory.grow (i32.const 16)))
                  (memory.fill (i32.const 65536) (i32.const 107) (i32.const 819200))
                  (i32.store8 (i32.const 65536) (i32.const 34))
                  (i32.store8 (i32.const 884735) (i32.const 34))
                  (i32.store (i32.const 300) (i32.const 1))
                  (i32.store (i32.const 304) (i32.const 206))
                  (i32.store (i32.const 308) (i32.const 2))
                  (i32.store (i32.const 312) (i32.const 206))
                  (i32.store (i32.const 316) (i32.const 2))
                  (i32.store (i32.const 320) (i32.const 1))
                  (i32.store (i32.const 324) (i32.const 65536))
                  (i32.store (i32.const 328) (i32.const 819200))
                  (i32.const 300))"#
            ),
            invoke: format!(
                "(if (result i32) (i32.eq (local.get $method_len) (i32.const 2))
                  (then (call $no))
                  (else (drop (memory.grow (i32.const 40))) {run}))"
            ),
            ..Wat::default()
        };
        World::of(wat.build())
    };
    assert_eq!(run(3).value("thing/x", "run", "{}"), "null");
    faults(&mut run(100), FaultKind::Instructions, "divide the work");
}

#[test]
fn migrations_of_what_is_large() {
    let left = format!("\"{}\"", "x".repeat(1_000_000));
    let world = |count| {
        let invoke = times(count, "(call $get (i32.const 128))");
        let wat = Wat {
            version: 2,
            migrates: true,
            imports: GET.to_owned(),
            items: LEFT.to_owned(),
            invoke,
            // Where the state is put does not matter: `null` comes of it.
            migrate: "(global.set $next (i32.const 65536))
                (i32.store (i32.const 300) (i32.const 16))
                (i32.store (i32.const 304) (i32.const 4))
                (i32.const 300)"
                .to_owned(),
            ..Wat::default()
        };
        let types = types(&WasmHost::new(None), wat.build());
        World::left(types, "thing/x", left.clone())
    };
    assert_eq!(world(3).value("thing/x", "run", "{}"), "null");
    world(900).fault("thing/x", "run", "{}", FaultKind::Instructions);
}

#[test]
fn instructions_that_call_the_runtime() {
    let check = |items: &str, this: &str, too_many| {
        let items = format!("{LEFT} {items}");
        let run = |count| invoking(&[], &items, &times(count, this));
        assert_eq!(run(1_000).value("thing/x", "run", "{}"), "null");
        faults(
            &mut run(too_many),
            FaultKind::Instructions,
            "divide the work",
        );
    };
    check("", "(drop (memory.grow (i32.const 0)))", 1_000_000);
    check("", "(drop (memory.grow (i32.const 65536)))", 1_000_000);
    let table = "(table $table 0 funcref)";
    let grow = "(drop (table.grow $table (ref.null func) (i32.const 0)))";
    check(table, grow, 1_000_000);
    let elements = "(elem $elements func $ok)";
    check(elements, "(drop (ref.func $ok))", 1_000_000);
    check(elements, "(elem.drop $elements)", 2_000_000);
}

#[test]
fn names_of_functions_without_end() {
    let name = "f".repeat(1 << 20);
    let items = format!("(func ${name} (result i32) (i32.add (i32.const 1) (call ${name})))");
    let mut world = invoking(&[], &items, &format!("(call ${name})"));
    let trace = faults(&mut world, FaultKind::Stack, "recursion");
    assert_eq!(trace.len(), limits::MESSAGE_BYTES_MAX);
    assert!(trace.contains("hostile!fff"), "{trace}");
}
