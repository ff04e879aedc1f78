//! Limits: the same run-away program is the same fault, whatever the context did before, and none ends the
//! process.

use ordain_engine::{Args, ArgumentError, Decoded, Options, Run, Tx};
use ordain_types::{FaultKind, Json, Method, Outcome, Rejection, limits};

use crate::world::{World, add_native, anew, catalog, compile, refused, shown};

const HOSTILE: &str = r#"
import { entity, query } from "ordain";
export const bad = entity({ n: 0 } as any, {
  loop() { for (;;) ; },
  caught_loop(cx) { for (;;) { try { for (;;) ; } catch { cx.state.n = 1; } finally { cx.state.n = 2; } } },
  recurse() { const f = (n: number): number => 1 + f(n + 1); return f(0); },
  caught_recursion(cx) {
    const f = (n: number): number => 1 + f(n + 1);
    try { f(0); } catch { return "caught"; }
  },
  caught_by_name(cx) {
    const f = (): number => f();
    try { f(); } catch (e) { return String(e); }
  },
  finally_return() { const f = (): number => { try { return f(); } finally { return 1; } }; return f(); },
  finally_break() { const f = (): void => { for (;;) { try { f(); } finally { break; } } }; f(); },
  finally_throw() {
    const f = (): void => { try { f(); } catch (e) { throw e; } finally { throw new Error("another"); } };
    try { f(); } catch { return "caught"; }
  },
  finally_call() {
    const fails = () => { throw new Error("another"); };
    const f = (): void => { try { f(); } finally { fails(); } };
    try { f(); } catch { return "caught"; }
  },
  finally_logged(cx) { const f = (): any => ({ toJSON: f }).toJSON(); cx.log({ toJSON: f }); return 1; },
  pattern() {
    const deep = (n: number) => new RegExp("(?:".repeat(n) + ")".repeat(n));
    try { deep(1_000_000); } catch { return "caught"; }
  },
  dropped(cx, { what }: { what: string }) {
    const deep = "(?:".repeat(1_000_000);
    const recurse = (): number => 1 + recurse();
    const ends: Record<string, () => unknown> = { recurse, made: () => new RegExp(deep), called: () => RegExp(deep), match: () => "".match(deep) };
    const values = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }), return: ends[what] }) };
    try { for (const _ of values as any) throw new Error("another"); } catch { return "caught"; }
  },
  buffer() { return new ArrayBuffer(1 << 30).byteLength; },
  caught_buffer() { try { new ArrayBuffer(1 << 30); } catch { return "caught"; } },
  text() { let s = "x"; for (;;) s += s; },
  repeat() { return "x".repeat((1 << 30) - 1).length; },
  grow() { const all: any[] = []; for (;;) all.push({ n: all.length }); },
  sparse() { return new Array(4294967295).indexOf(1); },
  like() { return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1); },
  regexp() { return /^(a+)+$/.test("a".repeat(40) + "b"); },
  json() { return JSON.parse("[".repeat(1 << 20)); },
  to_json(cx) { cx.state.it = { toJSON() { for (;;) ; } }; },
  getter(cx) { cx.state = { get n() { for (;;) ; } }; },
  deep_loop(cx, { left }: { left: number }): void { if (left === 0) for (;;) ; cx.call(bad, cx.key).deep_loop({ left: left - 1 }); },
  deep_recursion(cx, { left }: { left: number }): void {
    const f = (n: number): number => 1 + f(n + 1);
    if (left === 0) f(0);
    cx.call(bad, cx.key).deep_recursion({ left: left - 1 });
  },
  work() { let n = 0; for (let at = 0; at < 5_000_000; at++) n += at; return n; },
  hold() { const all: any[] = []; for (let at = 0; at < 300_000; at++) all.push({ n: at }); return all.length; },
  depth() { let most = 0; const f = (n: number): void => { most = n; if (n < 1200) f(n + 1); }; f(0); return most; },
  fine: query(() => "fine"),
});
"#;

fn check(method: &str, args: &str, kind: FaultKind, says: &str) {
    let run = |before: &[(&str, &str)]| {
        let mut world = World::new(HOSTILE);
        for (method, args) in before {
            world.outcome(&format!("bad/y.{method}"), args);
        }
        let fault = world.fault(&format!("bad/x.{method}"), args, kind, says);
        assert_eq!(
            world.value("bad/x.fine", ""),
            "\"fine\"",
            "it goes on after {method}"
        );
        assert_eq!(world.state("bad/x"), "", "{method} leaves no trace");
        fault
    };
    let first = anew(|| run(&[]));
    let later = anew(|| run(&[("fine", ""), ("work", ""), ("depth", "")]));
    assert_eq!(first, later, "{method}");
}

