//! The travel agency: searches, recommendations and logins, and reservations of a room and a seat each.
//! What was open is left or taken, and each reservation has its one order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashSet;
use ordain::{Key, Request};
use ordain_example_travel::{
    By, Flight, Hotel, Itinerary, Listing, Order, PAGE_MAX, Place, Profile, Rate, Region, Rooms,
    Traveler,
};
use rand::RngExt;
use serde::Deserialize;

use super::rest::{look_until, pages};
use super::told::Told;
use super::violations::Violations;
use super::{Loading, Source, Task, Workload, keys};
use crate::answer::{Answer, Ask, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// Hotels that are searched.
const HOTELS: usize = 80;
/// Entities that have rooms; the first of them are the hotels.
const ROOMS: usize = 100;
/// Flights.
const FLIGHTS: usize = 100;
/// The one region.
const REGION: &str = "bay";
/// Its south-western corner, and how far it goes.
const CORNER: Place = Place {
    lat: 3_770_000,
    lon: -12_250_000,
};
const WIDTH: i64 = 20_000;

/// How much there is of everything.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Who travels.
    pub travelers: usize,
    /// Rooms of each hotel, and seats of each flight.
    pub places: u64,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// 60 % searches, 39 % recommendations, half a percent of logins and of reservations.
    Usual,
    /// Reservations alone.
    Reserve,
}

/// The travel agency.
pub struct Travel(Arc<Shared>);

struct Shared {
    sizes: Sizes,
    mix: Mix,
    choose_rooms: Chooser,
    choose_flights: Chooser,
    rooms: Vec<Key>,
    flights: Vec<Key>,
    travelers: Vec<Key>,
    reserved: Told,
    /// Logins that were told no.
    refused: AtomicU64,
}

impl Travel {
    /// An agency of these sizes; `spread` chooses hotels and flights.
    pub fn new(sizes: Sizes, mix: Mix, spread: Spread) -> Self {
        Self(Arc::new(Shared {
            sizes,
            mix,
            choose_rooms: Chooser::new(ROOMS, spread),
            choose_flights: Chooser::new(FLIGHTS, spread),
            rooms: keys("h", ROOMS),
            flights: keys("f", FLIGHTS),
            travelers: keys("t", sizes.travelers.max(1)),
            reserved: Told::default(),
            refused: AtomicU64::new(0),
        }))
    }
}

impl Workload for Travel {
    fn name(&self) -> &'static str {
        "travel"
    }

    fn about(&self) -> String {
        let Shared {
            travelers,
            sizes,
            mix,
            choose_rooms,
            ..
        } = &*self.0;
        let mix = match mix {
            Mix::Usual => "the usual mix",
            Mix::Reserve => "reservations alone",
        };
        let spread = choose_rooms.spread();
        format!(
            "{HOTELS} hotels, {ROOMS} with rooms, {FLIGHTS} flights, {} of each, {} travelers, hotels and \
             flights {spread}, {mix}",
            sizes.places,
            travelers.len()
        )
    }

    fn load(&self) -> Loading<'_> {
        let Shared {
            rooms,
            flights,
            travelers,
            sizes,
            ..
        } = &*self.0;
        let mut asks = Vec::new();
        for (at, hotel) in rooms[..HOTELS].iter().enumerate() {
            asks.push(ask(Region::at(REGION).list(listing(at, hotel))));
            asks.push(ask(Hotel::at(hotel).describe(profile(at), rates(at))));
        }
        let open = |key| ask(Rooms::at(key).open(sizes.places));
        asks.extend(rooms.iter().map(open));
        let open = |key| ask(Flight::at(key).open(sizes.places));
        asks.extend(flights.iter().map(open));
        let register = |(at, key): (usize, &Key)| ask(Traveler::at(key).register(digest(at)));
        asks.extend(travelers.iter().enumerate().map(register));
        Box::new(asks.into_iter())
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Asking {
            rooms: self.0.choose_rooms.clone(),
            flights: self.0.choose_flights.clone(),
            chance: chance(seed, slot),
            kind: "",
            shared: self.0.clone(),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let mut violations = Violations::default();
        let rooms = self.vacancies(door, &self.0.rooms, |key| Rooms::at(key).vacancy())?;
        let flights = self.vacancies(door, &self.0.flights, |key| Flight::at(key).vacancy())?;
        let taken: i64 = rooms.iter().map(|seen| seen.taken).sum();
        let orders = self.orders(door, taken.max(0) as u64)?;
        self.check_vacancies(&self.0.rooms, &rooms, &orders.hotels, &mut violations);
        self.check_vacancies(&self.0.flights, &flights, &orders.flights, &mut violations);
        for (key, (counted, listed)) in self.0.travelers.iter().zip(&orders.travelers) {
            violations.unless(counted == listed, "an itinerary unlike its list", || {
                format!("{key}: {counted} orders, {listed} listed")
            });
        }
        violations.unless(orders.twice.is_empty(), "an order placed twice", || {
            orders.twice.join(", ")
        });
        let mut lines = violations.into_lines();
        lines.extend(self.0.reserved.violation("reservations", orders.count));
        let refused = self.0.refused.load(Ordering::Relaxed);
        if refused > 0 {
            lines.push(format!(
                "{refused} logins with the right digest were refused"
            ));
        }
        Ok(lines)
    }
}

