//! Each workload, driven for a moment on a node in memory: it commits, its invariants hold, and a
//! violation that is planted is found.

use std::time::{Duration, Instant};

use ordain::{Entities, Key, Request, TestNode};
use ordain_example_marketplace as marketplace;
use ordain_example_marketplace::{Card, Cart, Customer, Order, Seller, Stock, Wish};
use ordain_example_movie as movie;
use ordain_example_probe as probe;
use ordain_example_retwis as retwis;
use ordain_example_smallbank as smallbank;
use ordain_example_transfer as transfer;
use ordain_example_travel as travel;
use serde::de::DeserializeOwned;

use crate::bench::load;
use crate::choose::Spread;
use crate::door::Embedded;
use crate::drive::closed;
use crate::drive::lane::Lane;
use crate::drive::paced;
use crate::measure::{Counts, Plan, Record};
use crate::workload::Workload;
use crate::workload::market::{Market, Sizes};
use crate::workload::movie::Reviews;
use crate::workload::notes::Notes;
use crate::workload::retwis::Retwis;
use crate::workload::smallbank::SmallBank;
use crate::workload::transfer::Transfer;
use crate::workload::travel::{Mix, Sizes as TravelSizes, Travel};

const SLOTS: usize = 8;

fn plan() -> Plan {
    let (warm_up, window) = (Duration::ZERO, Duration::from_millis(100));
    Plan {
        begin: Instant::now(),
        warm_up,
        window,
        windows: 2,
    }
}

fn loaded(entities: Entities, workload: &dyn Workload) -> TestNode {
    let node = TestNode::new(entities);
    load(workload, &mut door(&node)).expect("the data is loaded");
    node
}

fn door(node: &TestNode) -> Embedded {
    Embedded(node.node().clone())
}

fn violations(node: &TestNode, workload: &dyn Workload) -> Vec<String> {
    node.settle();
    workload
        .check(&mut door(node))
        .expect("the data can be read")
}

fn committed(record: &Record) -> u64 {
    record.outside.committed() + record.windows.iter().map(|w| w.committed()).sum::<u64>()
}

/// Drives it closed and open; all its kinds commit, nothing faults, and every invariant holds.
fn driven(entities: Entities, workload: &dyn Workload, kinds: usize) -> TestNode {
    let (node, all) = counted(entities, workload);
    assert_eq!(all.committed.len(), kinds, "{:?}", all.committed);
    node
}

/// The same, whatever kinds there were time for; gives what came of them.
fn counted(entities: Entities, workload: &dyn Workload) -> (TestNode, Counts) {
    let node = loaded(entities, workload);
    assert_eq!(violations(&node, workload), [""; 0], "before anything ran");
    let lane = Lane::new(workload, plan(), 0, SLOTS, SLOTS, 7);
    let mut record = closed::embedded(&node, lane).expect("nothing is refused");
    assert!(committed(&record) > 0);
    let plan = plan();
    let lane = Lane::new(workload, plan, 0, SLOTS, SLOTS, 8);
    let opened = paced::embedded(&node, lane, plan, 2_000.0).expect("nothing is refused");
    assert!(committed(&opened) > 0);
    record.merge(&opened);
    let mut all = record.outside.clone();
    record.windows.iter().for_each(|window| all.merge(window));
    assert_eq!(
        (all.faults, all.unanswered, all.first_trouble.clone()),
        (0, 0, None)
    );
    assert_eq!(violations(&node, workload), [""; 0]);
    (node, all)
}

