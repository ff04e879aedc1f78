//! Calls that come back to an entity on the stack: what the method there holds of its state.

use ordain_types::FaultKind;

use crate::world::World;

/// What a method holds of its state is the state's after a call that came back, wherever it is now.
#[test]
fn what_is_held_of_the_state_is_what_a_call_that_came_back_left_of_it() {
    let mut world = World::new(
        r#"
        import { entity } from "ordain";
        const START = { score: 0 }, LIST = [{ id: 1 }, { id: 2 }];
        export const game = entity({ players: [] as any[], first: null as any }, {
          score(cx, { who }: { who: number }): number { return ++cx.state.players[who].score; },
          shift(cx) { return cx.state.players.shift(); },
          swap(cx) { cx.state.players.reverse(); cx.state.players[0].swapped = true; },
          rise(cx) { cx.state.first.score++; },
          one_in_two_places(cx) {
            cx.state.players = Array(2).fill({ score: 0 });
            cx.call(game, cx.key).score({ who: 0 });
            return cx.state;
          },
          moved(cx) {
            cx.state.players = [{ id: 1 }, { id: 2 }, { id: 3 }];
            const [first, second, third] = cx.state.players;
            cx.call(game, cx.key).shift();
            second.id = 91; third.id = 92;
            return [cx.state.players, first.id];
          },
          swapped(cx) {
            cx.state.players = [{ id: 1 }, { id: 2 }];
            const [first, second] = cx.state.players;
            cx.call(game, cx.key).swap();
            first.held = 1;
            second.held = 2;
            return cx.state.players;
          },
          the_modules_own(cx) {
            cx.state.players = LIST;
            cx.state.first = START;
            cx.call(game, cx.key).shift();
            cx.call(game, cx.key).rise();
            cx.state.players[0].id += 40;
            return [cx.state, LIST, START];
          },
        });
        "#,
    );
    assert_eq!(
        world.value("game/a.one_in_two_places", "{}"),
        r#"{"players":[{"score":1},{"score":0}],"first":null}"#
    );
    assert_eq!(
        world.value("game/b.moved", "{}"),
        r#"[[{"id":91},{"id":92}],1]"#
    );
    assert_eq!(
        world.value("game/c.swapped", "{}"),
        r#"[{"id":2,"swapped":true,"held":2},{"id":1,"held":1}]"#
    );
    assert_eq!(
        world.value("game/d.the_modules_own", "{}"),
        r#"[{"players":[{"id":42}],"first":{"score":1}},[{"id":1},{"id":2}],{"score":0}]"#
    );
}

