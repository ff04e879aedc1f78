//! What a context gives: fields, sends, time and chance.

use ordain_types::limits::SCAN_ROWS_MAX;
use ordain_types::{FaultKind, Outcome};

use crate::world::World;

const LEDGER: &str = r#"
import { entity, query, reject } from "ordain";

export const ledger = entity({ heard: [] as string[] }, {
  put(cx, { field, value }: { field: string, value: unknown }) {
    const it = cx.field(field);
    const before = it.get();
    it.put(value);
    return before ?? null;
  },
  drop(cx, { field }: { field: string }) {
    cx.field(field).delete();
  },
  put_many(cx, { count }: { count: number }) {
    for (let at = 0; at < count; at++) cx.field(`many/${String(at).padStart(5, "0")}`).put(at);
  },
  write_and_scan(cx, { refuse }: { refuse: boolean }) {
    cx.field("line/2").delete();
    cx.field("line/4").put(40);
    const rows = cx.scan({ prefix: "line/" });
    if (refuse) reject("refused", "as told");
    return rows;
  },
  get: query((cx, { field }: { field: string }) => cx.field(field).get() ?? null),
  prefix: query((cx, { prefix }: { prefix: string }) => cx.scan({ prefix }).map(([name]) => name)),
  last: query((cx, { prefix, limit }: { prefix: string, limit: number }) => cx.scan({ prefix, reverse: true, limit })),
  between: query((cx, { from, to }: { from: string, to: string }) => cx.scan({ prefix: "line/", from, to }).map(([name]) => name)),
  put_nan(cx) { cx.field("nan").put(NaN); },
  put_undefined(cx) { cx.field("none").put(undefined); },
  hear(cx, { word }: { word: string }) {
    if (word === "no") reject("unheard", "not that");
    return cx.state.heard.push(word);
  },
  tell(cx, { to, words, refuse }: { to: string, words: string[], refuse: boolean }) {
    const sends = words.map((word) => cx.send(ledger, to).hear({ word }));
    if (refuse) reject("refused", "as told");
    return sends;
  },
  tell_later(cx, { to, delay, word }: { to: string, delay: any, word: string }) {
    return cx.send("ledger", to, { delay }).hear({ word });
  },
  misspelt(cx, { at }: { at: number }) {
    const { send, scan } = cx as any;
    return [
      () => send("ledger", "b", { dealy: "1h" }), () => send("ledger", "b", "1h"), () => send("ledger", "b", 5),
      () => scan({ prefx: "line/" }), () => scan("line/"),
    ][at]();
  },
  facts: query((cx) => ({
    now: cx.now(), seq: cx.seq, caller: cx.caller, id: cx.id, key: cx.key, random: cx.random(),
    chance: Math.random() < 1, date: new Date().getTime(), uuid: cx.uuid(),
  })),
  speak(cx) {
    cx.log("said", { it: 1 }, new Error("oh"));
  },
  refuse_with(cx, { code }: { code: string }) {
    reject(code, "no", { left: [1, 2] });
  },
});
"#;

