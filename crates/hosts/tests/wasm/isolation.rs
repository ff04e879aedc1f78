//! What one transaction leaves in a module's memory, no other sees; unless the module asked for it.

use std::os::unix::fs::MetadataExt as _;

use ordain_engine::Modules as _;
use ordain_hosts::wasm::WasmHost;
use ordain_types::{FaultKind, Outcome};
use sha2::{Digest as _, Sha256};

use super::component::{Kind, ROUNDS, Wat};
use super::hostile::CALL;
use super::world::{World, fixture, source, types};

/// Reads before it writes: the value is the byte that it finds, a digit, and then the next digit is
/// there. On a page of its own, and in a global.
fn counter(reuse: bool) -> Wat {
    Wat {
        reuse,
        items: "(global $count (mut i32) (i32.const 0))".to_owned(),
        invoke: "(global.set $count (i32.add (global.get $count) (i32.const 1)))
            (i32.store8 (i32.const 70000) (i32.add (i32.load8_u (i32.const 70000)) (i32.const 1)))
            (i32.store8 (i32.const 100) (i32.add (i32.const 48) (i32.load8_u (i32.const 70000))))
            (i32.store8 (i32.const 101) (i32.add (i32.const 48) (global.get $count)))
            (call $ok (i32.const 100) (i32.const 2))"
            .to_owned(),
        ..Wat::default()
    }
}

#[test]
fn every_transaction_has_a_fresh_memory() {
    let mut world = World::of(counter(false).build());
    for _ in 0..500 {
        assert_eq!(world.value("thing/x", "run", "{}"), "11");
    }
}

/// Methods of one module, which differs from others by its number: `dirty` fills its memory, `look` traps if it finds
/// anything in memory that it never wrote.
fn dirty_and_look(number: usize) -> Wat {
    Wat {
        methods: vec![("dirty", Kind::Update), ("look", Kind::Update)],
        items: format!(
            "(data (i32.const 200) \"{number}\")
            (func $sum (result i32) (local $at i32) (local $sum i64)
            (local.set $at (i32.const 65536))
            (loop $next
              (local.set $sum (i64.or (local.get $sum) (i64.load (local.get $at))))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $next (i32.lt_u (local.get $at) (i32.const 1600000))))
            (i64.ne (local.get $sum) (i64.const 0)))"
        ),
        invoke: "(drop (memory.grow (i32.const 30)))
            (if (i32.eq (local.get $method_len) (i32.const 5))
              (then (memory.fill (i32.const 65536) (i32.const 255) (i32.const 1534464)))
              (else (if (call $sum) (then unreachable))))
            (call $ok (i32.const 16) (i32.const 4))"
            .to_owned(),
        ..Wat::default()
    }
}

/// The runtime gives a memory that was used to the same module again, if it can.
#[test]
fn memory_is_zero_though_a_transaction_before_used_it() {
    let mut world = World::of(dirty_and_look(0).build());
    for _ in 0..50 {
        world.value("thing/x", "dirty", "{}");
        assert_eq!(world.value("thing/x", "look", "{}"), "null");
    }
}

/// It has none left that no module used, by then: it keeps about a hundred for the modules that they are of.
#[test]
fn memory_is_zero_though_another_module_used_it_before() {
    let host = WasmHost::new(None);
    let mut worlds = Vec::new();
    for number in 0..130 {
        let mut world = World::new(types(&host, dirty_and_look(number).build()));
        assert_eq!(world.value("thing/x", "look", "{}"), "null", "{number}");
        world.value("thing/x", "dirty", "{}");
        worlds.push(world); // a module that is gone has no memory kept for it
    }
}

#[test]
fn a_module_that_asks_for_it_keeps_its_instance() {
    let mut world = World::of(counter(true).build());
    assert_eq!(world.value("thing/x", "run", "{}"), "11");
    assert_eq!(
        world.value("thing/x", "run", "{}"),
        "22",
        "the same instance"
    );
}

#[test]
fn an_instance_that_is_kept_is_of_its_own_module() {
    let host = WasmHost::new(None);
    let other = Wat {
        entity: "other",
        ..counter(true)
    };
    let both = types(&host, counter(true).build())
        .into_iter()
        .chain(types(&host, other.build()));
    let mut world = World::new(both);
    let mut called = [0; 2];
    for at in [0, 1, 1, 0, 1, 0, 0, 1] {
        called[at] += 1;
        let value = world.value(["thing/x", "other/x"][at], "run", "{}");
        assert_eq!(value, format!("{0}{0}", called[at]), "{called:?}");
    }
}

#[test]
fn running_twice_finds_what_an_instance_keeps() {
    let host = WasmHost::new(None);
    let mut world = World::with(types(&host, counter(true).build()), true);
    assert_eq!(world.value("thing/x", "run", "{}"), "11");
    // The first run is in the instance of before, the second in a new one.
    world.fault("thing/x", "run", "{}", FaultKind::Differs);
    let mut world = World::with(types(&host, counter(false).build()), true);
    for _ in 0..3 {
        assert_eq!(world.value("thing/x", "run", "{}"), "11");
    }
}

/// Goes round so often as its count says, and counts: each call takes twice the fuel of the one before.
#[test]
fn limits_are_exact_in_instances_that_are_kept() {
    let heavy = Wat {
        reuse: true,
        items: "(global $rounds (mut i64) (i64.const 8000000))".to_owned(),
        invoke: format!(
            "(local $left i64)
            (global.set $rounds (i64.mul (global.get $rounds) (i64.const 2)))
            (local.set $left (global.get $rounds))
            {ROUNDS} (call $ok (i32.const 16) (i32.const 4))"
        ),
        ..Wat::default()
    };
    let mut world = World::of(heavy.build());
    // In one instance the fourth of these would break the limit; in a new one each is as the first.
    for _ in 0..6 {
        assert_eq!(world.value("thing/x", "run", "{}"), "null");
    }
}

