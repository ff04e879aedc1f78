//! Arguments are held to the types that are written in a method's parameter: at the door, in calls and in sends.

use ordain_engine::ArgumentError;
use ordain_types::FaultKind;

use crate::world::World;

const BANK: &str = r#"
import { entity, query, reject } from "ordain";
export const account = entity({ balance: 0 }, {
  deposit(cx, { amount }: { amount: number }) { return (cx.state.balance += amount); },
  balance: query((cx) => cx.state.balance),
  note(cx, { text, tags, kind = "a", at, more }: {
    text: string | null; tags?: string[]; kind?: "a" | "b"; at?: [number, { x: boolean }]; more?: Record<string, number>;
  }) { return [text, tags, kind, at, more]; },
  any(cx, args: { date: Date; what: unknown }) { return args; },
});
export const bank = entity({ seen: 0 }, {
  call(cx, { args }) { cx.state.seen++; return cx.call(account, "al").deposit(args); },
  send(cx, { args }) { cx.state.seen++; return cx.send(account, "al").deposit(args); },
});
"#;

fn decode(world: &World, what: &str, args: &str) -> Result<String, ArgumentError> {
    let (ty, method) = what.split_once('.').unwrap();
    let (ty, at) = world.engine.catalog().find(ty, method).unwrap();
    let run = &world.engine.catalog().get(ty).methods[at.0 as usize].run;
    let decoded = run.decode(args.as_bytes())?;
    Ok(String::from_utf8(decoded.canonical.to_vec()).unwrap())
}

