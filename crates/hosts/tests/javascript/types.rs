//! TypeScript: types go, positions stay, and what they say of parameters is in the manifest.

use ordain_types::FaultKind;
use ordain_types::module::MethodManifest;

use crate::world::{self, World, compile};

/// Every form of type there is, in code that still runs.
const TYPED: &str = r#"
import { entity, query, type Context } from "ordain";
import type { Shape } from "./shapes";
import { Other, area, type Side } from "./shapes";
import { Unused } from "./shapes";
export type { Shape } from "./shapes";
export type Local = { a: number } | string;
export interface Named<T = unknown> extends Object { readonly [key: string]: unknown; method?(): T }
declare const outside: number;
declare function nowhere(x: number): void;
declare global { interface Window { x: number } }
declare module "other" { export const y: number }
abstract class Base<T> implements Iterable<T>, Named {
  declare ghost: number;
  [key: string]: unknown;
  private readonly first: number = 1;
  protected static override? : number;
  public second!: string
  static readonly third = 3 as const
  public ["fourth"]: number = 4
  optional?: number;
  constructor(readonly_: number) {}
  abstract gone(): void;
  public method<U extends T>(this: Base<T>, a?: U, ...rest: U[]): number { return this.first + rest.length }
  overloaded(a: string): string;
  overloaded(a: number): number;
  overloaded(a: any): any { return a }
  get it(): number { return 5 }
  *[Symbol.iterator](): Iterator<T> {}
}
class Real<T> extends Base<T> { gone(): void {} }
function generic<T, U = T>(x: T, y?: U): x is T & U { return true as boolean }
function over(a: string): string
function over(a: number): number
function over(a: any) { return a! }
const arrow = <T,>(x: T): { it: T } => ({ it: x })
const lines = (x: number): {
  value: number
} => ({ value: x } satisfies { value: number })
const asserted = <number>(1 as unknown)
const call = arrow<number>(1)!.it!
let definite!: number
const { a, b = 2 }: { a: number; b?: number } = { a: 1 }
for (const x of [1] as number[]) area(x as Side)
try { throw 1 } catch (e: unknown) { }
const instance = generic<string>
label: for (;;) { break label }
const ternary = a ? (b as number) : <any>b
const ünïcode: string = "ü" as string; const after = ünïcode!
export default interface Gone { x: number }
export { area as surface, type Side, Local as Alias }
export const t = entity({ n: 0 } as { n: number }, {
  run(cx: Context<{ n: number }>, { x, y = 2 }: { x: number; y?: number }): unknown {
    return [x, y, lines(3), new Real<number>(1).method<number>(1, 2, 3), over(1), call, after, Base.third, [...[call]].length,
      new Real(1)["fourth"]];
  },
  fail(cx, { z }: { z: string }) { const ä: string = z!; const nö: any = null as any; return nö.x(ä as string); },
});
"#;

const SHAPES: &str = r#"
export interface Shape { side: Side }
export interface Other {}
export interface Unused {}
export type Side = number;
export const area = (side: Side): number => side * side;
"#;

fn files() -> [(&'static str, &'static str); 2] {
    [("typed.ts", TYPED), ("shapes.ts", SHAPES)]
}

