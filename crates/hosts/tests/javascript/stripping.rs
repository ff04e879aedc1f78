//! What is left when types are gone does what the program with them did. What is expected is what TypeScript's own compiler
//! makes of the same text, run elsewhere.

use ordain_engine::Options;
use ordain_types::FaultKind;

use crate::world::World;

/// The value of a function's body, in a module of its own.
#[track_caller]
fn gives(body: &str, expected: &str) {
    let text = format!(
        "import {{ entity }} from \"ordain\";\nexport const t = entity({{}}, {{ run(cx) {{\n{body}\n}} }});"
    );
    let mut world = World::new(&text);
    assert_eq!(world.value("t/a.run", ""), expected, "{body}");
}

#[test]
fn what_is_returned_begins_on_its_line() {
    gives(
        "const made = () => { return <\n  T,\n>(x: T) => x; };\nreturn made()(5);",
        "5",
    );
    gives(
        "const made = () => { return <T,>\n(x: T) => x; };\nreturn made()(5);",
        "5",
    );
    gives(
        "const made = () => { return <\n  T, // of what\n>\n(x: T): {\n a: T } => ({ a: x }); };\nreturn made()(5);",
        r#"{"a":5}"#,
    );
    gives("return <\n number>5;", "5");
    gives(
        "function* all() { yield <\n  T,\n>(x: T) => x; }\nreturn [...all()][0](5);",
        "5",
    );
    gives(
        "try { throw <\n Error>new Error(\"a\"); } catch (e) { return e.message }",
        "\"a\"",
    );
}

#[test]
fn arrows_stay_with_their_parameters() {
    gives(
        "const f = (x: number): {\n  a: number\n} => ({ a: x });\nreturn f(1);",
        r#"{"a":1}"#,
    );
    gives("const f = (x: number)\n  : number => x;\nreturn f(1);", "1");
    gives(
        "type Ü = number; const f = (x: number) /* ) */ :\n Ü => x;\nreturn f(1);",
        "1",
    );
    gives("const f = <\n T,>(x: T)\n: T => x;\nreturn f(1);", "1");
}

#[test]
fn statements_end_where_their_types_did() {
    gives(
        "const f = (x?: number) => x;\nconst a = f satisfies unknown\n(5)\nreturn typeof a;",
        "\"function\"",
    );
    gives(
        "let n = 1;\nconst a = n as number\n(() => { n = 2 })()\nreturn [a, n];",
        "[1,2]",
    );
    gives(
        "const l = [7];\nconst a = l as number[]\n[0].length\nreturn a;",
        "[7]",
    );
    gives(
        "let s = \"s\"\nconst a = s as string\n`x`.length\nreturn a;",
        "\"s\"",
    );
    gives("let a = 1\nlet b = a as number\n;+a\nreturn b;", "1");
    gives(
        "let n = 4, x = 2, s = 1, g = { test: (s: number) => 2 };\nlet a = n satisfies number\n/x/g.test(s)\nreturn a;",
        "1",
    );
    gives(
        "let o: { f?: () => number } = {}\no.f = () => 1 as number\n(2)\nreturn o.f();",
        "1",
    );
    gives("let x: any\n(0)\nreturn x ?? 3;", "3");
    gives(
        "let n = 0; const a = () => { n++; return n as number\n(5) };\nreturn a();",
        "1",
    );
    gives(
        "type Ü = number; let n = 1\nconst a = n as Ü\n(2)\nreturn a;",
        "1",
    );
    gives(
        "const f = () => 1;\nconst g = f as () => number\n;[1].length\nreturn g();",
        "1",
    );
    gives(
        "let n = 1; if (n) n = 2 as number\nelse n = 3 as number\nreturn n;",
        "2",
    );
    gives(
        "let n = 0; for (const x of [1, 2] as number[]) n += x as number\nreturn n;",
        "3",
    );
    gives(
        "let n = 0; for (let i = 0 as number; i < (3 as number); i++) n += i\nreturn n;",
        "3",
    );
    gives(
        "let n = 1; do n = 5 as number\nwhile (n < 3)\nreturn n;",
        "5",
    );
    gives("const f = (x => x as number, 7)\nreturn f;", "7");
    let counts = "let n = 0; const f = (x: any) => { n++ };";
    gives(
        &format!("{counts}\nif (1) for (const a of [1]) f(() => a) as any\nelse f(2)\nreturn n;"),
        "1",
    );
    gives(
        &format!(
            "{counts}\ndo for (const a of [1, 2]) f(() => a) as any\nwhile (n < 3)\nreturn n;"
        ),
        "4",
    );
    gives("const f = [1].map(x => x as number)\nreturn f;", "[1]");
    gives(
        "const a = (n: number) => ({ n, f: () => n }) as any\n(5)\nreturn a(3).n;",
        "3",
    );
    gives("let x: number\nx = <number>5\nreturn x!", "5");
}