fn with_lines() -> World {
    let mut world = World::new(LEDGER);
    for (field, value) in [
        ("line/1", 1),
        ("line/2", 2),
        ("line/3", 3),
        ("linf", 9),
        ("lin", 8),
    ] {
        let args = format!(r#"{{"field":"{field}","value":{value}}}"#);
        assert_eq!(world.value("ledger/a.put", &args), "null");
    }
    world
}

#[test]
fn fields_are_put_got_and_deleted() {
    let mut world = with_lines();
    assert_eq!(
        world.value("ledger/a.put", r#"{"field":"line/1","value":10}"#),
        "1"
    );
    assert_eq!(world.value("ledger/a.get", r#"{"field":"line/1"}"#), "10");
    assert_eq!(
        world.value("ledger/b.get", r#"{"field":"line/1"}"#),
        "null",
        "another entity's"
    );
    world.value("ledger/a.drop", r#"{"field":"line/1"}"#);
    assert_eq!(world.value("ledger/a.get", r#"{"field":"line/1"}"#), "null");
    world.fault(
        "ledger/a.get",
        r#"{"field":""}"#,
        FaultKind::BadKey,
        "the field key is empty",
    );
    world.fault(
        "ledger/a.put_nan",
        "",
        FaultKind::Encoding,
        "the field `nan` is NaN",
    );
    world.fault(
        "ledger/a.put_undefined",
        "",
        FaultKind::Encoding,
        "the field `none` is undefined",
    );
}

#[test]
fn fields_are_scanned_in_order_both_ways_with_a_limit() {
    let mut world = with_lines();
    let mut check = |what: &str, args: &str, expected: &str| {
        assert_eq!(
            world.value(&format!("ledger/a.{what}"), args),
            expected,
            "{what} {args}"
        );
    };
    check(
        "prefix",
        r#"{"prefix":"line/"}"#,
        r#"["line/1","line/2","line/3"]"#,
    );
    check(
        "prefix",
        r#"{"prefix":""}"#,
        r#"["lin","line/1","line/2","line/3","linf"]"#,
    );
    check("prefix", r#"{"prefix":"x"}"#, "[]");
    check(
        "last",
        r#"{"prefix":"line/","limit":2}"#,
        r#"[["line/3",3],["line/2",2]]"#,
    );
    check("last", r#"{"prefix":"line/","limit":0}"#, "[]");
    check(
        "between",
        r#"{"from":"line/1","to":"line/3"}"#,
        r#"["line/1","line/2"]"#,
    );
    check("between", r#"{"from":"","to":"line/2"}"#, r#"["line/1"]"#);
    check(
        "between",
        r#"{"from":"line/2","to":"z"}"#,
        r#"["line/2","line/3"]"#,
    );
    check("between", r#"{"from":"line/3","to":"line/1"}"#, "[]");
}

#[test]
fn a_scan_sees_the_transactions_own_writes_and_their_undoing() {
    let mut world = with_lines();
    assert_eq!(
        world
            .rejection("ledger/a.write_and_scan", r#"{"refuse":true}"#)
            .code,
        "refused"
    );
    assert_eq!(world.value("ledger/a.get", r#"{"field":"line/2"}"#), "2");
    let rows = world.value("ledger/a.write_and_scan", r#"{"refuse":false}"#);
    assert_eq!(rows, r#"[["line/1",1],["line/3",3],["line/4",40]]"#);
}

#[test]
fn a_scan_without_a_limit_is_never_cut_silently() {
    let mut world = World::new(LEDGER);
    world.value(
        "ledger/a.put_many",
        &format!(r#"{{"count":{SCAN_ROWS_MAX}}}"#),
    );
    let all = world.value("ledger/a.prefix", r#"{"prefix":"many/"}"#);
    assert_eq!(all.matches("many/").count(), SCAN_ROWS_MAX);
    world.value("ledger/a.put", r#"{"field":"many/x","value":0}"#);
    world.fault(
        "ledger/a.prefix",
        r#"{"prefix":"many/"}"#,
        FaultKind::ScanRows,
        "give it a `limit`",
    );
    let last = format!(r#"{{"prefix":"many/","limit":{}}}"#, SCAN_ROWS_MAX + 1);
    world.fault(
        "ledger/a.last",
        &last,
        FaultKind::ScanRows,
        "more than the limit",
    );
}

#[test]
fn sends_happen_in_order_if_and_only_if_their_transaction_commits() {
    let mut world = World::new(LEDGER);
    let tell = |refuse| format!(r#"{{"to":"b","words":["one","no","two"],"refuse":{refuse}}}"#);
    assert_eq!(
        world.rejection("ledger/a.tell", &tell(true)).code,
        "refused"
    );
    assert!(world.deliver().is_empty());
    let sends = world.value("ledger/a.tell", &tell(false));
    assert_eq!(sends.matches('"').count(), 6, "{sends}");
    assert_eq!(
        world.state("ledger/b"),
        "",
        "later, in transactions of their own"
    );
    let outcomes = world.deliver();
    assert!(matches!(&outcomes[1], Outcome::Rejected(no) if no.code == "unheard"));
    assert_eq!(world.state("ledger/b"), r#"{"heard":["one","two"]}"#);
}

#[test]
fn a_delayed_send_waits() {
    let mut world = World::new(LEDGER);
    for delay in ["1500", "1499.5", r#""1.5s""#, r#""1500ms""#] {
        world.value(
            "ledger/a.tell_later",
            &format!(r#"{{"to":"b","delay":{delay},"word":"late"}}"#),
        );
        world.now = world.now.plus_ms(1_499);
        assert!(world.deliver().is_empty(), "{delay}");
        world.now = world.now.plus_ms(1);
        assert_eq!(world.deliver().len(), 1, "{delay}");
    }
    let bad = r#"{"to":"b","delay":"soon","word":"x"}"#;
    world.fault(
        "ledger/a.tell_later",
        bad,
        FaultKind::Exception,
        "a text like \"90s\"",
    );
}

/// What had counted for nothing: a send that was to wait went at once, a scan gave all there is.
#[test]
fn options_that_are_none_are_refused() {
    let mut world = World::new(LEDGER);
    for (at, says) in [
        "cx.send(…) has no option `dealy`; it has delay",
        "cx.send(…) takes its options as an object; it has delay",
        "cx.send(…) takes its options as an object; it has delay",
        "cx.scan(…) has no option `prefx`; it has prefix, from, to, reverse and limit",
        "cx.scan(…) takes its options as an object; it has prefix",
    ]
    .iter()
    .enumerate()
    {
        let args = format!(r#"{{"at":{at}}}"#);
        world.fault("ledger/a.misspelt", &args, FaultKind::Exception, says);
    }
}

#[test]
fn a_range_is_told_what_is_wrong_with_it() {
    let ranges = [
        (
            "{ from: 5 }",
            "the option `from` of cx.scan(…) is a string, not of the type number",
        ),
        (
            "{ to: {} }",
            "`to` of cx.scan(…) is a string, not of the type object",
        ),
        (
            "{ prefix: true }",
            "`prefix` of cx.scan(…) is a string, not of the type boolean",
        ),
        (
            "{ prefix: '\\ud800' }",
            "`prefix` of cx.scan(…) has half of a surrogate pair",
        ),
        (
            "{ reverse: 1 }",
            "`reverse` of cx.scan(…) is a boolean, not of the type number",
        ),
        (
            "{ limit: '5' }",
            "`limit` of cx.scan(…) is a number, not of the type string",
        ),
        (
            "{ limit: 0.5 }",
            "`limit` of cx.scan(…) is a whole number, not 0.5",
        ),
        (
            "{ limit: -1 }",
            "`limit` of cx.scan(…) is a whole number, not -1",
        ),
    ];
    let methods = ranges.iter().enumerate();
    let methods =
        methods.map(|(at, (range, _))| format!("m{at}: (cx) => cx.scan({range} as any),\n"));
    let methods: String = methods.collect();
    let none = "none: (cx) => cx.scan({ from: undefined, to: null, prefix: null, reverse: null, limit: undefined } as any)";
    let mut world = World::new(&format!(
        "import {{ entity }} from 'ordain';\nexport const it = entity({{}}, {{\n{methods}{none} }});\n"
    ));
    for (at, (_, says)) in ranges.iter().enumerate() {
        world.fault(&format!("it/a.m{at}"), "", FaultKind::Exception, says);
    }
    assert_eq!(world.value("it/a.none", ""), "[]");
}

#[test]
fn time_chance_and_names_follow_from_the_log() {
    let facts = || World::new(LEDGER).value("ledger/a.facts", "");
    let first = facts();
    assert!(
        first.starts_with(
            r#"{"now":1000,"seq":1,"caller":"tester","id":"ledger/a","key":"a","random":0."#
        ),
        "{first}"
    );
    assert!(
        first.contains(r#""chance":true,"date":1000,"uuid":"00000000-03e8-7"#),
        "{first}"
    );
    assert_eq!(first, facts());
}

#[test]
fn what_is_logged_is_for_people() {
    let mut world = World::new(LEDGER);
    world.value("ledger/a.speak", "");
    assert_eq!(world.logs(), [r#"ledger/a.speak: said {"it":1} Error: oh"#]);
}

#[test]
fn a_rejections_code_is_held_to_its_rule_and_details_are_json() {
    let mut world = World::new(LEDGER);
    let rejection = world.rejection("ledger/a.refuse_with", r#"{"code":"Not So"}"#);
    assert_eq!(rejection.code, "not_so");
    assert_eq!(rejection.details.unwrap(), r#"{"left":[1,2]}"#);
}
