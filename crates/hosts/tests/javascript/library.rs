//! The library as modules find it: what is written anew of it does what the language says, and what a module puts in
//! its place before it is frozen changes nothing of what is counted and kept.

use std::time::{Duration, Instant};

use ordain_types::{FaultKind, Outcome};

use crate::module_state::value as gives;
use crate::world::{World, refused};

/// Far more than any takes here, and far less than one that nothing counts.
const SOON: Duration = Duration::from_secs(20);

/// What was written anew does what the language says.
#[test]
fn what_counts_does_the_same() {
    const SAME: &[(&str, &str)] = &[
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
        (
            "[[1, 2].values().includes(2), [1, 2].values().includes(1, 1), [1, null, 2].values().join('-')]",
            r#"[true,false,"1--2"]"#,
        ),
        (
            "[[2].concat(Object.assign([3], { [Symbol.isConcatSpreadable]: null })).length, [2].concat(Object.assign([3], { [Symbol.isConcatSpreadable]: 1 })).length]",
            "[2,2]",
        ),
        (
            "Object.fromEntries([['a', 1], ['b', 2], ['a', 3]])",
            r#"{"a":3,"b":2}"#,
        ),
        (
            "Object.fromEntries(new Map([['__proto__', 1]]))",
            r#"{"__proto__":1}"#,
        ),
        (
            "[String.prototype.trimLeft === String.prototype.trimStart, String.prototype.trimRight === String.prototype.trimEnd]",
            "[true,true]",
        ),
        (
            "[Uint8Array.fromHex('0aff').join(), Uint8Array.fromBase64('AQI=').join(), Object.getOwnPropertyNames(Uint8Array).join(), Object.getOwnPropertyNames(Int8Array).join()]",
            r#"["10,255","1,2","length,name,prototype,BYTES_PER_ELEMENT,fromBase64,fromHex","length,name,prototype,BYTES_PER_ELEMENT"]"#,
        ),
        (
            "[String.raw, Date.parse, Date.now, Math.random, Uint8Array.fromHex, Object.fromEntries].map((it) => `${it.name} ${it.length} ${'prototype' in it}`)",
            r#"["raw 1 false","parse 1 false","now 0 false","random 0 false","fromHex 1 false","fromEntries 1 false"]"#,
        ),
        (
            "JSON.stringify({ 2: 1, 1: 2, a: { 1: 1, 2: 2 }, b: 3 }, ['2', 'a', 1])",
            r#""{\"2\":1,\"a\":{\"2\":2,\"1\":1},\"1\":2}""#,
        ),
        (
            "JSON.stringify({ 2: 1, 1: [{ 1: 5 }] }, [2, 1], 1).length",
            "41",
        ),
        ("JSON.stringify(undefined, [1]) === undefined", "true"),
        // What is converted is so once, and in the standard's order.
        (
            "(() => { const did = []; const it = (name) => ({ toString() { did.push(name); return name; } }); \
              const found = [''.indexOf.call(it('ab'), it('b')), ''.replace.call(it('ab'), it('b'), it('c')), ''.split.call(it('a b'), it(' ')), ''.startsWith.call(it('a'), it('a'))]; \
              return [found, did.join()]; })()",
            r#"[[1,"ac",["a","b"],true],"ab,b,ab,b,c,a b, ,a,a"]"#,
        ),
        (
            "(() => { let asked = 0; const buffer = new ArrayBuffer(1, { maxByteLength: 9 }); buffer.resize({ valueOf() { asked++; return 5; } }); return [buffer.byteLength, asked]; })()",
            "[5,1]",
        ),
        (
            "''.replace.call({ toString: () => 'no' }, { [Symbol.replace](it, by) { return [typeof it, by]; } }, 'x')",
            r#"["object","x"]"#,
        ),
        (
            "[RegExp('a', 'g').flags, new RegExp(/a/g).source, RegExp(/b/, 'i').flags, new RegExp({ [Symbol.match]: true, source: 'c', flags: 'm' }).toString(), new RegExp().source, RegExp(5).source]",
            r#"["g","a","i","/c/m","(?:)","5"]"#,
        ),
        (
            "(() => { const it = /a/; return [RegExp(it) === it, new RegExp(it) === it, it.constructor === RegExp, it instanceof RegExp, 'a1b'.split(/\\d/).join(), RegExp.name, RegExp.length, RegExp[Symbol.species] === RegExp, RegExp.escape('.').length]; })()",
            r#"[true,false,true,true,"a,b","RegExp",2,true,2]"#,
        ),
        (
            "(() => { const it = /a/g; it.lastIndex = 2; class Own extends RegExp { exec(t) { return null; } } return ['xaya'.replace(it, ''), it.lastIndex, 'aa'.replace(/a/, ''), 'aa'.replace(/a/y, ''), 'aa'.replace(new Own('a', 'g'), ''), /a/g[Symbol.replace]('ab', '')]; })()",
            r#"["xy",0,"a","a","aa","b"]"#,
        ),
        (
            "(() => { class Own extends RegExp { get own() { return 7; } } const it = new Own('a'); return [it.own, it.test('a'), it instanceof Own]; })()",
            "[7,true,true]",
        ),
        (
            "(() => { try { 'a'.includes(/a/); } catch (error) { return error instanceof TypeError; } })()",
            "true",
        ),
        (
            "(() => { try { ''.trim.call(null); } catch (error) { return error instanceof TypeError; } })()",
            "true",
        ),
        (
            "(() => { function f(this: any, a: any, b: any) { return [this, a, b]; } const g = f.bind(1, 2); return [g(3), g.name, g.length, f.bind(1, ...new Array(200)).length]; })()",
            r#"[[1,2,3],"bound f",1,0]"#,
        ),
        (
            "(() => { class A { n; constructor(n: any, m: any) { this.n = [n, m]; } } const B: any = A.bind(null, 1); const it = new B(2); return [it.n, it instanceof A, it instanceof B, B.prototype === undefined]; })()",
            "[[1,2],true,true,true]",
        ),
        (
            "(() => { try { (() => {}).bind.call({} as any, 1); } catch (error) { return error instanceof TypeError; } })()",
            "true",
        ),
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

/// Until it is frozen, a module may put others in the place of what the library has.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "that it ends soon is what is to be shown"
)]
fn what_a_module_puts_in_the_place_of_the_library_changes_no_count() {
    const ALL: &[(&str, &str)] = &[
        (
            "Math.max = () => MOST",
            "Array.prototype.slice.call({ length: MOST }, -1e15)",
        ),
        (
            "Math.min = () => 0",
            "Array.prototype.reverse.call({ length: MOST })",
        ),
        (
            "(Array.prototype as any)[Symbol.iterator] = function* () { yield 0; yield 0; }",
            "Array.prototype.slice.call({ length: MOST }, 0)",
        ),
        (
            "(globalThis as any).Symbol = { iterator: 'no' }",
            "Array.from.call(Object as any, { length: MOST })",
        ),
        (
            "(ArrayBuffer as any).isView = () => true",
            "for (;;) new Uint8Array({ length: 6e6 } as any)",
        ),
        (
            "(String.prototype as any).concat = () => ''; (globalThis as any).String = () => ''",
            "const text: any = { toString: () => 'ab'.repeat(5e5) }; for (;;) ''.indexOf.call(text, 'y')",
        ),
        (
            "const any: any = (() => 0); any.__proto__.call = any.__proto__.apply = any; (globalThis as any).Object = (it: any) => ({})",
            "Reflect.apply(Array.prototype.fill, { length: MOST }, [1])",
        ),
        (
            "(Array.prototype as any).push = (Array.prototype as any).map = () => 0",
            "JSON.stringify(new Array(1e5).fill({}), Array.from({ length: 1e4 }, (_, at) => `n${at}`))",
        ),
    ];
    for (before, what) in ALL {
        let begun = Instant::now();
        let mut world = World::new(&format!(
            "import {{ entity }} from \"ordain\";\nconst MOST = 2 ** 53 - 1;\n{before};\n\
             export const bad = entity({{}} as any, {{ run() {{ {what}; return 0; }} }});"
        ));
        let outcome = world.outcome("bad/x.run", "");
        match &outcome {
            Outcome::Fault(fault) if fault.kind == FaultKind::Instructions => {}
            other => panic!("{before}; {what}: {other:?}"),
        }
        assert!(begun.elapsed() < SOON, "{before}; {what}");
    }
}

