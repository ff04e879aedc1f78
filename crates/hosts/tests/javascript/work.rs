//! What built-in functions go through counts, whatever tells them how long it is: none goes on for long.

use std::time::{Duration, Instant};

use ordain_types::{FaultKind, Outcome};

use crate::world::World;

/// Far more than any takes here, and far less than one that nothing counts.
const SOON: Duration = Duration::from_secs(20);

const BEFORE: &str = r#"
import { entity } from "ordain";
const MOST = 2 ** 53 - 1;
function values() {
  const sparse: any = [];
  sparse.length = 2 ** 32 - 1;
  const none = [1];
  const grows = (list: any[]) => Object.defineProperty([0], 0, { get() { list.length = 2 ** 32 - 1; return 0; } });
  const twice = { asked: 0, get length() { return this.asked++ > 0 ? MOST : 1; } };
  const iterated = (list: any) => Object.defineProperty(list, Symbol.iterator, { get() { list.length = MOST; return undefined; } });
  return { like: { length: MOST }, sparse, none, grows, twice, iterated, of: Array.prototype };
}
"#;

/// What the methods that run expressions end with, and when.
#[allow(
    clippy::disallowed_methods,
    reason = "that it ends soon is what is to be shown"
)]
fn outcomes(expressions: &[&str], way: &str) -> Vec<(Outcome, Duration)> {
    let methods = expressions.iter().enumerate().map(|(at, what)| {
        format!("m{at}(cx) {{ const {{ like, sparse, none, grows, twice, iterated, of }} = values(); {way} {what}; return 0; }},\n")
    });
    let methods: String = methods.collect();
    let mut world = World::new(&format!(
        "{BEFORE}export const bad = entity({{}} as any, {{\n{methods}}});\n"
    ));
    let run = |at: usize| {
        let begun = Instant::now();
        let outcome = world.outcome(&format!("bad/x.m{at}"), "");
        (outcome, begun.elapsed())
    };
    (0..expressions.len()).map(run).collect()
}

#[track_caller]
fn is_work(outcome: &Outcome, what: &str) {
    match outcome {
        Outcome::Fault(fault) if fault.kind == FaultKind::Instructions => {}
        other => panic!("{what}: {other:?}"),
    }
}

const OVER_ANY: [&str; 38] = [
    "of.at.call(LIST, 1), of.indexOf.call(LIST, 1)",
    "of.concat.call([], Object.assign(LIST, { [Symbol.isConcatSpreadable]: true }))",
    "of.concat.call(Object.assign(LIST, { [Symbol.isConcatSpreadable]: true }))",
    "of.copyWithin.call(LIST, 0, 1)",
    "of.every.call(LIST, () => true)",
    "of.fill.call(LIST, 0, 5)",
    "of.filter.call(LIST, () => true)",
    "of.find.call(LIST, () => false)",
    "of.findIndex.call(LIST, () => false)",
    "of.findLast.call(LIST, () => false)",
    "of.findLastIndex.call(LIST, () => false)",
    "of.flat.call(LIST)",
    "of.flatMap.call(LIST, () => [])",
    "of.forEach.call(LIST, () => {})",
    "of.includes.call(LIST, 1)",
    "of.join.call(LIST, '')",
    "of.lastIndexOf.call(LIST, 1)",
    "of.reduce.call(LIST, () => 0, 0)",
    "of.reduce.call(LIST, () => 0)",
    "of.reduceRight.call(LIST, () => 0, 0)",
    "of.reverse.call(LIST)",
    "of.shift.call(LIST)",
    "of.slice.call(LIST)",
    "of.slice.call(LIST, 1, -1)",
    "of.slice.call(LIST, { valueOf: () => 0 })",
    "of.some.call(LIST, () => false)",
    "of.sort.call(LIST)",
    "of.sort.call(LIST, () => 0)",
    "of.splice.call(LIST, 0, 1)",
    "of.toLocaleString.call(LIST)",
    "of.toReversed.call(LIST)",
    "of.toSorted.call(LIST)",
    "of.toSpliced.call(LIST, 0, 1)",
    "of.unshift.call(LIST, 1)",
    "of.with.call(LIST, 0, 1)",
    "String.raw({ raw: LIST })",
    "String.prototype.split.call(of.slice.call(LIST), '')",
    "of.toString.call({ __proto__: of, length: LIST.length })",
];

