//! An instance that served a transaction is set back, and cannot be told from a new one by whoever looks at all of it;
//! what cannot be set back is let go.

use ordain_hosts::wasm::WasmHost;
use ordain_types::{FaultKind, Outcome};

use super::component::{Kind, Wat};
use super::hostile::CALL;
use super::starts::with_instances;
use super::world::{World, fixture, types};

/// Whether the system tells which pages were written, without which nothing is set back.
pub fn sets_back() -> bool {
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, Wat::default().build()));
    world.value("thing/x", "run", "{}");
    let waiting = host.waiting();
    if waiting == 0 {
        eprintln!("this system does not tell which pages were written");
        assert!(!is_to_tell(), "and it should");
    }
    waiting > 0
}

/// Whether it is a Linux that tells: 6.7, or later.
fn is_to_tell() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>());
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return false;
    };
    (major, minor) >= (6, 7)
}

/// Globals of every type, data in the middle and at the end of memory, and a table.
const ITEMS: &str = r#"
    (global $word (mut i32) (i32.const 5))
    (global $long (mut i64) (i64.const -3))
    (global $single (mut f32) (f32.const 0.5))
    (global $double (mut f64) (f64.const -0.25))
    (global $vector (mut v128) (v128.const i64x2 7 -7))
    (global $which (mut funcref) (ref.func $ok))
    (global $fixed i32 (i32.const 11))
    (table $table 3 funcref)
    (elem (table $table) (i32.const 1) func $ok)
    (data (i32.const 70000) "in the middle")
    (data (i32.const 131060) "at the end")
    (func $mix (param $sum i64) (param $more i64) (result i64)
      (i64.mul (i64.xor (local.get $sum) (local.get $more)) (i64.const 0x100000001b3)))
    (func $memory (result i64) (local $at i32) (local $sum i64)
      (loop $next
        (local.set $sum (call $mix (local.get $sum) (i64.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
      (local.get $sum))
    (func $globals (result i64) (local $sum i64)
      (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_u (global.get $word))))
      (local.set $sum (call $mix (local.get $sum) (global.get $long)))
      (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_u (i32.reinterpret_f32 (global.get $single)))))
      (local.set $sum (call $mix (local.get $sum) (i64.reinterpret_f64 (global.get $double))))
      (local.set $sum (call $mix (local.get $sum) (i64x2.extract_lane 0 (global.get $vector))))
      (local.set $sum (call $mix (local.get $sum) (i64x2.extract_lane 1 (global.get $vector))))
      (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_u (ref.is_null (global.get $which)))))
      (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_u (global.get $next))))
      (local.set $sum (call $mix (local.get $sum) (i64.extend_i32_u (ref.is_null (table.get $table (i32.const 1))))))
      (local.get $sum))
    (func $parts (result i64) (local $sum i64)
      (local.set $sum (call $mix (local.get $sum) (i64.load (i32.const 0))))
      (local.set $sum (call $mix (local.get $sum) (i64.load (i32.const 4092))))
      (local.set $sum (call $mix (local.get $sum) (i64.load (i32.const 70000))))
      (local.set $sum (call $mix (local.get $sum) (i64.load (i32.const 131064))))
      (call $mix (local.get $sum) (call $globals)))
    (func $show (param $sum i64) (result i32) (local $at i32)
      (local.set $at (i32.const 300))
      (loop $digit
        (i64.store8 (local.get $at) (i64.add (i64.const 49) (i64.and (local.get $sum) (i64.const 7))))
        (local.set $sum (i64.shr_u (local.get $sum) (i64.const 3)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $digit (i32.lt_u (local.get $at) (i32.const 314))))
      (call $ok (i32.const 300) (i32.const 14)))
    (func $change
      (global.set $word (i32.const 1)) (global.set $long (i64.const 1)) (global.set $single (f32.const 1))
      (global.set $double (f64.const 1)) (global.set $vector (v128.const i64x2 1 1))
      (global.set $which (ref.null func)))
    (func $null (result i32)
      (i32.store (i32.const 16) (i32.const 0x6c6c756e))
      (call $ok (i32.const 16) (i32.const 4)))
"#;

/// By the first letter of the method: look, parts, globals, all, some, zeros, more, break.
const INVOKE: &str = r#"(local $letter i32)
    (local.set $letter (i32.load8_u (local.get $method)))
    (if (i32.eq (local.get $letter) (i32.const 112)) (then (return (call $show (call $parts)))))
    (if (i32.eq (local.get $letter) (i32.const 108)) (then
      (return (call $show (call $mix (call $globals) (call $memory))))))
    (if (i32.eq (local.get $letter) (i32.const 103)) (then (call $change)))
    (if (i32.eq (local.get $letter) (i32.const 97)) (then
      (call $change)
      (memory.fill (i32.const 0) (i32.const 255) (i32.mul (memory.size) (i32.const 65536)))))
    (if (i32.eq (local.get $letter) (i32.const 115)) (then
      (i64.store (i32.const 0) (i64.const -1))
      (i32.store8 (i32.const 4095) (i32.const 1))
      (i32.store8 (i32.const 4096) (i32.const 1))
      (i32.store8 (i32.const 70003) (i32.const 1))
      (i32.store8 (i32.const 131071) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 122)) (then
      (memory.fill (i32.const 65536) (i32.const 0) (i32.const 65536))))
    (if (i32.eq (local.get $letter) (i32.const 109)) (then
      (drop (memory.grow (i32.const 1)))
      (i32.store (i32.const 131072) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 98)) (then
      (call $change)
      (memory.fill (i32.const 0) (i32.const 255) (i32.const 131072))
      unreachable))
    (call $null)"#;

fn changeable() -> Wat {
    let methods = [
        "look", "parts", "globals", "all", "some", "zeros", "more", "break",
    ];
    Wat {
        methods: methods.map(|name| (name, Kind::Update)).into(),
        items: ITEMS.to_owned(),
        invoke: INVOKE.to_owned(),
        ..Wat::default()
    }
}

fn look(world: &mut World) -> String {
    world.value("thing/x", "look", "{}")
}

#[test]
fn one_that_was_set_back_cannot_be_told_from_a_new_one() {
    let sets_back = sets_back();
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, changeable().build()));
    let new = look(&mut world);
    for method in [
        "look", "globals", "all", "some", "zeros", "all", "globals", "zeros",
    ] {
        world.value("thing/x", method, "{}");
        assert_eq!(host.waiting(), usize::from(sets_back), "{method}");
        assert_eq!(look(&mut world), new, "{method}");
    }
    host.clear();
    assert_eq!(look(&mut world), new);
}

