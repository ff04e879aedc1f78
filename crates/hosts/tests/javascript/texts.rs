//! Texts of JavaScript may hold halves of surrogate pairs, which are no characters, and errors may say anything.

use ordain_types::FaultKind;

use crate::world::World;

const TEXTS: &str = r#"
import { entity, reject } from "ordain";
const thrown = (message: any) => { try { throw Object.assign(new Error("x"), { message }); } catch { return "ok"; } };
const fails = (get: () => any) => { try { throw Object.defineProperty(new Error("x"), "message", { get }); } catch (e: any) { return "ok"; } };
export const it = entity({ text: "" }, {
  number: () => thrown(42),
  object: () => thrown({ a: 1 }),
  half: () => thrown("\ud800"),
  new_half() { try { throw new Error("\ud800"); } catch (e: any) { return e.message.length; } finally { } },
  symbol: () => thrown(Symbol()),
  getter: () => fails(() => { throw new Error("y"); }),
  endless: () => fails(() => { for (;;) ; }),
  fails() { throw new Error("a\udc00b"); },
  fails_named() { throw Object.assign(new Error("x"), { name: 7 }); },
  log(cx) { cx.log("a\ud800b", { c: "\udfff" }, "\ud83d\ude00"); },
  reject() { reject("a", "no \ud800 \ud83d\ude00"); },
  rethrow(cx, { message }: { message: any }) { try { reject("a", "b"); } catch (no: any) { no.message = message; throw no; } },
});
"#;

#[test]
fn an_error_that_says_something_odd_can_be_caught() {
    let mut world = World::new(TEXTS);
    for method in ["number", "object", "half", "symbol", "getter"] {
        assert_eq!(
            world.value(&format!("it/a.{method}"), ""),
            "\"ok\"",
            "{method}"
        );
    }
    assert_eq!(world.value("it/a.new_half", ""), "1");
    world.fault("it/a.endless", "", FaultKind::Instructions, "ticks");
}

#[test]
fn what_people_read_has_replacements_for_what_is_no_character() {
    let mut world = World::new(TEXTS);
    world.value("it/a.log", "");
    assert_eq!(
        world.logs(),
        ["it/a.log: a\u{fffd}b {\"c\":\"\\udfff\"} \u{1f600}"]
    );
    assert_eq!(
        world.rejection("it/a.reject", "").message,
        "no \u{fffd} \u{1f600}"
    );
    world.fault("it/a.fails", "", FaultKind::Exception, "Error: a\u{fffd}b");
    world.fault("it/a.fails_named", "", FaultKind::Exception, "x");
    assert_eq!(
        world
            .rejection("it/a.rethrow", r#"{"message":"c"}"#)
            .message,
        "c"
    );
    world.fault(
        "it/a.rethrow",
        r#"{"message":42}"#,
        FaultKind::Exception,
        "a rejection's text",
    );
}