#[test]
fn values_of_other_types_are_refused_at_the_door() {
    let world = World::new(BANK);
    let check = |what: &str, args: &str, field: &str, says: &str| {
        let error = decode(&world, what, args).unwrap_err();
        assert_eq!(
            error.field.as_deref(),
            Some(field),
            "{what} {args}: {error}"
        );
        assert_eq!(error.message, says, "{what} {args}");
    };
    for (value, found) in [
        ("\"7\"", "the string \"7\""),
        ("{\"a\":1}", "an object"),
        ("[1]", "an array"),
        ("true", "true"),
        ("null", "null"),
    ] {
        let says = format!("`amount` is {found}, expected a number");
        check(
            "account.deposit",
            &format!("{{\"amount\":{value}}}"),
            "amount",
            &says,
        );
        check(
            "account.deposit",
            &format!(" {{\"amount\" : {value} }}"),
            "amount",
            &says,
        );
    }
    let text = "`text` is the number 5, expected a string or null";
    check("account.note", r#"{"text":5}"#, "text", text);
    let tags = "`tags[1]` is the number 2, expected a string";
    check(
        "account.note",
        r#"{"text":"","tags":["",2]}"#,
        "tags[1]",
        tags,
    );
    let kind = "`kind` is the string \"c\", expected \"a\" or \"b\"";
    check("account.note", r#"{"text":"","kind":"c"}"#, "kind", kind);
    let at = "`at[1].x` is the number 1, expected a boolean";
    check(
        "account.note",
        r#"{"text":"","at":[1,{"x":1}]}"#,
        "at[1].x",
        at,
    );
    let missing = "missing field `at[1].x`";
    check(
        "account.note",
        r#"{"text":"","at":[1,{}]}"#,
        "at[1].x",
        missing,
    );
    let pair = "`at` is an array of 1, expected an array of 2";
    check("account.note", r#"{"text":"","at":[1]}"#, "at", pair);
    let more = "`more.n` is the string \"1\", expected a number";
    check(
        "account.note",
        r#"{"text":"","more":{"n":"1"}}"#,
        "more.n",
        more,
    );
}

#[test]
fn values_of_their_types_and_of_unknown_ones_are_taken() {
    let world = World::new(BANK);
    let check = |what: &str, args: &str| assert_eq!(decode(&world, what, args).unwrap(), args);
    check("account.deposit", r#"{"amount":-1.5}"#);
    check("account.note", r#"{"text":null}"#);
    check(
        "account.note",
        r#"{"text":"","tags":[],"kind":"b","at":[1,{"x":true,"more":1}],"more":{"n":1}}"#,
    );
    check("account.any", r#"{"date":"2026-01-01","what":[{}]}"#);
    check("bank.call", r#"{"args":{"amount":"7"}}"#);
}

#[test]
fn calls_between_entities_are_held_to_them_too() {
    let mut world = World::new(BANK);
    assert_eq!(world.value("bank/b.call", r#"{"args":{"amount":5}}"#), "5");
    for how in ["bank/b.call", "bank/b.send"] {
        for (args, says) in [
            (
                r#"{"amount":"7"}"#,
                "`amount` is the string \"7\", expected a number",
            ),
            (
                r#"{"amount":{"a":1}}"#,
                "`amount` is an object, expected a number",
            ),
            (r#"{"amount":null}"#, "`amount` is null, expected a number"),
            ("{}", "missing field `amount`"),
        ] {
            let says = format!("arguments of account/al.deposit: {says}");
            let args = format!("{{\"args\":{args}}}");
            world.fault(how, &args, FaultKind::Arguments, &says);
        }
    }
    assert_eq!(world.state("account/al"), r#"{"balance":5}"#);
    assert_eq!(world.state("bank/b"), r#"{"seen":1}"#);
}

#[test]
fn numbers_that_no_double_is_are_refused() {
    let world = World::new(BANK);
    for number in [
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740993e0",
        "1e400",
        "-1e400",
    ] {
        let error = decode(
            &world,
            "account.deposit",
            &format!("{{\"amount\":{number}}}"),
        );
        let message = error.unwrap_err().message;
        let says = format!("{} is no JavaScript number", number.trim_start_matches('-'));
        assert!(message.starts_with(&says), "{message}");
    }
    decode(&world, "account.deposit", r#"{"amount":1e300}"#).unwrap();
}

#[test]
fn arguments_may_be_optional_as_a_whole() {
    let mut world = World::new(
        r#"
import { entity } from "ordain";
export const t = entity({}, {
  opt(cx, args?: { a: number }) { return args === undefined ? "none" : args.a; },
  dflt(cx, args: { a: number } = { a: 3 }) { return args.a; },
  taken(cx, { a, b }: { a: number; b: number } = { a: 1, b: 2 }) { return [a, b]; },
  untyped(cx, { a } = { a: 4 }) { return a; },
  inner(cx) { return [cx.call(t, "b").opt(), cx.call(t, "b").dflt(), cx.call(t, "b").dflt({ a: 9 })]; },
});
"#,
    );
    for none in ["", "{}", " { } "] {
        assert_eq!(world.value("t/a.opt", none), r#""none""#);
        assert_eq!(world.value("t/a.dflt", none), "3");
        assert_eq!(world.value("t/a.taken", none), "[1,2]");
        assert_eq!(world.value("t/a.untyped", none), "4");
    }
    assert_eq!(world.value("t/a.opt", r#"{"a":1}"#), "1");
    assert_eq!(world.value("t/a.taken", r#"{"a":3,"b":4}"#), "[3,4]");
    assert_eq!(world.value("t/a.inner", ""), r#"["none",3,9]"#);
    let error = decode(&world, "t.opt", r#"{"a":"1"}"#).unwrap_err();
    assert_eq!(error.message, "`a` is the string \"1\", expected a number");
}

#[test]
fn what_is_valid_is_not_refused_for_what_a_name_means_elsewhere() {
    let mut world = World::new(
        r#"
import { entity } from "ordain";
interface Args { a: number }
interface Args { b: string }
type Maybe = number | undefined;
type Item = number;
class Money { n = 1 }
interface Money { m: number }
const pick = (...functions) => functions[0];
const made = <T,>(state: T) => {
  type Item = string;
  return entity({}, { item(cx, { item }: { item: Item }) { return item; } });
};
export const local = made(1);
export const t = entity({}, {
  merged(cx, { a, b }: Args) { return [a, b]; },
  maybe(cx, { a, list }: { a: Maybe; list: Maybe[] }) { return [a ?? "none", list]; },
  either(cx, { a }: { a: number } & { a: 1 | 2 }) { return a; },
  minus(cx, { a }: { a: -1 | 1 }) { return a; },
  rest(cx, { a }: { a: [string, n?: number, ...more: boolean[]] }) { return a; },
  generic<Item>(cx, { a }: { a: Item }) { return a; },
  money(cx, args: Money) { return args; },
  m: pick((cx, { a }: { a?: number }) => 7, (cx, { b }: { b: number }) => b),
  alone: pick((cx, { a }: { a: number }) => a),
});
"#,
    );
    assert_eq!(
        world.value("t/a.merged", r#"{"a":1,"b":"b"}"#),
        r#"[1,"b"]"#
    );
    assert_eq!(
        world.value("t/a.maybe", r#"{"list":[1,null]}"#),
        r#"["none",[1,null]]"#
    );
    assert_eq!(world.value("t/a.either", r#"{"a":1}"#), "1");
    assert_eq!(world.value("t/a.minus", r#"{"a":-1}"#), "-1");
    assert_eq!(
        world.value("t/a.rest", r#"{"a":["a",1,true]}"#),
        r#"["a",1,true]"#
    );
    assert_eq!(world.value("t/a.generic", r#"{"a":"a"}"#), r#""a""#);
    assert_eq!(
        world.value("t/a.money", r#"{"m":1,"n":2}"#),
        r#"{"m":1,"n":2}"#
    );
    assert_eq!(world.value("t/a.m", "{}"), "7");
    assert_eq!(world.value("t/a.m", r#"{"a":1}"#), "7");
    assert_eq!(world.value("local/a.item", r#"{"item":"a"}"#), r#""a""#);
    assert!(decode(&world, "t.merged", r#"{"a":1}"#).is_err());
    assert!(decode(&world, "t.alone", r#"{"a":"1"}"#).is_err());
    assert!(decode(&world, "t.rest", r#"{"a":[1]}"#).is_err());
}
