//! A module keeps nothing between calls: what its top level reaches is frozen, the library too, and what
//! would change all the same is refused.

use ordain_types::FaultKind;

use crate::world::{World, anew, compile, refused, shown};

/// A module whose one method does something to what the module keeps.
pub fn module(kept: &str, does: &str) -> String {
    format!(
        "import {{ entity }} from \"ordain\";\n{kept}\nexport const a = entity({{}} as any, {{\n  run(cx) {{\n    {does}\n  }},\n}});\n"
    )
}

#[track_caller]
pub fn fault(kept: &str, does: &str) {
    let mut world = World::new(&module(kept, does));
    let fault = world.fault(
        "a/x.run",
        "",
        FaultKind::ModuleState,
        "entity state lives in `cx.state`",
    );
    let shown = shown(&fault);
    assert!(shown.contains("(a.ts:5:"), "{shown}");
}

#[track_caller]
pub fn value(kept: &str, does: &str, expected: &str) {
    let mut world = World::new(&module(kept, does));
    for _ in 0..2 {
        assert_eq!(world.value("a/x.run", ""), expected, "{kept} {does}");
    }
}

#[test]
fn what_the_top_level_reaches_is_frozen() {
    fault("const c = { n: 0 };", "c.n++;");
    fault("const c: any = {};", "c.n = 1;");
    fault("const c: any = { deep: [{ n: 0 }] };", "c.deep[0].n = 1;");
    fault("const c: number[] = [];", "c.push(1);");
    fault("const c = new Map([[1, { n: 0 }]]);", "c.set(2, { n: 0 });");
    fault("const c = new Map([[1, { n: 0 }]]);", "c.get(1)!.n = 1;");
    fault("const c = new Set([1]);", "c.add(2);");
    fault("const c = new Date(0);", "c.setFullYear(2000);");
    fault("const c = new Map();", "Map.prototype.set.call(c, 1, 1);");
    fault(
        "const c = new Map();",
        "const { set } = new Map(); set.call(c, 1, 1);",
    );
    fault("const c = new Set([1]);", "new Set().clear.apply(c);");
    fault(
        "const c = new Date(0);",
        "Date.prototype.setTime.call(c, 1);",
    );
    fault("const c = Object.freeze(new Map());", "c.set(1, 1);");
    fault(
        "const c = Object.setPrototypeOf(new Map(), null);",
        "Map.prototype.set.call(c, 1, 1);",
    );
    fault(
        "class M extends Map { *[Symbol.iterator](): any {} } const c = new M([[1, { n: 0 }]]);",
        "c.get(1).n = 1;",
    );
    fault(
        "const c = new Set([[1]]);",
        "for (const it of c) it.push(2);",
    );
    fault("const c = /x/g;", "c.exec(\"xx\");");
    fault("const c = /x/;", "c.lastIndex = 1;");
    fault("function f() {}", "(f as any).n = 1;");
    fault("class C { static n = 0; }", "C.n++;");
    fault(
        "class C { n = 0; }\nconst c = new C();"
            .replace('\n', " ")
            .as_str(),
        "c.n++;",
    );
    fault(
        "const sym = Symbol(); const c: any = { [sym]: { n: 0 } };",
        "c[sym].n = 1;",
    );
    fault(
        "const c: any = { get it() { return this.hidden; }, hidden: { n: 0 } };",
        "c.it.n = 1;",
    );
}

/// Expects that an object which only a closure reaches does not count from call to call: it would in `f`.
#[track_caller]
fn held(kept: &str) {
    let touch = "function touch(it: any): number { return it.n = (it.n ?? 0) + 1; }";
    let mut world = World::new(&module(&format!("{touch} {kept}"), "return (f as any)();"));
    let says = "entity state lives in `cx.state`";
    world.fault("a/x.run", "", FaultKind::ModuleState, says);
}

