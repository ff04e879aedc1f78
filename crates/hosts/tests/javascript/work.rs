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
    "String.prototype.split.call({ toString: () => of.join.call(LIST) }, '')",
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
    use FaultKind::{Exception, Instructions, Memory};
    const ALL: &[(&str, Option<FaultKind>)] = &[
        ("Math.max.apply(null, like)", Some(Exception)),
        ("Reflect.apply(Math.max, null, sparse)", Some(Exception)),
        ("Reflect.construct(Array, like)", Some(Exception)),
        ("new Uint8Array(like)", Some(Instructions)),
        ("new Float64Array(sparse)", Some(Memory)),
        ("new Uint8Array({ length: 6e7 })", Some(Instructions)),
        ("Uint8Array.from(like)", Some(Instructions)),
        ("Uint8Array.from({ length: 6e7 })", Some(Instructions)),
        ("Uint8Array.from(sparse)", Some(Memory)),
        ("new Uint8Array(8).set(like)", Some(Exception)),
        ("new Uint8Array(8).set(sparse)", Some(Exception)),
        (
            "Array.from.call(function () { return new Uint8Array(6e7) }, new Uint8Array(6e7))",
            Some(Memory),
        ),
        ("Array.from.call(Object, like)", Some(Instructions)),
        ("Array.from(like)", Some(Instructions)),
        ("Array.from(sparse)", Some(Memory)),
        ("''.repeat(2 ** 53)", Some(Exception)),
        ("''.repeat(2 ** 31 - 1)", None),
        ("'x'.padStart(2 ** 53)", Some(Exception)),
        ("'x'.padStart(2 ** 53, '')", None),
        ("'x'.at(2 ** 53)", None),
        ("'x'.repeat(3e7).padEnd(2 ** 53, 'xy')", Some(Exception)),
        ("JSON.stringify(sparse)", Some(Memory)),
        ("JSON.stringify({}, sparse)", Some(Instructions)),
        (
            "JSON.stringify({}, Array.from({ length: 1e5 }, (_, at) => `n${at}`))",
            None,
        ),
        (
            "JSON.stringify(new Array(1e5).fill({}), Array.from({ length: 1e4 }, (_, at) => `n${at}`))",
            Some(Instructions),
        ),
        (
            "JSON.parse('[1,2]', function () { this.length = 2 ** 32 - 1; return 1 })",
            None,
        ),
        (
            "JSON.parse('[[1],[2]]', function () { if (this.length === 2) this[1] = sparse; return 1 })",
            Some(Instructions),
        ),
        ("cx.state.it = sparse", Some(Memory)),
        ("Object.keys(sparse)", None),
        ("Object.entries(sparse)", None),
        ("Object.assign({}, sparse)", None),
        ("Object.assign([], like)", Some(Exception)),
        ("Object.fromEntries(sparse)", Some(Exception)),
        ("Object.freeze(sparse)", None),
        ("Object.groupBy(sparse, () => 1)", Some(Instructions)),
        ("Map.groupBy(sparse, () => 1)", Some(Instructions)),
        ("new Set(sparse)", Some(Instructions)),
        ("new Map(sparse)", Some(Exception)),
        ("new Map(new Array(1e6).fill([1, 1]))", None),
        ("[...sparse]", Some(Memory)),
        ("const [a, ...rest] = sparse", Some(Instructions)),
        ("const { length, ...rest } = sparse", None),
        ("const { ...rest } = like", None),
        ("for (const it of sparse) {}", Some(Instructions)),
        ("for (const it in sparse) {}", None),
        ("Math.sumPrecise?.(new Uint8Array(6e7))", Some(Instructions)),
        (
            "new Uint8Array(6e7).values().drop(6e7).next()",
            Some(Instructions),
        ),
        ("sparse.values().drop(1e15).next()", Some(Instructions)),
        ("sparse.values().take(1e15).toArray()", Some(Memory)),
        ("sparse.values().reduce(Math.max)", Some(Instructions)),
        (
            "Iterator.from(sparse.values()).some((it) => it)",
            Some(Instructions),
        ),
        (
            "new Set([1]).union({ size: 0, has() {}, keys() { return new Uint8Array(6e7).values() } })",
            Some(Instructions),
        ),
        (
            "new Set([1]).isSupersetOf({ size: 0, has() {}, keys() { return sparse.values() } })",
            None,
        ),
        (
            "new Set([1]).symmetricDifference({ size: 0, has() {}, keys() { return sparse.values() } })",
            Some(Instructions),
        ),
        ("sparse.length = 0", None),
        ("sparse[5] = 1, sparse.length = 2", None),
        ("sparse.pop(), sparse.length = 2 ** 31", None),
        (
            "/(?:(?:a{0,1000}){0,1000}){0,1000}b/.test('a'.repeat(50))",
            Some(Instructions),
        ),
        (
            "new RegExp('(?:a{1000}){1000}'.repeat(100)).test('a')",
            None,
        ),
        ("new RegExp('a{4294967295}').test('a')", None),
        (
            "new RegExp('(?:){9007199254740991}').test('a')",
            Some(Instructions),
        ),
        ("/(?:)/g[Symbol.replace]('x'.repeat(3e7), '')", Some(Memory)),
        ("'x'.repeat(1e7).split(/(?:)/)", Some(Instructions)),
        (
            "RegExp.prototype[Symbol.replace].call({ exec: () => ({ ...like, index: 0 }), flags: '' }, 'x', '')",
            Some(Memory),
        ),
        (
            "RegExp.prototype[Symbol.split].call({ flags: '', constructor: { [Symbol.species]: function () { return { lastIndex: 0, exec() { this.lastIndex = 1; return like; } }; } } }, 'xx')",
            Some(Memory),
        ),
        ("BigInt('1'.repeat(1e6))", Some(Exception)),
        ("Number('1'.repeat(3e7))", None),
        ("parseFloat('1'.repeat(3e7))", None),
        ("parseInt('1'.repeat(3e7), 7)", None),
        ("encodeURIComponent('x'.repeat(1e7))", None),
        ("Date.parse('1'.repeat(3e7))", Some(Instructions)),
        ("new Error('x', { cause: like }).stack", None),
        ("new AggregateError(sparse)", Some(Memory)),
        ("of.push.call(like, 1)", Some(Exception)),
        ("of.pop.call(like)", None),
        (
            "new ArrayBuffer(8, { maxByteLength: 2 ** 53 - 1 })",
            Some(Exception),
        ),
        ("new ArrayBuffer(8).transfer(2 ** 53 - 1)", Some(Exception)),
        (
            "new DataView(new ArrayBuffer(8), 0, 2 ** 53 - 1)",
            Some(Exception),
        ),
        // Lengths that are others when they are asked for again.
        ("none.concat(grows(none), none)", Some(Instructions)),
        ("[].concat(grows(none), none)", Some(Instructions)),
        (
            "Array.from.call(Uint8Array, iterated({ length: 1 }))",
            Some(Exception),
        ),
        ("new Uint8Array(iterated({ length: 1 }))", Some(Exception)),
        ("[none, grows(none), none].flat()", Some(Instructions)),
        ("[0, 1].flatMap(() => sparse)", Some(Instructions)),
        ("none.slice.call(grows(none))", None),
        (
            "of.reverse.call(Object.create({ get length() { return MOST; } }))",
            Some(Exception),
        ),
        (
            "of.reverse.call({ length: { valueOf: () => MOST } })",
            Some(Exception),
        ),
        ("of.reverse.call(cx.call('other', 'key'))", Some(Exception)),
        (
            "of.slice.call(Object.getPrototypeOf(cx.call('other', 'key')))",
            Some(Exception),
        ),
    ];
    let all: Vec<_> = ALL.iter().map(|(what, _)| *what).collect();
    for ((outcome, took), (what, ends)) in outcomes(&all, "").iter().zip(ALL) {
        assert!(*took < SOON, "{what}: {took:?}");
        let kind = match outcome {
            Outcome::Fault(fault) => Some(fault.kind),
            Outcome::Value(_) => None,
            other => panic!("{what}: {other:?}"),
        };
        assert_eq!(kind, *ends, "{what}: {outcome:?}");
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

/// Whatever gives what is gone through: an iterator, an object that is made into a text or a number, another's prototype.
#[test]
fn what_is_converted_and_iterated_counts_over_and_over() {
    const ALL: &[&str] = &[
        "list.values().includes(-1)",
        "sparse.values().includes(1)",
        "sparse.values().join('')",
        "set.values().map((it) => it).includes(-1)",
        "Object.fromEntries(same)",
        "Object.fromEntries(same.values())",
        "Object.defineProperties(described, Object.getOwnPropertyDescriptors(described))",
        "'a'.localeCompare(text)",
        "boxed.indexOf('y')",
        "boxed.trim()",
        "boxed.trimRight()",
        "''.trim.call(made)",
        "''.indexOf.call(made, 'y')",
        "''.includes.call(made, 'y')",
        "''.startsWith.call(made, made)",
        "''.split.call(made, 'zz')",
        "''.replaceAll.call(made, 'zz', '')",
        "''.search.call(made, 'zz')",
        "blank.trimLeft()",
        "'a'.repeat(1e6).indexOf('a'.repeat(5e5) + 'b')",
        "'a'.repeat(1e6).split('a'.repeat(5e5) + 'b')",
        "Uint8Array.prototype.sort.call(hidden)",
        "Uint8Array.prototype.reverse.call(hidden)",
        "new Uint8Array(floats)",
        "buffer.resize('0'), buffer.resize('6000000')",
        "buffer.resize({ valueOf: () => 0 }), buffer.resize({ valueOf: () => 6e6 })",
        "JSON.parse(new String(' '.repeat(1e6) + '1'))",
    ];
    let before = "const text = 'ab'.repeat(5e5), list: any = new Array(1e5).fill(1), set: any = new Set(new Array(1e4).keys()); \
                  const same: any = new Array(1e5).fill(['k', 1]), blank: any = ' '.repeat(1e6) + 'x', floats: any = new Float64Array(1e5); \
                  const described: any = {}; for (let at = 0; at < 1e4; at++) described[`n${at}`] = 1; \
                  const hidden: any = new Uint8Array(1e6); Object.setPrototypeOf(hidden, DataView.prototype); \
                  const buffer: any = new ArrayBuffer(6e6, { maxByteLength: 6e6 } as any); \
                  const boxed: any = new String(text), made: any = { toString: () => text }; for (;;)";
    for ((outcome, took), what) in outcomes(ALL, before).iter().zip(ALL) {
        is_work(outcome, what);
        assert!(*took < SOON, "{what}: {took:?}");
    }
}

/// Who made an error is not looked for without end, nor by names without end.
#[test]
fn an_error_with_many_classes_is_described_soon() {
    let before = "function Made() {} const of_classes = () => {
        let above: any = { constructor: { name: 'x'.repeat(1 << 20) } };
        for (let level = 0; level < 20_000; level++) above = Object.create(above);
        Made.prototype = above;
        return Reflect.construct(Error, ['no'], Made);
    };";
    for (outcome, took) in outcomes(&["throw of_classes()"], before) {
        assert!(took < SOON, "{took:?}");
        match outcome {
            Outcome::Fault(fault) if fault.kind == FaultKind::Exception => {}
            other => panic!("{other:?}"),
        }
    }
}
