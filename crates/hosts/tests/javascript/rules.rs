//! What a module may not say, each with its file, line and column and what to write instead.

use ordain_engine::{Catalog, Modules, Options};
use ordain_hosts::javascript::JavaScript;
use ordain_types::module::hash;

use crate::world::{World, compile, refused, source};

/// A module that is fine but for a line before its entity type.
fn with(line: &str) -> String {
    format!(
        "import {{ entity, query }} from \"ordain\";\n{line}\nexport const a = entity({{ n: 0 }}, {{ get: query((cx) => cx.state.n) }});\n"
    )
}

#[track_caller]
fn line(text: &str, expected: &str) {
    refused(&with(text), expected);
}

#[test]
fn what_waits_or_reaches_outside_is_refused() {
    line("async function f() {}", "a.ts:2:1: methods are synchronous");
    line(
        "const f = async () => {};",
        "a.ts:2:11: methods are synchronous",
    );
    line("await 0;", "a.ts:2:1: methods are synchronous");
    line("for await (const x of []) ;", "a.ts:2:1: ");
    line(
        "const p = new Promise(() => {});",
        "a.ts:2:15: `Promise`: methods are synchronous",
    );
    line(
        "const f = () => setTimeout(f, 10);",
        "a.ts:2:17: `setTimeout`: there are no timers: `cx.send(",
    );
    line(
        "const f = () => fetch(\"x\");",
        "`fetch`: there is no network",
    );
    line(
        "const f = () => eval(\"1\");",
        "a.ts:2:17: `eval`: code made from text",
    );
    line(
        "const f = new Function(\"\");",
        "`Function`: code made from text",
    );
    line(
        "const f = (it: any) => it instanceof Function;",
        "a.ts:2:38: `Function`: write `typeof value === \"function\"`",
    );
    line(
        "const f = (n: number) => new Intl.NumberFormat().format(n);",
        "a.ts:2:30: `Intl`: texts and numbers are shown without a locale",
    );
    line("const p = new Proxy({}, {});", "a.ts:2:15: `Proxy`: ");
    for name in ["URL", "TextEncoder", "atob"] {
        line(
            &format!("const f = () => {name};"),
            &format!("a.ts:2:17: `{name}`: this is no browser"),
        );
    }
    line(
        "const f = () => console.log(1);",
        "`console`: there is no console; write `cx.log(…)`",
    );
    line(
        "const f = () => process.env;",
        "`process`: this is not Node.js",
    );
    line(
        "const f = new WeakRef({});",
        "`WeakRef`: when something is collected",
    );
    line(
        "const f = () => import(\"./b.ts\");",
        "a.ts:2:17: a module is whole when it starts",
    );
    line("const f = import.meta;", "a.ts:2:11: `import.meta`");
    compile(&[(
        "a.ts",
        &with("const there = typeof process !== \"undefined\";"),
    )])
    .expect("asking is allowed");
    compile(&[("a.ts", &with("type P = Promise<number>;"))]).expect("a type is no use");
}

#[test]
fn what_stripping_cannot_keep_is_refused() {
    line(
        "enum Color { Red }",
        "a.ts:2:1: an enum has code of its own",
    );
    line(
        "namespace N { export const x = 1 }",
        "a.ts:2:1: a namespace has code of its own",
    );
    line(
        "class C { constructor(private x: number) {} }",
        "a.ts:2:23: a parameter property",
    );
    line("import fs = require(\"fs\");", "a.ts:2:1: `import … = …`");
    line("@f class C {}", "a.ts:2:1: decorators are not there");
    line(
        "function f() { using x = null; }",
        "a.ts:2:16: `using` is not there",
    );
    line(
        "function f() { try { } catch ({ message }) { } }",
        "a.ts:2:31: catch the error by a name",
    );
    line("const x = ;", "a.ts:2:11: ");
    line("const x = 1; const x = 2;", "a.ts:2:");
}

