//! A travel agency: people look for hotels near a place, are recommended some, and reserve a hotel together
//! with a flight.
//!
//! ```text
//!   region ──profile, rates──► hotel        (search: the five nearest)
//!
//! traveler ──take──► rooms                  (reserve: both or neither)
//!    │ ──────take──► flight
//!    └ ─ ─ ─place─ ► itinerary              (a send: the order follows in a transaction of its own)
//! ```
//!
//! The hotel reservation of DeathStarBench (Gan et al., ASPLOS 2019) with the flights that its ports to
//! serverless platforms added. There, a reservation over two services needs a protocol of its own; here it is
//! two calls.
//!
//! - [`Region`], [`Hotel`]: looking
//! - [`Traveler`], [`Rooms`], [`Flight`]: reserving
//! - [`Itinerary`]: what was reserved

mod hotel;
mod itinerary;
mod region;
mod traveler;
mod vacancy;

pub use hotel::{Hotel, Profile, Rate};
pub use itinerary::{Itinerary, Order, PAGE_MAX};
pub use region::{By, Found, Listing, NEAREST, Place, Region};
pub use traveler::Traveler;
pub use vacancy::{Flight, Rooms, Vacancy};

use ordain::prelude::*;

/// What there is to call: six entity types.
pub fn entities() -> Entities {
    entities![Region, Hotel, Rooms, Flight, Traveler, Itinerary]
}

// Built for WebAssembly, the crate is a module to deploy.
ordain::export!(entities());
