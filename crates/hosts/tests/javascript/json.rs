//! What is plain this host reads and writes as JSON itself, beside the interpreter: nobody may be able to tell.

use std::cell::RefCell;

use ordain_hosts::javascript::kept;
use ordain_types::FaultKind;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value as Json;

use crate::world::{World, catalog};

/// Values are written as JSON here where they are plain, and by the interpreter where they are not: the same.
#[test]
fn values_are_the_json_that_the_interpreter_makes() {
    const VALUES: [&str; 34] = [
        "0",
        "-1",
        "-0",
        "2147483648",
        "-9007199254740991",
        "2 ** 53",
        "1e21",
        "0.5",
        "true",
        "null",
        r#""""#,
        r#""plain ~""#,
        r#""with \"quotes\" \\ and \n""#,
        r#""ü""#,
        r#""\u{7f}\u{1}\u2028""#,
        r#""\ud83d\ude00""#,
        "[]",
        "[1, [2, [3]], {}]",
        "Object.assign([1], { more: 2 })",
        "{}",
        "{ b: 1, a: 2, 10: 3, 9: 4 }",
        "{ a: undefined, b: 1 }",
        r#"{ "with \"quotes\"": 1, ü: 2 }"#,
        "{ f() {}, b: 1 }",
        "{ [Symbol()]: 1, b: 2 }",
        "Object.defineProperty({ a: 1 }, 'hidden', { value: 2 })",
        "{ get a() { return { b: 1 }; } }",
        "{ toJSON: () => 7 }",
        "{ toJSON: 8 }",
        "Object.assign([1], { toJSON: () => 7 })",
        "Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 7 })",
        "new (class { a = 1; toJSON() { return [this.a]; } })()",
        "Array.from({ length: 2000 }, (_, at) => ({ at }))",
        "JSON.parse('['.repeat(30) + ']'.repeat(30))",
    ];
    let values = VALUES.map(|value| format!("() => ({value})")).join(", ");
    let mut world = World::new(&format!(
        "import {{ entity }} from 'ordain';\nconst values = [{values}];\nexport const it = entity({{ of: 'nothing' }}, {{\n  \
         value: (cx, {{ at }}) => values[at](),\n  text: (cx, {{ at }}) => JSON.stringify(values[at]()),\n  \
         state(cx, {{ at }}) {{ cx.state.of = values[at](); }},\n}});\n"
    ));
    for (at, value) in VALUES.iter().enumerate() {
        let args = format!(r#"{{"at":{at}}}"#);
        let text = world.value("it/a.text", &args);
        let text: String = serde_json::from_str(&text).expect("a text");
        assert_eq!(world.value("it/a.value", &args), text, "{value}");
        world.value("it/a.state", &args);
        assert_eq!(
            world.state("it/a"),
            format!(r#"{{"of":{text}}}"#),
            "{value}"
        );
    }
}

/// JSON is read here where it is plain, and by the interpreter where it is not: the same.
#[test]
fn json_is_the_values_that_the_interpreter_makes() {
    let mut world = World::new(
        "import { entity, query } from 'ordain';\nfunction same(a, b) {\n  if (typeof a !== 'object' || a === null || b === null) return \
         Object.is(a, b);\n  const [of, and] = [Object.entries(a), Object.entries(b)];\n  return Object.getPrototypeOf(a) === \
         Object.getPrototypeOf(b) && a.length === b.length && of.length === and.length &&\n    of.every(([name, value], at) => \
         name === and[at][0] && same(value, and[at][1]));\n}\nexport const it = entity({}, {\n  \
         same: query((cx, { codes, value }) => same(JSON.parse(String.fromCharCode(...codes)), value)),\n});\n",
    );
    let mut same = |json: &str| {
        let codes: Vec<u16> = json.encode_utf16().collect();
        let args = format!(r#"{{"codes":{codes:?},"value":{json}}}"#);
        assert_eq!(world.value("it/a.same", &args), "true", "{json}");
    };
    for json in [
        "-0",
        "-0.0",
        "0.10",
        "-12.5",
        "1.0",
        "2147483648",
        "-2147483649",
        "999999999999999",
        "9007199254740991",
        "1e3",
        "1.5e-3",
        "12345678901234567.25",
        "\"\u{7f}ü\u{1f600}\"",
        r#""\u0041\n""#,
        r#"{"__proto__":{"a":1},"1":2,"":3,"0":4,"ü":5,"constructor":6}"#,
        r#"{"a":1,"b":2,"a":3}"#,
        "[[],{},[{}],[[[]]]]",
        "[1,true,false,null,\"\"]",
    ] {
        same(json);
    }
    same(&format!("{}{}", "[".repeat(30), "]".repeat(30)));
    same(&format!("[{}1]", "[1,2],".repeat(2000)));
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-(1i64 << 53)..1 << 53).prop_map(Json::from),
        any::<i32>().prop_map(|it| Json::from(f64::from(it) / 64.0)),
        ".{0,8}".prop_map(Json::from),
        "[ -~]{0,8}".prop_map(Json::from),
    ];
    let value = leaf.prop_recursive(5, 40, 6, |inner| {
        let member = ("[a-c0-2]{0,2}|.{0,3}", inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Json::from),
            prop::collection::vec(member, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    });
    let same = RefCell::new(same);
    TestRunner::deterministic()
        .run(&value, |value| {
            (same.borrow_mut())(&value.to_string());
            Ok(())
        })
        .expect("they are the same");
}

#[test]
fn what_was_read_before_it_was_given_up_is_gone() {
    let mut world = World::new(
        "import { entity, query } from 'ordain';\nexport const it = entity({}, { take: query((cx, args) => 0) });\n",
    );
    let mut held_after = |calls: usize| {
        for _ in 0..calls {
            world.value("it/a.take", r#"{"a":[{"b":["text",{"c":0.5}]}],"end":1e3}"#);
        }
        kept().1
    };
    assert_eq!(held_after(10), held_after(1_000));
}

/// Nor what is written like what was there before.
#[test]
fn what_json_cannot_hold_is_refused_though_the_text_stays_the_same() {
    let mut world = World::new(
        "import { entity } from 'ordain';\nexport const it = entity({ x: null, y: {}, z: [null], n: 0.5 } as any, {\n\
         nan(cx) { cx.state.x = NaN; },\nmap(cx) { cx.state.y = new Map([[1, 2]]); },\n\
         none(cx) { cx.state.z[0] = undefined; },\nsame(cx) { cx.state.x = null; cx.state.u = undefined; return cx.state; },\n});\n",
    );
    let expected = r#"{"x":null,"y":{},"z":[null],"n":0.5}"#;
    for (method, says) in [
        ("nan", "the state.x is NaN"),
        ("map", "the state.y is a Map"),
        ("none", "the state.z[0] is undefined"),
    ] {
        let method = format!("it/a.{method}");
        world.fault(&method, "", FaultKind::Encoding, says);
    }
    assert_eq!(world.value("it/a.same", ""), expected);
    assert_eq!(world.state("it/a"), "");
}

/// Everything that is stored, passed on or answered can be read by readers of types: the same as of a component.
#[test]
fn what_not_every_reader_can_read_is_refused_everywhere() {
    const BAD: [(&str, &str); 20] = [
        ("NaN", " is NaN"),
        ("1e999", " is Infinity"),
        ("[1, { a: -Infinity }]", "[1].a is -Infinity"),
        ("'\\ud800'", " has half of a surrogate pair"),
        ("'x\\udfffy'", " has half of a surrogate pair"),
        (
            "{ a: ['\\ude00\\ud83d'] }",
            ".a[0] has half of a surrogate pair",
        ),
        (
            "{ a: { ['\\ud800']: 1 } }",
            ".a has half of a surrogate pair",
        ),
        (
            "{ toJSON: () => '\\ud800' }",
            " gives as its JSON has half of a surrogate pair",
        ),
        ("deep(65)", " nests deeper than 64 levels"),
        ("[new Map()]", "[0] is a Map"),
        ("() => 1", " is a function, which JSON cannot hold"),
        ("[undefined]", "[0] is undefined"),
        ("1n", " is a BigInt, which JSON cannot hold"),
        ("{ a: [0, { b: 5n }] }", ".a[1].b is a BigInt"),
        ("[Object(1n)]", "[0] is a BigInt"),
        (
            "circle({ a: [{}] })",
            ".a[0].up is an object that it lies in itself, which JSON cannot hold",
        ),
        ("itself([])", "[0] is an object that it lies in itself"),
        (
            "new Date(NaN)",
            " is an Invalid Date, which JSON cannot hold",
        ),
        ("{ a: [new Date('no')] }", ".a[0] is an Invalid Date"),
        ("[{ n: 1n }, itself([])]", "[0].n is a BigInt"),
    ];
    const PLACES: [(&str, &str); 7] = [
        ("state", "cx.state = it"),
        ("field", "cx.field('f').put(it)"),
        ("value", "return it"),
        ("call", "cx.call('it', 'b').take(it)"),
        ("send", "cx.send('it', 'b').take(it)"),
        (
            "caught",
            "try { cx.call('it', 'b').take(it); } catch { return 1; }",
        ),
        ("details", "reject('no', 'no', it)"),
    ];
    let values: String = BAD
        .iter()
        .map(|(value, _)| format!("() => ({value}), "))
        .collect();
    let methods: String = (PLACES.iter())
        .map(|(name, does)| {
            format!("{name}(cx, {{ at }}) {{ const it = values[at](); {does}; }},\n")
        })
        .collect();
    let mut world = World::new(&format!(
        "import {{ entity, reject }} from 'ordain';\nconst deep = (n) => n === 0 ? 1 : [deep(n - 1)];\n\
         const circle = (it) => {{ it.a[0].up = it; return it; }};\nconst itself = (list) => {{ list.push(list); return list; }};\nconst values = [{values}];\n\
         export const it = entity({{}}, {{ take() {{ return 1; }},\n{methods}}});\n"
    ));
    for (at, (value, says)) in BAD.iter().enumerate() {
        for (name, _) in PLACES {
            let (what, args) = (format!("it/a.{name}"), format!(r#"{{"at":{at}}}"#));
            let fault = world.fault(&what, &args, FaultKind::Encoding, says);
            assert!(!fault.message.is_empty(), "{value}");
            assert_eq!(world.state("it/a"), "", "{name} of {value}");
        }
    }
}

/// What code of the module throws where its JSON is made is its own.
#[test]
fn what_is_thrown_where_json_is_made_stays_what_it_is() {
    let mut world = World::new(
        "import { entity, query, reject } from 'ordain';\nconst no = (f) => ({ get it() { return f(); } });\nexport const it = entity({} as any, {\n\
         own: () => no(() => { throw new TypeError('circular'); }),\n\
         same: () => no(() => { throw new TypeError('circular reference'); }),\n\
         says: () => no(() => reject('no', 'as told')),\n\
         put(cx) { cx.state = no(() => reject('no', 'as told')); },\n\
         twice: (cx, { n }) => { const one = { n }; return [one, one, { one }]; },\n\
         asked: query((cx) => { cx.state.up = cx.state; }),\n});\n",
    );
    let says = "TypeError: circular (";
    world.fault("it/a.own", "", FaultKind::Exception, says);
    let says = "TypeError: circular reference (";
    world.fault("it/a.same", "", FaultKind::Exception, says);
    for what in ["it/a.says", "it/a.put"] {
        assert_eq!(world.rejection(what, "").message, "as told");
    }
    let value = world.value("it/a.twice", r#"{"n":0.5}"#);
    assert_eq!(value, r#"[{"n":0.5},{"n":0.5},{"one":{"n":0.5}}]"#);
    let says = "the state.up is an object that it lies in itself";
    world.fault("it/a.asked", "", FaultKind::Encoding, says);
}

#[test]
fn what_makes_a_values_json_may_write_to_the_state() {
    let mut world = World::new(
        "import { entity } from 'ordain';\nexport const it = entity({ n: 0 }, {\n\
         run(cx) { return { toJSON() { cx.state.n++; return 'said'; } }; },\n});\n",
    );
    assert_eq!(world.value("it/a.run", ""), "\"said\"");
    assert_eq!(world.state("it/a"), r#"{"n":1}"#);
}

#[test]
fn arguments_with_half_of_a_surrogate_pair_are_refused_at_the_door() {
    let catalog = catalog(&[&[(
        "a.ts",
        "import { entity } from 'ordain';\nexport const it = entity({}, { take(cx, { a }) { return a; }, any(cx, args) { return args; } });",
    )]]);
    for method in ["take", "any"] {
        let (ty, at) = catalog.find("it", method).expect("it is there");
        let run = &catalog.get(ty).methods[at.0 as usize].run;
        for (bad, says) in [
            (
                r#"{"a":"\ud800"}"#,
                r"`a` holds \ud800, half of a surrogate pair",
            ),
            (r#"{"a":[{"b\udfff":1}]}"#, r"`a` holds \udfff"),
            (r#"{"a":"\ud83dx"}"#, r"`a` holds \ud83d"),
        ] {
            let error = run.decode(bad.as_bytes()).err().expect("it is refused");
            assert!(error.message.contains(says), "{bad}: {}", error.message);
            assert_eq!(error.field.as_deref(), Some("a"));
        }
        assert!(run.decode(br#"{"\ud800":1}"#).is_err());
        assert!(run.decode(br#"{"a":"\ud83d\ude00 \\ud800"}"#).is_ok());
    }
}
