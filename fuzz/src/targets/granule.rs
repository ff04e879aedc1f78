//! The keys of durable state: a key that says something says it in one way only, and the order of keys
//! puts an entity's granules next to each other.

use ordain_types::Granule;
use ordain_types::granule::{Part, prefix_end};

/// The target.
pub fn check(data: &[u8]) {
    let granule = Granule::from_bytes(data);
    assert_eq!(granule.as_bytes(), data);
    let _ = format!("{granule:?}");
    if let Some(part) = granule.part() {
        let again = made(&part);
        assert_eq!(again.as_bytes(), data, "two keys for {part:?}");
        assert_eq!(again.part(), Some(part));
    }
    match prefix_end(data) {
        None => assert!(data.iter().all(|byte| *byte == u8::MAX)),
        Some(end) => {
            assert!(&end[..] > data);
            let longest = [data, &[u8::MAX; 3]].concat();
            assert!(longest < end, "something with the prefix is outside");
        }
    }
}

fn made(part: &Part) -> Granule {
    match part {
        Part::Root(entity) => Granule::root(entity),
        Part::Field(entity, field) => {
            let granule = Granule::field(entity, field);
            let prefix = Granule::prefix(entity);
            assert!(granule.as_bytes().starts_with(&prefix));
            assert!(granule > Granule::root(entity));
            granule
        }
        Part::Answered(caller, key) => Granule::answered(caller, key),
        Part::Send(id) => Granule::send(*id),
        Part::Invocation(id) => Granule::invocation(*id),
        Part::Expiry(at, id) => Granule::expiry(*at, *id),
        Part::Meta(name) => Granule::meta(name),
        Part::Package(hash) => Granule::package(hash),
        Part::Deployment(module, version) => Granule::deployment(module, *version),
    }
}