#[test]
fn what_closures_hold_is_frozen() {
    held("const f = (() => { const o = {}; return () => touch(o); })();");
    held("const f = (() => { const o = new Map(); return () => o.set(1, 1); })();");
    held("const f = (() => { const o: any = {}; return () => o[cx] ??= 1; })(); const cx = 1;");
    held("const f = (() => { const o = { deep: [{}] }; return () => touch(o.deep[0]); })();");
    held("const make = (o: any) => () => touch(o); const f = make({});");
    held("const make = (o: any, g = () => touch(o)) => g; const f = make({});");
    held("const make = ({ o }: any) => () => touch(o); const f = make({ o: {} });");
    held("const make = (...o: any[]) => () => touch(o[0]); const f = make({});");
    held("function make(o: any) { \"use strict\"; return () => touch(o); } const f = make({});");
    held("const f = function () { const o = {}; return function () { return touch(o); }; }();");
    held("const f = (function self() { return () => touch(self); })();");
    held("let f: any; { const o = {}; f = () => touch(o); }");
    held("let f: any; for (const o of [{}]) f = () => touch(o);");
    held("let f: any; for (const o of [{}]) { f = () => touch(o); }");
    held("let f: any; for (const k in { a: 1 }) { const o = { k }; f = () => touch(o); }");
    held("let f: any; for (let o = {}, i = 0; i < 1; i++) f = () => touch(o);");
    held("let f: any; for (const a of [1]) for (const o of [{ a }]) f = () => touch(o)\n");
    held(
        "let f: any; switch (1 as number) { case 0: f = 1; case 1: let o = {}; f = () => touch(o); }",
    );
    held("let f: any; try { throw {}; } catch (o) { f = () => touch(o); }");
    held("let f: any; try { throw {}; } catch (o) { f = () => touch(o); } finally { touch({}); }");
    held(
        "const gs: any = { *g() { const o = {}; yield () => touch(o); } }; const f = [...gs.g()][0];",
    );
    held(
        "const list = [1].map((it) => { const o = { it }; return () => touch(o); }); const f = list[0];",
    );
    held(
        "let f: any; try { const o = {}; f = () => touch(o); throw 1; const later = 1; f = () => later; } catch {}",
    );
}

#[test]
fn what_functions_hold_beside_variables_is_frozen() {
    held("const f = (function (this: any) { return () => touch(this); }).call({});");
    held("const f = new (class { g = () => touch(this); })().g;");
    held("const f = (class { static g = () => touch(this); }).g;");
    held("let f: any; (class { static { f = () => touch(this); } });");
    held("const f = (class C { static g() { return touch(C); } }).g;");
    held(
        "let f: any; class A { get o() { return A.p; } static p = {}; } f = (class extends A { g() { return touch(super.o); } }).prototype.g;",
    );
    held("const f = touch.bind(null, {});");
    held(
        "const f = Reflect.apply(Function_bind(), touch, [null, {}]); function Function_bind() { return (() => {}).bind; }",
    );
    held(
        "const f = (() => { class C { static g() { return touch(C); } } const g = C.g; (C as any) = null; return g; })();",
    );
    held("const f = new (function (this: any) { return () => touch(new.target); } as any)();");
}

#[test]
fn what_is_held_before_code_begins_is_frozen() {
    held(
        "const f = () => box.f(); const box: any = {}; (function (this: any) { class X { [(box.f = () => touch(this), \"k\")] = 1; } }).call({});",
    );
    held(
        "function make(o: any, g = () => touch(o)) { var o: any = null; return g; } const f = make({});",
    );
    held(
        "const f = () => box.f(); const box: any = {}; for (const [o, g = () => touch(o)] of [[{}]] as any) { const o = 1; box.f = g; }",
    );
    held(
        "const f = () => box.f(); const box: any = {}; for (let o = {}, _: any = (box.f = () => touch(o)), i = 0; i < 1; i++) { let o = 1; }",
    );
    held(
        "const f = () => box.f(); const box: any = {}; for (let o: any = {}, i = 0; i < 1; o = {}, box.f = () => touch(o), i++) {}",
    );
    held(
        "const f = () => box.f(); const box: any = {}; function* g(o: any, _ = (box.f = () => touch(o))) { yield 1; } g({});",
    );
    held(
        "const f = () => box.f(); const box: any = {}; try { ((o: any, _ = (box.f = () => touch(o)), p = (null as any).x) => 1)({}); } catch {}",
    );
    held(
        "const f = () => box.f(); const box: any = {}; (() => { switch (1 as number) { case (box.f = () => touch(g), 0): function g() {} } })();",
    );
    held(
        "let f: any; const box: any = {}; (() => { switch (1 as number) { case (box.f = h, 0): function h() { return touch(k); } function k() {} } })(); f = box.f;",
    );
    held(
        "const box: any = {}; function* g(o: any, { [(box.f = () => touch(o), \"k\")]: x }: any) { yield 1; } g({}, {}); const f = box.f;",
    );
}