fn call<R: DeserializeOwned>(node: &TestNode, request: Request<R>) {
    node.call(request).expect("it commits");
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

#[test]
fn transfers_conserve_money() {
    for workload in [
        Transfer::ycsb(20, Spread::Zipf(1.2)),
        Transfer::keynote(20, Spread::Uniform),
    ] {
        let node = driven(transfer::entities(), &workload, 1);
        call(&node, transfer::Account::at("0000001").deposit(1));
        assert_eq!(violations(&node, &workload).len(), 1, "one coin too many");
    }
}

#[test]
fn data_of_an_earlier_run_is_refused() {
    let workload = Transfer::ycsb(3, Spread::Uniform);
    let node = loaded(transfer::entities(), &workload);
    let error = load(&workload, &mut door(&node))
        .expect_err("there is data")
        .to_string();
    assert!(error.contains("earlier run"), "{error}");
}

#[test]
fn smallbank_conserves_money() {
    let multi = SmallBank::multi(100, Spread::Hotspot, 4);
    let node = driven(smallbank::entities(), &multi, 1);
    call(&node, smallbank::Customer::at("0000007").write_check(1));
    assert_eq!(violations(&node, &multi).len(), 1, "one coin too few");
    let classic = SmallBank::classic(20, Spread::Uniform);
    driven(smallbank::entities(), &classic, 6);
}

#[test]
fn notes_count_what_was_acknowledged() {
    let notes = Notes::new(20, 1_000, Spread::Uniform);
    let node = driven(probe::entities(), &notes, 1);
    call(&node, probe::Note::at("n0000003").add());
    assert_eq!(violations(&node, &notes).len(), 1, "one too many");
}

/// Makes a node with the workload's data, plants something in it that no client may do, and looks whether
/// that is found.
#[track_caller]
fn found(entities: Entities, workload: &dyn Workload, what: &str, plant: impl FnOnce(&TestNode)) {
    let node = loaded(entities, workload);
    plant(&node);
    let found = violations(&node, workload);
    assert!(
        found.iter().any(|violation| violation.contains(what)),
        "{what} is not in {found:?}"
    );
}

fn agency(mix: Mix, places: u64) -> Travel {
    let travelers = 20;
    Travel::new(TravelSizes { travelers, places }, mix, Spread::Uniform)
}

#[test]
fn the_travel_agency_gives_each_place_once() {
    let (_, all) = counted(travel::entities(), &agency(Mix::Usual, 1_000));
    assert!(all.committed.contains_key("search") && all.committed.contains_key("recommend"));
    driven(travel::entities(), &agency(Mix::Reserve, 1_000), 1);
    // So little there is that it is soon sold out.
    let agency = agency(Mix::Reserve, 1);
    let node = loaded(travel::entities(), &agency);
    let lane = Lane::new(&agency, plan(), 0, SLOTS, SLOTS, 7);
    let record = closed::embedded(&node, lane).expect("nothing is refused");
    let mut all = record.outside.clone();
    record.windows.iter().for_each(|window| all.merge(window));
    assert!(all.rejected.keys().eq(["sold_out"]), "{:?}", all.rejected);
    assert!((1..=100).contains(&all.committed()), "{}", all.committed());
    assert_eq!(violations(&node, &agency), [""; 0]);
}

#[test]
fn planted_violations_of_travel_are_found() {
    let (traveler, hotel, flight) = ("t0000001", "h0000002", "f0000003");
    let planted = |what, plant: &dyn Fn(&TestNode)| {
        found(travel::entities(), &agency(Mix::Usual, 9), what, plant);
    };
    planted("taken unlike its orders: h0000002", &|node| {
        call(node, travel::Rooms::at(hotel).take());
    });
    planted("taken unlike its orders: f0000003", &|node| {
        let place = travel::Itinerary::at(traveler);
        call(node, place.place("r1".into(), key(hotel), key(flight)));
    });
    planted("an order placed twice", &|node| {
        for traveler in ["t0000001", "t0000002"] {
            let place = travel::Itinerary::at(traveler);
            call(node, place.place("r1".into(), key(hotel), key(flight)));
        }
    });
    planted("there are 1 reservations", &|node| {
        let reserve = travel::Traveler::at(traveler);
        call(node, reserve.reserve(key(hotel), key(flight)));
    });
    // Another number of rooms than is expected.
    let node = loaded(travel::entities(), &agency(Mix::Usual, 9));
    let more = violations(&node, &agency(Mix::Usual, 10));
    assert!(more[0].contains("unlike what there was"), "{more:?}");
}

#[test]
fn reviews_are_in_both_lists() {
    let reviews = Reviews::new(10, 10, Spread::Zipf(0.9));
    driven(movie::entities(), &reviews, 1);
}

#[test]
fn planted_violations_of_movie_are_found() {
    let (user, title) = (key("name0000001"), key("title0000002"));
    let compose = |node: &TestNode| {
        let composer = movie::Composer::at("main");
        let request = composer.compose_review(user.clone(), title.clone(), "a".into(), 7);
        node.call(request).expect("a review")
    };
    let planted = |what, plant: &dyn Fn(&TestNode)| {
        let reviews = Reviews::new(3, 3, Spread::Uniform);
        found(movie::entities(), &reviews, what, plant);
    };
    planted("there are 1 reviews", &|node| drop(compose(node)));
    planted("a review not once in both lists", &|node| {
        let name = compose(node);
        call(node, movie::UserReviews::at("u0000003").append(name));
    });
    planted("a review in another's list", &|node| {
        let name = key("0190a1b2-c3d4-7e5f-8001-00000000002a");
        call(
            node,
            movie::UserReviews::at("u0000001").append(name.clone()),
        );
        call(node, movie::MovieReviews::at("m0000001").append(name, 7));
    });
    planted("stars unlike its reviews", &|node| {
        compose(node);
        let name = key("0190a1b2-c3d4-7e5f-8001-00000000002a");
        call(node, movie::MovieReviews::at("m0000002").append(name, 7));
        call(
            node,
            movie::MovieReviews::at("m0000002").append(compose(node), 3),
        );
    });
}

#[test]
fn retwis_shows_what_was_posted() {
    let retwis = Retwis::new(60, Spread::Zipf(0.5));
    let node = driven(retwis::entities(), &retwis, 2);
    call(&node, retwis::User::at("u0000007").post("one more".into()));
    assert_eq!(violations(&node, &retwis).len(), 1, "one post too many");
    // Of posts of one moment, the last user's come first: without them, the timeline is another.
    let user = retwis::User::at("u0000007");
    let retwis::User { followed, .. } = node.query(user.details()).expect("a user");
    let last = followed.last().expect("many are followed").clone();
    call(&node, user.unfollow(last));
    let found = violations(&node, &retwis);
    assert!(
        found.iter().any(|v| v.contains("follows others")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|v| v.contains("a timeline unlike")),
        "{found:?}"
    );
}

fn market() -> Market {
    let sizes = Sizes {
        customers: 20,
        sellers: 4,
        products_each: 5,
        stock: 100_000,
    };
    Market::new(sizes, Spread::Uniform)
}

#[test]
fn the_marketplace_keeps_its_books() {
    driven(marketplace::entities(), &market(), 5);
}

/// A market in which one order was placed, and then something was done that no client may do.
#[track_caller]
fn planted(what: &str, plant: impl FnOnce(&TestNode)) {
    found(marketplace::entities(), &market(), what, |node| {
        order(node);
        plant(node);
    });
}

/// The first order of customer 1, of two products.
fn order(node: &TestNode) {
    let wish = |product| Wish {
        product: key(product),
        quantity: 2,
        voucher_cents: 0,
    };
    let cart = Cart::at("c0000001");
    call(node, cart.fill(vec![wish("p0000001"), wish("p0000006")]));
    call(
        node,
        cart.checkout(Card {
            limit_cents: i64::MAX,
        }),
    );
}

const ORDER: &str = "c0000001.1";

#[test]
fn planted_violations_are_found() {
    planted("happened that no one asked for", |_| {});
    planted("reserved at rest", |node| {
        call(node, Stock::at("p0000002").reserve(1, 5))
    });
    planted("stock unlike what was sold", |node| {
        call(node, Stock::at("p0000002").reserve(1, 5));
        call(node, Stock::at("p0000002").confirm(5));
    });
    planted("another version", |node| {
        call(node, Stock::at("p0000003").replace(9))
    });
    planted("a customer unlike", |node| {
        call(node, Customer::at("c0000002").delivered())
    });
    planted("a seller unlike", |node| {
        call(
            node,
            Seller::at("s0000001").invoiced(key("c0000009.1"), 100, 1),
        );
    });
    planted("unlike its shipment", |node| {
        call(node, Order::at(ORDER).delivered(1))
    });
    planted("a customer unlike", |node| {
        // An order that no cart knows of.
        let items = |node: &TestNode| {
            let wish = Wish {
                product: key("p0000001"),
                quantity: 1,
                voucher_cents: 0,
            };
            call(node, Cart::at("c0000003").fill(vec![wish]));
            node.query(Cart::at("c0000003").contents())
                .expect("a cart")
                .items
        };
        let card = Card {
            limit_cents: i64::MAX,
        };
        call(
            node,
            Order::at("c0000003.9").place(key("c0000003"), items(node), card),
        );
    });
}