/// What a method holds is the same thing after a call that came back, or says when it is written that it is gone.
#[test]
fn what_a_call_that_came_back_took_out_is_not_written_silently() {
    let mut world = World::new(
        r#"
        import { entity } from "ordain";
        const LISTS = {
          named: [{ id: 1, n: 0 }, { id: 2, n: 0 }], keyed: [{ key: "a", n: 0 }, { key: "b", n: 0 }],
          bare: [{ n: 1 }, { n: 2 }], rows: [[1], [2]],
        };
        export const game = entity({ items: [] as any[], it: { n: 1 } as any }, {
          change(cx, { how }: { how: string }) {
            const items = cx.state.items;
            if (how.includes("drop")) items.shift();
            if (how.includes("last") && !Array.isArray(items[0])) items[items.length - 1].n = 7;
            if (how.includes("last") && Array.isArray(items[0])) items[items.length - 1].push(7);
            if (how.includes("add")) items.unshift({ n: 9 });
            if (how.includes("none")) cx.state = { items };
            if (how.includes("text")) cx.state.it = "text";
          },
          run(cx, { list, how, held, add }: { list: "named" | "keyed" | "bare" | "rows"; how: string; held: number; add: boolean }) {
            cx.state.items = structured(LISTS[list]);
            const it = held < 0 ? cx.state.it : cx.state.items[held];
            cx.call(game, cx.key).change({ how });
            if (Array.isArray(it)) it.push(5);
            else if (add) it.more = 5;
            else it.n = 5;
            return cx.state;
          },
        });
        const structured = (it: any) => JSON.parse(JSON.stringify(it));
        "#,
    );
    let args = |list: &str, how: &str, held: i32, add: bool| {
        format!(r#"{{"list":"{list}","how":"{how}","held":{held},"add":{add}}}"#)
    };
    let kept = [
        ("named", "drop last", 1, r#"[{"id":2,"n":5}]"#),
        ("keyed", "drop last", 1, r#"[{"key":"b","n":5}]"#),
        (
            "named",
            "add last",
            1,
            r#"[{"n":9},{"id":1,"n":0},{"id":2,"n":5}]"#,
        ),
        ("bare", "last", 1, r#"[{"n":1},{"n":5}]"#),
        ("bare", "drop", 1, r#"[{"n":5}]"#),
        ("bare", "add", 0, r#"[{"n":9},{"n":5},{"n":2}]"#),
        ("rows", "last", 1, "[[1],[2,7,5]]"),
    ];
    for (list, how, held, items) in kept {
        assert_eq!(
            world.value("game/a.run", &args(list, how, held, false)),
            format!(r#"{{"items":{items},"it":{{"n":1}}}}"#),
            "{list} {how}"
        );
    }
    let gone = [
        ("named", "drop", 0),
        ("named", "drop last", 0),
        ("bare", "drop last", 1),
        ("bare", "add last", 1),
        ("bare", "none", -1),
        ("bare", "text", -1),
    ];
    for (list, how, held) in gone {
        let says =
            "this is not in `cx.state` any more: a call that came back to the entity took it out";
        let of = |add| args(list, how, held, add);
        world.fault("game/b.run", &of(false), FaultKind::Exception, says);
        let says = "without what a call that came back to the entity took out of it";
        world.fault("game/b.run", &of(true), FaultKind::ModuleState, says);
    }
    let args = args("rows", "drop last", 1, false);
    let says = "without what a call that came back to the entity took out of it";
    world.fault("game/b.run", &args, FaultKind::ModuleState, says);
}

#[test]
fn a_date_that_a_call_that_came_back_took_out_is_not_changed_silently() {
    let mut world = World::new(
        r#"
        import { entity } from "ordain";
        export const it = entity({ at: null as any, n: 0 }, {
          count(cx) { cx.state.n++; },
          run(cx, { comes_back }: { comes_back: boolean }) {
            const at = cx.state.at = new Date(0);
            if (comes_back) cx.call(it, cx.key).count();
            at.setUTCFullYear(2000);
            return cx.state.at;
          },
        });
        "#,
    );
    let says =
        "this is not in `cx.state` any more: a call that came back to the entity took it out";
    let (here, back) = (r#"{"comes_back":false}"#, r#"{"comes_back":true}"#);
    world.fault("it/a.run", back, FaultKind::Exception, says);
    let date = r#""2000-01-01T00:00:00.000Z""#;
    assert_eq!(world.value("it/a.run", here), date);
}

/// What says itself what its JSON is holds something else than is stored.
#[test]
fn what_has_json_of_its_own_is_its_json_after_a_call_that_came_back() {
    let mut world = World::new(
        r#"
        import { entity } from "ordain";
        class Money { constructor(public_: number) { this.cents = public_; } cents: number; toJSON() { return { amount: this.cents / 100 }; } }
        class Secret { #n = 1; toJSON() { return { n: this.#n }; } }
        export const it = entity({ n: 0, price: null as any, all: [] as any[], secret: null as any, at: null as any }, {
          count(cx) { cx.state.n++; },
          change(cx) {
            cx.state.price.amount += 7;
            cx.state.all.shift();
            cx.state.all[0].amount++;
            cx.state.secret.n = 9;
            cx.state.at = cx.state.at.slice(0, 4);
          },
          run(cx, { how }: { how: "count" | "change" }) {
            cx.state = { ...cx.state, price: new Money(500), all: [new Money(1), new Money(200)], secret: new Secret(), at: new Date(0) };
            (cx.call(it, cx.key) as any)[how]();
            return cx.state;
          },
          held(cx) {
            const price = cx.state.price = new Money(500);
            cx.call(it, cx.key).count();
            price.cents = 1;
          },
        });
        "#,
    );
    for (how, expected) in [
        (
            "count",
            r#"{"n":1,"price":{"amount":5},"all":[{"amount":0.01},{"amount":2}],"secret":{"n":1},"at":"1970-01-01T00:00:00.000Z"}"#,
        ),
        (
            "change",
            r#"{"n":0,"price":{"amount":12},"all":[{"amount":3}],"secret":{"n":9},"at":"1970"}"#,
        ),
    ] {
        let (entity, args) = (format!("it/{how}"), format!(r#"{{"how":"{how}"}}"#));
        assert_eq!(world.value(&format!("{entity}.run"), &args), expected);
        assert_eq!(world.state(&entity), expected);
    }
    let says = "this is not in `cx.state` any more";
    world.fault("it/a.held", "", FaultKind::Exception, says);
}

/// What may not be changed itself may hold what can be.
#[test]
fn what_lies_in_what_is_frozen_is_not_written_silently() {
    let mut world = World::new(
        r#"
        import { entity } from "ordain";
        const OWN = { deep: { n: 0 }, at: new Date(0) };
        export const it = entity({ box: null as any, n: 0 }, {
          count(cx) { cx.state.n++; },
          run(cx, { how }: { how: string }) {
            const inner = { n: 1 };
            const box: any = { frozen: Object.freeze([{ inner }]), sealed: Object.seal({ inner, n: 0 }),
              fixed: Object.preventExtensions({ inner, n: 0 }) }[how];
            cx.state.box = box;
            cx.call(it, cx.key).count();
            if (how !== "frozen") box.n = 5;
            inner.n = 5;
          },
          date(cx) {
            cx.state.box = OWN;
            cx.call(it, cx.key).count();
            OWN.at.setTime(1);
          },
          deep(cx) {
            cx.state.box = OWN;
            cx.call(it, cx.key).count();
            OWN.deep.n = 1;
          },
        });
        "#,
    );
    let mut fault = |how: &str, kind, says: &str| {
        world.fault("it/a.run", &format!(r#"{{"how":"{how}"}}"#), kind, says);
    };
    let gone = "this is not in `cx.state` any more";
    fault("frozen", FaultKind::Exception, gone);
    fault("fixed", FaultKind::Exception, gone);
    let says = "without what a call that came back to the entity took out of it";
    fault("sealed", FaultKind::ModuleState, says);
    let says = "`setTime` of a module-level Date is read-only";
    world.fault("it/a.date", "", FaultKind::ModuleState, says);
    let says = "'n' is read-only";
    world.fault("it/a.deep", "", FaultKind::ModuleState, says);
}