#[test]
fn imports_are_of_the_module_itself() {
    line(
        "import lodash from \"lodash\"; lodash();",
        "a.ts:2:20: `lodash` is not here",
    );
    line("import fs from \"node:fs\"; fs();", "`node:fs` is not here");
    line(
        "import { x } from \"./none\"; x();",
        "a.ts:2:19: `./none` is none of the module's files",
    );
    line(
        "import { x } from \"../up\"; x();",
        "leads out of the module's directory",
    );
    let main = "import { n } from \"./deep\"; export { n };".to_owned() + &with("");
    let deep = "import { a } from \"..\"; export const n = () => a;";
    compile(&[("index.ts", &main), ("deep/index.ts", deep)]).expect("a directory is its index");
    line("import { nothing } from \"ordain\"; nothing();", "nothing");
}

#[test]
fn state_at_the_top_level_is_refused() {
    line(
        "let n = 0; const f = () => { n += 1; };",
        "a.ts:2:30: `n` is a module-level variable, and a function assigns",
    );
    line(
        "let n = 0; function f() { return n++; }",
        "a.ts:2:34: `n` is",
    );
    line(
        "let n = 0; const f = () => { [n] = [1]; };",
        "a.ts:2:31: `n` is",
    );
    line(
        "let n = 0; class C { x = ++n; }",
        "`n` is a module-level variable",
    );
    line(
        "class C { static #n = 0; }",
        "a.ts:2:11: a static private field is state",
    );
    for target in [
        "(<Num>n)++",
        "(<Num>n) = 1",
        "(<Num>n as any) = 1",
        "((<Num>n)!) += 1",
        "[(<Num>n)] = [1]",
        "[(<Num>n) = 2] = []",
        "({ n: (<Num>n) } = { n: 1 })",
        "[...(<any>(<Num[]>n))] = []",
        "for ((<Num>n) of [1]) {}",
        "for ((<Num>n) in { a: 1 }) {}",
    ] {
        line(
            &format!("type Num = any; let n: any = 0; const f = () => {{ {target}; }};"),
            "`n` is assigned to with a type before it: write `n = value as T`",
        );
        line(
            &format!(
                "type Num = any; const f = (() => {{ let n: any = 0; return () => {{ {target}; }}; }})();"
            ),
            "`n` is assigned to with a type before it",
        );
    }
    compile(&[(
        "a.ts",
        &with("type Num = any; const f = (o: any, n: any) => { (<Num>o).n = 1; (<Num>o.n)++; [n] = <Num>o; (n as Num)++; };"),
    )])
    .expect("what is assigned to has no type before it, or is no variable");
    compile(&[(
        "a.ts",
        &with("let n = 0; for (const x of [1, 2]) n += x; export const total = n;"),
    )])
    .expect("a start may reckon");
    compile(&[(
        "a.ts",
        &with(
            "function sum(xs: number[]) { let n = 0; xs.forEach((x) => { n += x; }); return n; }",
        ),
    )])
    .expect("a function's own variables are its own");
}

#[test]
fn state_in_closures_is_refused() {
    line(
        "const next = (() => { let n = 0; return () => ++n; })();",
        "a.ts:2:49: `n` would keep its changes",
    );
    line(
        "function make() { let n = 0; return () => ++n; }\nconst next = make();",
        "a.ts:2:45: `n` would keep",
    );
    line(
        "const g = (() => { const it = [1, 2].values(); return () => it.next(); })();",
        "a.ts:2:26: `it` holds an object of the kind Array Iterator",
    );
    line("{ let n = 0; globalThis.f = () => ++n; }", "`n` would keep");
    line(
        "class Counter { make() { let n = 0; return () => n++; } }\nconst c = new Counter().make();",
        "`n` would keep",
    );
    line(
        "const fs: any = { f() { let n = 0; return () => n++; } };\nconst c = fs[\"f\"]();",
        "`n` would keep",
    );
    line(
        "const o = { __proto__: { n: { n: 0 } }, f() { return super.n; } };",
        "a.ts:2:54: `super` in an object names what nothing else shows",
    );
    compile(&[(
        "a.ts",
        &with(
            "class Counter { make() { let n = 0; return () => n++; } }\nconst c = new Counter();
            function build() { const m: any = {}; [1, 2].forEach((k) => { m[k] = k; }); return m; }\nconst table = build();",
        ),
    )])
    .expect("nothing is kept");
    refused_in_two_files();
}