/// What a module may keep is asked of the library before the module could say otherwise.
#[test]
fn what_a_module_puts_in_the_place_of_the_library_is_not_what_it_may_keep() {
    refused(
        "import { entity } from \"ordain\";\nconst KEY = {}, seen = new WeakMap();\n(globalThis as any).Map = function () { return seen; };\n\
         export const t = entity({}, { run() { return seen.has(KEY) || !seen.set(KEY, 1); } });",
        "holds an object of the kind WeakMap",
    );
}

#[test]
fn tags_show_no_code_of_the_module_what_the_interpreter_keeps() {
    let mut world = World::new(
        r#"
        import { entity } from "ordain";
        const iterate = Array.prototype[Symbol.iterator];
        (Array.prototype as any)[Symbol.iterator] = function () {
          if (this.raw !== undefined && !Object.isFrozen(this)) this.length = 5;
          return Reflect.apply(iterate, this, []);
        };
        const tag = (strings: any, ...values: any[]) => strings.length;
        export const t = entity({}, { run() { return tag`a${1}b`; } });
        "#,
    );
    assert_eq!(world.value("t/a.run", ""), "2");
    assert_eq!(world.value("t/a.run", ""), "2");
}

#[test]
fn locales_change_nothing() {
    gives(
        "",
        "return [['Z'.localeCompare('a'), 'ä'.localeCompare('z', 'de'), 'a'.localeCompare('A', 'en', { sensitivity: 'base' })], \
         (1234.5).toLocaleString('de'), 'i'.toLocaleUpperCase('tr'), new Date(0).toLocaleDateString('fr')];",
        r#"[[-1,1,1],"1234.5","I","Thu Jan 01 1970"]"#,
    );
}