#[test]
fn what_is_held_and_cannot_be_frozen_is_refused() {
    for counts in [
        "for (let n = 0; n < 1; box.f = () => ++n, n++);",
        "for (let n = 0, _ = (box.f = () => ++n); false;) {}",
        "((n = 0, g = (box.f = () => ++n)) => { var n: any; return g; })();",
        "function* g(n: any, _ = (box.f = () => ++n)) { yield 1; } g(0);",
    ] {
        let kept = format!("const box: any = {{}}; {counts}");
        refused(&module(&kept, ""), "`n` would keep its changes");
    }
    let refused_kind = "`g` holds an object of the kind Generator";
    let kept =
        "const f = (() => { const g = (function* () { yield 1; })(); return () => g.next(); })();";
    refused(&module(kept, ""), refused_kind);
    let kept = "const f = (function () { return () => arguments[0]; })();";
    refused(&module(kept, ""), "`arguments` holds an object of the kind");
    let kept = "const f = new (class extends Object { constructor() { return (() => super()) as any; } })();";
    refused(&module(kept, ""), "call it in the constructor itself");
}

#[test]
fn a_module_does_not_hide_what_it_holds() {
    let kept = "const sw: any = {}; Object.defineProperty(Object.prototype, \"enumerable\", { configurable: true, get() { if (sw.on) { sw.on = false; ((x: any) => () => x)(1); } } }); sw.on = true; const f = (() => { let n = 0; return () => ++n; })();";
    refused(&module(kept, ""), "");
    let kept = "const f = (() => { const g = () => { (sdk as any).__ordain_holds(0, 0, [g]); }; g(); return g; })();";
    let kept = format!("import * as sdk from \"ordain\"; {kept}");
    refused(&module(&kept, ""), "the module goes on making functions");
    let kept = "import * as sdk from \"ordain\"; (sdk as any).__ordain_holds(0, 9, [() => Math, 5, null]); (sdk as any).__ordain_holds({}, \"x\", \"y\");";
    value(
        kept,
        "(sdk as any).__ordain_holds(0, 0, [() => cx]); return 1;",
        "1",
    );
    refused(
        &module("__ordain_holds(0);", ""),
        "are the host's; take another",
    );
    let kept = "const w = new WeakMap(); export { w as __ordain_kept_9 };";
    refused(&module(kept, ""), "`w` holds an object of the kind");
    let lib = "export default new WeakMap();";
    let main = module(
        "import w from \"./b\"; export { w as __ordain_kept_9 };",
        "",
    );
    let files: [(&str, &str); 2] = [("a.ts", &main), ("b.ts", lib)];
    let error = compile(&files).unwrap_err().to_string();
    let says = "b.ts:1:1: the export `default` holds an object of the kind WeakMap";
    assert!(error.starts_with(says), "{error}");
    let kept =
        "import * as sdk from \"ordain\"; (sdk as any).__ordain_keeps(9, () => [new WeakMap()]);";
    refused(
        &module(kept, ""),
        "names that begin with `__ordain_` are the host's",
    );
    let kept = "import * as sdk from \"ordain\"; (sdk as any).__ordain_keeps(0, 5);";
    refused(&module(kept, ""), "");
}

#[test]
fn what_is_gone_after_the_start_may_have_changed() {
    value(
        "const sum = (() => { let n = 0; [1, 2].forEach((it) => { n += it; }); return n; })();",
        "return sum;",
        "3",
    );
    value(
        "class B { n: number[] = []; #k = 1; add(xs: number[]) { xs.forEach((x) => this.n.push(x + this.#k)); return this.n; } } const r = new B().add([1]);",
        "return r;",
        "[2]",
    );
    value(
        "const parsed = (() => { let at = 0; const next = () => \"ab\"[at++]; const all: any = { next }; all.self = all; return next() + next(); })();",
        "return parsed;",
        "\"ab\"",
    );
    value(
        "const n = (() => { const it = [1, 2].values(); const next = () => it.next().value; return next()! + next()!; })();",
        "return n;",
        "3",
    );
}