/// What is left and taken, as it was answered: signed, so that too little of it is seen.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Seen {
    left: i64,
    taken: i64,
}

/// All orders there are.
#[derive(Debug, Default)]
struct Orders {
    count: u64,
    hotels: BTreeMap<Key, i64>,
    flights: BTreeMap<Key, i64>,
    /// Of each traveler: orders counted, and orders listed.
    travelers: Vec<(u64, u64)>,
    twice: Vec<String>,
}

impl Travel {
    fn vacancies<R>(
        &self,
        door: &mut dyn Door,
        keys: &[Key],
        request: impl Fn(&Key) -> Request<R> + Sync,
    ) -> anyhow::Result<Vec<Seen>> {
        let mut all = Vec::with_capacity(keys.len());
        let requests = keys
            .iter()
            .map(|key| Request::<Seen>::from(request(key).into_parts()));
        door::values(door, requests, |_, seen| all.push(seen))?;
        Ok(all)
    }

    /// The orders, when those that are on their way have come.
    fn orders(&self, door: &mut dyn Door, expected: u64) -> anyhow::Result<Orders> {
        let travelers = &self.0.travelers;
        let counts = || {
            let mut counts = Vec::with_capacity(travelers.len());
            let requests = travelers.iter().map(|key| Itinerary::at(key).count());
            door::values(door, requests, |_, count: u64| counts.push(count))?;
            Ok(counts)
        };
        let counts = look_until(counts, |counts| counts.iter().sum::<u64>() >= expected)?;
        let mut orders = Orders {
            travelers: counts.iter().map(|&count| (count, 0)).collect(),
            ..Orders::default()
        };
        let mut names = HashSet::new();
        let after = |key: &Key, _, last: Option<&(String, Order)>| {
            Itinerary::at(key).page(last.map(|(name, _)| name.clone()))
        };
        pages(door, travelers, PAGE_MAX, after, |at, (name, order)| {
            orders.count += 1;
            orders.travelers[at].1 += 1;
            *orders.hotels.entry(order.hotel.clone()).or_default() += 1;
            *orders.flights.entry(order.flight.clone()).or_default() += 1;
            if !names.insert(name.clone()) {
                orders.twice.push(name.clone());
            }
        })?;
        Ok(orders)
    }

    fn check_vacancies(
        &self,
        keys: &[Key],
        seen: &[Seen],
        orders: &BTreeMap<Key, i64>,
        violations: &mut Violations,
    ) {
        let places = self.0.sizes.places as i64;
        for (key, seen) in keys.iter().zip(seen) {
            let ordered = orders.get(key).copied().unwrap_or_default();
            let said = || format!("{key}: {seen:?} of {places}, {ordered} ordered");
            violations.unless(seen.left >= 0, "more taken than there was", said);
            let adds_up = seen.left + seen.taken == places;
            violations.unless(adds_up, "left and taken unlike what there was", said);
            violations.unless(seen.taken == ordered, "taken unlike its orders", said);
        }
    }
}

struct Asking {
    shared: Arc<Shared>,
    rooms: Chooser,
    flights: Chooser,
    chance: Chance,
    kind: &'static str,
}

