//! The macro's surface: names, kinds and schemas as the catalog has them, and glue that compiles without
//! a warning wherever entities are written.

#![deny(warnings)]

use ordain::Entity;
use ordain_engine::{Decoded, TypeDef};
use ordain_types::MethodKind;

/// Entities elsewhere, used without importing them.
mod shop {
    use ordain::prelude::*;

    /// Visible here alone, and part of a method's signature all the same.
    #[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
    struct Line {
        sku: String,
        count: u8,
    }

    /// Not `Clone`, and has names that clash with what a macro might use.
    #[derive(Default, PartialEq, Debug, Serialize, Deserialize)]
    pub struct HTTPCart {
        lines: Vec<Line>,
        pub owner: String,
    }

    /// Would clash with a careless macro's `Result`, `Handle` and `Entity`.
    #[allow(dead_code)]
    mod clash {
        pub struct Handle;
        pub struct Entity;
        pub struct String;
    }
    #[allow(unused_imports)]
    use clash::{Entity, Handle};

    #[ordain::entity]
    impl HTTPCart {
        /// Adds a line.
        #[allow(clippy::too_many_arguments)]
        fn add(
            &mut self,
            line: Line,
            mut times: u8,
            r#type: Option<bool>,
        ) -> ordain::Result<usize> {
            while times > 0 {
                self.lines.push(line.clone());
                times -= 1;
            }
            let _ = r#type;
            Ok(self.lines.len())
        }

        #[query]
        pub fn whole(&self) -> Result<Self> {
            Ok(HTTPCart {
                lines: self.lines.clone(),
                owner: self.owner.clone(),
            })
        }

        fn replace(&mut self, with: Self, tx: u8, args: u8) -> std::result::Result<u8, Rejection> {
            *self = with;
            Ok(tx + args)
        }
    }

    impl HTTPCart {
        /// No method: in a block of its own.
        pub fn len(&self) -> usize {
            self.lines.len()
        }
    }
}

#[derive(Default, Clone, serde::Serialize, serde::Deserialize)]
struct Visitor;

#[ordain::entity(name = "guest")]
impl Visitor {
    #[query]
    fn look(cx: &mut ordain::QueryContext<'_, Self>, key: ordain::Key) -> ordain::Result<usize> {
        Ok(cx.entity::<shop::HTTPCart>(&key).whole()?.len())
    }
}

/// What a macro is given as a type comes in a group that cannot be seen.
macro_rules! switch {
    ($entity:ty, $flag:ty, $result:ty) => {
        #[ordain::entity]
        impl $entity {
            /// Its parameters have names that the macro might use.
            fn set(&mut self, plain: bool, more: $flag) -> $result {
                Ok(plain && more.unwrap_or(true))
            }
        }
    };
}

#[derive(Default, Clone, serde::Serialize, serde::Deserialize)]
struct Switch;
switch!(Switch, Option<bool>, ordain::Result<bool>);

/// Names that a macro is given know nothing of what the macro itself names, `self` least of all.
macro_rules! gauge {
    ($entity:ident, $set:ident, $level:ident) => {
        #[ordain::entity]
        impl $entity {
            fn $set(&mut self, $level: u32) -> ordain::Result<u32> {
                self.0 = $level;
                Ok(self.0)
            }
        }
    };
}

#[derive(Default, Clone, serde::Serialize, serde::Deserialize)]
struct Gauge(u32);
gauge!(Gauge, set, level);

/// Names its argument as those do who call it, and has been told that it may.
#[derive(Default, Clone, serde::Serialize, serde::Deserialize)]
struct Plaque(String);

#[ordain::entity]
impl Plaque {
    #[allow(non_snake_case)]
    fn engrave(&mut self, ownerName: String) -> ordain::Result<usize> {
        self.0 = ownerName;
        Ok(self.0.len())
    }
}

fn method<'a>(def: &'a TypeDef, name: &str) -> &'a ordain_engine::MethodDef {
    def.method(name).unwrap().1
}

#[test]
fn the_catalog_knows_names_kinds_and_schemas() {
    let def = shop::HTTPCart::define();
    assert_eq!(def.name.as_str(), "http_cart");
    assert_eq!(Visitor::define().name.as_str(), "guest");
    let names: Vec<_> = def
        .methods
        .iter()
        .map(|method| method.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["add", "whole", "replace"],
        "in the order they were written"
    );
    assert_eq!(method(&def, "whole").kind, MethodKind::Query);
    let add = method(&def, "add");
    assert_eq!(add.kind, MethodKind::Update);
    let params: Vec<_> = add
        .params
        .iter()
        .map(|p| (p.name.as_str(), p.required, p.schema.as_str()))
        .collect();
    let byte = r#"{"type":"integer","minimum":0,"maximum":255}"#;
    let flag = r#"{"anyOf":[{"type":"boolean"},{"type":"null"}]}"#;
    assert_eq!(
        params,
        [
            ("line", true, "{}"),
            ("times", true, byte),
            ("type", false, flag)
        ]
    );
    assert!(add.result.starts_with(r#"{"type":"integer","minimum":0"#));
    assert_eq!(method(&def, "replace").result, byte);
}

#[test]
fn a_macros_types_are_seen_and_parameters_have_any_name() {
    use crate::world::World;
    let set = method(&Switch::define(), "set").clone();
    assert_eq!(
        (set.params[0].required, set.params[1].required),
        (true, false)
    );
    assert_eq!(set.result, r#"{"type":"boolean"}"#);
    let mut world = World::new(ordain::entities![Switch, Gauge]);
    assert!(world.value(Switch::at("s").set(true, None)));
    assert!(!world.value(Switch::at("s").set(false, None)));
    assert_eq!(world.value(Gauge::at("g").set(3)), 3);
    let engrave = Plaque::at("p").engrave("al".to_owned());
    assert_eq!(engrave.parts().unwrap().args, r#"{"ownerName":"al"}"#);
}

#[test]
fn arguments_come_in_their_own_spelling() {
    let def = shop::HTTPCart::define();
    let given = br#" {"type":true, "times":1,"line":{"count":2,"sku":"a"}} "#;
    let Ok(Decoded { canonical, .. }) = method(&def, "add").run.decode(given) else {
        panic!("these fit");
    };
    assert_eq!(
        canonical,
        r#"{"line":{"sku":"a","count":2},"times":1,"type":true}"#
    );
    let missing = method(&def, "add")
        .run
        .decode(br#"{"line":{"sku":"a"},"times":1}"#)
        .err();
    assert_eq!(missing.unwrap().field.as_deref(), Some("line.count"));
}

#[test]
fn a_state_comes_back_from_its_encoding() {
    let def = shop::HTTPCart::define();
    let stored = br#"{"lines":[{"sku":"a","count":1}],"owner":"al"}"#;
    let state = def.state.decode(stored).unwrap();
    let mut json = Vec::new();
    state.encode(&mut json).unwrap();
    assert_eq!(json, stored);
    assert_eq!(state.encoded_len(), Ok(json.len()));
    let mut copy = Vec::new();
    state.snapshot().encode(&mut copy).unwrap();
    assert_eq!(copy, stored, "copied through JSON, for it is not Clone");
    let error = def.state.decode(br#"{"owner":"al"}"#).err().unwrap();
    assert!(error.contains("missing field `lines`"), "{error}");
}

#[test]
fn entities_of_other_modules_are_reached_without_imports() {
    use crate::world::{World, key};
    let mut world = World::new(ordain::entities![Visitor, shop::HTTPCart]);
    assert_eq!(world.value(Visitor::at("v").look(key("c"))), 0);
}
