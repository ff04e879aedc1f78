//! Tests written in TypeScript, against a world that knows three methods: what passes, what fails and
//! where, and that nothing ends more than its test.

use std::collections::BTreeMap;

use ordain_hosts::javascript::JavaScript;
use ordain_types::script::{Failed, Ran, Runs, Scripts, World};
use ordain_types::{EntityId, Json, Rejection, Request, SourceError, Timestamp};

use crate::world::source;

#[derive(Default)]
struct Cells {
    states: BTreeMap<String, Json>,
    now: u64,
    overheard: Vec<String>,
}

impl World for Cells {
    fn call(&mut self, request: Request<Json>) -> Result<Json, Failed> {
        let parts = request.into_parts().unwrap();
        match parts.method.as_str() {
            "set" => {
                self.states
                    .insert(parts.entity.to_string(), parts.args.clone());
                Ok(parts.args)
            }
            "refuse" => Err(Failed::Rejected(Rejection {
                details: Some(parts.args),
                ..Rejection::new("no_way", "it is [shut]")
            })),
            "says" => {
                self.overheard.push(format!("{} speaks", parts.entity));
                Ok(parts.args)
            }
            "refuse_huge" => Err(Failed::Rejected(Rejection {
                details: Some(Json::from_static(b"[9007199254740993]")),
                ..Rejection::new("no_way", "it is shut")
            })),
            "huge" => Ok(Json::from_static(b"[9007199254740993]")),
            "panics" => panic!("the world ends"),
            method => Err(Failed::Broken(format!("there is no `{method}`"))),
        }
    }

    fn query(&mut self, request: Request<Json>) -> Result<Json, Failed> {
        self.state(&request.into_parts().unwrap().entity)
            .map(Option::unwrap_or_default)
    }

    fn send(&mut self, request: Request<Json>, delay_ms: u64) -> Result<String, Failed> {
        self.call(request)?;
        Ok(format!("sent.{delay_ms}"))
    }

    fn advance(&mut self, ms: u64) -> Result<(), Failed> {
        self.now += ms;
        Ok(())
    }

    fn state(&mut self, entity: &EntityId) -> Result<Option<Json>, Failed> {
        Ok(self.states.get(&entity.to_string()).cloned())
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.now)
    }

    fn overheard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.overheard)
    }
}

/// Runs what has this in its name.
#[derive(Default)]
struct All {
    filter: &'static str,
    ran: Vec<Ran>,
}

impl Runs for All {
    fn wants(&self, name: &str) -> bool {
        name.contains(self.filter)
    }

    fn world(&mut self) -> Result<Box<dyn World>, String> {
        Ok(Box::new(Cells::default()))
    }

    fn ran(&mut self, ran: Ran) {
        self.ran.push(ran);
    }
}

fn run(files: &[(&str, &str)], filter: &'static str) -> Result<Vec<Ran>, SourceError> {
    let mut all = All {
        filter,
        ..All::default()
    };
    JavaScript::new().run(&source(files), &mut all)?;
    Ok(all.ran)
}

/// Runs the one test of this body, whose first line is the second of its file.
fn ran(body: &str) -> Ran {
    let text = format!(
        "import {{ test, assert, assertEquals, Rejection }} from 'ordain/test';\ntest('it', (t) => {{ {body}\n}});"
    );
    let mut ran = run(&[("a.test.ts", &text)], "").unwrap();
    assert_eq!(ran.len(), 1);
    ran.remove(0)
}

#[track_caller]
fn passes(body: &str) {
    let ran = ran(body);
    assert_eq!(ran.failure, None, "{body}");
}

#[track_caller]
fn fails(body: &str, says: &str) {
    let failure = ran(body).failure.expect(body);
    let mut said = failure.error.to_string();
    for (name, value) in [("expected", failure.expected), ("actual", failure.actual)] {
        if let Some(value) = value {
            said.push_str(&format!(" | {name} {value}"));
        }
    }
    assert!(said.contains(says), "{said}\n-- not:\n{says}");
}