#[test]
fn a_loop_that_does_not_end_is_a_fault() {
    check("loop", "", FaultKind::Instructions, "ticks");
    check("caught_loop", "", FaultKind::Instructions, "ticks");
    check(
        "deep_loop",
        r#"{"left":20}"#,
        FaultKind::Instructions,
        "ticks",
    );
}

#[test]
fn loops_within_the_library_are_counted() {
    let mut world = World::new(HOSTILE);
    for method in ["sparse", "like", "regexp", "to_json", "getter"] {
        let what = format!("bad/x.{method}");
        world.fault(&what, "", FaultKind::Instructions, "ticks");
    }
    assert_eq!(world.value("bad/x.fine", ""), "\"fine\"");
}

/// A step of the interpreter may be a function that goes through all of a text or a list.
#[test]
fn what_built_in_functions_do_is_counted() {
    const ENDLESS: [&str; 17] = [
        r#""x".repeat(1e6)"#,
        "text.indexOf('y')",
        "text.trim()",
        "text.replace('y', 'z')",
        "text.slice(9e5).split('')",
        "text.normalize('NFD')",
        "/y/.test(text)",
        "list.includes(1)",
        "list.push(list.shift())",
        "list.fill(2)",
        "list.toSorted()",
        "[...list]",
        "JSON.stringify(list)",
        "JSON.parse(json)",
        "JSON.stringify({ list })",
        "bytes.fill(1)",
        "(() => { try { for (;;) text.repeat(2); } catch {} finally { return; } })()",
    ];
    let methods = ENDLESS.iter().enumerate();
    let methods = methods.map(|(at, what)| format!("m{at}() {{ for (;;) {what}; }},"));
    let mut world = World::new(&format!(
        "import {{ entity }} from 'ordain';\nfunction values() {{\n  const list = new Array(1e5).fill(0);\n  return {{ text: \
         'x'.repeat(1e6), list, json: JSON.stringify(list), bytes: new Uint8Array(1e6) }};\n}}\nexport const bad = entity({{}}, \
         {{ {} }});\n",
        methods
            .map(|method| method.replace(
                "{ for",
                "{ const { text, list, json, bytes } = values(); for"
            ))
            .collect::<String>()
    ));
    for at in 0..ENDLESS.len() {
        let what = format!("bad/x.m{at}");
        world.fault(
            &what,
            "",
            FaultKind::Instructions,
            "ticks in one transaction",
        );
    }
}

/// Calls a method over and over, each time from outside of JavaScript.
struct Again;

impl Run for Again {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        let canonical = Json::copy_from_slice(json);
        Ok(Decoded {
            args: Box::new(canonical.clone()),
            canonical,
        })
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        let (entity, method) = ("bad/x".parse().unwrap(), Method::new("work").unwrap());
        let times = args.downcast::<Json>().expect("they are of `decode`");
        let times: usize = serde_json::from_slice(&times).unwrap();
        (0..times).try_fold(Json::new(), |_, _| tx.call_dynamic(&entity, &method, b"{}"))
    }

    fn takes(&self, _: &Args) -> bool {
        true
    }
}

#[test]
fn the_work_of_all_calls_of_a_transaction_counts_together() {
    let outcomes = |before: &[&str]| {
        let mut catalog = catalog(&[&[("a.ts", HOSTILE)]]);
        add_native(&mut catalog, "again", Again);
        let mut world = World::of(catalog, Options::default());
        for method in before {
            world.outcome(&format!("bad/y.{method}"), "");
        }
        assert!(matches!(
            world.outcome("again/x.work", "1"),
            Outcome::Value(_)
        ));
        world.fault(
            "again/x.work",
            "3",
            FaultKind::Instructions,
            "ticks in one transaction",
        )
    };
    assert_eq!(anew(|| outcomes(&[])), anew(|| outcomes(&["work", "hold"])));
}

#[test]
fn a_recursion_that_does_not_end_is_a_fault() {
    check("recurse", "", FaultKind::Stack, "bytes of stack");
    check("caught_by_name", "", FaultKind::Stack, "bytes of stack");
    check("caught_recursion", "", FaultKind::Stack, "bytes of stack");
    check(
        "deep_recursion",
        r#"{"left":10}"#,
        FaultKind::Stack,
        "bytes of stack",
    );
    check("json", "", FaultKind::Stack, "bytes of stack");
    check("pattern", "", FaultKind::Stack, "bytes of stack");
    for left_early in ["return", "break", "throw", "call", "logged"] {
        let method = format!("finally_{left_early}");
        check(&method, "", FaultKind::Stack, "bytes of stack");
    }
}

