//! Starting and compiling a module take a stack of their own: what comes of them does not depend on who needs the module
//! first, nor on how deep that call is.

use ordain_engine::{Catalog, Modules, Options};
use ordain_hosts::javascript::{JavaScript, clear};
use ordain_types::Outcome;
use ordain_types::module::{Package, hash};

use crate::world::{World, anew, compile};

/// Calls the method `run` of another module from within a recursion.
const DEEP: &str = r#"
import { entity } from "ordain";
const down = (cx: any, left: number): number => left > 0 ? down(cx, left - 1) : cx.call("below", "x").run();
export const above = entity({}, { deep(cx, { left }: { left: number }): number { return down(cx, left); } });
"#;

/// Needs most of the stack to start, and nearly none to run.
const STARTS_DEEP: &str = r#"
import { entity } from "ordain";
const build = (left: number): number => left > 0 ? 1 + build(left - 1) : 0;
const table = build(1400);
export const below = entity({}, { run(): number { return table; } });
"#;

/// A world of a host that has compiled nothing, as after a restart.
fn restarted(packages: &[Package]) -> World {
    let host = JavaScript::new();
    let mut catalog = Catalog::default();
    for package in packages {
        for def in host.load(hash(&package.encode()), package).unwrap() {
            catalog.add(def).unwrap();
        }
    }
    World::of(catalog, Options::default())
}

/// What a deep call comes to, and a plain one after it: in contexts that are warm, cleared away, and in new processes
/// that have compiled nothing, where the first call of the module is the deep or the plain one.
#[track_caller]
fn same_everywhere(below: &str, deep: &str) -> (Outcome, Outcome) {
    let packages = [DEEP, below].map(|text| compile(&[("a.ts", text)]).unwrap());
    let both = |world: &mut World| {
        let first = world.outcome("above/x.deep", deep);
        (first, world.outcome("below/x.run", ""))
    };
    let cold = anew(|| both(&mut restarted(&packages)));
    let warm = anew(|| {
        let mut world = restarted(&packages);
        world.value("below/x.run", "");
        both(&mut world)
    });
    assert_eq!(cold, warm);
    let cleared = anew(|| {
        let mut world = restarted(&packages);
        world.value("below/x.run", "");
        clear();
        both(&mut world)
    });
    assert_eq!(cold, cleared);
    let again = anew(|| {
        let mut world = restarted(&packages);
        both(&mut world);
        both(&mut world)
    });
    assert_eq!(cold, again);
    cold
}

fn value(json: &'static str) -> Outcome {
    Outcome::Value(json.into())
}

#[test]
fn a_module_starts_the_same_however_deep_its_first_call_is() {
    let (deep, plain) = same_everywhere(STARTS_DEEP, r#"{"left":300}"#);
    assert_eq!((deep, plain), (value("1400"), value("1400")));
}

#[test]
fn a_module_compiles_the_same_however_deep_its_first_call_is() {
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let text = format!(
        "import {{ entity }} from \"ordain\";\nconst nested: any = {nested};\nexport const below = entity({{}}, {{ run(): number \
         {{ return nested.length; }} }});"
    );
    let (deep, plain) = same_everywhere(&text, r#"{"left":1000}"#);
    assert_eq!((deep, plain), (value("1"), value("1")));
}

/// The deepest calls that there may be, each of another module that has to be compiled and started and needs most of
/// a stack for that.
#[test]
fn every_level_of_the_deepest_calls_may_start_a_module() {
    const LEVELS: usize = 60;
    let text = |at: usize| {
        let next = match at + 1 {
            LEVELS => "0".to_owned(),
            next => format!("cx.call(\"m{next}\", \"x\").run()"),
        };
        format!(
            "import {{ entity }} from \"ordain\";\nconst build = (left: number): number => left > 0 ? 1 + build(left - 1) : 1;\n\
             const one = build(1400) - 1400;\nexport const m{at} = entity({{}}, {{ run(cx: any): number {{ return one + {next}; }} }});"
        )
    };
    let packages = (0..LEVELS).map(|at| compile(&[("a.ts", &text(at))]).unwrap());
    let packages: Vec<_> = packages.collect();
    let outcomes = anew(|| {
        let mut world = restarted(&packages);
        [(); 2].map(|()| world.outcome("m0/x.run", ""))
    });
    assert_eq!(outcomes, [value("60"), value("60")]);
}
