//! What a hotel says of itself: `hotel/palace`. How many rooms it has left is another entity of the same
//! key, so that a reservation does not write what everyone reads.

use ordain::prelude::*;

/// A hotel.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hotel {
    /// None before it is described.
    pub profile: Option<Profile>,
    /// What a night costs.
    pub rates: Vec<Rate>,
}

/// What people read of a hotel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its telephone number.
    pub phone: String,
    /// Its address.
    pub address: String,
    /// A few words.
    pub description: String,
}

/// What a night costs in a room of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The kind of room.
    pub room: String,
    /// A night.
    pub cents: i64,
}

#[entity]
impl Hotel {
    /// Puts this in place of what was said before.
    pub fn describe(&mut self, profile: Profile, rates: Vec<Rate>) -> Result<()> {
        let bad = rates.iter().find(|rate| rate.cents <= 0);
        if let Some(rate) = bad {
            reject!("bad_rate", "no night costs {} cents", rate.cents);
        }
        *self = Hotel {
            profile: Some(profile),
            rates,
        };
        Ok(())
    }

    /// What people read of it.
    #[query]
    pub fn profile(&self) -> Result<Profile> {
        match &self.profile {
            Some(profile) => Ok(profile.clone()),
            None => reject!("no_hotel", "nothing is known of this hotel"),
        }
    }

    /// What a night costs.
    #[query]
    pub fn rates(&self) -> Result<Vec<Rate>> {
        Ok(self.rates.clone())
    }
}