fn refused_in_two_files() {
    let main = with("import { make } from \"./lib\"; const next = make();");
    let lib = "\nexport function make() { let n = 0; return () => ++n; }";
    let error = compile(&[("a.ts", &main), ("lib.ts", lib)]).unwrap_err();
    assert!(
        error.to_string().starts_with("lib.ts:2:52: `n` would keep"),
        "{error}"
    );
    let calm = with("import { make } from \"./lib\"; export const use = () => make();");
    compile(&[("a.ts", &calm), ("lib.ts", lib)]).expect("made anew in each call");
}

#[test]
fn names_are_checked() {
    let module = |export: &str| format!("import {{ entity }} from \"ordain\";\nexport {export}");
    refused(
        &module("const Account = entity({}, { f(cx) {} });"),
        "a.ts:2:14: `Account` is an entity type: ",
    );
    refused(
        &module("const a = entity({}, { name: 5 });"),
        "a.ts:2:14: `a.name` is not a function",
    );
    refused(
        &module("const a = entity({}, {});"),
        "a.ts:2:14: the entity type `a` has no methods",
    );
    refused(
        &module("const a = entity({}, { \"not so\"(cx) {} });"),
        "`not so` is a method of `a`: ",
    );
    refused(
        &module("const a = entity({}, { f(cx) {} }, { version: 0 });"),
        "a whole number from 1 on",
    );
    refused(
        &module("const a = entity({}, { f(cx) {} }, { migrate: 3 } as any);"),
        "a.ts:2:14: `migrate` of the entity type `a` is not a function",
    );
    refused(
        &module("const a = entity({}, { f(cx) {} }, { name: 3 } as any);"),
        "a.ts:2:14: the option `name` of the entity type `a` is not a text",
    );
    refused(
        &module("const a = entity({}, { f(cx) {} }, { wersion: 1 } as any);"),
        "no option `wersion`",
    );
    refused(
        &module("const a = entity({ n: NaN }, { f(cx) {} });"),
        "a.ts:2:14: the default state.n is NaN",
    );
    refused(
        &module("const s: any = {}; s.up = [s]; export const a = entity(s, { f(cx) {} });"),
        "a.ts:2:52: the default state.up[0] is an object that it lies in itself",
    );
    refused(
        &module("const a = 1;"),
        "a.ts:1:1: the module exports no entity type",
    );
    refused(
        &module(
            "const a = entity({}, { f(cx) {} }), b = entity({}, { f(cx) {} }, { name: \"a\" });",
        ),
        "two entity types are named `a`",
    );
    for twice in [
        "const account = entity({}, { f(cx) {} }); export default account;",
        "const account = entity({}, { f(cx) {} }, { name: \"acc\" }); export { account as default };",
    ] {
        refused(
            &module(twice),
            "a.ts:2:14: `account` and `default` are one entity type; export each once",
        );
    }
    refused(
        &module("const b = entity({}, { f(cx) {} }); export { b as a };"),
        "`a` and `b` are one entity type",
    );
    let named = compile(&[(
        "a.ts",
        &module("const Account = entity({}, { f(cx) {} }, { name: \"account\" });"),
    )])
    .unwrap();
    assert_eq!(named.manifest.entities[0].name.as_str(), "account");
}

#[test]
fn what_fails_at_the_start_is_refused_with_its_place() {
    line("null.x;", "a.ts:2:");
    line(
        "throw new RangeError(\"too far\");",
        "a.ts:2:11: RangeError: too far",
    );
    line("const t = Date.now();", "a.ts:2:");
    line(
        "const t = new Date();",
        "a module starts without a transaction",
    );
    line(
        "const r = Math.random();",
        "a module starts without a transaction",
    );
    line("for (;;) ;", "ran for more than");
    line(
        "const big = []; for (;;) big.push(new ArrayBuffer(1 << 20));",
        "bytes of memory",
    );
    line("function f(): any { return f(); }\nf();", "bytes of stack");
}

