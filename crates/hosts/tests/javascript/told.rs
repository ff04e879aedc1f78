//! What people who develop a module are told of where it says no.

use ordain_engine::Options;
use ordain_hosts::javascript::JavaScript;
use ordain_types::FaultKind;
use ordain_types::script::{Ran, Runs, Scripts, World as Reached};

use crate::world::{World, compile, source};

const TEXT: &str = r#"import { entity, query, reject, Rejection } from "ordain";
export const account = entity({ balance: 0 }, {
  withdraw(cx) {
    if (cx.state.balance < 1) reject("short", "nothing is there");
  },
  pay(cx, { from }: { from: string }) { cx.call(account, from).withdraw(); },
  again(cx, { from }: { from: string }) {
    try { cx.call(account, "first").withdraw(); } catch (error) { cx.log("once"); }
    cx.call(account, from).withdraw();
  },
  changed(cx, { from }: { from: string }) {
    try {
      cx.call(account, from).withdraw();
    } catch (error) {
      throw new Rejection("other", "no");
    }
  },
  caught(cx, { from }: { from: string }) {
    try { cx.call(account, from).withdraw(); } catch (error) {}
    return 1;
  },
  look: query((cx, { from }: { from: string }) => reject("shut", from)),
});"#;

/// What is told of `account/al.METHOD`.
fn told(world: &mut World, method: &str) -> Option<(String, String)> {
    let outcome = world.outcome(&format!("account/al.{method}"), r#"{"from":"bo"}"#);
    let told = world.engine.take_told()?;
    assert_eq!(told.called, format!("account/al.{method}"));
    let (at, place) = told.rejected_at(&outcome)?;
    Some((at.to_owned(), place.to_owned()))
}

#[test]
fn a_rejection_is_where_it_was_said() {
    let twice = Options {
        twice: true,
        ..Options::default()
    };
    let mut world = World::with(&[&[("a.ts", TEXT)]], twice);
    for (method, at, line) in [
        ("pay", "account/bo.withdraw", "a.ts:4:"),
        ("again", "account/bo.withdraw", "a.ts:4:"),
        ("changed", "account/al.changed", "a.ts:15:"),
        ("look", "account/al.look", "a.ts:22:"),
    ] {
        let told = told(&mut world, method);
        let (is, place) = told.unwrap_or_else(|| panic!("nothing is told of {method}"));
        assert!(
            is == at && place.starts_with(line),
            "{method}: {is} {place}"
        );
    }
    assert_eq!(told(&mut world, "caught"), None);
}

/// Names of files and of functions may look like what a stack has around them.
#[test]
fn files_are_known_by_their_names_whatever_is_in_them() {
    let text = r#"import { entity } from "ordain";
const odd = { "a (b.ts:1:1)"(it: any) { return it.x; } };
export const a = entity({}, {
  run(cx) { return odd["a (b.ts:1:1)"](null); },
});"#;
    for path in [
        "bank (1).ts",
        "a (b/c) d.ts",
        "(x",
        "at (1).ts:2:3.ts",
        "bank.ts",
    ] {
        let files: [(&str, &str); 1] = [(path, text)];
        let mut world = World::with(&[&files], Options::default());
        let fault = world.fault("a/x.run", "", FaultKind::Exception, "TypeError: ");
        let first = format!("    at a (b.ts:1:1) ({path}:2:");
        assert!(fault.trace.starts_with(&first), "{}", fault.trace);
        let called = format!("at run ({path}:4:");
        assert!(fault.trace.contains(&called), "{}", fault.trace);
        let error = compile(&[(path, "export default 1; export default 2;")]).unwrap_err();
        let says = format!("{path}:1:35: SyntaxError");
        assert!(error.to_string().starts_with(&says), "{error}");
    }
}

/// The tests of a file, each in no world at all.
#[derive(Default)]
struct Worldless(Vec<Ran>);

impl Runs for Worldless {
    fn wants(&self, _: &str) -> bool {
        true
    }

    fn world(&mut self) -> Result<Box<dyn Reached>, String> {
        Err("there is none".to_owned())
    }

    fn ran(&mut self, ran: Ran) {
        self.0.push(ran);
    }
}

#[test]
fn so_are_files_of_tests() {
    let text = "import { test } from 'ordain/test';\n  nothing();";
    let script = source(&[("bank (1).test.ts", text)]);
    let error = JavaScript::new().run(&script, &mut Worldless::default());
    let says = "bank (1).test.ts:2:3: ReferenceError: nothing is not defined";
    assert_eq!(error.unwrap_err().to_string(), says);
}

#[test]
fn nothing_is_found_out_where_nobody_asks() {
    let mut world = World::new(TEXT);
    world.rejection("account/al.pay", r#"{"from":"bo"}"#);
    assert!(world.engine.take_told().is_none());
}