/// An iterator that is closed because something was thrown drops what its `return` throws.
#[test]
fn a_stack_that_ends_where_its_error_is_dropped_is_a_fault() {
    for what in ["recurse", "made", "called", "match"] {
        let args = format!(r#"{{"what":"{what}"}}"#);
        check("dropped", &args, FaultKind::Stack, "bytes of stack");
    }
}

/// What asks a `catch` whether it may catch is no one's to replace.
#[test]
fn what_guards_a_catch_cannot_be_replaced() {
    refused(
        "import { entity } from \"ordain\";\nconst __ordain_caught = () => {};\nexport const a = entity({}, { run() {} });",
        "a.ts:2:7: names that begin with `__ordain_` are the host's",
    );
    refused(
        "import { entity } from \"ordain\";\nexport const a = entity({}, { run(_, __ordain_caught_it) {} });",
        "names that begin with `__ordain_` are the host's",
    );
    refused(
        "import { entity } from \"ordain\";\n(globalThis as any).__ordain_caught = () => {};\nexport const a = entity({}, { run() {} });",
        "'__ordain_caught' is read-only",
    );
}

/// A function that needs much of the stack fails where there is some left.
#[test]
fn a_recursion_of_large_functions_is_a_fault() {
    let variables: Vec<_> = (0..2_000).map(|at| format!("v{at} = n + {at}")).collect();
    let text = format!(
        r#"import {{ entity }} from "ordain";
export const large = entity({{}}, {{
  run() {{
    const f = (n: number): number => {{
      let {};
      try {{ return f(v0 + 1) + v1999; }} finally {{ return 1; }}
    }};
    return f(0);
  }},
}});"#,
        variables.join(", ")
    );
    let mut world = World::new(&text);
    world.fault("large/x.run", "", FaultKind::Stack, "bytes of stack");
}

#[test]
fn memory_past_the_limit_is_a_fault() {
    check("buffer", "", FaultKind::Memory, "bytes of memory");
    check("caught_buffer", "", FaultKind::Memory, "bytes of memory");
    check("text", "", FaultKind::Exception, "string too long");
    check("grow", "", FaultKind::Memory, "bytes of memory");
    check("repeat", "", FaultKind::Memory, "bytes of memory");
}

#[test]
fn what_stays_within_the_limits_works_whatever_ran_before() {
    let run = |before: &[&str]| {
        let mut world = World::new(HOSTILE);
        for method in before {
            world.outcome(&format!("bad/y.{method}"), "");
        }
        ["work", "hold", "depth"].map(|method| world.outcome(&format!("bad/x.{method}"), ""))
    };
    let first = anew(|| run(&[]));
    assert!(
        first
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Value(_))),
        "{first:?}"
    );
    assert_eq!(first, anew(|| run(&["hold", "grow", "recurse", "hold"])));
}

#[test]
fn contexts_of_many_modules_come_back_on_demand_in_bounded_memory() {
    anew(|| {
        let mut last = 0;
        let text = |at: usize| {
            format!(
                "import {{ entity }} from \"ordain\";\nexport const a = entity({{ n: {at} }}, {{ hit(cx) {{ return ++cx.state.n; }} }});"
            )
        };
        let mut first = World::new(&text(0));
        for at in 0..200 {
            let mut other = (at > 0).then(|| World::new(&text(at)));
            let world = other.as_mut().unwrap_or(&mut first);
            assert_eq!(world.value("a/x.hit", ""), (at + 1).to_string());
            let (contexts, bytes) = ordain_hosts::javascript::kept();
            assert_eq!(contexts, (at + 1).min(64), "those used last are kept");
            last = bytes;
        }
        assert!(last < 64 << 20, "{last} bytes");
        assert_eq!(first.value("a/x.hit", ""), "2", "its context is made again");
        assert_eq!(ordain_hosts::javascript::kept().0, 64);
        ordain_hosts::javascript::clear();
        assert_eq!(
            ordain_hosts::javascript::kept(),
            (0, 0),
            "everything is given back"
        );
    });
}