#[test]
fn types_go_and_code_stays() {
    let mut world = World::with(&[&files()], Default::default());
    let value = world.value("t/a.run", r#"{"x":1}"#);
    assert_eq!(value, r#"[1,2,{"value":3},3,1,1,"ü",3,1,4]"#);
}

#[test]
fn positions_are_the_users_own() {
    let mut world = World::with(&[&files()], Default::default());
    let fault = world.fault(
        "t/a.fail",
        r#"{"z":"z"}"#,
        FaultKind::Exception,
        "TypeError: cannot read property 'x' of null",
    );
    let line = TYPED
        .lines()
        .position(|line| line.contains("fail(cx"))
        .unwrap()
        + 1;
    let text = TYPED.lines().nth(line - 1).unwrap();
    let column = text[..text.find("nö.x(").unwrap()].chars().count() + 1;
    let said = world::shown(&fault);
    assert!(
        said.ends_with(&format!("(typed.ts:{line}:{column})")),
        "{said} is not at {line}:{column}"
    );
}

#[test]
fn what_is_known_of_parameters_is_in_the_manifest() {
    let text = r#"
import { entity, query, type Context } from "ordain";
type Lines = Line[];
interface Line { sku: string; count: number | null }
interface Args { lines: Lines; note?: string; kind: "a" | "b"; by: Record<string, number>; pair: [number, string] }
const shared = (cx: any, { id }: { id: string }): boolean => true;
export const a = entity({}, {
  none(cx) {},
  names(cx, { x, y = 1, ...rest }) {},
  closed(cx, { x, y = 1 }) {},
  plain(cx, args) {},
  typed(cx: Context<{}>, { lines, note, kind = "a" }: Args): Line[] { return []; },
  whole(cx, args: { n: number; at: undefined | Date }): void {},
  open(cx, args: { [name: string]: number }) {},
  shared,
  asked: query((cx, { of }: { of: string | null }): { value: number } => ({ value: 1 })),
  arrow: (cx, { x }: { x: boolean }) => x,
});
"#;
    let package = compile(&[("a.ts", text)]).unwrap();
    let entity = &package.manifest.entities[0];
    assert_eq!(
        (
            entity.version,
            entity.migrates,
            package.manifest.sdk.as_str()
        ),
        (1, false, "0.1")
    );
    let shown: Vec<String> = entity.methods.iter().map(shown).collect();
    let line = r#"{"properties":{"count":{"anyOf":[{"type":"number"},{"type":"null"}]},"sku":{"type":"string"}},"required":["sku","count"],"type":"object"}"#;
    let expected = [
        "Update none() {}".to_owned(),
        "Update names(…) {}".to_owned(),
        "Update closed(x: {}, y?: {}) {}".to_owned(),
        "Update plain(…) {}".to_owned(),
        format!(
            r#"Update typed(lines: {{"items":{line},"type":"array"}}, note?: {{"type":"string"}}, kind?: {{"enum":["a","b"]}}, by: {{"additionalProperties":{{"type":"number"}},"type":"object"}}, pair: {{"maxItems":2,"minItems":2,"prefixItems":[{{"type":"number"}},{{"type":"string"}}],"type":"array"}}) {{"items":{line},"type":"array"}}"#
        ),
        r#"Update whole(n: {"type":"number"}, at?: {}) {"type":"null"}"#.to_owned(),
        "Update open(…) {}".to_owned(),
        r#"Update shared(id: {"type":"string"}) {"type":"boolean"}"#.to_owned(),
        r#"Query asked(of: {"anyOf":[{"type":"string"},{"type":"null"}]}) {"properties":{"value":{"type":"number"}},"required":["value"],"type":"object"}"#.to_owned(),
        r#"Update arrow(x: {"type":"boolean"}) {}"#.to_owned(),
    ];
    assert_eq!(shown, expected);
}

/// However a method is written, and whatever a wrapper of types is put around it.
#[test]
fn what_is_known_of_parameters_is_known_of_every_function() {
    const NEEDS: &str = "{ q }: { q: number }";
    const SHAPES: [&str; 55] = [
        "run(cx, NEEDS) { return q }",
        "run (cx, NEEDS) { return q }",
        "'run'(cx, NEEDS) { return q }",
        "['run'](cx, NEEDS) { return q }",
        "/* é */ run(cx, NEEDS) { return q }",
        "run: function named(cx: any, NEEDS) { return q }",
        "run:\n   (cx: any, NEEDS) =>\n   q",
        "run: <T,>(cx: any, NEEDS): any => q",
        "run: (0, (cx: any, NEEDS) => q)",
        "run: ((cx: any, NEEDS) => q)",
        "run: ((cx: any, NEEDS) => q) as any",
        "run: ((cx: any, NEEDS) => q) satisfies unknown",
        "run: <any>((cx: any, NEEDS) => q)",
        "run: (<any>function (cx: any, NEEDS) { return q })",
        "run: true && ((cx: any, NEEDS) => q)",
        "run: true ? (cx: any, NEEDS) => q : null",
        "run: query((cx: any, NEEDS) => q)",
        "run: query ((cx: any, NEEDS) => q)",
        "run: query(((cx: any, NEEDS) => q) as any)",
        "run: query( /* c */ (cx: any, NEEDS) => q)",
        "run: query(\n    // c\n    (cx: any, NEEDS) => q)",
        "run: query(function (cx: any, NEEDS) { return q })",
        "run: query<any, any, any>((cx: any, NEEDS) => q)",
        "run: query!((cx: any, NEEDS) => q)",
        "run: (query)((cx: any, NEEDS) => q)",
        "run: (query as any)((cx: any, NEEDS) => q)",
        "run: ((query as any) satisfies unknown)((cx: any, NEEDS) => q)",
        "run: [query][0]((cx: any, NEEDS) => q)",
        "run: query.call(null, (cx: any, NEEDS) => q)",
        "run: query((cx: any, NEEDS) => { const f = () => q; return f(); })",
        "run: guard('a text',(cx: any, NEEDS) => q)",
        "run: query(guard('', (cx: any, NEEDS) => q))",
        "run: <\n  T,\n>(cx: any, NEEDS): any => q",
        "run: query(<\n  T extends string,\n>(cx: any, NEEDS) => q)",
        "run: query(<T,>\n(cx: any, NEEDS) => q)",
        "run: query( <\n  T,\n>(cx: any, NEEDS) => q)",
        "run:guard('it\\'s',(cx: any, NEEDS) => q)",
        "run:guard(\"a \\\" b\",(cx: any, NEEDS) => q)",
        "run:guard(/\"/,(cx: any, NEEDS) => q)",
        "run:guard(/a b*/,(cx: any, NEEDS) => q)",
        "run:guard(`it's ${1} b`,(cx: any, NEEDS) => q)",
        "run:guard(`a\n b ${`x y`} c`,(cx: any, NEEDS) => q)",
        "run: new (class { #m(f: any) { return f } f() { return this.#m((cx: any, NEEDS) => q) } })().f()",
        "zero() { return String.raw`x` }, run: query((cx: any, NEEDS) => q)",
        "zero: ((z: any) => () => z)(1), run(cx, NEEDS) { return q }",
        "run: C.fixed",
        "run: new C().own",
        "run: C.field",
        "run: F",
        "run: listed",
        "run: named",
        "run: query(typed as any)",
        "run: broken",
        "run: made()",
        "get run() { return (cx: any, NEEDS) => q }",
    ];
    const BEFORE: &str = r#"
import { entity, query } from "ordain";
const guard = (who: string, f: any) => f;
class C { public static fixed<T>(cx: any, NEEDS) { return q } own (cx: any, NEEDS) { return q } static field = (cx: any, NEEDS) => q }
export function F(cx: any, NEEDS) { return q }
const [listed] = [(cx: any, NEEDS) => q]; const { named } = { named(cx: any, NEEDS) { return q } };
let typed = <T extends unknown>(cx: any, NEEDS): number => q;
const broken = (
  cx: any,
  NEEDS,
) => q;
function made() { return (cx: any, NEEDS) => q }
"#;
    for shape in SHAPES {
        let text =
            format!("{BEFORE}export const a = entity({{}} as any, {{\n  {shape},\n}} as any);\n");
        let package = compile(&[("a.ts", &text.replace("NEEDS", NEEDS))]).unwrap();
        let methods = &package.manifest.entities[0].methods;
        let run = methods.iter().find(|it| it.name.as_str() == "run").unwrap();
        assert!(
            shown(run).contains(r#" run(q: {"type":"number"}) "#),
            "{shape}: {}",
            shown(run)
        );
    }
}

/// The interpreter tells functions without a word or a space between them by one place: nothing is known of either, and
/// nothing wrong.
#[test]
fn nothing_is_known_of_functions_that_have_one_place() {
    let text = "import{entity as n}from\"ordain\";export const a=n({},{one(t,{x:e}){return e},two(t,{y:e}){return e}});";
    assert_eq!(
        described(&[("a.ts", text)]),
        ["Update one(x: {}) {}", "Update two(y: {}) {}"]
    );
    let text = "import{entity as n}from\"ordain\";export const a=n({},{one:(()=>(t,{x:e})=>e)()});";
    assert_eq!(described(&[("a.ts", text)]), ["Update one(…) {}"]);
}

/// What the methods of `a.ts` are described as.
fn described(files: &[(&str, &str)]) -> Vec<String> {
    let package = compile(files).unwrap();
    let methods = package.manifest.entities[0].methods.iter();
    methods.map(shown).collect()
}

#[test]
fn types_of_other_files_are_known() {
    let main = r#"
import { entity } from "ordain";
import type { Line, Deep as Renamed, Klass, Generic, Gone } from "./lib/types";
import { type Kind, helper } from "./lib/types.js";
import type Whole from "./lib/whole";
import * as all from "./lib/types";
import type { Wrong } from "./wrong"; // which is not there
import type { Other } from "elsewhere";
import type { Record } from "./lib/types";
export type { Line };
export const a = entity({}, {
  line(cx, { line, kind }: { line: Line; kind: Kind }) { return helper(1); },
  whole(cx, args: Whole) {},
  deep(cx, { it }: { it: Renamed }) {},
  through(cx, { it, on }: { it: all.Line; on: all.Deep }) {},
  passed(cx, { it }: { it: all.Passed }) {},
  shadowed(cx, { it }: { it: Record }) {},
  unknown(cx, args: { a: Klass; b: Generic<string>; c: Gone; d: Wrong; e: Other; f: all.Klass; g: all.Gone; h: all.x.Line }) {},
});"#;
    let types = r#"
import type { Inner } from "../shared";
export interface Line { sku: Inner; n?: number }
export type Kind = "a" | "b";
type Local = { x: Line[] };
export { Local as Deep };
export class Klass { x = 1; }
export type Generic<T> = { t: T };
export type Record = { n: number };
export * from "./whole";
export type * from "./round";
export const helper = (n: number) => n;
"#;
    let files = [
        ("a.ts", main),
        ("lib/types.ts", types),
        (
            "lib/whole.ts",
            "export default interface Whole { id: string }",
        ),
        (
            "lib/round.ts",
            "export * from './types'; export { Inner as Passed } from '../shared';",
        ),
        ("shared/index.ts", "export type Inner = string | null;"),
    ];
    let sku = r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#;
    let line = format!(
        r#"{{"properties":{{"n":{{"type":"number"}},"sku":{sku}}},"required":["sku"],"type":"object"}}"#
    );
    let deep = format!(
        r#"{{"properties":{{"x":{{"items":{line},"type":"array"}}}},"required":["x"],"type":"object"}}"#
    );
    let record = r#"{"properties":{"n":{"type":"number"}},"required":["n"],"type":"object"}"#;
    let unknown = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| format!("{name}: {{}}"));
    let expected = [
        format!(r#"Update line(line: {line}, kind: {{"enum":["a","b"]}}) {{}}"#),
        r#"Update whole(id: {"type":"string"}) {}"#.to_owned(),
        format!("Update deep(it: {deep}) {{}}"),
        format!("Update through(it: {line}, on: {deep}) {{}}"),
        format!("Update passed(it: {sku}) {{}}"),
        format!("Update shadowed(it: {record}) {{}}"),
        format!("Update unknown({}) {{}}", unknown.join(", ")),
    ];
    assert_eq!(described(&files), expected);
    let wrong = ("wrong.ts", "export interface Wrong {\n  n: }");
    let error = compile(&[&files[..], &[wrong]].concat()).unwrap_err();
    assert!(error.to_string().starts_with("wrong.ts:2:6: "), "{error}");
}

#[test]
fn an_interface_has_what_it_extends() {
    let main = r#"
import { entity } from "ordain";
import type { Base } from "./base";
interface Named { name: string; n: string | number }
interface Line extends Named, Base { n: number; note?: string }
interface Line extends More {}
type More = { more: boolean };
interface Empty {}
interface Open extends Partial<Named> { x: number }
interface Lost extends Date { x: number }
interface Round extends Round { x: number }
interface Twice extends Named, Other { x: number }
interface Other { name: number }
export const a = entity({}, {
  line(cx, args: Line) {},
  open(cx, { it, lost, round, empty }: { it: Open; lost: Lost; round: Round; empty: Empty }) {},
  twice(cx, args: Twice) {},
});"#;
    let base = "export interface Base extends Root { at: number } interface Root { id: string }";
    let expected = [
        r#"Update line(name: {"type":"string"}, id: {"type":"string"}, at: {"type":"number"}, more: {"type":"boolean"}, n: {"type":"number"}, note?: {"type":"string"}) {}"#,
        "Update open(it: {}, lost: {}, round: {}, empty: {}) {}",
        r#"Update twice(name: {}, n: {"anyOf":[{"type":"string"},{"type":"number"}]}, x: {"type":"number"}) {}"#,
    ];
    assert_eq!(described(&[("a.ts", main), ("base.ts", base)]), expected);
}

#[test]
fn a_wide_type_that_names_itself_is_not_followed_to_its_end() {
    let members: String = (0..60).map(|at| format!("a{at}?: T;")).collect();
    let unions = vec!["T"; 60].join(" | ");
    let text = format!(
        "import {{ entity }} from \"ordain\";\ntype T = {{ {members} }};\ntype U = {{ u: U1 }};\ntype U1 = {unions};\n\
         export const t = entity({{}}, {{ run(cx, args: T): U {{ return args as any; }} }});"
    );
    let package = compile(&[("a.ts", &text)]).unwrap();
    let method = &package.manifest.entities[0].methods[0];
    let params = method.params.as_ref().unwrap();
    assert_eq!((params.len(), params[59].required), (60, false));
    assert_eq!(params[59].schema, "{}");
    let bytes: usize = params.iter().map(|it| it.schema.len()).sum();
    assert!(bytes + method.result.len() < 200_000, "{bytes}");
}

fn shown(method: &MethodManifest) -> String {
    let params = method.params.as_ref().map(|params| {
        let param = |param: &ordain_types::Param| {
            format!(
                "{}{}: {}",
                param.name,
                if param.required { "" } else { "?" },
                param.schema
            )
        };
        params.iter().map(param).collect::<Vec<_>>().join(", ")
    });
    let params = params.unwrap_or_else(|| "…".to_owned());
    format!(
        "{:?} {}({params}) {}",
        method.kind, method.name, method.result
    )
}

#[test]
fn modules_of_several_files_work() {
    let main = r#"
export * from "./accounts/index.ts";
import { entity } from "ordain";
import { account } from "./accounts";
import { double } from "./lib.js";
export const bank = entity({}, { pay(cx, { to }: { to: string }): number { return double(cx.call(account, to).deposit({ amount: 1 })); } });
"#;
    let accounts = r#"
import { entity } from "ordain";
import { double } from "../lib";
export const account = entity({ balance: 0 }, { deposit(cx, { amount }: { amount: number }) { return cx.state.balance += double(amount); } });
"#;
    let files = [
        ("main.ts", main),
        ("accounts/index.ts", accounts),
        ("lib.ts", "export const double = (n: number) => 2 * n;"),
        ("unused.ts", "not even code"),
    ];
    let mut world = World::with(&[&files], Default::default());
    assert_eq!(world.value("bank/a.pay", r#"{"to":"al"}"#), "4");
    assert_eq!(world.state("account/al"), r#"{"balance":2}"#);
}

#[test]
fn javascript_needs_no_types() {
    let text = "import { entity } from \"ordain\";\nexport const a = entity({ n: 0 }, { hit(cx) { return ++cx.state.n; } });";
    let mut world = World::with(&[&[("a.js", text)]], Default::default());
    assert_eq!(world.value("a/x.hit", ""), "1");
    assert!(
        compile(&[("a.js", "const x: number = 1;")]).is_err(),
        "types are not JavaScript"
    );
}
