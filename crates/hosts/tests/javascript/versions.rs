//! States that another version of a module wrote.

use ordain_engine::Modules as _;
use ordain_hosts::javascript::JavaScript;
use ordain_types::module::hash;
use ordain_types::{EntityType, FaultKind, Method};

use crate::world::{World, catalog, source};

const FIRST: &str = r#"
import { entity, query } from "ordain";
export const person = entity({ name: "" }, {
  rename(cx, { name }: { name: string }) { cx.state.name = name; },
  shown: query((cx) => cx.state),
});"#;

const SECOND: &str = r#"
import { entity, query } from "ordain";
export const person = entity({ first: "", last: "", visits: 0 }, {
  visit(cx) { cx.state.visits += 1; return cx.state; },
  look(cx) { return cx.state; },
  shown: query((cx) => cx.state),
}, {
  version: 2,
  migrate(state, from) {
    const [first, last = ""] = state.name.split(" ");
    return { first, last, visits: from };
  },
});"#;

const GROWN: &str = r#"
import { entity, query } from "ordain";
export const person = entity({ name: "", visits: 10 }, {
  visit(cx) { cx.state.visits += 1; return cx.state; },
  shown: query((cx) => cx.state),
}, { version: 2 });"#;

/// A later version that does not say that it is one.
const GROWN_UNSAID: &str = r#"
import { entity, query } from "ordain";
export const person = entity({ name: "", visits: 10, tags: [] as string[] } as any, {
  look(cx) { return cx.state; },
  visit(cx) { cx.state.visits += 1; return cx.state; },
  forget(cx) { delete cx.state.visits; return Object.keys(cx.state); },
  empty(cx) { cx.state.visits = null; },
  list(cx) { cx.state = ["a"]; },
  come_back(cx) {
    const { state } = cx;
    state.visits = 1;
    cx.call(person, cx.key).forget();
    return ["visits" in state, state === cx.state];
  },
  shown: query((cx) => cx.state),
});"#;

#[test]
fn types_and_methods_are_where_they_are_written() {
    let host = JavaScript::new();
    let files = [
        (
            "a.ts",
            "import { entity } from \"ordain\";\nimport { add } from \"./b.ts\";\n\nexport const one = entity({}, {\n  add,\n  own(cx) {},\n});\nexport default entity({}, { get(cx) {} }, { name: \"other\" });",
        ),
        ("b.ts", "// é\nexport function add(cx) {}"),
    ];
    let package = host.compile(&source(&files)).expect("it compiles");
    let hash = hash(&package.encode());
    let place = |ty: &str, method: Option<&str>| {
        let ty = EntityType::new(ty).expect("a name");
        let method = method.map(|method| Method::new(method).expect("a name"));
        let place = host.place(hash, &ty, method.as_ref());
        place.map(|place| place.to_string())
    };
    assert_eq!(place("one", None).as_deref(), Some("a.ts:4:14"));
    assert_eq!(place("one", Some("own")).as_deref(), Some("a.ts:6:3"));
    assert_eq!(place("one", Some("add")).as_deref(), Some("b.ts:2:8"));
    assert_eq!(place("other", None).as_deref(), Some("a.ts:8:1"));
    assert_eq!(place("none", None), None);
    assert_eq!(place("one", Some("none")), None);
}

