//! What the start of an instance takes is paid by the transaction that gets it, be it new or one that waited: the
//! first run of a host, for which none waits, and all later ones come to the same, to the last of fuel and memory.

use ordain_hosts::wasm::WasmHost;
use ordain_types::{FaultKind, Outcome};

use super::component::{Kind, ROUNDS, Wat};
use super::reset::sets_back;
use super::world::{World, types};

/// From `z`, which needs one instance, to `a`, which needs 26.
const METHODS: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y", "z",
];

/// A module whose instances begin with `start`; each method does `before` and calls the next.
pub fn chain(start: &str, before: &str) -> Vec<u8> {
    links(start, before).build()
}

fn links(start: &str, before: &str) -> Wat {
    let begin = match start {
        "" => String::new(),
        start => format!("(func $begin (local $left i64) {start}) (start $begin)"),
    };
    Wat {
        methods: METHODS.map(|name| (name, Kind::Update)).into(),
        imports: r#"(import "ordain:runtime/calls@0.1.0" "call"
            (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#
            .to_owned(),
        items: format!(r#"(data (i32.const 200) "thing") (data (i32.const 210) "{{}}") {begin}"#),
        invoke: format!(
            "{before}
            (if (i32.lt_u (i32.load8_u (local.get $method)) (i32.const 122)) (then
              (i32.store8 (i32.const 220) (i32.add (i32.load8_u (local.get $method)) (i32.const 1)))
              (call $call (i32.const 200) (i32.const 5) (i32.const 220) (i32.const 1)
                (i32.const 220) (i32.const 1) (i32.const 210) (i32.const 2) (i32.const 128))))
            (call $ok (i32.const 16) (i32.const 4))"
        ),
        ..Wat::default()
    }
}

/// Runs chains of every length over and over; gives how many instances the longest had that held.
#[track_caller]
fn same_every_time(module: Vec<u8>, kind: FaultKind) -> usize {
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, module));
    let mut rounds = Vec::new();
    for _ in 0..6 {
        let run = |method: &&str| world.run("thing/x", method, "{}");
        rounds.push(METHODS.iter().rev().map(run).collect::<Vec<Outcome>>());
        host.clear(); // the first of each round finds none that waits
    }
    for round in &rounds {
        assert_eq!(round, &rounds[0]);
    }
    let is_fault =
        |outcome: &Outcome| matches!(outcome, Outcome::Fault(fault) if fault.kind == kind);
    let held = rounds[0]
        .iter()
        .position(is_fault)
        .expect("one is too long");
    assert!(rounds[0][held..].iter().all(is_fault), "{:?}", rounds[0]);
    let values = rounds[0][..held].iter();
    assert!(values.eq(vec![&Outcome::Value("null".to_owned().into()); held]));
    held
}

/// So much that a transaction has not the fuel for all 26.
fn long_start() -> String {
    format!("(local.set $left (i64.const 1600000)) {ROUNDS}")
}

#[test]
fn each_start_is_paid_with_fuel() {
    let held = same_every_time(chain(&long_start(), ""), FaultKind::Instructions);
    assert!((5..25).contains(&held), "{held}");
}

/// Else a call would be a value where earlier ones left instances, and a fault in the replay after a crash.
#[test]
fn a_start_is_paid_with_fuel_by_who_gets_an_instance_that_was_kept() {
    let reuse = Wat {
        reuse: true,
        ..links(&long_start(), "")
    };
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, reuse.build()));
    let mut run = |method: &&str| world.run("thing/x", method, "{}");
    let longer_and_longer: Vec<_> = METHODS.iter().rev().map(&mut run).collect();
    let alone = METHODS.iter().rev().map(|method| {
        host.clear();
        run(method)
    });
    assert_eq!(longer_and_longer, alone.collect::<Vec<_>>());
    let last = longer_and_longer.last();
    assert!(matches!(last, Some(Outcome::Fault(_))), "{last:?}");
}

#[test]
fn each_memory_counts() {
    let start = "(drop (memory.grow (i32.const 62)))"; // 4 MiB in all
    let grow = "(if (i32.eq (memory.grow (i32.const 192)) (i32.const -1)) (then unreachable))"; // and 12
    // Sixteen of them but for their tables, which are small.
    assert_eq!(same_every_time(chain(start, grow), FaultKind::Memory), 15);
}

/// Sixteen megabytes from the start, in instances that wait for the next transaction.
#[test]
fn each_memory_that_waited_counts() {
    let large = Wat {
        pages: 256,
        ..links("", "")
    };
    assert_eq!(same_every_time(large.build(), FaultKind::Memory), 15);
}