#[test]
fn what_goes_through_a_list_counts_however_long_it_says_it_is() {
    for list in ["like", "sparse"] {
        let expressions = OVER_ANY.map(|it| it.replace("LIST", list));
        let expressions: Vec<_> = expressions.iter().map(|it| &**it).collect();
        for ((outcome, took), what) in outcomes(&expressions, "").iter().zip(&expressions) {
            is_work(outcome, what);
            assert!(*took < SOON, "{what}: {took:?}");
        }
    }
}

/// Some are refused, some have nothing to do, some take memory; none goes on.
#[test]
fn what_takes_a_length_ends_soon() {
    const ALL: &[&str] = &[
        "Math.max.apply(null, like)",
        "Reflect.apply(Math.max, null, sparse)",
        "Reflect.construct(Array, like)",
        "new Uint8Array(like)",
        "new Float64Array(sparse)",
        "new Uint8Array({ length: 6e7 })",
        "Uint8Array.from(like)",
        "Uint8Array.from({ length: 6e7 })",
        "Uint8Array.from(sparse)",
        "new Uint8Array(8).set(like)",
        "new Uint8Array(8).set(sparse)",
        "Array.from.call(function () { return new Uint8Array(6e7) }, new Uint8Array(6e7))",
        "Array.from.call(Object, like)",
        "Array.from(like)",
        "Array.from(sparse)",
        "''.repeat(2 ** 53)",
        "''.repeat(2 ** 31 - 1)",
        "'x'.padStart(2 ** 53)",
        "'x'.padStart(2 ** 53, '')",
        "'x'.at(2 ** 53)",
        "'x'.repeat(3e7).padEnd(2 ** 53, 'xy')",
        "JSON.stringify(sparse)",
        "JSON.stringify({}, sparse)",
        "JSON.stringify({}, Array.from({ length: 1e5 }, (_, at) => `n${at}`))",
        "JSON.stringify(new Array(1e5).fill({}), Array.from({ length: 1e4 }, (_, at) => `n${at}`))",
        "JSON.parse('[1,2]', function () { this.length = 2 ** 32 - 1; return 1 })",
        "JSON.parse('[[1],[2]]', function () { if (this.length === 2) this[1] = sparse; return 1 })",
        "cx.state.it = sparse",
        "Object.keys(sparse)",
        "Object.entries(sparse)",
        "Object.assign({}, sparse)",
        "Object.assign([], like)",
        "Object.fromEntries(sparse)",
        "Object.freeze(sparse)",
        "Object.groupBy(sparse, () => 1)",
        "Map.groupBy(sparse, () => 1)",
        "new Set(sparse)",
        "new Map(sparse)",
        "new Map(new Array(1e6).fill([1, 1]))",
        "[...sparse]",
        "const [a, ...rest] = sparse",
        "const { length, ...rest } = sparse",
        "const { ...rest } = like",
        "for (const it of sparse) {}",
        "for (const it in sparse) {}",
        "Math.sumPrecise?.(new Uint8Array(6e7))",
        "new Uint8Array(6e7).values().drop(6e7).next()",
        "sparse.values().drop(1e15).next()",
        "sparse.values().take(1e15).toArray()",
        "sparse.values().reduce(Math.max)",
        "Iterator.from(sparse.values()).some((it) => it)",
        "new Set([1]).union({ size: 0, has() {}, keys() { return new Uint8Array(6e7).values() } })",
        "new Set([1]).isSupersetOf({ size: 0, has() {}, keys() { return sparse.values() } })",
        "new Set([1]).symmetricDifference({ size: 0, has() {}, keys() { return sparse.values() } })",
        "sparse.length = 0",
        "sparse[5] = 1, sparse.length = 2",
        "sparse.pop(), sparse.length = 2 ** 31",
        "/(?:(?:a{0,1000}){0,1000}){0,1000}b/.test('a'.repeat(50))",
        "new RegExp('(?:a{1000}){1000}'.repeat(100)).test('a')",
        "new RegExp('a{4294967295}').test('a')",
        "new RegExp('(?:){9007199254740991}').test('a')",
        "/(?:)/g[Symbol.replace]('x'.repeat(3e7), '')",
        "'x'.repeat(1e7).split(/(?:)/)",
        "RegExp.prototype[Symbol.replace].call({ exec: () => ({ ...like, index: 0 }), flags: '' }, 'x', '')",
        "RegExp.prototype[Symbol.split].call({ flags: '', constructor: { [Symbol.species]: function () { return { lastIndex: 0, exec() { this.lastIndex = 1; return like; } }; } } }, 'xx')",
        "BigInt('1'.repeat(1e6))",
        "Number('1'.repeat(3e7))",
        "parseFloat('1'.repeat(3e7))",
        "parseInt('1'.repeat(3e7), 7)",
        "encodeURIComponent('x'.repeat(1e7))",
        "Date.parse('1'.repeat(3e7))",
        "new Error('x', { cause: like }).stack",
        "new AggregateError(sparse)",
        "of.push.call(like, 1)",
        "of.pop.call(like)",
        "new ArrayBuffer(8, { maxByteLength: 2 ** 53 - 1 })",
        "new ArrayBuffer(8).transfer(2 ** 53 - 1)",
        "new DataView(new ArrayBuffer(8), 0, 2 ** 53 - 1)",
        // Lengths that are others when they are asked for again.
        "none.concat(grows(none), none)",
        "[].concat(grows(none), none)",
        "Array.from.call(Uint8Array, iterated({ length: 1 }))",
        "new Uint8Array(iterated({ length: 1 }))",
        "[none, grows(none), none].flat()",
        "[0, 1].flatMap(() => sparse)",
        "none.slice.call(grows(none))",
        "of.reverse.call(Object.create({ get length() { return MOST; } }))",
        "of.reverse.call({ length: { valueOf: () => MOST } })",
        "of.reverse.call(cx.call('other', 'key'))",
        "of.slice.call(Object.getPrototypeOf(cx.call('other', 'key')))",
    ];
    for ((outcome, took), what) in outcomes(ALL, "").iter().zip(ALL) {
        assert!(*took < SOON, "{what}: {took:?}");
        if let Outcome::Fault(fault) = outcome {
            use FaultKind::{Encoding, Exception, Instructions, Memory};
            let kinds = [Encoding, Exception, Instructions, Memory];
            assert!(kinds.contains(&fault.kind), "{what}: {fault:?}");
        }
    }
    let twice = [
        "reverse",
        "slice",
        "join",
        "sort",
        "fill",
        "shift",
        "splice",
        "copyWithin",
        "toSpliced",
        "unshift",
    ];
    let twice = twice.map(|name| format!("of.{name}.call(twice)"));
    let twice: Vec<_> = twice.iter().map(|it| &**it).collect();
    for ((outcome, _), what) in outcomes(&twice, "").iter().zip(&twice) {
        let Outcome::Fault(fault) = outcome else {
            panic!("{what}: {outcome:?}");
        };
        assert!(
            fault
                .message
                .contains("the `length` of what is no array must be a number"),
            "{what}: {fault}"
        );
    }
}