/// A world of a later version that has the rows of the first.
fn upgraded(text: &str) -> World {
    let mut world = World::new(FIRST);
    world.value("person/a.rename", r#"{"name":"Ada Lovelace"}"#);
    World::of_rows(catalog(&[&[("a.ts", text)]]), &mut world)
}

#[test]
fn a_state_is_migrated_when_it_is_first_touched() {
    let mut world = upgraded(SECOND);
    let shown = r#"{"first":"Ada","last":"Lovelace","visits":1}"#;
    assert_eq!(world.value("person/a.shown", ""), shown);
    assert_eq!(
        world.state("person/a"),
        r#"{"name":"Ada Lovelace"}"#,
        "a query writes nothing"
    );
    assert_eq!(world.value("person/a.look", ""), shown);
    assert_eq!(world.value("person/a.visit", ""), shown.replace('1', "2"));
    assert_eq!(world.state("person/a"), shown.replace('1', "2"));
    assert_eq!(
        world.value("person/b.visit", ""),
        r#"{"first":"","last":"","visits":1}"#
    );
}

#[test]
fn without_a_migration_new_names_take_their_defaults() {
    let mut world = upgraded(GROWN);
    assert_eq!(
        world.value("person/a.shown", ""),
        r#"{"name":"Ada Lovelace","visits":10}"#
    );
    assert_eq!(
        world.value("person/a.visit", ""),
        r#"{"name":"Ada Lovelace","visits":11}"#
    );
    assert_eq!(
        world.state("person/a"),
        r#"{"name":"Ada Lovelace","visits":11}"#
    );
}

/// What is stored of an entity that only reads is what was stored, as if it were to be migrated.
#[test]
fn new_names_take_their_defaults_whether_or_not_the_version_is_another() {
    let mut world = upgraded(GROWN_UNSAID);
    let old = r#"{"name":"Ada Lovelace"}"#;
    let filled = r#"{"name":"Ada Lovelace","visits":10,"tags":[]}"#;
    for method in ["shown", "look"] {
        let what = format!("person/a.{method}");
        assert_eq!(world.value(&what, ""), filled);
        assert_eq!(world.state("person/a"), old, "{method} writes nothing");
    }
    let visited = filled.replace("10", "11");
    assert_eq!(world.value("person/a.visit", ""), visited);
    assert_eq!(world.state("person/a"), visited);
}

#[test]
fn a_name_that_was_deleted_has_its_default_again() {
    let mut world = World::new(GROWN_UNSAID);
    assert_eq!(world.value("person/a.forget", ""), r#"["name","tags"]"#);
    assert_eq!(world.state("person/a"), r#"{"name":"","tags":[]}"#);
    let shown = r#"{"name":"","visits":10,"tags":[]}"#;
    assert_eq!(world.value("person/a.shown", ""), shown);
    assert_eq!(world.value("person/a.come_back", ""), "[false,true]");
    world.value("person/a.empty", "");
    let empty = shown.replace("10", "null");
    assert_eq!(world.value("person/a.shown", ""), empty);
    world.value("person/a.list", "");
    assert_eq!(world.value("person/a.shown", ""), r#"["a"]"#);
}

#[test]
fn what_a_migration_leaves_out_takes_its_default_at_once() {
    let text = SECOND.replace("visits: from", "...(from && {})");
    let mut world = upgraded(&text);
    let shown = r#"{"first":"Ada","last":"Lovelace","visits":0}"#;
    let sorted = |json: String| {
        serde_json::from_str::<serde_json::Value>(&json)
            .unwrap()
            .to_string()
    };
    assert_eq!(sorted(world.value("person/a.shown", "")), shown);
    assert_eq!(sorted(world.value("person/a.look", "")), shown);
    assert_eq!(
        sorted(world.value("person/a.visit", "")),
        shown.replace('0', "1")
    );
}

/// Else two queries of an entity that nobody wrote since would differ, for each has its own time and chance.
#[test]
fn a_migration_has_neither_time_nor_chance() {
    let with = |what: &str| SECOND.replace("visits: from", what);
    let fails = |what: &str, place: &str| {
        let mut world = upgraded(&with(what));
        let says = "`migrate` has neither time nor chance, for it makes the same of a state whoever touches it first: \
                    take them in the method that changes the state, by its `cx`";
        let says = format!("{says} (a.ts:11:{place}");
        for method in ["shown", "visit"] {
            let what = format!("person/a.{method}");
            world.fault(&what, "", FaultKind::Exception, &says);
        }
        assert_eq!(world.state("person/a"), r#"{"name":"Ada Lovelace"}"#);
    };
    fails("visits: Math.random()", "40)");
    fails("visits: Date.now()", "40)");
    fails("visits: +new Date()", "");
    fails("visits: from, toJSON() { return Math.random(); }", "");
    fails("get visits() { return Date.now(); }", "");
    // A date of its own it may make, and the method that it was for has both.
    let text = with("visits: new Date(5).getTime()");
    let looks = "const { visits } = cx.state; return [visits, Math.random() < 1, Date.now() > 0];";
    let text = text.replace(
        "look(cx) { return cx.state; }",
        &format!("look(cx) {{ {looks} }}"),
    );
    assert_eq!(upgraded(&text).value("person/a.look", ""), "[5,true,true]");
}

#[test]
fn a_state_of_a_later_version_is_refused_without_a_migration() {
    let mut world = World::new(GROWN);
    world.value("person/a.visit", "");
    let mut world = World::of_rows(catalog(&[&[("a.ts", FIRST)]]), &mut world);
    world.fault(
        "person/a.shown",
        "",
        FaultKind::StoredValue,
        "is of version 2",
    );
}

/// A version in another language has other numbers.
#[test]
fn stored_numbers_that_none_here_is_are_refused_and_stay() {
    const NUMBERS: &str = r#"
import { entity, query } from "ordain";
export const it = entity({ n: 0, text: "" }, {
  set(cx, { n }) { cx.state.n = n; cx.field("f").put([n]); },
  large(cx) { cx.state.n = 12345678901234567000; cx.field("f").put(cx.state.n); },
  read(cx) { return cx.state.text; },
  shown: query((cx) => cx.state.n),
  write(cx) { cx.state.text = "x"; },
  replace(cx) { cx.state = { n: 1, text: "" }; },
  field(cx) { return cx.field("f").get(); },
  fields(cx) { return cx.scan(); },
  elsewhere(cx) { return 1; },
});"#;
    let mut world = World::new(NUMBERS);
    world.value("it/a.set", r#"{"n":9007199254740992}"#);
    let (from, to) = ("9007199254740992", "9007199254740993");
    let catalog = catalog(&[&[("a.ts", NUMBERS)]]);
    let mut world = World::of_rows_with(catalog, &mut world, from, to);
    let stored = r#"{"n":9007199254740993,"text":""}"#;
    assert_eq!(world.state("it/a"), stored);
    for method in ["read", "shown", "write", "replace"] {
        let what = format!("it/a.{method}");
        let says = "the state holds 9007199254740993, which no JavaScript number is";
        world.fault(&what, "", FaultKind::StoredValue, says);
        assert_eq!(world.state("it/a"), stored, "{method}");
    }
    for method in ["field", "fields"] {
        let what = format!("it/a.{method}");
        let says = "the field `f` holds 9007199254740993, which no JavaScript number is";
        world.fault(&what, "", FaultKind::StoredValue, says);
    }
    assert_eq!(world.value("it/a.elsewhere", ""), "1");
    // What it wrote itself it reads.
    world.value("it/b.large", "");
    assert_eq!(world.value("it/b.shown", ""), "12345678901234567000");
    assert_eq!(world.value("it/b.field", ""), "12345678901234567000");
}