#[test]
fn what_closures_of_a_call_hold_can_change() {
    value(
        "class B { h() { return 1; } }",
        "class C extends B { x = super.h(); y = () => super.h(); } const c = new C(); c.x += 1; return [c.x, c.y(), c.y.name];",
        r#"[2,1,"y"]"#,
    );
    value(
        "",
        "const f = (x: any) => <any>{ g: x }; return [f(1), ((y = () => 1) => y.name)()];",
        r#"[{"g":1},"y"]"#,
    );
    let make = "function make() { const o = { n: 0 }; return () => ++o.n; } const once = make();";
    value(make, "const f = make(); f(); return f();", "2");
    value(
        "const sum = (list: number[]) => { let n = 0; list.forEach((it) => { n += it; }); return n; };",
        "return sum([1, 2]);",
        "3",
    );
    value(
        "const order = [\"b\", \"a\"].sort((x, y) => (x < y ? -1 : 1)); const by = new Map(order.map((k, i) => [k, i]));",
        "const seen = [\"b\", \"a\"].map((k) => by.get(k)!); seen.forEach((it, i) => { seen[i] = it + order.length; }); return seen;",
        "[3,2]",
    );
}

#[test]
fn methods_that_an_object_makes_are_frozen() {
    let own = "function me(cx: any) { return (me as any).n = 1; }";
    let text = format!(
        "import {{ entity }} from \"ordain\";\nexport const a = entity({{}}, {{ get run() {{ return {own}; }} }} as any);\n"
    );
    let mut world = World::new(&text);
    let says = "entity state lives in `cx.state`";
    world.fault("a/x.run", "", FaultKind::ModuleState, says);
}

#[test]
fn what_would_change_a_frozen_object_is_not_there() {
    value(
        "const R: any = /a/g; Object.freeze(R);",
        "return [typeof R.compile, typeof (globalThis as any).AsyncDisposableStack];",
        r#"["undefined","undefined"]"#,
    );
}

