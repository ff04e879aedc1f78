//! Memory that is refused at each place in turn: no program ends the process, and what comes of the call and of the
//! next is right. Each search runs in a process of its own, so that one that ends names the program and the place.
//!
//! What is tried is what a [meter](../../src/javascript/meter.rs) does, in small. Its large block (of a mebibyte) is one of
//! 256 bytes here, unless the interpreter means to make small ones of it; where it refuses any, it has let through sixteen
//! mebibytes of smaller ones since the limit was passed, sixteen blocks at least.

use std::io::Write;
use std::process::Command;

use ordain_hosts::javascript::{clear, kept};
use ordain_types::planted::{Scarcity, make_scarce};
use ordain_types::{FaultKind, Outcome};

use crate::world::{World, anew};

const PROGRAMS: &str = include_str!("refused.ts");
/// Set for the process that searches: `some` places of each program, or `all`.
const SEARCH: &str = "ORDAIN_REFUSED";
/// Places of one program that are tried in each test run.
const SOME: usize = 4;

/// Programs that come to no value begin so.
const FAIL: [&str; 3] = ["reject", "throw", "no_"];

/// What the interpreter makes small blocks of: 4 KiB, less what is left of dividing them by 512 or less.
const CHUNKS: (usize, usize) = (4_096 - 512, 4_096);

/// A large block is refused, and those after it are not.
const LARGE: Scarcity = Scarcity {
    bytes: 256,
    but: CHUNKS,
    nth: 1,
    scarce: 0,
    gone: 1,
};

/// From one on, all that are not small are, as when the work is used up.
const WORK: Scarcity = Scarcity {
    gone: usize::MAX,
    ..LARGE
};

/// A block of any size passes the limit, and soon all are refused.
const BEYOND: Scarcity = Scarcity {
    bytes: 0,
    but: (0, 0),
    nth: 1,
    scarce: 16,
    gone: usize::MAX,
};

/// Runs `search` in a process of its own, as the test `name` of this file.
#[allow(
    clippy::disallowed_methods,
    reason = "what ends a process is to end another"
)]
fn apart(name: &str, search: impl FnOnce(bool)) {
    let wanted = std::env::var(SEARCH).unwrap_or_default();
    if wanted.ends_with('!') {
        return search(wanted == "all!");
    }
    let all = if wanted == "all" { "all!" } else { "some!" };
    let tests = std::env::current_exe().expect("a program runs");
    let run = Command::new(tests)
        .args(["--exact", &format!("refused::{name}"), "--nocapture"])
        .env(SEARCH, all)
        .output()
        .expect("it runs again");
    let says = String::from_utf8_lossy(&run.stdout);
    let place = says.lines().rfind(|line| line.starts_with("at "));
    assert!(
        run.status.success() && says.contains("1 passed"),
        "{}, {}\n{}",
        run.status,
        place.unwrap_or("before all"),
        String::from_utf8_lossy(&run.stderr)
    );
}

/// Says where the search is, in case it ends here.
fn at(place: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "at {place}")
        .and_then(|()| out.flush())
        .unwrap();
}

/// The places to try, given how many there are.
fn places(count: usize, some: usize, all: bool) -> impl Iterator<Item = usize> {
    let step = if all { 1 } else { count.div_ceil(some).max(1) };
    (1..=count).step_by(step)
}

struct Programs {
    world: World,
    names: Vec<String>,
    calls: usize,
}

impl Programs {
    fn new() -> Self {
        let mut world = World::new(PROGRAMS);
        let names = serde_json::from_str(&world.value("it/x.names", "")).unwrap();
        Self {
            world,
            names,
            calls: 0,
        }
    }

