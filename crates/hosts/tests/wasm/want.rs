//! What the machine refuses is no outcome: the same call may go well in a replay.

use std::process::Command;

use ordain_engine::Halt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::component::{Kind, Wat};
use super::hostile::CALL;
use super::world::World;

/// Says in a process that it is the one from which memory is taken away.
const LITTLE: &str = "ORDAIN_TEST_LITTLE_MEMORY";
/// Bytes that it may have more than it has: half of what an instance takes.
const MORE: u64 = 32 << 20;

/// Takes almost all that an instance may, and says whether it got it; so does whom `deep` calls, and so on.
fn large() -> Vec<u8> {
    let wat = Wat {
        methods: vec![("deep", Kind::Update), ("run", Kind::Update)],
        imports: CALL.to_owned(),
        items: r#"(data (i32.const 200) "thingxdeep{}")"#.to_owned(),
        invoke: "(i32.store8 (i32.const 230) (i32.add (i32.const 48)
              (i32.ne (memory.grow (i32.const 1000)) (i32.const -1))))
            (if (i32.eq (local.get $method_len) (i32.const 4)) (then
              (call $call (i32.const 200) (i32.const 5) (i32.const 205) (i32.const 1)
                (i32.const 206) (i32.const 4) (i32.const 210) (i32.const 2) (i32.const 128))))
            (call $ok (i32.const 230) (i32.const 1))"
            .to_owned(),
        ..Wat::default()
    };
    wat.build()
}

/// Leaves the process little more memory for data than it has.
fn take_memory_away() {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let data = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kib = data.and_then(|data| data.trim().strip_suffix(" kB"));
    let kib: u64 = kib.expect("it is said").parse().expect("a number");
    let limit = Rlimit {
        current: Some((kib << 10) + MORE),
        ..getrlimit(Resource::Data)
    };
    setrlimit(Resource::Data, limit).expect("less is allowed");
}

fn with_little_memory() {
    let mut world = World::of(large());
    assert_eq!(world.value("thing/x", "run", "{}"), "1");
    take_memory_away();
    let halted = world.try_run("thing/x", "deep", "{}").expect_err("no room");
    assert!(matches!(halted, Halt::Machine(_)), "{halted}");
}

#[test]
fn what_the_machine_refuses_is_no_outcome() {
    if std::env::var_os(LITTLE).is_some() {
        return with_little_memory();
    }
    let ended = Command::new(std::env::current_exe().expect("this program's path"))
        .args(["--exact", "want::what_the_machine_refuses_is_no_outcome"])
        .env(LITTLE, "1")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