#[test]
fn the_world_is_reached() {
    passes(
        "assertEquals(t.call('cell', 'a', 'set', { x: [1, { y: 'ü' }] }), { x: [1, { y: 'ü' }] });",
    );
    passes(
        "t.call('cell', 'a', 'set'); assertEquals(t.state('cell/a'), {}); assertEquals(t.state('cell/b'), null);",
    );
    passes(
        "t.call('cell', 'a', 'set', { x: 1 }); assertEquals(t.query('cell', 'a', 'get', {}).x, 1);",
    );
    passes("assertEquals(t.send('cell', 'a', 'set', { x: 1 }, { delay: '1.5s' }), 'sent.1500');");
    passes("t.advance('1h'); t.advance(5); assertEquals(t.now(), 3_600_005);");
    passes("let n: number = 0; for (const _ of [1, 2]) n++; assert(n === 2 as number);");
    let said = ran("t.log('a', { b: 1 }); t.call('cell', 'k', 'says'); console.log(2);").said;
    assert_eq!(said, [r#"a {"b":1}"#, "cell/k speaks", "2"]);
}

#[test]
fn what_fails_says_where_and_why() {
    fails(
        "\n  assertEquals({ a: [1, 2] }, { a: [1, 3] });",
        r#"a.test.ts:3:3: the values differ at .a[1] | expected {"a":[1,3]} | actual {"a":[1,2]}"#,
    );
    fails(
        "assertEquals([1], [1, 2], 'the list');",
        "the list: the values differ at [1] |",
    );
    fails(
        "assertEquals(undefined, null);",
        "the values differ | expected null | actual undefined",
    );
    fails(
        "/* ü */ assert(false);",
        "a.test.ts:2:36: what is asserted does not hold",
    );
    fails("assert('', 'no text');", ": no text");
    fails("null.x;", "TypeError: cannot read property 'x' of null");
    fails("throw new Error('ou\\nch');", "a.test.ts:2:31: Error: ou");
    fails("throw 5;", "threw 5");
    fails(
        "t.call('cell', 'a', 'go');",
        "a.test.ts:2:23: Error: there is no `go`",
    );
    fails("t.call('cell', '', 'set');", "a.test.ts:2:23: Error: ");
    fails("t.call('cell', 7, 'set');", "the key is 7");
    fails(
        "t.call('cell', 'a', 'set', { x: NaN });",
        "the argument `x` is NaN",
    );
    fails("t.call('cell', 'a', 'huge');", "9007199254740993");
    fails(
        "t.expectRejection('no_way', () => t.call('cell', 'a', 'refuse_huge'));",
        "the details of the rejection hold 9007199254740993, which is no JavaScript number",
    );
    fails(
        "t.call('cell', 'a', 'panics');",
        "the node under test failed",
    );
    fails("t.advance('soon');", "\"90s\"");
    fails(
        "t.send('cell', 'a', 'set', {}, { dealy: 5 } as any);",
        "t.send(…) has no option `dealy`",
    );
    fails(
        "return new Promise(() => {});",
        "waits for what never comes",
    );
}

#[test]
fn what_is_the_same_as_json_is_equal() {
    passes("assertEquals([undefined, { a: undefined }, , 1], [null, {}, null, 1]);");
    passes("assertEquals(Object.groupBy([1, 2], (n) => (n > 1 ? 'b' : 'a')), { a: [1], b: [2] });");
    passes("class Point { x = 1; } assertEquals([new Point()], [{ x: 1 }]);");
    fails("assertEquals([undefined], []);", "the values differ at [0]");
    fails("assertEquals([], {});", "the values differ |");
    fails("assertEquals(new Map(), {});", "the values differ |");
    fails(
        "assertEquals(new TypeError('a'), new RangeError('a'));",
        "the values differ |",
    );
}

/// Each was a test that passed.
#[test]
fn what_nothing_awaits_fails_its_test() {
    for body in [
        "(async () => { assert(false); })();",
        "(async () => { await null; assert(false); })();",
        "Promise.resolve().then(() => { assert(false); });",
        "const go = async () => { await null; assert(false); }; return (async () => { go(); await null; })();",
    ] {
        fails(
            body,
            "what is asserted does not hold; nothing awaits the promise",
        );
    }
    fails("Promise.reject(5);", "threw 5");
    fails(
        "const odd = Object.defineProperty(new Error(), 'message', { get() { Promise.reject(5); return 'odd'; } });
         Promise.reject(odd);",
        "odd; nothing awaits",
    );
    fails(
        "const on = () => { Promise.resolve().then(on); }; on();",
        "runs on and on",
    );
    fails(
        "Promise.reject(new Error('lost')); assert(false);",
        "what is asserted does not hold",
    );
    passes(
        "const late = Promise.reject(5); return (async () => { try { await late; } catch {} })();",
    );
    passes("Promise.reject(5).catch(() => {});");
    passes("(async () => { await new Promise(() => {}); assert(false); })();");
    let top = "import { test } from 'ordain/test';\ntest('it', () => {});\n(async () => { await null; it(); })();";
    let error = run(&[("a.test.ts", top)], "").unwrap_err().to_string();
    assert!(
        error.contains("a.test.ts:3:28: ReferenceError: it is not defined; nothing awaits"),
        "{error}"
    );
}

#[test]
fn rejections_are_expected_or_fail() {
    passes("t.expectRejection('no_way', () => t.call('cell', 'a', 'refuse'));");
    passes(
        "const no = t.expectRejection('no_way', () => t.call('cell', 'a', 'refuse', { x: 1 }));
         assertEquals([no.code, no.message, no.details], ['no_way', 'it is [shut]', { x: 1 }]);
         assert(no instanceof Rejection);",
    );
    fails(
        "t.expectRejection('gone', () => t.call('cell', 'a', 'refuse'));",
        "a.test.ts:2:23: it was rejected with another code | expected gone | actual no_way: it is [shut]",
    );
    fails(
        "t.expectRejection('gone', () => t.call('cell', 'a', 'set', { x: 1 }));",
        r#"a.test.ts:2:23: it was not rejected | expected gone | actual the value {"x":1}"#,
    );
    fails(
        "t.expectRejection('gone', () => t.call('cell', 'a', 'go'));",
        "there is no `go`",
    );
    fails(
        "t.call('cell', 'a', 'refuse');",
        "a.test.ts:2:23: rejected: no_way: it is [shut]",
    );
}

#[test]
fn each_test_stands_alone_and_what_never_ends_is_ended() {
    let text = "import { test, assertEquals } from 'ordain/test';
import { one } from './lib';
let count = 0;
const grown: string[] = [];
function deep(n: number): number { return deep(n + 1) + 1; }
test('first', (t) => { count += one; t.call('cell', 'a', 'set', { count }); });
test('loops', () => { for (;;) try { count++; } catch {} });
test('grows', () => { for (;;) grown.push('x'.repeat(1000) + grown.length); });
test('sinks', () => { try { deep(0); } catch (error) { console.log('caught'); } });
test('throws', () => { throw new Error('ouch'); });
test('waits', async (t) => { await null; assertEquals(count, 0); });
test('last', (t) => { count += one; assertEquals([count, t.state('cell/a')], [1, null]); });
";
    let lib = "import { entity } from 'ordain';\nexport const cell = entity({}, { set() {} });\nexport const one = 1;";
    let files = [("a.test.ts", text), ("lib.ts", lib)];
    let ended: Vec<_> = run(&files, "")
        .unwrap()
        .into_iter()
        .map(|ran| (ran.name, ran.failure.map(|failure| failure.error)))
        .collect();
    let message = |name: &str| {
        let (_, error) = ended.iter().find(|(known, _)| known == name).unwrap();
        error.as_ref().map(ToString::to_string)
    };
    let says = |name: &str, says: &str| {
        let message = message(name).expect(name);
        assert!(message.contains(says), "{name}: {message}");
    };
    assert_eq!(ended.len(), 7);
    assert_eq!(message("first"), None);
    says("loops", "runs on and on");
    says("grows", "more and more memory");
    says("sinks", "recursion");
    says("throws", "a.test.ts:10:34: Error: ouch");
    assert_eq!(message("waits"), None);
    assert_eq!(message("last"), None);
    let names = |filter| run(&files, filter).unwrap().into_iter().map(|ran| ran.name);
    assert_eq!(names("ast").collect::<Vec<_>>(), ["last"]);
}

#[test]
fn a_script_that_holds_no_tests_to_run_says_why() {
    let refused = |text: &str, says: &str| {
        let error = run(&[("a.test.ts", text)], "").expect_err(text).to_string();
        assert!(error.contains(says), "{error}\n-- not:\n{says}");
    };
    refused("const a = 1;\nconst b = ;", "a.test.ts:2:11: ");
    refused(
        "const a = 1;\rconst b = 2;",
        "a.test.ts:1:13: the line ends in a carriage return alone",
    );
    refused("// to be written", "a.test.ts: no test is here: import");
    refused(
        "\n  nothing();",
        "a.test.ts:2:3: ReferenceError: nothing is not defined",
    );
    refused(
        "import { test } from 'vitest'; test();",
        "a.test.ts:1:22: `vitest` is not here",
    );
    refused("import { tset } from 'ordain/test'; tset();", "tset");
    refused(
        "import { test } from 'ordain/test'; test('x');",
        "a.test.ts:1:36: TypeError: test(name, run)",
    );
    refused("for (;;) {}", "runs on and on");
    refused("await new Promise(() => {});", "a.test.ts");
}