    /// What comes of a program, with the state that it leaves: on an entity that nobody has called.
    fn run(&mut self, name: &str, held: usize) -> (Outcome, String) {
        self.calls += 1;
        let entity = format!("it/x{}", self.calls);
        let args = format!(r#"{{"name":"{name}","held":{held}}}"#);
        let mut outcome = self.world.outcome(&format!("{entity}.run"), &args);
        if let Outcome::Fault(fault) = &mut outcome {
            fault.at.clear();
        }
        (outcome, self.world.state(&entity))
    }

    /// Everything is given back at the end, what the interpreter forgot too.
    fn end(self) {
        drop(self);
        clear();
        assert_eq!(kept(), (0, 0));
    }

    /// The same with memory scarce in so many of its runs, and how many blocks met that.
    fn run_scarce(
        &mut self,
        scarcity: Scarcity,
        runs: usize,
        name: &str,
        held: usize,
    ) -> ((Outcome, String), usize) {
        make_scarce(scarcity, runs, || self.run(name, held))
    }
}

/// Whether a call ended in a fault that says so, and left nothing.
fn is_memory((outcome, state): &(Outcome, String)) -> bool {
    let says = matches!(outcome, Outcome::Fault(fault) if fault.kind == FaultKind::Memory);
    says && state.is_empty()
}

/// What counts the same blocks and refuses none.
fn never(scarcity: Scarcity) -> Scarcity {
    Scarcity {
        scarce: 0,
        gone: 0,
        ..scarcity
    }
}

/// Refuses each block of each program, in the run that does not count, which then is of no account, and in both.
fn programs(scarcity: Scarcity, all: bool) {
    let (mut programs, mut faults) = (Programs::new(), 0);
    for name in programs.names.clone() {
        for held in (0..if all { 80 } else { 1 }).step_by(20) {
            let right = programs.run(&name, held);
            let fails = FAIL.iter().any(|it| name.starts_with(it));
            let comes = matches!(right.0, Outcome::Value(_));
            assert_eq!(comes, !fails, "{name}: {right:?}");
            let (_, count) = programs.run_scarce(never(scarcity), 1, &name, held);
            for nth in places(count, SOME, all) {
                at(&format!("{name} {held} {nth}"));
                let scarcity = Scarcity { nth, ..scarcity };
                let (ended, _) = programs.run_scarce(scarcity, 1, &name, held);
                assert_eq!(ended, right, "{name} {held} {nth}");
                assert_eq!(programs.run(&name, held), right, "{name} {held} {nth}");
                let (ended, _) = programs.run_scarce(scarcity, 2, &name, held);
                faults += usize::from(is_memory(&ended));
                // A program may take fewer blocks where it ran before.
                assert!(
                    is_memory(&ended) || ended == right,
                    "{name} {held} {nth}: {ended:?}"
                );
                assert_eq!(programs.run(&name, held), right, "{name} {held} {nth}");
            }
        }
    }
    assert!(faults > programs.names.len(), "{faults}");
    programs.end();
}

/// Refuses each block of a start, in the same ways.
fn starts(scarcity: Scarcity, all: bool) {
    let (mut programs, mut faults) = (Programs::new(), 0);
    let right = programs.run("state", 0);
    clear();
    let (_, count) = programs.run_scarce(never(scarcity), 2, "state", 0);
    for nth in places(count, 10 * SOME, all) {
        at(&format!("the start {nth}"));
        let scarcity = Scarcity { nth, ..scarcity };
        for runs in [2, 4] {
            clear();
            let (ended, _) = programs.run_scarce(scarcity, runs, "state", 0);
            faults += usize::from(is_memory(&ended));
            assert!(is_memory(&ended) || ended == right, "{nth}: {ended:?}");
            assert_eq!(programs.run("state", 0), right, "{nth}");
        }
    }
    assert!(faults > SOME, "{faults}");
    programs.end();
}

#[test]
fn a_large_block_is_refused_anywhere() {
    apart("a_large_block_is_refused_anywhere", |all| {
        programs(LARGE, all);
        starts(LARGE, all);
    });
}

#[test]
fn all_but_small_blocks_are_refused_from_anywhere_on() {
    apart("all_but_small_blocks_are_refused_from_anywhere_on", |all| {
        programs(WORK, all);
        starts(WORK, all);
    });
}

#[test]
fn all_blocks_are_refused_soon_after_anywhere() {
    apart("all_blocks_are_refused_soon_after_anywhere", |all| {
        programs(BEYOND, all);
        starts(BEYOND, all);
    });
}

/// Work that is used up within the interpreter's regular expressions: where they find no memory, they go on without an end.
#[test]
fn patterns_without_end_end_no_process() {
    const PATTERNS: [&str; 4] = [
        r"\\p{Script=Unknown}",
        r"\\p{scx=Zzzz}",
        r"[\\p{L}\\p{scx=Zzzz}]",
        r"[\\p{RGI_Emoji}\\p{L}]",
    ];
    let methods = PATTERNS.iter().enumerate().flat_map(|(at, pattern)| {
        let flag = if pattern.contains("Emoji") { 'v' } else { 'u' };
        [2, 3, 5].map(|times| {
            let text = pattern.repeat(times);
            format!("m{at}_{times}() {{ for (;;) new RegExp(\"{text}\", \"{flag}\"); }},\n")
        })
    });
    let methods: String = methods.collect();
    let mut world = World::new(&format!(
        "import {{ entity }} from 'ordain';\nexport const bad = entity({{}}, {{ {methods} }});\n"
    ));
    for at in 0..PATTERNS.len() {
        for times in [2, 3, 5] {
            let what = format!("bad/x.m{at}_{times}");
            world.fault(&what, "", FaultKind::Instructions, "ticks");
        }
    }
}

/// What the interpreter forgets where it is refused memory is given back all the same.
#[test]
fn what_is_forgotten_is_given_back() {
    let faults = anew(|| {
        let mut world = World::new(
            r#"
            import { entity } from "ordain";
            export const full = entity({}, {
              nearly(cx, { held }: { held: number }) {
                const [all, text]: [any[], string] = [[], "\ufb03".repeat(6e5)];
                for (let at = 0; at < held; at++) all.push(new Uint8Array(9e5));
                return text.normalize("NFKD").length;
              },
            });
            "#,
        );
        let faults = (55..75).filter(|held| {
            let args = format!(r#"{{"held":{held}}}"#);
            match world.outcome("full/x.nearly", &args) {
                Outcome::Value(_) => false,
                Outcome::Fault(fault) if fault.kind == FaultKind::Memory => true,
                other => panic!("{held}: {other:?}"),
            }
        });
        let faults = faults.count();
        clear();
        assert_eq!(kept(), (0, 0));
        faults
    });
    assert!(faults > 5, "{faults}");
}
