//! Arguments that a typed request carries beside their JSON are what reading that JSON gives, spelt as
//! the method spells them: otherwise the log would hold another call than the one that ran.

use ordain::prelude::*;
use ordain::{EntityId, Request};
use ordain_engine::Args;
use ordain_types::{Json, RequestParts};

use crate::world::World;

#[derive(Default, Serialize, Deserialize)]
struct Echo;

#[entity]
impl Echo {
    fn plain(
        &mut self,
        text: String,
        to: Key,
        of: EntityId,
        all: Vec<u64>,
        least: i64,
    ) -> Result<String> {
        Ok(format!("{text:?} {to} {of} {all:?} {least}"))
    }

    fn rounded(&mut self, number: f64) -> Result<f64> {
        Ok(number)
    }
}

fn parts<R>(request: Request<R>) -> RequestParts {
    request.into_parts().expect("it names what there is")
}

/// What the method makes of the JSON alone, and whether it would take what is at hand instead.
fn read(world: &World, parts: &RequestParts, ready: &Option<Args>) -> (Json, bool) {
    let catalog = world.engine.catalog();
    let ty = catalog.index("echo").expect("it is there");
    let (_, def) = catalog
        .get(ty)
        .method(parts.method.as_str())
        .expect("so is the method");
    let canonical = def.run.decode(&parts.args).expect("it fits").canonical;
    (
        canonical,
        ready.as_ref().is_some_and(|args| def.run.takes(args)),
    )
}

fn awkward() -> [String; 4] {
    [
        String::new(),
        "\u{0}\u{1f}\"\\/\u{7f}".to_owned(),
        "\u{2028}\u{fffd}\u{10ffff} é".to_owned(),
        "1e5".to_owned(),
    ]
}

#[test]
fn what_is_at_hand_is_what_is_read() {
    let mut world = World::new(entities![Echo]);
    for text in awkward() {
        let of = EntityId::new("echo", "a/b c").expect("an id");
        let all = vec![0, u64::MAX];
        let request = || {
            Echo::at("x").plain(
                text.clone(),
                "a b/ü".parse::<Key>().expect("a key"),
                of.clone(),
                all.clone(),
                i64::MIN,
            )
        };
        let mut given = parts(request());
        let ready = std::mem::take(&mut given.ready).into_inner();
        assert_eq!(read(&world, &given, &ready), (given.args.clone(), true));
        let by_json = world.outcome(Request::<String>::from(Ok(given.clone())));
        assert_eq!(world.outcome_of(given, ready), by_json);
    }
}

#[test]
fn what_reading_may_change_is_read() {
    let world = World::new(entities![Echo]);
    let mut given = parts(Echo::at("x").rounded(0.1 + 0.2));
    let ready = std::mem::take(&mut given.ready).into_inner();
    assert!(ready.is_none());
    assert!(!read(&world, &given, &ready).1);
}

#[test]
fn arguments_of_another_method_are_not_taken() {
    let world = World::new(entities![Echo]);
    let other = parts(Echo::at("x").plain(
        String::new(),
        "k".parse::<Key>().expect("a key"),
        EntityId::new("echo", "e").expect("an id"),
        vec![],
        0,
    ));
    let of_other = other.ready.into_inner();
    assert!(of_other.is_some());
    let given = parts(Echo::at("x").rounded(1.0));
    assert!(!read(&world, &given, &of_other).1);
}
