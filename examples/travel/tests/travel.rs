//! The travel agency through a node in memory: what a search finds, that a reservation takes both or
//! nothing, and that its order is placed once.

use ordain::prelude::*;
use ordain::{CallError, TestNode};
use ordain_example_travel::{
    By, Flight, Hotel, Itinerary, Listing, NEAREST, PAGE_MAX, Place, Profile, Rate, Region, Rooms,
    Traveler, Vacancy, entities,
};

const ORIGIN: Place = Place { lat: 0, lon: 0 };

/// Eight hotels in a row, `h1` to `h8`, each 10 further east, better and dearer than the last; two rooms in
/// `h1`, one seat on `f1`.
fn node() -> TestNode {
    let node = TestNode::new(entities());
    for number in 1..=8_u32 {
        let hotel = key(&format!("h{number}"));
        let listing = Listing {
            hotel: hotel.clone(),
            place: Place {
                lat: 0,
                lon: i64::from(number) * 10,
            },
            rating: number,
            cents: i64::from(number) * 100,
        };
        call(&node, Region::at("bay").list(listing));
        let rate = Rate {
            room: "double".into(),
            cents: i64::from(number) * 100,
        };
        let described = Hotel::at(&hotel).describe(profile(hotel.as_str()), vec![rate]);
        call(&node, described);
    }
    call(&node, Rooms::at("h1").open(2));
    call(&node, Flight::at("f1").open(1));
    call(&node, Traveler::at("alice").register("d1".into()));
    node
}

fn profile(name: &str) -> Profile {
    Profile {
        name: name.into(),
        phone: "555".into(),
        address: "1 Quay".into(),
        description: "by the water".into(),
    }
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn call<R: serde::de::DeserializeOwned>(node: &TestNode, request: ordain::Request<R>) -> R {
    node.call(request).expect("it commits")
}

fn vacancies(node: &TestNode) -> ((u64, u64), (u64, u64)) {
    let pair = |Vacancy { left, taken }| (left, taken);
    let rooms = node.query(Rooms::at("h1").vacancy()).expect("rooms");
    let seats = node.query(Flight::at("f1").vacancy()).expect("seats");
    (pair(rooms), pair(seats))
}

fn reserve(node: &TestNode) -> Result<String, CallError> {
    node.call(Traveler::at("alice").reserve(key("h1"), key("f1")))
}

fn orders(node: &TestNode) -> u64 {
    node.query(Itinerary::at("alice").count()).expect("a count")
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) {
    match result {
        Err(CallError::Rejected(rejection)) => assert_eq!(rejection.code, code),
        other => panic!("{other:?} instead of {code}"),
    }
}

#[test]
fn a_search_finds_the_nearest() {
    let node = node();
    let place = Place { lat: 0, lon: 38 };
    let found = node
        .query(Region::at("bay").search(place))
        .expect("some hotels");
    let names: Vec<_> = found.iter().map(|found| found.hotel.as_str()).collect();
    assert_eq!(names, ["h4", "h3", "h5", "h2", "h6"]);
    assert_eq!(found.len(), NEAREST);
    assert_eq!(found[0].profile, profile("h4"));
    assert_eq!(found[0].rates[0].cents, 400);
    assert_eq!(
        node.query(Region::at("desert").search(place)),
        Ok(Vec::new())
    );
}

#[test]
fn the_best_are_recommended() {
    let node = node();
    let recommend = |by, place| {
        let best = node.query(Region::at("bay").recommend(by, place));
        let best: Vec<Key> = best.expect("some hotels");
        best.iter()
            .map(|k| k.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        recommend(By::Distance, Place { lat: 5, lon: 45 }),
        ["h4", "h5"]
    );
    assert_eq!(recommend(By::Rating, ORIGIN), ["h8"]);
    assert_eq!(recommend(By::Price, ORIGIN), ["h1"]);
}

#[test]
fn a_hotel_listed_anew_is_there_once() {
    let node = node();
    let listing = Listing {
        hotel: key("h1"),
        place: ORIGIN,
        rating: 50,
        cents: 1,
    };
    assert_eq!(node.call(Region::at("bay").list(listing)), Ok(8));
    let best = node.query(Region::at("bay").recommend(By::Rating, ORIGIN));
    assert_eq!(best, Ok(vec![key("h1")]));
    let nowhere = Place {
        lat: i64::MIN,
        lon: 0,
    };
    rejected(node.query(Region::at("bay").search(nowhere)), "bad_place");
}

#[test]
fn a_reservation_takes_both_or_nothing() {
    let node = node();
    let name = reserve(&node).expect("a reservation");
    assert_eq!(vacancies(&node), ((1, 1), (0, 1)));
    // A room is left, and is taken first: that is undone when no seat is.
    rejected(reserve(&node), "sold_out");
    assert_eq!(vacancies(&node), ((1, 1), (0, 1)));
    node.settle();
    assert_eq!(orders(&node), 1);
    let page = node
        .query(Itinerary::at("alice").page(None))
        .expect("a page");
    let [(reservation, order)] = &page[..] else {
        panic!("one order, not {page:?}")
    };
    assert_eq!(*reservation, name);
    assert_eq!((order.hotel.as_str(), order.flight.as_str()), ("h1", "f1"));
}

#[test]
fn an_order_is_placed_once_though_the_node_crashes() {
    let node = node();
    let name = reserve(&node).expect("a reservation");
    let (node, _) = node.crash();
    node.settle();
    assert_eq!(orders(&node), 1);
    let again = Itinerary::at("alice").place(name, key("h1"), key("f1"));
    rejected(node.call(again), "placed");
    assert_eq!(orders(&node), 1);
}

#[test]
fn orders_come_by_pages() {
    let node = TestNode::new(entities());
    let name = |number: usize| format!("r{number:05}");
    for number in 0..PAGE_MAX + 3 {
        let itinerary = Itinerary::at("bob");
        call(&node, itinerary.place(name(number), key("h"), key("f")));
    }
    let page = |after| {
        let page = node.query(Itinerary::at("bob").page(after));
        page.expect("a page").into_iter().map(|(name, _)| name)
    };
    let first: Vec<_> = page(None).collect();
    assert_eq!(first.len(), PAGE_MAX);
    let rest: Vec<_> = page(first.last().cloned()).collect();
    assert_eq!(rest, (0..3).map(|n| name(PAGE_MAX + n)).collect::<Vec<_>>());
}

#[test]
fn who_is_not_registered_reserves_nothing() {
    let node = node();
    let request = Traveler::at("bob").reserve(key("h1"), key("f1"));
    rejected(node.call(request), "no_traveler");
    let login = |who, digest: &str| node.query(Traveler::at(who).login(digest.into()));
    assert_eq!(login("alice", "d1"), Ok(true));
    assert_eq!(login("alice", "d2"), Ok(false));
    assert_eq!(login("bob", ""), Ok(false));
    rejected(
        node.call(Traveler::at("alice").register("d3".into())),
        "registered",
    );
    rejected(
        node.call(Traveler::at("bob").register(String::new())),
        "bad_digest",
    );
}

#[test]
fn what_is_in_use_is_not_opened_again() {
    let node = node();
    rejected(node.call(Rooms::at("h1").open(5)), "in_use");
    rejected(node.call(Flight::at("f1").open(5)), "in_use");
    rejected(node.query(Hotel::at("h9").profile()), "no_hotel");
    let free = Rate {
        room: "single".into(),
        cents: 0,
    };
    rejected(
        node.call(Hotel::at("h9").describe(profile("h9"), vec![free])),
        "bad_rate",
    );
}