#[test]
fn what_a_call_makes_can_change() {
    let does = "const map = new Map([[1, \"a\"]]); map.set(2, \"b\"); map.delete(1);
        Map.prototype.set.call(map, 3, \"c\");
        const set = new Set([1]); set.add(2).add(3); set.delete(1);
        const date = new Date(0); date.setUTCFullYear(2000, 1, 29);
        return [...map].flat().concat([...set], date.toISOString()).join();";
    value("", does, "\"2,b,3,c,2,3,2000-02-29T00:00:00.000Z\"");
    value(
        "const c = new Map([[1, 2]]);",
        "return new Map(c).set(3, 4).size + c.size;",
        "3",
    );
}

/// A name that a frozen prototype has could not be assigned, which makes an object its own: of these programs do so.
#[test]
fn what_a_call_makes_may_have_names_of_the_library_of_its_own() {
    for name in ["toJSON", "toISOString"] {
        let does = format!("const d: any = new Date(0); d.{name} = () => \"x\"; return d;");
        value("", &does, "\"x\"");
    }
    value(
        "",
        "const d: any = new Date(0); d.toString = () => \"x\"; return [`${d}`, Object.keys(d)];",
        r#"["x",["toString"]]"#,
    );
    for error in ["SuppressedError", "InternalError"] {
        let class = format!(
            "class X extends ({error} as any) {{ constructor() {{ super(); this.name = \"X\"; }} }}"
        );
        value(&class, "return (new X() as any).name;", "\"X\"");
    }
    let mine = "(Date.prototype as any).toJSON = function () { return \"mine\"; };";
    value(mine, "return new Date(0);", "\"mine\"");
    for kept in ["", mine] {
        fault(kept, "(Date.prototype as any).toJSON = null;");
        fault(kept, "(Date.prototype as any).toJSON.n = 1;");
    }
    fault("const d: any = new Date(0);", "d.toJSON = null;");
}

#[test]
fn the_library_is_frozen() {
    fault("", "(globalThis as any).n = 1;");
    fault("", "(Array.prototype as any).last = 1;");
    fault("", "(Object.prototype as any).n = 1;");
    fault("", "Math.max = Math.min;");
    fault("", "(entity as any).n = 1;");
    fault(
        "import * as sdk from \"ordain\";",
        "for (const it of Object.values(sdk) as any) if (typeof it === \"function\") Object.defineProperty(it, \"n\", { value: 1 });",
    );
    fault(
        "import * as sdk from \"ordain\";",
        "(sdk as any).__ordain_holds.n = 1;",
    );
    fault("", "(cx.field(\"a\") as any).constructor.n = 1;");
    fault(
        "(globalThis as any).c = new Map();",
        "(globalThis as any).c.set(1, 1);",
    );
    fault("(Math as any).c = [{ n: 0 }];", "(Math as any).c[0].n = 1;");
    fault(
        "const c = new Map([[1, { n: 0 }]]); (Array.prototype as any)[Symbol.iterator] = () => ({ next: () => ({ done: true }) });",
        "c.get(1)!.n = 1;",
    );
    fault("", "(Math.max as any).n = 1;");
    fault("", "([].push as any).n = 1;");
    fault("", "({} as any).hasOwnProperty.n = 1;");
    fault("", "(new TypeError().toString as any).n = 1;");
    fault("", "(Object.getPrototypeOf([].values()) as any).n = 1;");
    fault("", "(Object.getPrototypeOf(function* () {}) as any).n = 1;");
    fault("", "(Object.getPrototypeOf(Int8Array) as any).n = 1;");
    fault("", "(Error as any).stackTraceLimit = 0;");
    fault("", "(cx as any).constructor.prototype.n = 1;");
    fault("", "(a as any).n = 1;");
    value(
        "",
        "return [typeof eval, typeof Function, typeof Promise, typeof WeakRef, typeof setTimeout].join();",
        "\"undefined,undefined,undefined,undefined,undefined\"",
    );
    fault_of_text_code();
}

fn fault_of_text_code() {
    let mut world = World::new(&module(
        "",
        "return (() => {}).constructor(\"return 1\")();",
    ));
    world.fault("a/x.run", "", FaultKind::Exception, "");
}

#[test]
fn what_would_change_all_the_same_is_refused() {
    let check = |kept: &str, says: &str| refused(&module(kept, ""), says);
    check(
        "const it = (function* () { yield 1; })();",
        "a.ts:2:7: `it` holds an object of the kind Generator",
    );
    check(
        "(globalThis as any).it = [1].values();",
        "what was added to the global object or to the library holds an object of the kind Array Iterator",
    );
    check(
        "(Math as any).w = new WeakMap();",
        "holds an object of the kind WeakMap",
    );
    check(
        "const it = [1].values();",
        "a.ts:2:7: `it` holds an object of the kind Array Iterator",
    );
    check(
        "const b = new Uint8Array(4);",
        "a.ts:2:7: `b` holds an object of the kind Uint8Array",
    );
    check(
        "const w = new WeakMap();",
        "a.ts:2:7: `w` holds an object of the kind WeakMap",
    );
    check(
        "class C { #n = 0; } const c = new C();",
        "a.ts:2:27: `c` holds an object with private fields",
    );
    check(
        "class C { #n = 0; #m() {} } const c = new C();",
        "a.ts:2:35: `c` holds an object with private fields",
    );
    for zip in ["zip([[1, 2], [3, 4]])", "zipKeyed({ a: [1], b: [2] })"] {
        check(
            &format!("const z = (Iterator as any).{zip};"),
            "a.ts:2:7: `z` holds an object of the kind Iterator Helper",
        );
    }
    check(
        "const deep = { in: [new WeakSet()] };",
        "`deep` holds an object of the kind WeakSet",
    );
}

#[test]
fn what_is_only_read_works() {
    value(
        "const SLUG = /[^a-z]+/g;",
        "return [\"a  b\".replace(SLUG, \"-\"), \"a  b\".split(SLUG), \"a b\".match(SLUG)!.length];",
        r#"["a-b",["a","b"],1]"#,
    );
    value(
        "const M = new Map([[\"a\", 1]]);",
        "return [...M.keys(), M.get(\"a\"), M.size];",
        r#"["a",1,1]"#,
    );
    value(
        "const S = new Set([1, 2]);",
        "return [S.has(1), [...S.union(new Set([3]))]];",
        "[true,[1,2,3]]",
    );
    value(
        "const D = new Date(0);",
        "const d = new Date(D); d.setUTCDate(2); return [D.getTime(), d.getTime()];",
        "[0,86400000]",
    );
    value(
        "class No extends Error { constructor(m: string) { super(m); this.name = \"No\"; } }",
        "try { throw new No(\"x\"); } catch (e) { return String(e); }",
        "\"No: x\"",
    );
    value(
        "",
        "const o: any = {}; o.toString = 1; o.constructor = 2; o[\"__proto__x\"] = 3; return o;",
        r#"{"toString":1,"constructor":2,"__proto__x":3}"#,
    );
    value(
        "const base = { f() { return 1; } };",
        "const o = Object.create(base); o.n = 1; return o.f() + o.n;",
        "2",
    );
}

#[test]
fn a_fresh_context_gives_the_same_bytes() {
    let text = module(
        "const M = new Map([[1, [1]]]); const R = /a/y;",
        "const out: any[] = [Math.random(), cx.uuid(), Date.now(), new Error(\"x\").stack];
    const all: any = globalThis;
    for (const f of [
      () => M.set(out.length, [2]).size, () => M.get(1)!.push(2), () => [R.test(\"aa\"), R.lastIndex], () => (all.x = (all.x ?? 0) + 1),
    ]) {
      try { out.push(f()); } catch (e) { out.push(String(e)); }
      out.push(M.size, M.get(1)!.length, R.lastIndex, all.x ?? null);
    }
    return out;",
    );
    let run = |calls: usize| {
        let mut world = World::new(&text);
        for _ in 0..calls {
            World::new(&text).value("a/y.run", "");
        }
        world.value("a/x.run", "")
    };
    assert_eq!(anew(|| run(0)), anew(|| run(5)));
}

#[test]
fn what_a_method_itself_made_unchangeable_is_not_said_to_be_the_modules() {
    let mut world = World::new(
        r#"
import { entity } from "ordain";
const kept = { n: 1 };
export const t = entity({}, {
  constant(cx) { const n: any = 1; (n as any) = 2; },
  frozen(cx) { const own = Object.freeze({ n: 1 }); (own as any).n = 2; },
  module(cx) { kept.n = 2; },
});
"#,
    );
    let says = "; a `const`, what has no setter and what was frozen stay as they are, and so does all that belongs to the module";
    for method in ["constant", "frozen", "module"] {
        world.fault(&format!("t/a.{method}"), "", FaultKind::ModuleState, says);
    }
}

/// The interpreter makes the strings of a template once, where the template is, and lets their length be changed.
#[test]
fn tagged_templates_keep_nothing() {
    let text = r#"
import { entity } from "ordain";
const attempt = (change: () => unknown) => { try { return change(); } catch (error) { return String(error); } };
const same = (strings: any, ...values: any[]) => [strings, strings.raw, ...values];
const lengths = (strings: any) => [attempt(() => ++strings.length), attempt(() => ++strings.raw.length), strings.length, strings.raw.length];
const of = { tag(strings: any, ...values: any[]) { return [this === of, values]; } };
class Made {
  constructor(public_: any = 0) { this.arg = public_; }
  arg: any;
}
const make = <T>(strings: any) => Made as any;
export const a = entity({}, {
  lengths: () => lengths`x${1}y`,
  frozen: () => same`a`.map((it) => Object.isFrozen(it)),
  strings: () => same`a\n${1}b${`c${2}`}\u{zz}`.map((it: any) => Array.isArray(it) ? it.map((it) => it ?? null) : it),
  raw: () => String.raw`\d${"x"}
\w`,
  of: () => of.tag`${1}${2}`,
  generic: () => make<number>`x` === Made,
  twice: () => (() => same)()`a``b`.length,
  news: () => [new make`x`!(5).arg, new make`x`.prototype.constructor(6).arg, new make`x`, new (make`x`)(7).arg],
  parts: (cx, { f = same`z`[0][0] }: { f?: string }) => [f, (() => same`${f}`[2])()],
  fails() {
    const fail = (strings: any) => { throw new Error("here"); };
    const nothing = same`x`; return fail`x${nothing}`;
  },
});
"#;
    let mut world = World::new(text);
    for _ in 0..3 {
        let mut check = |method: &str, value: &str| {
            assert_eq!(world.value(&format!("a/x.{method}"), ""), value, "{method}");
        };
        check(
            "lengths",
            r#"["TypeError: 'length' is read-only","TypeError: 'length' is read-only",2,2]"#,
        );
        check("frozen", "[true,true]");
        check(
            "strings",
            r#"[["a\n","b",null],["a\\n","b","\\u{zz}"],1,"c2"]"#,
        );
        check("raw", r#""\\dx\n\\w""#);
        check("of", "[true,[1,2]]");
        check("generic", "true");
        check("news", r#"[5,6,{"arg":0},7]"#);
        check("parts", r#"["z","z"]"#);
    }
    let fault = world.fault(
        "a/x.fails",
        "",
        FaultKind::Exception,
        "Error: here (a.ts:24:48)",
    );
    assert!(
        fault.trace.contains("at fails (a.ts:25:45)"),
        "{}",
        fault.trace
    );
}
