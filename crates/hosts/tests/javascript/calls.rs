//! Calls that nest and come back, rejections caught and not, faults: what holds for entities in Rust holds
//! here.

use ordain_engine::{Args, ArgumentError, Decoded, Options, Run, Tx};
use ordain_types::{FaultKind, Json, Rejection};

use crate::world::{World, add_native, catalog};

const BANK: &str = r#"
import { entity, query, reject, Rejection, type Context } from "ordain";

export const account = entity({ balance: 0 }, {
  deposit(cx, { amount }: { amount: number }) {
    return (cx.state.balance += amount);
  },
  withdraw(cx, { amount }: { amount: number }) {
    cx.state.balance -= amount; // written before it is refused: to be undone
    if (cx.state.balance < 0) reject("insufficient_funds", `short of ${-cx.state.balance}`, { short: -cx.state.balance });
    return cx.state.balance;
  },
  transfer(cx, { to, amount }: { to: string, amount: number }) {
    cx.state.balance -= amount;
    cx.call(account, to).deposit({ amount });
    if (cx.state.balance < 0) reject("insufficient_funds", `short of ${-cx.state.balance}`);
    return cx.state.balance;
  },
  balance: query((cx) => cx.state.balance),
  total: query((cx, { others }: { others: string[] }) => {
    let total = cx.state.balance;
    for (const other of others) total += cx.call(account, other).balance();
    return total;
  }),
  fail(cx) {
    cx.state.balance = 666;
    throw new TypeError("the account is on fire");
  },
});

export const bank = entity({ transfers: 0, notes: [] as string[] }, {
  transfer(cx, { from, to, amount }) {
    cx.state.transfers += 1;
    cx.call(account, from).withdraw({ amount });
    cx.call(account, to).deposit({ amount });
  },
  try_both(cx, { a, b, amount }: { a: string, b: string, amount: number }) {
    const attempt = (what: () => unknown) => {
      try {
        what();
        return null;
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        return error;
      }
    };
    const first = attempt(() => cx.call(account, a).withdraw({ amount }));
    const second = attempt(() => cx.call(bank, cx.key).transfer({ from: b, to: a, amount }));
    if (second) cx.state.notes.push(`${second.code}: ${second.message} ${JSON.stringify(second.details)}`);
    return [first === null, second === null];
  },
  recurse(cx, { depth }: { depth: number }): number {
    cx.state.notes.push(`down ${depth}`);
    if (depth > 0) cx.call(bank, cx.key).recurse({ depth: depth - 1 });
    cx.state.notes.push(`up ${depth}`);
    cx.state.transfers += 1;
    return cx.state.transfers;
  },
  keep_hold(cx) {
    const notes = cx.state.notes;
    cx.call(bank, cx.key).recurse({ depth: 0 });
    notes.push("held");
  },
  catch_fault(cx, { how }: { how: string }) {
    cx.state.transfers += 1;
    try {
      if (how === "throw") cx.call(account, "al").fail();
      else cx.call(account, "").deposit({ amount: 1 });
    } catch {
      // a fault does not come here
    } finally {
      cx.call(account, "late").deposit({ amount: 1 });
    }
    return "went on";
  },
  deep(cx, { key }: { key: string }): void {
    cx.call(bank, key).deep({ key });
  },
  by_name(cx, { type, key, method }: { type: string, key: string, method: string }) {
    return cx.call(type, key)[method]({ amount: 5 });
  },
});
"#;