/// The error of a module of two files.
#[track_caller]
fn two(main: &str, lib: &str, expected: &str) {
    let error = compile(&[("a.ts", main), ("lib.ts", lib)]).unwrap_err();
    assert!(
        error.to_string().contains(expected),
        "{error}\n-- not: {expected}"
    );
}

#[test]
fn what_is_taken_from_elsewhere_must_be_there() {
    let lib = "export const help = 1, { a, b: [c] } = { a: 1, b: [2] };\nexport default function () {}\nexport class K {}\nexport interface I {}\n";
    let fails = "\nimport { entity } from \"ordain\";\nexport const t = entity({}, { run(cx) { return helpr; } });";
    two(
        &format!("import {{ help,\n  helpr }} from \"./lib.ts\";{fails}"),
        lib,
        "a.ts:2:3: \"./lib.ts\" exports no `helpr` that is there at run time, only `K`, `a`, `c`, `default`, `help`;",
    );
    two(
        "export { I } from \"./lib\";",
        lib,
        "a.ts:1:10: \"./lib\" exports no `I`",
    );
    two(
        "export * from \"./lib\";\nexport { nothere };",
        lib,
        "a.ts:2:10: `nothere` is exported",
    );
    two(
        "import x from \"./lib\"; x();",
        "export const a = 1;",
        "a.ts:1:8: \"./lib\" exports no `default`",
    );
    line(
        "import { entiti } from \"ordain\"; entiti();",
        "a.ts:2:10: \"ordain\" exports no `entiti` that is there at run time, only `entity`, `query`, `reject`, `Rejection`;",
    );
    let good = "import d, { a, c, K } from \"./lib\";\nexport * from \"./lib\";\nimport { entity } from \"ordain\";\nexport { K as k, type I } from \"./lib\";\nexport const t = entity({}, { run(cx) { return [a, c, K, d]; } });";
    compile(&[("a.ts", good), ("lib.ts", lib)]).unwrap();
    let circle = "export * from \"./lib\"; import { entity, u } from \"./lib\";\nexport const t = entity({}, { run(cx) { return u; } });";
    let back = "export * from \"./a\"; export * from \"ordain\"; export const u = 1;";
    compile(&[("a.ts", circle), ("lib.ts", back)]).unwrap();
}

#[test]
fn what_the_interpreter_alone_refuses_has_the_users_own_place() {
    let twice = "export default 1; export default 2;";
    for before in ["const f = (x: any) => () => x;", "/* é😀é😀é😀 */", "\n\n "] {
        let text = format!("{before} {twice}");
        let (lines, column) = (
            text.lines().count(),
            text.lines().last().unwrap().chars().count(),
        );
        line(&text, &format!("a.ts:{}:{column}: SyntaxError", lines + 1));
        let main = with("import \"./lib\";");
        two(
            &main,
            &text,
            &format!("lib.ts:{lines}:{column}: SyntaxError"),
        );
    }
}

/// The interpreter would say other lines than the file has, and take one function for another.
#[test]
fn line_ends_that_the_interpreter_alone_counts_are_refused() {
    let alone = "a.ts:2:13: the line ends in a carriage return alone: save the file with the line ends LF or CRLF";
    line("const q = 1;\rconst p = 2;", alone);
    line("const q = 1;\r\r", alone);
    line("const q = `1\r`;", alone);
    line(
        "const q = 1;\u{2028}const p = 1;",
        "a.ts:2:13: the character U+2028 ends a line here",
    );
    line(
        "const q = 1;\u{2029}",
        "a.ts:2:13: the character U+2029 ends a line here",
    );
    line(
        "const q = \"\u{2028}\";\u{2029}",
        "a.ts:2:15: the character U+2029",
    );
    line(
        "// it ends a comment, too\u{2028}",
        "a.ts:2:26: the character U+2028",
    );
    let within =
        "const q = \"\u{2028}\", p = `\u{2029}${1}\u{2028}`; /* \u{2028} */ type T = \"\u{2029}\";";
    compile(&[("a.ts", &with(within))]).expect("there they are characters like others");
    compile(&[("a.ts", &with("").replace('\n', "\r\n"))]).expect("so do all lines of a file");
}