/// Over and over what takes no time to speak of once.
#[test]
fn what_is_done_over_and_over_counts() {
    const ALL: &[&str] = &[
        "list.concat(list)",
        "list.slice()",
        "list.flat()",
        "list.with(0, 1)",
        "Array.from(list)",
        "new Set(list)",
        "set.isSubsetOf(set)",
        "set.intersection(set)",
        "new Set([1, 2]).isDisjointFrom(set)",
        "new Map(pairs)",
        "text.startsWith(text + '')",
        "Math.sumPrecise(numbers)",
        "Object.keys(list)",
        "Object.entries(list.slice(0, 2e4))",
        "Object.isFrozen(Object.freeze(list))",
        "Object.assign({}, list)",
        "JSON.stringify(0, list)",
        "buffer.resize(0), buffer.resize(6e6)",
        "new Uint16Array(bytes)",
        "bytes.setFromHex?.(text)",
        "of.fill.call(bytes, 1)",
        "/y/[Symbol.replace](text, 'z')",
        "/x/g[Symbol.match](text)",
        "/(?:)/g[Symbol.replace](text, '')",
        "[...text.slice(0, 1e5)]",
        "String.raw({ raw: list })",
        "list.values().drop(1e6).next()",
    ];
    let before = "const text = 'ab'.repeat(5e5), list = new Array(1e5).fill('1'), set = new Set(list.keys()), pairs = list.map((_, at) => [at, at]), \
                  buffer = new ArrayBuffer(6e6, { maxByteLength: 6e6 }), bytes = new Uint8Array(1e6), numbers = list.map(Number); for (;;)";
    for ((outcome, took), what) in outcomes(ALL, before).iter().zip(ALL) {
        is_work(outcome, what);
        assert!(*took < SOON, "{what}: {took:?}");
    }
}