/// Goes round as often as its arguments say, which are `{"n":` and digits.
fn rounds() -> Vec<u8> {
    let wat = Wat {
        invoke: format!(
            "(local $left i64) (local $at i32)
            (local.set $at (i32.add (local.get $arguments) (i32.const 5)))
            (loop $digit
              (local.set $left (i64.add (i64.mul (local.get $left) (i64.const 10))
                (i64.sub (i64.load8_u (local.get $at)) (i64.const 48))))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (br_if $digit (i32.ne (i32.load8_u (local.get $at)) (i32.const 125))))
            {ROUNDS} (call $ok (i32.const 16) (i32.const 4))"
        ),
        ..Wat::default()
    };
    wat.build()
}

/// The most rounds that are not too many.
fn most_rounds(world: &mut World, before: impl Fn(&mut World)) -> u64 {
    let (mut most, mut too_many) = (1_u64, 1 << 28);
    while too_many - most > 1 {
        let middle = most.midpoint(too_many);
        before(world);
        match world.run("thing/x", "run", &format!(r#"{{"n":{middle}}}"#)) {
            Outcome::Value(_) => most = middle,
            Outcome::Fault(fault) if fault.kind == FaultKind::Instructions => too_many = middle,
            outcome => panic!("{middle}: {outcome:?}"),
        }
    }
    most
}

/// Whoever gets an instance that waited can do as much in it, to the last round, as in a new one.
#[test]
fn one_that_waited_has_as_much_fuel_as_a_new_one() {
    let sets_back = sets_back();
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, rounds()));
    let new = most_rounds(&mut world, |_| host.clear());
    let waited = most_rounds(&mut world, |world| {
        world.value("thing/x", "run", r#"{"n":1}"#);
        assert_eq!(host.waiting(), usize::from(sets_back));
    });
    assert_eq!(new, waited);
}

#[test]
fn each_table_counts() {
    // Thirty megabytes of tables in each instance.
    let module = wat::parse_str("(module (table 65536 funcref))").expect("a module");
    let module = with_instances(chain("", ""), &module, 60);
    assert_eq!(same_every_time(module, FaultKind::Memory), 8);
}

/// The same with so many instances more of a core module: sections of a component may follow at its end.
pub fn with_instances(mut component: Vec<u8>, module: &[u8], more: u8) -> Vec<u8> {
    const MODULE: u8 = 3; // after the module itself and the two that `wit-component` adds
    let len = module.len();
    let len = [len as u8 | 0x80, (len >> 7) as u8 | 0x80, (len >> 14) as u8];
    component.push(1);
    component.extend(len);
    component.extend(module);
    let instances: Vec<u8> = (0..more).flat_map(|_| [0, MODULE, 0]).collect();
    let len = instances.len() + 1;
    component.extend([2, len as u8 | 0x80, (len >> 7) as u8, more]);
    component.extend(instances);
    component
}

#[test]
fn components_of_many_modules_do_not_use_up_the_pool() {
    let host = WasmHost::new(None);
    let mut world = World::new(types(
        &host,
        with_instances(chain("", ""), b"\0asm\x01\0\0\0", 60),
    ));
    for _ in 0..20 {
        assert_eq!(world.value("thing/x", "a", "{}"), "null");
    }
    assert!(host.waiting() >= 1 || !sets_back());
    let mut other = World::new(types(&host, chain("", "")));
    assert_eq!(other.value("thing/x", "a", "{}"), "null");
}

/// No code of theirs runs, but each start writes 50,000 elements into a table, sixty times.
#[test]
fn what_a_start_writes_is_paid_with_fuel() {
    let elements = "$f ".repeat(50_000);
    let module = format!(
        "(module (table 65536 funcref) (global $at i32 (i32.const 0)) (func $f)
          (elem (global.get $at) func {elements}))"
    );
    let module = wat::parse_str(module).expect("a module");
    let module = with_instances(chain("", ""), &module, 60);
    let mut world = World::of(module);
    for _ in 0..2 {
        assert_eq!(world.value("thing/x", "y", "{}"), "null");
        world.fault("thing/x", "w", "{}", FaultKind::Instructions); // four starts
    }
}

#[test]
fn many_hosts_come_and_go() {
    for _ in 0..20 {
        let mut world = World::of(chain("", ""));
        for method in METHODS {
            assert_eq!(world.value("thing/x", method, "{}"), "null");
        }
    }
}