#[test]
fn one_whose_memory_grew_or_that_broke_is_let_go() {
    let sets_back = sets_back();
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, changeable().build()));
    let new = look(&mut world);
    for _ in 0..3 {
        assert_eq!(host.waiting(), usize::from(sets_back));
        world.value("thing/x", "more", "{}");
        assert_eq!(host.waiting(), 0);
        assert_eq!(look(&mut world), new);
        world.fault("thing/x", "break", "{}", FaultKind::Trap);
        assert_eq!(host.waiting(), 0);
        assert_eq!(look(&mut world), new);
    }
}

/// Pages are set back up to a number; beyond it, one begins anew.
#[test]
fn one_that_wrote_very_much_is_let_go() {
    let host = WasmHost::new(None);
    let large = Wat {
        pages: 40,
        ..changeable()
    };
    let mut world = World::new(types(&host, large.build()));
    let new = look(&mut world);
    world.value("thing/x", "some", "{}");
    assert_eq!(host.waiting(), usize::from(sets_back()));
    world.value("thing/x", "all", "{}");
    assert_eq!(host.waiting(), 0);
    assert_eq!(look(&mut world), new);
}

/// More than may cross at once, and as much as may wait.
#[test]
fn those_with_large_memories_are_set_back() {
    let sets_back = sets_back();
    for (pages, waits) in [
        (128, true),
        (129, true),
        (511, true),
        (512, false),
        (1024, false),
    ] {
        let host = WasmHost::new(None);
        let large = Wat {
            pages,
            ..changeable()
        };
        let mut world = World::new(types(&host, large.build()));
        let new = world.value("thing/x", "parts", "{}");
        for _ in 0..3 {
            world.value("thing/x", "some", "{}");
            assert_eq!(host.waiting(), usize::from(sets_back && waits), "{pages}");
            assert_eq!(world.value("thing/x", "parts", "{}"), new, "{pages}");
        }
    }
}