#[test]
fn a_plus_on_the_next_line_goes_on() {
    gives("const n = 1;\nconst a = n as number\n+ 1\nreturn a;", "2");
    gives(
        "const f = (x: number) => x;\nconst a = f!\n(5)\nreturn a;",
        "5",
    );
    gives(
        "const f = <T,>(x: T) => x;\nconst a = f<number>\n(5)\nreturn a;",
        "5",
    );
    gives("const l = { a: [1] };\nreturn l!\n.a!\n[0]!", "1");
}

#[test]
fn statements_of_types_leave_an_end() {
    gives(
        "const f = (x?: number) => 1;\nconst a = f\ntype X = number\n(5)\nreturn typeof a;",
        "\"function\"",
    );
    gives(
        "const f = (x?: number) => 1;\nconst a = f\ninterface X {}\n(5)\nreturn typeof a;",
        "\"function\"",
    );
    gives(
        "const a = 1\ndeclare const b: number\n;[a].length\nreturn a;",
        "1",
    );
    gives(
        "function over(a: string): string\nfunction over(a: any) { return a }\nreturn over(\"a\");",
        "\"a\"",
    );
    gives(
        "abstract class Isabstract { abstract m(): void; a = 1 }\nclass B extends Isabstract { m() {} }\nreturn new B().a;",
        "1",
    );
    gives(
        "interface X {}\nclass A implements /* implements */ X { a = 1 }\nclass Bimplements extends A implements X, X {}\nreturn new Bimplements().a;",
        "1",
    );
}

