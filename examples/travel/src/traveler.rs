//! Who travels: `traveler/alice`.

use ordain::prelude::*;

use crate::{Flight, Itinerary, Rooms};

/// A traveler.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traveler {
    /// A digest of the password, made by the client: the password itself never comes here. Empty before
    /// the traveler is registered.
    pub digest: String,
}

#[entity]
impl Traveler {
    /// Registers a traveler, once.
    pub fn register(&mut self, digest: String) -> Result<()> {
        ensure!(!digest.is_empty(), "bad_digest", "the digest is empty");
        ensure!(
            self.digest.is_empty(),
            "registered",
            "this traveler is registered already"
        );
        self.digest = digest;
        Ok(())
    }

    /// Whether this is the traveler's digest.
    #[query]
    pub fn login(&self, digest: String) -> Result<bool> {
        Ok(!self.digest.is_empty() && self.digest == digest)
    }

    /// Reserves a room and a seat; gives the reservation's name. If either is sold out, neither is taken.
    ///
    /// The order is placed by a send: it follows in a transaction of its own, exactly once, and nobody
    /// waits for it here.
    pub fn reserve(cx: &mut Context<Self>, hotel: Key, flight: Key) -> Result<String> {
        let me = cx.key();
        ensure!(
            !cx.state().digest.is_empty(),
            "no_traveler",
            "{me} is not registered"
        );
        cx.entity::<Rooms>(&hotel).take()?;
        cx.entity::<Flight>(&flight).take()?;
        let reservation = cx.uuid();
        cx.send(Itinerary::at(&me).place(reservation.clone(), hotel, flight));
        Ok(reservation)
    }
}
