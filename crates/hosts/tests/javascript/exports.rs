//! What files export and pass on is frozen, and looks to others as the language says.

use ordain_engine::{Modules, Options};
use ordain_hosts::javascript::JavaScript;
use ordain_types::module::hash;
use ordain_types::{EntityType, FaultKind};

use crate::module_state::module;
use crate::world::{World, compile, source};

#[test]
fn exports_without_names_are_frozen() {
    let main = |does: &str| module("import it from \"./b\"; import { w } from \"./b\";", does);
    for text in [
        "export default { n: 0 };",
        "export default class { static n = 0; }",
        "export default function () {}",
        "const o = { n: 0 }; export { o as default };",
    ] {
        let lib = format!("{text}\nexport const w = 1;");
        let main = main("return w + ((it as any).n = 1);");
        let files: [(&str, &str); 2] = [("a.ts", &main), ("b.ts", &lib)];
        let mut world = World::with(&[&files], Options::default());
        let says = "entity state lives in `cx.state`";
        world.fault("a/x.run", "", FaultKind::ModuleState, says);
    }
}

#[test]
fn namespaces_can_be_kept() {
    let kept = "import * as b from \"./b\"; export * as again from \"./b\"; const all = { b };";
    let lib = "export const one = 1, deep = { n: 0 };";
    let main = module(kept, "return all.b.one;");
    let files: [(&str, &str); 2] = [("a.ts", &main), ("b.ts", lib)];
    let mut world = World::with(&[&files], Options::default());
    assert_eq!(world.value("a/x.run", ""), "1");
    let main = module(
        kept,
        "return [Object.keys(all.b), all, { ...b }, Object.values(b).length];",
    );
    let files: [(&str, &str); 2] = [("a.ts", &main), ("b.ts", lib)];
    let mut world = World::with(&[&files], Options::default());
    assert_eq!(
        world.value("a/x.run", ""),
        r#"[["deep","one"],{"b":{"deep":{"n":0},"one":1}},{"deep":{"n":0},"one":1},2]"#
    );
    let main = module(kept, "all.b.deep.n = 1;");
    let files: [(&str, &str); 2] = [("a.ts", &main), ("b.ts", lib)];
    let mut world = World::with(&[&files], Options::default());
    let says = "entity state lives in `cx.state`";
    world.fault("a/x.run", "", FaultKind::ModuleState, says);
}

/// A file may pass on what others bind, and what is wrong with that is said of the file that binds it.
#[test]
fn what_is_passed_on_is_looked_at_where_it_is_bound() {
    let main = module(
        "export * from \"./between\"; export { inner as own } from \"./lib\";",
        "",
    );
    let between = "export * from \"./lib\"; export { inner as again, default } from \"./lib\";";
    for (lib, says) in [
        (
            "export const inner = 1;\nexport const w = new WeakMap(); export default 1;",
            "lib.ts:2:14: `w` holds an object of the kind WeakMap",
        ),
        (
            "export const inner = new WeakMap(); export default 1;",
            "lib.ts:1:14: `inner` holds",
        ),
        (
            "export const inner = 1;\n export default new WeakMap();",
            "lib.ts:2:2: the export `default` holds",
        ),
    ] {
        let files = [("a.ts", &*main), ("between.ts", between), ("lib.ts", lib)];
        let error = compile(&files).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}\n-- not: {says}");
    }
}

