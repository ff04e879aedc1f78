//! Where hotels are: `region/bay`. One state holds the positions of all of a region's hotels, for a search
//! looks at each of them and they hardly ever change.

use ordain::prelude::*;

use crate::{Hotel, Profile, Rate};

/// How many hotels a search finds.
pub const NEAREST: usize = 5;
/// The most hotels of one region.
const HOTELS_MAX: usize = 1_000;

/// A region.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Its hotels, in the order in which they were listed.
    pub hotels: Vec<Listing>,
}

/// A position in hundred-thousandths of a degree, about a meter. Integers: they are the same on every
/// machine and in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// North of the equator.
    pub lat: i64,
    /// East of Greenwich.
    pub lon: i64,
}

/// A hotel as its region knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Which.
    pub hotel: Key,
    /// Where it is.
    pub place: Place,
    /// How good it is, in tenths of a star.
    pub rating: u32,
    /// What its cheapest night costs.
    pub cents: i64,
}

/// A hotel as a search finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which.
    pub hotel: Key,
    /// What people read of it.
    pub profile: Profile,
    /// What a night costs.
    pub rates: Vec<Rate>,
}

/// What makes a hotel better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// It is nearer.
    Distance,
    /// It has more stars.
    Rating,
    /// It costs less.
    Price,
}

#[entity]
impl Region {
    /// Lists a hotel, or lists it anew.
    pub fn list(&mut self, listing: Listing) -> Result<usize> {
        check(listing.place)?;
        match self.hotels.iter_mut().find(|l| l.hotel == listing.hotel) {
            Some(known) => *known = listing,
            None => self.hotels.push(listing),
        }
        ensure!(
            self.hotels.len() <= HOTELS_MAX,
            "region_full",
            "a region has at most {HOTELS_MAX} hotels"
        );
        Ok(self.hotels.len())
    }

    /// The hotels nearest to a place, the nearest first, with all that is known of them.
    #[query]
    pub fn search(cx: &mut QueryContext<Self>, place: Place) -> Result<Vec<Found>> {
        check(place)?;
        let mut found = Vec::with_capacity(NEAREST);
        for hotel in cx.state().nearest(place) {
            let mut asked = cx.entity::<Hotel>(&hotel);
            let (profile, rates) = (asked.profile()?, asked.rates()?);
            found.push(Found {
                hotel,
                profile,
                rates,
            });
        }
        Ok(found)
    }

    /// The best hotels; several only if they are equally good.
    #[query]
    pub fn recommend(&self, by: By, place: Place) -> Result<Vec<Key>> {
        check(place)?;
        let worse = |listing: &Listing| match by {
            By::Distance => listing.place.distance(place),
            By::Rating => -i64::from(listing.rating),
            By::Price => listing.cents,
        };
        let best = self.hotels.iter().map(worse).min();
        let of_these = self.hotels.iter().filter(|l| Some(worse(l)) == best);
        Ok(of_these.map(|listing| listing.hotel.clone()).collect())
    }
}

impl Region {
    fn nearest(&self, place: Place) -> Vec<Key> {
        let mut nearest: Vec<(i64, usize)> = Vec::with_capacity(self.hotels.len());
        let distance = |listing: &Listing| listing.place.distance(place);
        nearest.extend(self.hotels.iter().map(distance).zip(0..));
        nearest.sort_unstable_by_key(|&(distance, at)| (distance, at));
        let hotels = nearest.iter().take(NEAREST);
        hotels
            .map(|&(_, at)| self.hotels[at].hotel.clone())
            .collect()
    }
}

impl Place {
    /// The square of the distance on a plane: within a region that orders as the distance does. It fits
    /// the integers that JavaScript counts exactly.
    fn distance(self, other: Place) -> i64 {
        let (lat, lon) = (self.lat - other.lat, self.lon - other.lon);
        lat * lat + lon * lon
    }
}

fn check(Place { lat, lon }: Place) -> Result<()> {
    let on_earth = lat.unsigned_abs() <= 9_000_000 && lon.unsigned_abs() <= 18_000_000;
    ensure!(
        on_earth,
        "bad_place",
        "there is no place {lat}, {lon}: positions are hundred-thousandths of a degree"
    );
    Ok(())
}