impl Source for Asking {
    fn next(&mut self) -> Task {
        let (kind, ask) = match (self.shared.mix, self.chance.random_range(0..200)) {
            (Mix::Reserve, _) | (_, 0) => ("reserve", self.reserve()),
            (_, 1) => ("login", self.login()),
            (_, 2..80) => ("recommend", self.recommend()),
            _ => {
                let place = self.place();
                ("search", ask(Region::at(REGION).search(place)))
            }
        };
        self.kind = kind;
        Task {
            kind,
            prepare: None,
            ask,
        }
    }

    fn ended(&mut self, answer: &Answer) {
        match (self.kind, answer) {
            ("reserve", _) => self.shared.reserved.ended(answer),
            ("login", Answer::Value(_)) if !matches!(answer.value(), Ok(true)) => {
                self.shared.refused.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

impl Asking {
    fn place(&mut self) -> Place {
        Place {
            lat: CORNER.lat + self.chance.random_range(0..WIDTH),
            lon: CORNER.lon + self.chance.random_range(0..WIDTH),
        }
    }

    fn traveler(&mut self) -> usize {
        self.chance.random_range(0..self.shared.travelers.len())
    }

    fn recommend(&mut self) -> Ask {
        let by = [By::Distance, By::Rating, By::Price][self.chance.random_range(0..3)];
        let place = self.place();
        ask(Region::at(REGION).recommend(by, place))
    }

    fn login(&mut self) -> Ask {
        let at = self.traveler();
        ask(Traveler::at(&self.shared.travelers[at]).login(digest(at)))
    }

    fn reserve(&mut self) -> Ask {
        let at = self.traveler();
        let hotel = self.rooms.choose(&mut self.chance);
        let flight = self.flights.choose(&mut self.chance);
        let Shared {
            rooms,
            flights,
            travelers,
            ..
        } = &*self.shared;
        ask(Traveler::at(&travelers[at]).reserve(rooms[hotel].clone(), flights[flight].clone()))
    }
}

// What the hotels are like: the same in every run.

fn listing(at: usize, hotel: &Key) -> Listing {
    let at = at as i64;
    Listing {
        hotel: hotel.clone(),
        place: Place {
            lat: CORNER.lat + at * 7_919 % WIDTH,
            lon: CORNER.lon + at * 12_553 % WIDTH,
        },
        rating: (10 + at * 7 % 41) as u32,
        cents: 8_000 + at * 1_237 % 20_000,
    }
}

fn profile(at: usize) -> Profile {
    Profile {
        name: format!("Hotel {at}"),
        phone: format!("+1 415 555 {at:04}"),
        address: format!("{at} Bay Street, San Francisco, California"),
        description: "A quiet house near the water, with rooms for one, two and four.".into(),
    }
}

fn rates(at: usize) -> Vec<Rate> {
    let cents = 8_000 + at as i64 * 1_237 % 20_000;
    let rate = |(room, times): (&str, i64)| Rate {
        room: room.into(),
        cents: cents * times / 2,
    };
    [("single", 2), ("double", 3), ("family", 5)]
        .map(rate)
        .into()
}

fn digest(at: usize) -> String {
    format!("{:032x}", (at as u128 + 1) * 0x9e37_79b9_7f4a_7c15_f39c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_as_it_says() {
        let sizes = Sizes {
            travelers: 10,
            places: 1,
        };
        let mut counts = BTreeMap::<_, u32>::new();
        let mut source = Travel::new(sizes, Mix::Usual, Spread::Uniform).source(0, 1, 7);
        (0..40_000).for_each(|_| *counts.entry(source.next().kind).or_default() += 1);
        let about = |kind: &str, expected: u32| {
            let (seen, slack) = (counts[kind], 5 * expected.isqrt());
            assert!(
                seen.abs_diff(expected) < slack,
                "{kind}: {seen}, not about {expected}"
            );
        };
        about("search", 24_000);
        about("recommend", 15_600);
        about("login", 200);
        about("reserve", 200);
        let mut source = Travel::new(sizes, Mix::Reserve, Spread::Uniform).source(0, 1, 7);
        assert!((0..100).all(|_| source.next().kind == "reserve"));
    }
}