/// What the line ends of a file are is of no account to what was deployed before anyone asked.
#[test]
fn a_module_with_such_line_ends_that_was_deployed_runs_on() {
    let host = JavaScript::new();
    let text = with("const q = 1;\n");
    let mut package = host.compile(&source(&[("a.ts", &text)])).unwrap();
    package.source = source(&[("a.ts", &text.replace(";\n\n", ";\r"))]);
    let mut catalog = Catalog::default();
    for def in host.load(hash(&package.encode()), &package).unwrap() {
        catalog.add(def).unwrap();
    }
    let mut world = World::of(catalog, Options::default());
    assert_eq!(world.value("a/x.get", ""), "0");
}

#[test]
fn a_bad_regular_expression_is_named_with_its_place() {
    line(
        "const ok = /a/;\n  const bad = [/(/];",
        "a.ts:3:16: SyntaxError",
    );
    two(
        "import { b } from \"./lib\"; b;",
        "export const a = /ü/v;\nexport const b = /[/;",
        "lib.ts:2:18: ",
    );
}

#[test]
fn functions_of_the_first_line_have_their_place() {
    let text =
        "import { entity } from \"ordain\"; export const a = entity({}, { fine() {}, Bad() {} });";
    refused(text, "a.ts:1:75: `Bad` is a method of `a`");
}

#[test]
fn a_generator_is_no_method() {
    let says = "`t.gen` is a generator, of which nothing would run";
    for method in [
        "*gen(cx) { cx.state.n = 5; return 7; }",
        "gen: query(function* (cx) { return 7; })",
    ] {
        let text = format!(
            "import {{ entity, query }} from \"ordain\";\nexport const t = entity({{}}, {{\n  {method},\n}});"
        );
        refused(&text, says);
        refused(&text, "a.ts:3:");
    }
}

#[test]
fn what_is_not_written_as_a_method_is_refused() {
    let method = |head: &str| {
        format!(
            "import {{ entity }} from \"ordain\";\ntype Amount = number | null;\nexport const a = entity({{ n: 0 }}, {{\n  \
             pay{head} {{ return 1; }},\n}});\n"
        )
    };
    let one = "a method takes the context and one object of arguments: write";
    for (head, at, write) in [
        (
            "(cx, amount: number)",
            11,
            "(cx, { amount }: { amount: number })",
        ),
        (
            "(cx, amount: Amount)",
            11,
            "(cx, { amount }: { amount: Amount })",
        ),
        (
            "(cx, way?: \"in\" | \"out\")",
            11,
            "(cx, { way }: { way: \"in\" | \"out\" })",
        ),
        (
            "(cx, all: string[])",
            11,
            "(cx, { all }: { all: string[] })",
        ),
        ("(cx, [a, b]: [number, number])", 11, "(cx, { a, b })"),
        ("(cx, [a])", 11, "(cx, { a })"),
        ("(cx, a, b)", 14, "(cx, { a, b })"),
        (
            "(cx, a: string, b: Amount)",
            22,
            "(cx, { a, b }: { a: string; b: Amount })",
        ),
    ] {
        refused(&method(head), &format!("a.ts:4:{at}: {one} `{write}`"));
    }
    for head in [
        "(cx)",
        "(cx, args)",
        "(cx, args: any)",
        "(cx, args?: { n: number })",
        "(cx, args: { n: number } | null)",
        "(cx, args: unknown, more = 1)",
        "(cx, nothing: void)",
        "(cx, ...rest: any[])",
        "(this: any, cx: any, args: Record<string, number>)",
    ] {
        compile(&[("a.ts", &method(head))]).unwrap_or_else(|error| panic!("{head}: {error}"));
    }
    let helper = "const add = (a: number, b: number, c: number) => a + b + c;";
    compile(&[("a.ts", &with(helper))]).expect("it is no method");
}