/// What was written anew does what the language says.
#[test]
fn what_counts_does_the_same() {
    const SAME: [(&str, &str); 34] = [
        ("[1].concat(2, [3, [4]], 'x')", r#"[1,2,3,[4],"x"]"#),
        (
            "of.concat.call('a', [1]).map((it) => typeof it)",
            r#"["object","number"]"#,
        ),
        (
            "[1].concat({ length: 2, 1: 5, [Symbol.isConcatSpreadable]: true }).length",
            "3",
        ),
        (
            "1 in [1].concat({ length: 2, 1: 5, [Symbol.isConcatSpreadable]: true })",
            "false",
        ),
        (
            "[1].concat(Object.assign([2], { [Symbol.isConcatSpreadable]: false })).length",
            "2",
        ),
        ("[,].concat([,]).length", "2"),
        (
            "new (class A extends Array {})(1, 2).concat(3).constructor.name",
            r#""A""#,
        ),
        (
            "of.concat.length + of.flat.length + of.flatMap.length + Array.from.length + String.raw.length",
            "4",
        ),
        (
            "of.concat.name + of.flatMap.name + Uint8Array.name",
            r#""concatflatMapUint8Array""#,
        ),
        ("[1, [2, [3, [4]]], , 5].flat()", "[1,2,[3,[4]],5]"),
        ("[1, [2, [3, [4]]]].flat(Infinity)", "[1,2,3,4]"),
        ("[1, [2]].flat(-1)", "[1,[2]]"),
        ("[1, 2].flatMap((it, at) => [it, [at]])", "[1,[0],2,[1]]"),
        ("of.flat.call({ length: 2, 0: [1] })", "[1]"),
        ("[1, 2, 3, 4].slice(-3, -1)", "[2,3]"),
        ("[1, 2, 3].slice()", "[1,2,3]"),
        ("of.slice.call('abc', 1)", r#"["b","c"]"#),
        (
            "(function () { return of.slice.call(arguments, 1); })(1, 2)",
            "[2]",
        ),
        ("of.slice.call(new Uint8Array([1, 2]), 1)", "[2]"),
        (
            "of.reverse.call({ length: 2, 0: 1, 1: 2 })",
            r#"{"0":2,"1":1,"length":2}"#,
        ),
        ("Array.from({ length: 2 }, (_, at) => at)", "[0,1]"),
        ("Array.from('ab')", r#"["a","b"]"#),
        ("Array.from(new Set([1, 2]), (it) => it * 2)", "[2,4]"),
        (
            "Array.from({ get length() { return 2; } }, () => 1)",
            "[1,1]",
        ),
        ("[...Uint8Array.from([1, 2])]", "[1,2]"),
        ("[...Uint8Array.from({ length: 1, 0: 7 })]", "[7]"),
        (
            "[new Uint8Array([1, 2]).length, new Uint8Array(new Uint16Array(3)).length, new Uint8Array(4).length, new Uint8Array(new ArrayBuffer(5)).length]",
            "[2,3,4,5]",
        ),
        (
            "[new Uint8Array(1) instanceof Uint8Array, new Uint8Array(1).map((it) => 1).constructor === Uint8Array, Uint8Array.BYTES_PER_ELEMENT]",
            "[true,true,1]",
        ),
        (
            "new (class B extends Uint8Array { get first() { return this[0]; } })([9]).first",
            "9",
        ),
        ("String.raw`a\\n${1}b${2}`", r#""a\\n1b2""#),
        ("String.raw({ raw: 'abc' }, 1, 2, 3)", r#""a1b2c""#),
        (
            "JSON.stringify({ a: 1, b: { a: 2, c: 3 }, d: [{ a: 4, e: 5 }], n: new Number(6) }, ['b', 'a', 'd', 'n', 'a'])",
            r#""{\"b\":{\"a\":2},\"a\":1,\"d\":[{\"a\":4}],\"n\":6}""#,
        ),
        (
            "[...new Set([1, 2]).union(new Set([3])), ...new Set([1, 2]).intersection(new Map([[2, 0]])), new Set([1]).isSubsetOf(new Set([1, 2]))]",
            "[1,2,3,2,true]",
        ),
        ("[...[1, 2, 3].values().drop(1)]", "[2,3]"),
    ];
    let methods = SAME.iter().enumerate();
    let methods: String = methods
        .map(|(at, (what, _))| {
            format!("m{at}() {{ const of = Array.prototype; return {what}; }},\n")
        })
        .collect();
    let mut world = World::new(&format!(
        "import {{ entity }} from 'ordain';\nexport const it = entity({{}}, {{\n{methods}}});\n"
    ));
    for (at, (what, value)) in SAME.iter().enumerate() {
        assert_eq!(world.value(&format!("it/a.m{at}"), ""), *value, "{what}");
    }
}