#[test]
fn a_large_one_is_refused_its_fuel() {
    let endless = Wat {
        pages: 200,
        invoke: "(loop $again (br $again)) unreachable".to_owned(),
        ..Wat::default()
    };
    let mut world = World::of(endless.build());
    world.fault("thing/x", "run", "{}", FaultKind::Instructions);
}

/// So many parts of a new memory are written that it cannot be set back; it is as the file says all the same.
#[test]
fn those_that_cannot_be_set_back_are_as_the_file_says() {
    let part = |at: u32| {
        let at = 65536 + 8192 * at;
        format!(r#"(data (i32.add (i32.const 0) (i32.const {at})) "x")"#)
    };
    let parts = Wat {
        pages: 40,
        items: (0..70).map(part).collect(),
        invoke: "(if (i64.ne (i64.load (i32.const 0)) (i64.const 0)) (then unreachable))
            (i64.store (i32.const 0) (i64.const 7))
            (call $ok (i32.const 16) (i32.const 4))"
            .to_owned(),
        ..Wat::default()
    };
    let far_apart = Wat {
        pages: 200,
        items: r#"(data (i32.const 8) "x") (data (i32.const 13000000) "x")"#.to_owned(),
        ..parts.clone()
    };
    are_new_each_time("parts", &parts);
    are_new_each_time("far apart", &far_apart);
}

/// Each page for itself, so that there are many regions.
#[test]
fn scattered_pages_are_all_found() {
    let sets_back = sets_back();
    let scattered = |pages: u32, every: u32| Wat {
        pages,
        invoke: format!(
            "(local $at i32)
            (if (i32.ne (local.get $method_len) (i32.const 4)) (then
              (loop $next
                (i32.store8 (local.get $at) (i32.const 9))
                (local.set $at (i32.add (local.get $at) (i32.const {})))
                (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
              (return (call $null))))
            (call $show (call $memory))",
            every * 4096
        ),
        ..changeable()
    };
    for (pages, every, waits) in [(3, 2, true), (3, 5, true), (40, 2, false), (40, 16, true)] {
        let host = WasmHost::new(None);
        let mut world = World::new(types(&host, scattered(pages, every).build()));
        let new = look(&mut world);
        for _ in 0..3 {
            world.value("thing/x", "globals", "{}");
            let expected = usize::from(waits && sets_back);
            assert_eq!(host.waiting(), expected, "{pages} {every}");
            assert_eq!(look(&mut world), new, "{pages} {every}");
        }
    }
}

/// What a transaction leaves may be in instances further down too, and in both hands of a rejection.
#[test]
fn each_of_a_transactions_instances_is_set_back() {
    if !sets_back() {
        return;
    }
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, super::starts::chain("", "")));
    world.value("thing/x", "u", "{}");
    assert_eq!(host.waiting(), 6);
    world.value("thing/x", "z", "{}");
    assert_eq!(host.waiting(), 6);
    let mut world = World::new(types(&host, fixture("transfer")));
    for _ in 0..10 {
        let outcome = world.run("account/a", "transfer", r#"{"to":"b","amount":5}"#);
        assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
    }
    assert_eq!(host.waiting(), 7);
}

/// A component whose code changes what cannot be set back.
#[track_caller]
fn is_new_each_time(what: &str, items: &str, invoke: &str) {
    let module = Wat {
        items: items.to_owned(),
        invoke: format!("{invoke} (call $ok (i32.const 16) (i32.const 4))"),
        ..Wat::default()
    };
    are_new_each_time(what, &module);
}

/// Its instances serve one transaction each, and find themselves as the file says.
#[track_caller]
fn are_new_each_time(what: &str, module: &Wat) {
    let host = WasmHost::new(None);
    let mut world = World::new(types(&host, module.build()));
    for _ in 0..5 {
        assert_eq!(world.value("thing/x", "run", "{}"), "null", "{what}");
        assert_eq!(host.waiting(), 0, "{what}");
    }
}

#[test]
fn what_cannot_be_set_back_is_new_each_time() {
    let table = "(table $t 2 9 funcref) (func $f) (elem $e func $f)";
    let null_at_0 = "(if (i32.eqz (ref.is_null (table.get $t (i32.const 0)))) (then unreachable))";
    for (what, changes) in [
        ("set", "(table.set $t (i32.const 0) (ref.func $f))"),
        (
            "fill",
            "(table.fill $t (i32.const 0) (ref.func $f) (i32.const 2))",
        ),
        (
            "init",
            "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))",
        ),
    ] {
        is_new_each_time(what, table, &format!("{null_at_0} {changes}"));
    }
    let first = "(elem (table $t) (i32.const 1) func $f)";
    let copies = "(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 1))";
    is_new_each_time(
        "copy",
        &format!("{table} {first}"),
        &format!("{null_at_0} {copies}"),
    );
    let grows = "(if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const 2)) (then unreachable))";
    is_new_each_time("grow", table, grows);
    let drops = "(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)) (elem.drop $e)";
    is_new_each_time("elements", table, drops);
    let drops = "(memory.init $d (i32.const 900) (i32.const 0) (i32.const 1)) (data.drop $d)";
    is_new_each_time("data", r#"(data $d "x")"#, drops);
    let begins = "(global $begun (mut i32) (i32.const 0)) (func $begin (global.set $begun (i32.const 1))) (start $begin)";
    let once = "(if (i32.ne (global.get $begun) (i32.const 1)) (then unreachable)) (global.set $begun (i32.const 2))";
    is_new_each_time("start", begins, once);
}

/// Core modules beside the one with the memory, with globals and without anything.
#[test]
fn components_of_several_modules_are_set_back() {
    let sets_back = sets_back();
    for module in [
        "(module)",
        "(module (global (mut i32) (i32.const 3)))",
        r#"(module (func) (global (export "g") (mut i64) (i64.const 3)) (func (export "f")))"#,
    ] {
        let host = WasmHost::new(None);
        let module = wat::parse_str(module).expect("a module");
        let calling = Wat {
            imports: CALL.to_owned(),
            ..changeable()
        };
        let all = with_instances(calling.build(), &module, 3);
        let mut world = World::new(types(&host, all));
        let new = look(&mut world);
        world.value("thing/x", "all", "{}");
        assert_eq!(host.waiting(), usize::from(sets_back));
        assert_eq!(look(&mut world), new);
    }
}

/// What toolchains make is set back, all of it.
#[test]
fn the_committed_modules_are_set_back() {
    if !sets_back() {
        return;
    }
    let all = [
        "transfer",
        "smallbank",
        "marketplace",
        "movie",
        "retwis",
        "travel",
        "person",
    ];
    for name in all {
        let host = WasmHost::new(None);
        let types = types(&host, fixture(name));
        let without_arguments = types.iter().find_map(|ty| {
            let method = ty.methods.iter().find(|method| method.params.is_empty())?;
            Some((format!("{}/x", ty.name), method.name.clone()))
        });
        let (entity, method) = without_arguments.expect("there is one");
        let mut world = World::new(types);
        let outcome = world.run(&entity, method.as_str(), "{}");
        assert_eq!(host.waiting(), 1, "{name}: {entity} {method}: {outcome:?}");
    }
}