#[test]
fn fields_end_where_their_types_did() {
    for name in [
        "get", "set", "static", "async", "accessor", "declare", "readonly", "abstract",
    ] {
        let class = |field: &str, method: &str| {
            format!(
                "class A {{ {field}\n{method} }}\nconst a = new A();\nreturn [a.foo?.() ?? a.foo, Object.keys(a)];"
            )
        };
        let expected = format!(r#"[1,["{name}"]]"#);
        gives(
            &class(&format!("{name}: string"), "foo() { return 1 }"),
            &expected,
        );
        gives(
            &class(&format!("{name}?: string"), "foo() { return 1 }"),
            &expected,
        );
        gives(
            &class(&format!("{name}!: string"), "foo() { return 1 }"),
            &expected,
        );
        gives(&class(&format!("{name}?"), "foo() { return 1 }"), &expected);
        gives(
            &class(&format!("{name} = 1 as number"), "[\"foo\"]() { return 1 }"),
            &expected,
        );
    }
    gives(
        "class A { a: number\n*gen() { yield 1 } }\nreturn [...new A().gen()];",
        "[1]",
    );
    gives(
        "class A { a = [2] as number[]\n[\"b\"] = 3 }\nconst a = new A();\nreturn [a.a, a.b];",
        "[[2],3]",
    );
    gives(
        "class A { [\"a\"]?: number\n[\"b\"] = 3;\n[\"c\"]!: number }\nreturn Object.keys(new A());",
        r#"["a","b","c"]"#,
    );
    gives(
        "class A { a = 1\nprivate [\"b\"] = 3\nstatic readonly c = 4 as const\nreadonly d /* ! ? */ ?: number }\nreturn [Object.keys(new A()), A.c];",
        r#"[["a","b","d"],4]"#,
    );
    gives(
        "class A { private /* é */ a = 1; static /* readonly */ readonly b = 2 }\nreturn [new A().a, A.b];",
        "[1,2]",
    );
    gives(
        "class A { a = 1\nreadonly [k: string]: unknown\nstatic [k: string]: unknown\ndeclare x: number\nb(): void\nb(x?: number): void {} }\nreturn Object.keys(new A());",
        r#"["a"]"#,
    );
}

#[test]
fn lists_lose_their_types_with_their_commas() {
    gives(
        "const f = function (this: void /* none */ , a /* ? */ ?: number) { return a ?? 4; };\nreturn f();",
        "4",
    );
    gives(
        "const f = (a /* ? */ ?: number) => a ?? 4;\nreturn f();",
        "4",
    );
}

#[test]
fn a_tag_may_be_what_a_tag_gave() {
    let tag = "const tag = (s: any, ...v: any[]): any => Object.assign((s: any, ...w: any[]) => [s[0], ...v, ...w], { v });";
    gives(
        &format!("{tag}\nreturn tag`a${{1}}``b${{2}}`;"),
        r#"["b",1,2]"#,
    );
    gives(
        &format!("{tag}\nreturn tag<number>`a${{1}}` `b${{tag`c``d`[0]}}`;"),
        r#"["b",1,"d"]"#,
    );
    gives(
        "class A { a = 1 }\nconst tag = (): any => () => A;\nreturn new tag`a``b`().a;",
        "1",
    );
}

#[test]
fn imports_lose_what_names_types_alone() {
    let files = |import: &str, value: &str| {
        let main = format!(
            "import {{ entity }} from \"ordain\";\n{import}\nexport const t = entity({{}}, {{ run(cx): any {{ const it: N.T = 1; return {value}; }} }});"
        );
        let other = "export type T = number;\nexport const three = 3;\nexport default 2;";
        World::with(&[&[("a.ts", &main), ("x.ts", other)]], Options::default()).value("t/a.run", "")
    };
    assert_eq!(files("import D, * as N from \"./x.ts\";", "D + it"), "3");
    assert_eq!(
        files("import D, /* , */\n  * as N\n  from \"./x.ts\";", "D"),
        "2"
    );
    assert_eq!(files("import D, * as N from \"./x.ts\";", "N.three"), "3");
    assert_eq!(
        files("import D, * as N from \"./x.ts\";", "N.three + D"),
        "5"
    );
    assert_eq!(files("import D, * as N from \"./x.ts\";", "1"), "1");
}

#[test]
fn positions_behind_what_is_put_are_the_users_own() {
    let text = "import { entity } from \"ordain\";\nexport const t = entity({}, { run(cx) {\n  const n: any = 1 as number\n  return n.no() as number\n} });";
    let says = "(a.ts:4:12)";
    World::new(text).fault("t/a.run", "", FaultKind::Exception, says);
}

#[test]
fn what_has_no_place_of_its_own_has_that_of_its_line() {
    let text = "import { entity } from \"ordain\";\nexport const t = entity({}, {\n  run(cx) { return 10n ** 10n ** 10n; },\n});";
    World::new(text).fault("t/a.run", "", FaultKind::Exception, "(a.ts:3:3)");
}

#[test]
fn what_is_inserted_for_closures_ends_before_a_statement_does() {
    let text = "import { entity } from \"ordain\";\nconst made = (n: number) => ({ get: () => n }) as any\n(5)\nconst one = made(3);\nexport const t = entity({}, { run(cx) { return one.get(); } });";
    assert_eq!(World::new(text).value("t/a.run", ""), "3");
}