/// The values are those that variables have when all files have started, whichever of two that import each other is first.
#[test]
fn variables_are_frozen_as_the_start_leaves_them() {
    let main = module(
        "import { seen } from \"./b\"; export let late = { n: 0 }; late = { n: 1 }; export class Own {}\n\
         var again = { n: 2 }; var again = { n: 3 };",
        "const it: any = [late, seen(), Own, again][args.at]; it.n = 9;",
    );
    let main = main.replace("run(cx)", "run(cx, args: any)");
    let lib = "import { late } from \"./a\"; export const seen = () => late;";
    let files: [(&str, &str); 2] = [("a.ts", &main), ("b.ts", lib)];
    let mut world = World::with(&[&files], Options::default());
    let says = "entity state lives in `cx.state`";
    for at in 0..4 {
        let args = format!(r#"{{"at":{at}}}"#);
        world.fault("a/x.run", &args, FaultKind::ModuleState, says);
    }
}

#[test]
fn a_name_that_several_pass_on_is_named_with_its_place() {
    let main = module("import { rate } from \"./both\"; const r = rate;", "");
    let between = "export * from \"./lib\"; export * from \"./more\";";
    let lib = "export const rate = 1;";
    let more = "export const rate = 2;";
    let files = [
        ("a.ts", &*main),
        ("both.ts", between),
        ("lib.ts", lib),
        ("more.ts", more),
    ];
    let error = compile(&files).unwrap_err().to_string();
    let says = "a.ts:2:10: `rate` is ambiguous: \"./both\" passes on all names of several files that have it";
    assert!(error.starts_with(says), "{error}");
    let same = [
        files[0],
        files[1],
        files[2],
        ("more.ts", "export { rate } from \"./lib\";"),
    ];
    compile(&same).expect("it is one");
}

/// Of two entity types, the second in a file of its own, which has something else as well.
const SECOND: &str = "import { entity } from \"ordain\";
export const b = entity({}, { hi(cx) { return 1; } });
export const rate = 2;
export default entity({}, { hi(cx) { return 3; } }, { name: \"c\" });";

#[test]
fn an_entity_that_the_deployed_file_does_not_export_is_refused() {
    for (before, between, name) in [
        ("import { b } from \"./b\"; const kept = b;", "", "b"),
        (
            "import { it } from \"./c\"; const kept = it;",
            "export { b as it } from \"./b\";",
            "it",
        ),
        ("import it from \"./b\"; const kept = it;", "", "default"),
        // Of a name that several give, none is passed on.
        (
            "export * from \"./b\"; export * from \"./c\";",
            "export const b = 1;",
            "b",
        ),
    ] {
        let main = module(before, "");
        let files = [("a.ts", &*main), ("b.ts", SECOND), ("c.ts", between)];
        let error = compile(&files).unwrap_err().to_string();
        let (at, written) = match name {
            "default" => ("4:1", "default as account"),
            name => ("2:14", name),
        };
        let says = format!(
            "b.ts:{at}: `{name}` is no entity type: `a.ts`, the file that is deployed, does not export it, and so nothing can be \
             called by it; write `export {{ {written} }} from \"…\"` there"
        );
        assert_eq!(error, says, "{before}");
    }
}

/// Looking for them may run the module's own code, within the limits of a start.
#[test]
fn what_is_asked_of_an_entity_without_a_type_ends() {
    for (does, says) in [
        ("return (this as any).type;", "used more than"),
        ("for (;;);", "ran for more than"),
    ] {
        let second =
            format!("{SECOND}\nObject.defineProperty(b, \"type\", {{ get() {{ {does} }} }});");
        let main = module("import { b } from \"./b\"; const kept = b;", "");
        let files = [("a.ts", &*main), ("b.ts", &*second)];
        let error = compile(&files).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn what_else_a_file_with_an_entity_has_can_be_used() {
    for (before, between, does) in [
        ("import { rate } from \"./b\";", "", "return rate;"),
        (
            "import { rate } from \"./c\";",
            "export { b, rate } from \"./b\";",
            "return rate;",
        ),
        (
            "import { rate } from \"./c\";",
            "export * from \"./b\";",
            "return rate;",
        ),
        (
            "import { b } from \"./b\"; export { b };",
            "",
            "return cx.call(b, \"x\").hi() + 1;",
        ),
        (
            "import it, { b } from \"./b\"; export * from \"./b\"; export { default as it } from \"./b\";",
            "",
            "return cx.call(it, \"x\").hi() - cx.call(b, \"x\").hi();",
        ),
        (
            "export * from \"./b\"; export * from \"./c\"; export { b } from \"./b\";",
            "export const b = 1;",
            "return cx.call(\"b\", \"x\").hi() + 1;",
        ),
        // Its own hides what it passes on.
        (
            "export * from \"./b\"; export const b = entity({}, { hi(cx) { return 2; } });",
            "",
            "return cx.call(b, \"x\").hi();",
        ),
    ] {
        let main = module(before, does);
        let files = [("a.ts", &*main), ("b.ts", SECOND), ("c.ts", between)];
        let mut world = World::with(&[&files], Options::default());
        assert_eq!(world.value("a/x.run", ""), "2", "{before}");
    }
}

#[test]
fn who_calls_an_entity_that_is_no_entity_type_is_told_to_export_it() {
    for before in [
        "import * as all from \"./b\"; const { b } = all;",
        "const b = entity({}, { hi(cx) {} });",
    ] {
        for how in ["call", "send"] {
            let main = module(before, &format!("return cx.{how}(b, \"x\").hi();"));
            let files: [(&str, &str); 2] = [("a.ts", &main), ("b.ts", SECOND)];
            let mut world = World::with(&[&files], Options::default());
            let says = format!(
                "TypeError: cx.{how} was given an entity that is no entity type of the module: export it from the file that is deployed"
            );
            world.fault("a/x.run", "", FaultKind::Exception, &says);
        }
    }
}

#[test]
fn what_is_wrong_with_an_entity_type_is_said_where_it_is_bound() {
    let check = |main: &str, lib: &str, says: &str| {
        let (main, lib) = (
            format!("import {{ entity }} from \"ordain\";\n{main}"),
            format!("import {{ entity }} from \"ordain\";\n\n{lib}"),
        );
        let files = [
            ("a.ts", &*main),
            ("b.ts", &*lib),
            ("c.ts", "export * from \"./b\";"),
        ];
        let error = compile(&files).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}\n-- not: {says}");
    };
    let none = "export const b = entity({}, {});";
    for main in [
        "export { b } from \"./b\";",
        "export * from \"./b\";",
        "export * from \"./c\";",
        "import { b } from \"./c\"; export { b };",
    ] {
        check(main, none, "b.ts:3:14: the entity type `b` has no methods");
    }
    let no_function = "const q: any = entity({}, { x: 5 } as any); export { q as b };";
    check(
        "export { b as it } from \"./c\";",
        no_function,
        "b.ts:3:7: `it.x` is not a function",
    );
    let no_json = "export default entity({ n: NaN }, { f(cx) {} });";
    check(
        "import it from \"./b\"; export { it };",
        no_json,
        "b.ts:3:1: the default state.n is NaN",
    );
    let named = "export const b = entity({}, { f(cx) {} }, { name: \"a\" });";
    let main = "export const a = entity({}, { f(cx) {} }); export { b } from \"./b\";";
    check(main, named, "b.ts:3:14: two entity types are named `a`");
    let own = "const q = entity({}, METHODS); export { q as a };";
    check(
        &own.replace("METHODS", "{}"),
        "",
        "a.ts:2:7: the entity type `a` has no methods",
    );
    let twice = own.replace("METHODS", "{ f(cx) {} }") + "export { q as b };";
    check(&twice, "", "a.ts:2:7: `a` and `b` are one entity type");
}

#[test]
fn the_place_of_an_entity_type_is_where_it_is_bound() {
    let main = "export { b } from \"./b\"; export { default as c } from \"./b\";";
    let host = JavaScript::new();
    let package = host
        .compile(&source(&[("a.ts", main), ("b.ts", SECOND)]))
        .unwrap();
    for (name, place) in [("b", "b.ts:2:14"), ("c", "b.ts:4:1")] {
        let found = host.place(
            hash(&package.encode()),
            &EntityType::new(name).unwrap(),
            None,
        );
        assert_eq!(found.map(|it| it.to_string()).as_deref(), Some(place));
    }
}
