//! States that earlier versions of a program wrote.

use ordain::prelude::*;
use ordain::{EntityId, FaultKind};
use ordain_engine::first_checkpoint;
use ordain_types::Granule;

use crate::world::World;

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Person {
    first: String,
    last: String,
    moves: u32,
}

/// A `Person` of version 1 or 2: in 2, the name was in two parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Earlier {
    Whole { name: String },
    Parted { first: String, last: String },
}

#[entity(version = 3, migrate = Person::of_earlier)]
impl Person {
    fn moved(&mut self) -> Result<u32> {
        self.moves += 1;
        Ok(self.moves)
    }

    #[query]
    fn names(&self) -> Result<String> {
        Ok(format!("{}, {}", self.last, self.first))
    }
}

impl Person {
    fn of_earlier(old: Earlier, from: u32) -> Self {
        let (first, last) = match old {
            Earlier::Whole { name } => {
                let (first, last) = name.split_once(' ').expect("a name has two parts");
                (first.to_owned(), last.to_owned())
            }
            Earlier::Parted { first, last } => (first, last),
        };
        let moves = from * 10;
        Self { first, last, moves }
    }
}

/// The same type where no one wrote how to migrate.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    name: String,
    visits: u32,
}

#[entity(version = 2)]
impl Place {
    fn visit(&mut self) -> Result<u32> {
        self.visits += 1;
        Ok(self.visits)
    }
}

/// The roots that earlier programs stored.
const LEFT: &[(&str, &str)] = &[
    ("person/one", r#"{"name":"Ada Lovelace"}"#),
    (
        "person/two",
        r#"{"$version":2,"$state":{"first":"Charles","last":"Babbage"}}"#,
    ),
    (
        "person/three",
        r#"{"$version":3,"$state":{"first":"George","last":"Boole","moves":7}}"#,
    ),
    ("person/four", r#"{"$version":4,"$state":{}}"#),
    ("person/nameless", r#"{"name":"Aristotle"}"#),
    ("person/other", r#"{"title":"Dr"}"#),
    ("place/here", r#"{"name":"here"}"#),
    ("place/later", r#"{"$version":3,"$state":{"name":"later"}}"#),
];

fn world() -> World {
    World::left(entities![Person, Place], LEFT)
}

#[test]
fn a_state_of_any_earlier_version_is_migrated_where_it_is_read() {
    let mut world = world();
    let mut names = |key: &str| world.value(Person::at(key).names());
    assert_eq!(names("one"), "Lovelace, Ada");
    assert_eq!(names("two"), "Babbage, Charles");
    assert_eq!(names("three"), "Boole, George");
    assert_eq!(names("new"), ", ");
    let mut moved = |key: &str| world.value(Person::at(key).moved());
    assert_eq!(moved("one"), 11);
    assert_eq!(moved("two"), 21);
    assert_eq!(moved("three"), 8);
    let shown = r#"{"first":"Ada","last":"Lovelace","moves":11}"#;
    assert_eq!(world.state("person/one"), shown, "without its version");
}

#[test]
fn what_is_stored_says_its_version() {
    let mut world = world();
    world.value(Person::at("one").moved());
    let stored = first_checkpoint(&mut world.engine);
    let root = Granule::root(&EntityId::new("person", "one").unwrap());
    let expected = r#"{"$version":3,"$state":{"first":"Ada","last":"Lovelace","moves":11}}"#;
    assert_eq!(stored[&root], expected);
}

#[test]
fn without_a_migration_an_earlier_state_is_read_as_it_is() {
    assert_eq!(world().value(Place::at("here").visit()), 1);
    let says = "it has version 3, this program's is 2 and it does not migrate";
    world().fault(Place::at("later").visit(), FaultKind::StoredValue, says);
}

#[test]
fn what_cannot_be_migrated_hurts_its_entity_alone() {
    let mut world = world();
    let mut fault = |key: &str, says: &str| {
        world.fault(Person::at(key).moved(), FaultKind::StoredValue, says);
        world.fault(Person::at(key).moved(), FaultKind::StoredValue, says);
    };
    fault("four", "of version 4: data did not match any variant");
    fault(
        "nameless",
        "of version 1: its migration panicked: a name has two parts",
    );
    fault("other", "of version 1: data did not match any variant");
    assert_eq!(world.value(Person::at("one").moved()), 11);
}
