//! What people who develop a module are told of where it says no.

use ordain_engine::Options;

use crate::world::World;

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

#[test]
fn nothing_is_found_out_where_nobody_asks() {
    let mut world = World::new(TEXT);
    world.rejection("account/al.pay", r#"{"from":"bo"}"#);
    assert!(world.engine.take_told().is_none());
}