/// Each of `a` to `c` takes almost all that an instance may and calls the next; `d` calls `kept/x` and says whether
/// there is room for as much again.
fn tower() -> Vec<u8> {
    let wat = Wat {
        methods: ["a", "b", "c", "d"].map(|name| (name, Kind::Update)).into(),
        imports: CALL.to_owned(),
        items: r#"(data (i32.const 200) "thingxkeptrun{}")"#.to_owned(),
        invoke: "(if (result i32) (i32.lt_u (i32.load8_u (local.get $method)) (i32.const 100))
          (then
            (if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable))
            (i32.store8 (i32.const 220) (i32.add (i32.load8_u (local.get $method)) (i32.const 1)))
            (call $call (i32.const 200) (i32.const 5) (i32.const 205) (i32.const 1)
              (i32.const 220) (i32.const 1) (i32.const 213) (i32.const 2) (i32.const 128))
            (call $ok (i32.load (i32.const 132)) (i32.load (i32.const 136))))
          (else
            (call $call (i32.const 206) (i32.const 4) (i32.const 205) (i32.const 1)
              (i32.const 210) (i32.const 3) (i32.const 213) (i32.const 2) (i32.const 128))
            (i32.store8 (i32.const 230) (i32.add (i32.const 48)
              (i32.ne (memory.grow (i32.const 900)) (i32.const -1))))
            (call $ok (i32.const 230) (i32.const 1))))"
            .to_owned(),
        ..Wat::default()
    };
    wat.build()
}

/// An instance that is kept counts for the transaction with all the memory that it has of others.
#[test]
fn what_an_instance_that_is_kept_has_of_others_refuses_nothing_to_anyone() {
    let host = WasmHost::new(None);
    let kept = Wat {
        entity: "kept",
        methods: vec![("grow", Kind::Update), ("run", Kind::Update)],
        reuse: true,
        invoke: "(if (i32.eq (local.get $method_len) (i32.const 4))
              (then (drop (memory.grow (i32.const 470)))))
            (call $ok (i32.const 16) (i32.const 4))"
            .to_owned(),
        ..Wat::default()
    };
    let both = types(&host, tower())
        .into_iter()
        .chain(types(&host, kept.build()));
    let mut world = World::new(both);
    assert_eq!(world.value("thing/x", "a", "{}"), "1");
    world.value("kept/x", "grow", "{}");
    assert_eq!(
        world.value("thing/x", "a", "{}"),
        "1",
        "as in a new process"
    );
}

#[test]
fn a_trap_does_not_spoil_the_next_call() {
    let traps_once = Wat {
        reuse: true,
        items: "(global $count (mut i32) (i32.const 0))".to_owned(),
        invoke: "(global.set $count (i32.add (global.get $count) (i32.const 1)))
            (if (i32.eq (global.get $count) (i32.const 3)) (then unreachable))
            (call $ok (i32.const 16) (i32.const 4))"
            .to_owned(),
        ..Wat::default()
    };
    let mut world = World::of(traps_once.build());
    for _ in 0..7 {
        // In a new instance the count is 1, so the trap of the third decides nothing.
        assert_eq!(world.value("thing/x", "run", "{}"), "null");
    }
}

#[test]
fn machine_code_is_kept_and_made_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let code = dir.path().join("code");
    let files = || {
        std::fs::read_dir(&code)
            .expect("it is there")
            .flatten()
            .map(|file| file.path())
    };
    let run = || {
        let host = WasmHost::new(Some(code.clone()));
        let package = host
            .compile(&source(fixture("transfer")))
            .expect("it compiles");
        let mut world = World::new(
            host.load(ordain_types::module::hash(b""), &package)
                .expect("it loads"),
        );
        world.value("account/a", "deposit", r#"{"amount":1}"#)
    };
    assert_eq!(run(), "1");
    let [file] = &files().collect::<Vec<_>>()[..] else {
        panic!("one module, one file");
    };
    let written = std::fs::read(file).expect("it is readable");
    // What is written is another file, in the place of the one before.
    let which = || std::fs::metadata(file).expect("it is there").ino();
    let first = which();
    assert_eq!(run(), "1");
    assert_eq!(which(), first, "read and not made again");
    // Damaged, cut, foreign, of a runtime with other settings: each is made anew.
    let code = wasmtime::Engine::default().precompile_component(&fixture("transfer"));
    let code = code.expect("it compiles");
    let other = [b"ORDWASM1", &Sha256::digest(&code)[..], &code].concat();
    assert_eq!(other[..8], written[..8], "files begin so");
    let mut damaged = written.clone();
    damaged[written.len() / 2] ^= 1;
    for bad in [
        damaged,
        written[..written.len() - 1].to_vec(),
        Vec::new(),
        b"code".to_vec(),
        other,
    ] {
        std::fs::write(file, &bad).expect("writable");
        let before = which();
        assert_eq!(run(), "1");
        assert_ne!(which(), before, "made again");
        assert_eq!(std::fs::read(file).expect("readable"), written);
    }
    // A directory that cannot be is none.
    let host = WasmHost::new(Some(file.join("below")));
    let outcome = World::new(types(&host, fixture("transfer"))).run("account/a", "balance", "");
    assert_eq!(outcome, Outcome::Value("0".to_owned().into()));
}