fn world() -> World {
    let mut world = World::new(BANK);
    world.value("account/al.deposit", r#"{"amount":100}"#);
    world
}

#[test]
fn methods_run() {
    let mut world = world();
    assert_eq!(world.value("account/al.withdraw", r#"{"amount":10}"#), "90");
    assert_eq!(
        world.value("account/al.transfer", r#"{"to":"bo","amount":20}"#),
        "70"
    );
    assert_eq!(world.value("account/bo.balance", ""), "20");
    assert_eq!(
        world.value("account/al.total", r#"{"others":["bo","dy"]}"#),
        "90"
    );
    assert_eq!(
        world.value(
            "bank/main.transfer",
            r#"{"from":"al","to":"cy","amount":5}"#
        ),
        "null"
    );
    assert_eq!(world.state("account/al"), r#"{"balance":65}"#);
    assert_eq!(world.state("account/dy"), "", "reading writes nothing");
    assert_eq!(world.state("bank/main"), r#"{"transfers":1,"notes":[]}"#);
}

#[test]
fn a_rejection_undoes_all_that_was_done() {
    let mut world = world();
    let rejection = world.rejection("account/al.withdraw", r#"{"amount":101}"#);
    assert_eq!(rejection.to_string(), "insufficient_funds: short of 1");
    assert_eq!(rejection.details.unwrap(), r#"{"short":1}"#);
    let args = r#"{"to":"bo","amount":101}"#;
    assert_eq!(
        world.rejection("account/al.transfer", args).code,
        "insufficient_funds"
    );
    let args = r#"{"from":"al","to":"bo","amount":101}"#;
    assert_eq!(
        world.rejection("bank/main.transfer", args).message,
        "short of 1"
    );
    assert_eq!(world.state("account/al"), r#"{"balance":100}"#);
    assert_eq!(world.state("account/bo"), "");
    assert_eq!(world.state("bank/main"), "");
}

#[test]
fn a_caught_rejection_undoes_exactly_its_sub_call() {
    let mut world = world();
    assert_eq!(
        world.value("bank/main.try_both", r#"{"a":"al","b":"bo","amount":60}"#),
        "[true,false]"
    );
    assert_eq!(world.state("account/al"), r#"{"balance":40}"#);
    assert_eq!(world.state("account/bo"), "");
    let bank = r#"{"transfers":0,"notes":["insufficient_funds: short of 60 {\"short\":60}"]}"#;
    assert_eq!(world.state("bank/main"), bank);
}

#[test]
fn a_call_that_comes_back_sees_and_keeps_the_transactions_writes() {
    let mut world = world();
    assert_eq!(world.value("bank/main.recurse", r#"{"depth":2}"#), "3");
    let notes = r#"["down 2","down 1","down 0","up 0","up 1","up 2"]"#;
    assert_eq!(
        world.state("bank/main"),
        format!(r#"{{"transfers":3,"notes":{notes}}}"#)
    );
    // To oneself: the outer call goes on from what the inner one wrote.
    assert_eq!(
        world.value("account/al.transfer", r#"{"to":"al","amount":30}"#),
        "100"
    );
    // What is held across the call is what is in the state after it.
    world.value("bank/two.keep_hold", "");
    assert_eq!(
        world.state("bank/two"),
        r#"{"transfers":1,"notes":["down 0","up 0","held"]}"#
    );
}

#[test]
fn what_is_thrown_is_a_fault_with_the_users_own_place() {
    let mut world = world();
    let fault = world.fault(
        "account/al.fail",
        "",
        FaultKind::Exception,
        "TypeError: the account is on fire (a.ts:27:",
    );
    assert_eq!(fault.at, "account/al.fail");
    assert_eq!(
        fault.message, "TypeError: the account is on fire",
        "every caller sees it: it has no place"
    );
    assert!(fault.trace.contains("at fail (a.ts:27:"), "{}", fault.trace);
    assert_eq!(world.value("account/al.balance", ""), "100");
}

#[test]
fn errors_of_ones_own_have_the_place_where_they_are_made() {
    let text = r#"import { entity } from "ordain";
class Plain extends Error {}
class Fields extends Error { code = 5; }
class Own extends Plain { code: number; constructor(m: string) { super(m); this.code = 1; } }
class Made { constructor() { throw new Own("made"); } }
const make = () => new Own("helper");
export const a = entity({}, {
  plain() { throw new Plain("no"); },
  fields() { throw new Fields("no"); },
  own() { throw new Own("no"); },
  made() { new Made(); },
  helper() { throw make(); },
});"#;
    for (method, place) in [
        ("plain", "(a.ts:8:23)"),
        ("fields", "(a.ts:9:24)"),
        ("own", "(a.ts:10:21)"),
        ("made", "(a.ts:5:40)"),
        ("helper", "(a.ts:6:24)"),
    ] {
        let mut world = World::new(text);
        let what = format!("a/x.{method}");
        let fault = world.fault(&what, "", FaultKind::Exception, place);
        assert!(!fault.trace.contains(":0:"), "{}", fault.trace);
    }
}

#[test]
fn places_behind_a_catch_are_the_users_own() {
    let at = |line: &str| {
        let text = format!(
            "import {{ entity }} from \"ordain\";\nexport const a = entity({{}}, {{\n{line}\n}});"
        );
        let column = line.find("no.y").unwrap();
        let column = line[..column].chars().count() + 1;
        World::new(&text).fault(
            "a/x.run",
            "",
            FaultKind::Exception,
            &format!("'y' of null (a.ts:3:{column})"),
        );
    };
    at("run(cx) { const no: any = null; try { no.x; } catch { const ü = 1; no.y; } },");
    at("run(cx) { const no: any = null; try { no.x; } catch {} finally { no.y; } },");
    at("run(cx) { const no: any = null; try { } finally { const ü = 1; } no.y; },");
    at(
        "run(cx) { const no: any = null; try { try { no.x } catch (e) { throw e } finally { } } catch (e) { no.y } finally { } },",
    );
    at(
        "run(cx) { const no: any = null; try { } finally { try { no.x } catch { try { } finally { no.y } } } },",
    );
}

#[test]
fn what_a_finally_does_is_what_it_says() {
    let text = r#"import { entity, reject } from "ordain";
export const a = entity({}, {
  run(cx) {
    const said: any[] = [];
    const f = (how: string) => {
      out: for (;;) {
        try {
          if (how === "throw") throw new Error("no");
          if (how === "reject") reject("no", "no");
          return how;
        } catch (error: any) {
          said.push(error.message);
          throw error;
        } finally {
          said.push("finally");
          if (how === "reject") break out;
          if (how === "return") return "last";
        }
      }
      return "out";
    };
    said.push(f("return"), f("reject"));
    try { f("throw"); } catch (error: any) { said.push(error.message); }
    named: try { break named; } finally { said.push("named"); }
    if (said.length) try { said.push("if"); } finally { said.push("end"); } else said.push("else");
    return said.join();
  },
});"#;
    let said = "\"finally,no,finally,last,out,no,finally,no,named,if,end\"";
    assert_eq!(World::new(text).value("a/x.run", ""), said);
}

#[test]
fn a_fault_cannot_be_caught() {
    let mut world = world();
    let fault = world.fault(
        "bank/main.catch_fault",
        r#"{"how":"throw"}"#,
        FaultKind::Exception,
        "on fire",
    );
    assert_eq!(fault.at, "account/al.fail");
    world.fault(
        "bank/main.catch_fault",
        r#"{"how":"key"}"#,
        FaultKind::BadKey,
        "key",
    );
    assert_eq!(world.state("account/al"), r#"{"balance":100}"#);
    assert_eq!(world.state("account/late"), "");
    assert_eq!(world.state("bank/main"), "");
}

#[test]
fn calls_nest_to_a_limit() {
    world().fault(
        "bank/main.deep",
        r#"{"key":"main"}"#,
        FaultKind::CallDepth,
        "64",
    );
}

#[test]
fn calls_by_name_go_where_they_say() {
    let mut world = world();
    let named = |ty: &str, key: &str, method: &str| {
        format!(r#"{{"type":"{ty}","key":"{key}","method":"{method}"}}"#)
    };
    assert_eq!(
        world.value("bank/main.by_name", &named("account", "al", "deposit")),
        "105"
    );
    let mut check = |args: String, kind| world.fault("bank/main.by_name", &args, kind, "");
    check(named("acount", "al", "deposit"), FaultKind::UnknownEntity);
    check(named("Account!", "al", "deposit"), FaultKind::UnknownEntity);
    check(named("account", "", "deposit"), FaultKind::BadKey);
    check(named("account", "al", "desposit"), FaultKind::UnknownMethod);
    check(named("account", "al", "balance"), FaultKind::Arguments);
}

#[test]
fn arguments_from_outside_are_checked_and_named() {
    let mut world = world();
    let mut check = |args: &str, says: &str| {
        world.fault("account/al.deposit", args, FaultKind::Arguments, says)
    };
    check("{}", "missing field `amount`");
    check(r#"{"amount":1,"much":2}"#, "unknown field `much`");
    check("[1]", "not a JSON object");
    check(
        r#"{"amount":9007199254740993}"#,
        "9007199254740993 is no JavaScript number",
    );
}

/// Gives a number that none of JavaScript's is, or refuses with it.
struct Large {
    refuses: bool,
}

impl Run for Large {
    fn decode(&self, json: &[u8]) -> Result<Decoded, ArgumentError> {
        Ok(Decoded {
            args: Box::new(()),
            canonical: Json::copy_from_slice(json),
        })
    }

    fn run(&self, _: &mut Tx, _: Args) -> Result<Json, Rejection> {
        let large = Json::from_static(br#"{"n":9007199254740993}"#);
        match self.refuses {
            false => Ok(large),
            true => Err(Rejection {
                details: Some(large),
                ..Rejection::new("too_large", "no")
            }),
        }
    }

    fn takes(&self, _: &Args) -> bool {
        true
    }
}

#[test]
fn numbers_of_other_languages_are_refused_in_values_and_in_details() {
    let text = r#"
import { entity } from "ordain";
export const it = entity({ n: 0 }, {
  passes_on(cx, { to }: { to: string }) { return cx.call(to, "x").work({}); },
  catches(cx, { to }: { to: string }) { try { return cx.call(to, "x").work({}); } catch (no: any) { return no.details.n; } },
});"#;
    let mut catalog = catalog(&[&[("a.ts", text)]]);
    add_native(&mut catalog, "gives", Large { refuses: false });
    add_native(&mut catalog, "refuses", Large { refuses: true });
    let mut world = World::of(catalog, Options::default());
    let says = "9007199254740993, which no JavaScript number is: let the method give it as text";
    for (to, holds) in [
        ("gives", "the value holds"),
        ("refuses", "the details of the rejection hold"),
    ] {
        for method in ["passes_on", "catches"] {
            let (what, args) = (format!("it/a.{method}"), format!(r#"{{"to":"{to}"}}"#));
            let says = format!("{holds} {says}");
            world.fault(&what, &args, FaultKind::Encoding, &says);
        }
    }
    // From outside, nothing of JavaScript reads it.
    let rejection = world.rejection("refuses/x.work", "{}");
    assert_eq!(rejection.details.unwrap(), r#"{"n":9007199254740993}"#);
}

#[test]
fn a_query_may_not_write() {
    let mut world = World::new(
        r#"
import { entity, query } from "ordain";
export const list = entity({ items: [3, 1, 2] }, {
  add(cx) { cx.state.items.push(0); return cx.call(list, "other").sorted(); },
  sorted: query((cx) => cx.state.items.toSorted()),
  sort: query((cx) => cx.state.items.sort()),
  call: query((cx) => cx.call(list, "other").add()),
  put: query((cx) => cx.field("a").put(1)),
  later: query((cx) => cx.send(list, "other").add()),
});
"#,
    );
    assert_eq!(world.value("list/a.sorted", ""), "[1,2,3]");
    assert_eq!(world.value("list/a.add", ""), "[1,2,3]");
    world.fault("list/a.sort", "", FaultKind::WriteInQuery, "change a copy");
    world.fault("list/a.call", "", FaultKind::WriteInQuery, "add");
    world.fault("list/a.put", "", FaultKind::WriteInQuery, "field");
    world.fault("list/a.later", "", FaultKind::WriteInQuery, "send");
}

#[test]
fn what_json_cannot_hold_is_a_fault() {
    let mut world = World::new(
        r#"
import { entity, query } from "ordain";
export const box = entity({} as any, {
  put(cx, { what }) {
    const values: Record<string, () => unknown> = {
      nan: () => NaN, infinity: () => 1 / 0, map: () => new Map(), set: () => new Set([1]), big: () => 10n ** 20n,
      boxed: () => Object(NaN), bytes: () => new Uint8Array(2), view: () => new DataView(new ArrayBuffer(1)), weak: () => new WeakMap(),
      error: () => Object.assign(new Error("m"), { code: 5 }), own: () => Object.assign(new Map([[1, 2]]), { a: 1 }),
      functions: () => [1, () => 1], symbols: () => [Symbol()],
      iterator: () => [1].values(), generator: () => (function* () { yield 1; })(), boxed_symbol: () => Object(Symbol()),
      symbol: () => Symbol("s"), hole: () => [undefined], date: () => new Date(0), round: () => { const it: any = {}; it.it = it; return it; },
    };
    cx.state.inside = { value: values[what]() };
  },
  value: query((cx, { what }) => ({ nan: NaN, fn: () => 1, deep: JSON.parse("[".repeat(70) + "]".repeat(70)) })[what as "nan"]),
});
"#,
    );
    let put = |what: &str| format!(r#"{{"what":"{what}"}}"#);
    for (what, says) in [
        ("nan", "the state.inside.value is NaN"),
        ("infinity", "the state.inside.value is Infinity"),
        ("map", "the state.inside.value is a Map"),
        ("set", "the state.inside.value is a Set"),
        ("hole", "the state.inside.value[0] is undefined"),
        ("boxed", "the state.inside.value is NaN"),
        ("bytes", "the state.inside.value is a Uint8Array"),
        ("view", "the state.inside.value is a DataView"),
        ("weak", "the state.inside.value is a WeakMap"),
        ("error", "the state.inside.value is a Error"),
        ("own", "the state.inside.value is a Map"),
        ("functions", "the state.inside.value[1] is a function"),
        ("symbols", "the state.inside.value[0] is a symbol"),
        ("iterator", "the state.inside.value is a Iterator"),
        ("generator", "the state.inside.value is a Iterator"),
        ("boxed_symbol", "the state.inside.value is a Symbol"),
        ("big", "the state.inside.value is a BigInt"),
        ("round", "is an object that it lies in itself"),
    ] {
        world.fault("box/a.put", &put(what), FaultKind::Encoding, says);
    }
    world.value("box/a.put", &put("date"));
    assert_eq!(
        world.state("box/a"),
        r#"{"inside":{"value":"1970-01-01T00:00:00.000Z"}}"#
    );
    world.fault(
        "box/a.value",
        &put("nan"),
        FaultKind::Encoding,
        "the method's value is NaN",
    );
    world.fault("box/a.value", &put("fn"), FaultKind::Encoding, "function");
    world.fault(
        "box/a.value",
        &put("deep"),
        FaultKind::Encoding,
        "nests deeper",
    );
}

#[test]
fn outcomes_do_not_depend_on_what_ran_before_in_the_same_context() {
    let run = |warm: bool| {
        let mut world = world();
        if warm {
            for _ in 0..50 {
                World::new(BANK).value("account/x.deposit", r#"{"amount":1}"#);
            }
        }
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            outcomes
                .push(world.outcome("bank/main.try_both", r#"{"a":"al","b":"bo","amount":40}"#));
            outcomes.push(world.outcome("account/al.fail", ""));
        }
        (
            outcomes,
            world.state("bank/main"),
            world.state("account/al"),
        )
    };
    assert_eq!(
        crate::world::anew(|| run(false)),
        crate::world::anew(|| run(true))
    );
}

#[test]
fn two_modules_call_each_other() {
    let ping = r#"
import { entity } from "ordain";
export const ping = entity({ count: 0 }, {
  hit(cx, { left }: { left: number }): number {
    cx.state.count += 1;
    return left === 0 ? cx.state.count : cx.call("pong", cx.key).hit({ left: left - 1 });
  },
});"#;
    let pong = ping
        .replace("ping", "pang")
        .replace("pong", "ping")
        .replace("pang", "pong");
    let modules: [&[(&str, &str)]; 2] = [&[("ping.ts", ping)], &[("pong.ts", &pong)]];
    for twice in [false, true] {
        let mut world = World::with(
            &modules,
            Options {
                twice,
                ..Options::default()
            },
        );
        assert_eq!(world.value("ping/a.hit", r#"{"left":20}"#), "11");
        assert_eq!(world.state("ping/a"), r#"{"count":11}"#);
        assert_eq!(world.state("pong/a"), r#"{"count":10}"#);
    }
}

/// Handles are made of prototypes that all calls share: they show nothing of one call to another, and a method
/// that is not there is missed by its name, whatever that is.
#[test]
fn handles_hold_nothing_of_a_call() {
    let text = r#"
import { entity } from "ordain";
Object.prototype.has = function () { this.seen = (this.seen ?? 0) + 1; return this.seen > 1; };
export const it = entity({}, {
  has: (cx) => ["it", "other"].map((type) => "x" in cx.call(type, "a")),
  missing(cx, { type, method }: { type: string; method: string }) { cx.call(type, "a")[method](); },
  mark(cx, { type }: { type: string }) {
    const found = [];
    for (let at = cx.call(type, "a"); at !== null; at = Object.getPrototypeOf(at)) {
      found.push(at.marked === 1);
      try { at.marked = 1; } catch { found.push("refused"); }
    }
    return found;
  },
});
"#;
    let mut world = World::new(text);
    for _ in 0..3 {
        assert_eq!(world.value("it/a.has", ""), "[false,false]");
        for method in ["type", "get", "nothing"] {
            for (ty, kind) in [
                ("it", FaultKind::UnknownMethod),
                ("other", FaultKind::UnknownEntity),
            ] {
                let args = format!(r#"{{"type":"{ty}","method":"{method}"}}"#);
                world.fault("it/a.missing", &args, kind, "");
            }
        }
    }
    for ty in ["it", "other"] {
        let args = format!(r#"{{"type":"{ty}"}}"#);
        let first = world.value("it/a.mark", &args);
        assert_eq!(world.value("it/a.mark", &args), first);
    }
}