/// A context that has been used has half the stack, and may name the want of it in its own way: what it
/// comes to then counts only if a new one comes to it as well.
#[test]
fn where_the_stack_ends_is_the_same_in_every_context() {
    const WELL: &str = r#"
import { entity } from "ordain";
type Way = { levels: number; between: number };
export const well = entity({}, {
  down(cx, { levels, between }: Way) {
    return levels === 0 ? 0 : fall(cx, { levels, between }, between);
  },
});
function fall(cx, { levels, between }: Way, left: number): number {
  if (left > 0) return fall(cx, { levels, between }, left - 1);
  return 1 + cx.call("well", "a").down({ levels: levels - 1, between });
}
"#;
    let outcomes = |twice| {
        let options = Options {
            twice,
            ..Options::default()
        };
        let mut world = World::with(&[&[("a.ts", WELL)]], options);
        let between = (0..60).step_by(2);
        let args = between.map(|it| format!(r#"{{"levels":62,"between":{it}}}"#));
        args.map(|args| match world.outcome("well/a.down", &args) {
            Outcome::Value(json) => String::from_utf8(json.to_vec()).expect("text"),
            Outcome::Fault(fault) => fault.kind.code().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect::<Vec<_>>()
    };
    let once = anew(move || outcomes(false));
    let whole = once.iter().take_while(|it| *it == "62").count();
    assert!(
        once[whole..].iter().all(|it| it == "stack_exceeded"),
        "{once:?}"
    );
    assert!((1..30).contains(&whole), "{once:?}");
    assert_eq!(anew(move || outcomes(true)), once);
}

/// What nests as deep as a file has room for; most of it is no program, and all of it must be read to know.
#[test]
fn what_nests_too_deep_is_refused() {
    let brackets = "brackets are open here; divide it";
    let deep = "levels deep; divide it";
    let plain = [
        ("(", brackets),
        ("[", brackets),
        ("{", brackets),
        ("`${", brackets),
        ("1+", deep),
        ("1**", deep),
        ("x.", deep),
        ("x=", deep),
        ("x=>", deep),
        ("x?x:", deep),
        ("!", deep),
        ("- ", deep),
        ("if(1)", deep),
        ("if(1);else ", deep),
        ("for(;;)", deep),
        ("new ", deep),
        ("typeof ", deep),
        ("<x>", deep),
    ]
    .map(|(unit, says)| ("export let x: any = 0;\n", unit, "x;", says));
    // Wrong in other ways too, which are looked for at each level in all of those above.
    let looked_at_from_each = [
        ("export function* f() {", "yield ", "1; }", deep),
        ("", "x: ", ";", deep),
        ("namespace ", "x.", "x { export let y: any; }", deep),
    ];
    for (before, unit, after, says) in plain.into_iter().chain(looked_at_from_each) {
        let all = limits::SCRIPT_BYTES_MAX - 100;
        let text = format!("{before}{}{after}", unit.repeat(all / unit.len()));
        let error = compile(&[("a.ts", &text)]).unwrap_err().to_string();
        assert!(error.contains(says), "{unit}: {error}");
        assert!(error.starts_with("a.ts:"), "{unit}: {error}");
    }
    let text = "x".repeat(limits::SCRIPT_BYTES_MAX + 1);
    let error = compile(&[("a.ts", &text)]).unwrap_err().to_string();
    assert!(
        error.contains("more than the limit of 1048576; divide it"),
        "{error}"
    );
}

#[test]
fn what_nests_moderately_runs() {
    let sum = format!("1{}", "+1".repeat(5_000));
    let text = format!(
        "import {{ entity }} from \"ordain\";\nconst n = {sum};\nexport const a = entity({{}}, {{ run() {{ return n; }} }});"
    );
    let mut world = World::new(&text);
    assert_eq!(world.value("a/x.run", ""), "5001");
}

#[test]
fn a_turn_of_a_loop_is_one_step_or_two() {
    let mut world = World::new(
        r#"
import { entity } from "ordain";
const loops = {
  for: (turns: number) => { for (let at = 0; at < turns; at++); },
  while: (turns: number) => { let at = 0; while (at < turns) at++; },
  do: (turns: number) => { let at = 0; do at++; while (at < turns); },

};
export const t = entity({}, {
  run(cx, { loop, turns }: { loop: "for" | "while" | "do"; turns: number }) { loops[loop](turns); },
});
"#,
    );
    let mut run = |which: &str, turns: u64| {
        world.outcome(
            "t/a.run",
            &format!(r#"{{"loop":"{which}","turns":{turns}}}"#),
        )
    };
    let steps = limits::JAVASCRIPT_TICKS_MAX * 10_000;
    for (which, each) in [("for", 2), ("while", 2), ("do", 1)] {
        let most = steps / each;
        let works = run(which, most - most / 20);
        assert!(matches!(works, Outcome::Value(_)), "{which}: {works:?}");
        let ends = run(which, most + most / 20);
        assert!(matches!(ends, Outcome::Fault(_)), "{which}: {ends:?}");
    }
}

const SOMEWHERE: &str = r#"
import { entity } from "ordain";
const even = (n: number): boolean => n === 0 || odd(n - 1);
const odd = (n: number): boolean => n !== 0 && even(n - 1);
const more = (n: number) => n + 1;
const fill = (all: any[]) => { for (;;) all.push({ n: all.length }); };
export const far = entity({}, {
  loop() {
    const n = more(0);
    for (;;) ;
  },
  calls(cx) { return cx.call(far, "y").loop(); },
  grow() { return fill([]); },
  recurse() { const f = (n: number): number => 1 + f(n + 1); return f(0); },
  each_other() { return even(1e9); },
  parse() { return JSON.parse("[1,"); },
});
"#;

/// Where the run was when a limit ended it is told like the place of an error.
#[test]
fn a_limit_names_the_place_where_it_was_passed() {
    let mut world = World::new(SOMEWHERE);
    let mut check = |method: &str, kind, place: &str, trace: &str| {
        let fault = world.fault(&format!("far/x.{method}"), "", kind, "");
        let shown = shown(&fault);
        assert!(shown.ends_with(&format!("({place})")), "{shown}");
        assert_eq!(fault.trace, trace, "{fault}");
    };
    let within = "    at loop (a.ts:9:15)";
    check("loop", FaultKind::Instructions, "a.ts:9:15", within);
    let both = format!("{within}\n    at calls (a.ts:12:40)");
    check("calls", FaultKind::Instructions, "a.ts:9:15", &both);
    let both = "    at fill (a.ts:6:55)\n    at grow (a.ts:13:19)";
    check("grow", FaultKind::Memory, "a.ts:6:55", both);
    let once = "    at f (a.ts:14:58)";
    check("recurse", FaultKind::Stack, "a.ts:14:58", once);
    let of_the_text = "    at parse (a.ts:16:25)";
    check("parse", FaultKind::Exception, "a.ts:16:25", of_the_text);
}

/// Memory is refused while an object's properties are moved to where there is room for more: the interpreter must not
/// collect garbage then, although much was taken since it last did.
#[test]
fn objects_without_end_end_no_process() {
    let mut world = World::new(
        r#"
        import { entity } from "ordain";
        export const wide = entity({}, {
          grow(cx, { len }: { len: number }) {
            const [it, name]: [any, string] = [{}, "k".repeat(len)];
            for (let at = 0; ; at++) it[name + at] = at;
          },
          copy(cx, { len }: { len: number }) {
            const it: any = {};
            for (let at = 0; at < len; at++) it["k" + at] = at;
            for (const all: any[] = []; ; ) all.push(Object.assign({}, it));
          },
        });
        "#,
    );
    for len in [
        10, 37, 64, 100, 150, 200, 300, 500, 700, 1_000, 2_000, 3_000,
    ] {
        for method in ["grow", "copy"] {
            let args = format!(r#"{{"len":{len}}}"#);
            let outcome = world.outcome(&format!("wide/x.{method}"), &args);
            let Outcome::Fault(fault) = outcome else {
                panic!("{method} {len}: {outcome:?}");
            };
            let limits = [FaultKind::Memory, FaultKind::Instructions];
            assert!(limits.contains(&fault.kind), "{method} {len}: {fault}");
        }
    }
}

/// Calls a method from a stack that is deeper by so many frames.
struct Below;

impl Run for Below {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        Again.decode(json)
    }

    fn run(&self, tx: &mut Tx, args: Args) -> Result<Json, Rejection> {
        fn down(tx: &mut Tx, left: usize) -> Result<Json, Rejection> {
            if left > 0 {
                return std::hint::black_box(down(tx, left - 1));
            }
            let method = Method::new("each_other").unwrap();
            tx.call_dynamic(&"far/x".parse().unwrap(), &method, b"{}")
        }
        let args = args.downcast::<Json>().expect("they are of `decode`");
        down(tx, serde_json::from_slice(&args).unwrap())
    }

    fn takes(&self, _: &Args) -> bool {
        true
    }
}

/// Two functions that call each other: which of them has no stack left must not depend on what was on it before.
#[test]
fn the_place_where_the_stack_ended_is_one_wherever_it_began() {
    let mut catalog = catalog(&[&[("a.ts", SOMEWHERE)]]);
    add_native(&mut catalog, "below", Below);
    let mut world = World::of(catalog, Options::default());
    let mut fault = |at: usize| {
        let fault = world.fault("below/x.work", &at.to_string(), FaultKind::Stack, "a.ts:");
        (fault.message, fault.trace)
    };
    let first = fault(0);
    for at in 1..40 {
        assert_eq!(fault(at), first, "{at} frames deeper");
    }
}
