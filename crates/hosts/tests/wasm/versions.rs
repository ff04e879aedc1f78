//! States that an earlier version of a module, or a program, wrote. The module is
//! `crates/hosts/modules/person`.

use ordain_engine::first_checkpoint;
use ordain_hosts::wasm::WasmHost;
use ordain_types::{EntityId, FaultKind, Granule};

use super::world::{World, fixture, types};

/// A world where `person/ada` was left like this.
fn world(left: &'static str) -> World {
    let types = types(&WasmHost::new(None), fixture("person"));
    World::left(types, "person/ada", left)
}

#[test]
fn a_state_is_migrated_where_it_is_read_and_stored_with_its_next_change() {
    let mut world = world(r#"{"name":"Ada Byron"}"#);
    assert_eq!(
        world.value("person/ada", "names", "{}"),
        r#"["Ada","Byron"]"#
    );
    let lovelace = r#"{"last":"Lovelace"}"#;
    world.value("person/ada", "marry", lovelace);
    assert_eq!(
        world.value("person/ada", "names", "{}"),
        r#"["Ada","Lovelace"]"#
    );
    assert_eq!(world.value("person/new", "names", "{}"), r#"["",""]"#);

    let stored = first_checkpoint(&mut world.engine);
    let root = Granule::root(&EntityId::new("person", "ada").expect("a sound entity"));
    let expected = r#"{"$version":2,"$state":{"first":"Ada","last":"Lovelace"}}"#;
    assert_eq!(stored[&root], expected);
}

#[test]
fn what_cannot_be_migrated_says_why() {
    let fault = |left, kind, says: &str| {
        let fault = world(left).fault("person/ada", "names", "{}", kind);
        assert!(fault.message.contains(says), "{fault}");
        fault
    };
    let panicked = fault(
        r#"{"name":""}"#,
        FaultKind::Panic,
        "nobody has no name, in version 1",
    );
    // Its place is for those who see traces.
    assert!(!panicked.message.contains(".rs:"), "{panicked}");
    assert!(
        panicked.trace.starts_with("    at ") && panicked.trace.contains(".rs:"),
        "{}",
        panicked.trace
    );
    fault(
        r#"{"title":"Dr"}"#,
        FaultKind::StoredValue,
        "a state of `person` of version 1: missing field `name`",
    );
    fault(
        r#"{"$version":3,"$state":{}}"#,
        FaultKind::StoredValue,
        "a state of `person` of version 3: missing field `name`",
    );
}
