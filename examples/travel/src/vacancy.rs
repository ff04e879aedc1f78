//! What there is only so much of: `rooms/palace`, `flight/ba284`.

use ordain::prelude::*;

/// Places left and taken: together always what it was opened with.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vacancy {
    /// Places nobody has.
    pub left: u64,
    /// Places reserved.
    pub taken: u64,
}

/// The rooms of the hotel of the same key.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rooms(pub Vacancy);

#[entity]
impl Rooms {
    /// Offers so many rooms. A hotel that is in use is not opened again.
    pub fn open(&mut self, places: u64) -> Result<()> {
        self.0.open(places)
    }

    /// Reserves one; gives how many are left. Rejects what is sold out.
    pub fn take(&mut self) -> Result<u64> {
        self.0.take("room")
    }

    /// What is left, and what is taken.
    #[query]
    pub fn vacancy(&self) -> Result<Vacancy> {
        Ok(self.0.clone())
    }
}

/// The seats of a flight.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flight(pub Vacancy);

#[entity]
impl Flight {
    /// Offers so many seats. A flight that is in use is not opened again.
    pub fn open(&mut self, places: u64) -> Result<()> {
        self.0.open(places)
    }

    /// Reserves one; gives how many are left. Rejects what is sold out.
    pub fn take(&mut self) -> Result<u64> {
        self.0.take("seat")
    }

    /// What is left, and what is taken.
    #[query]
    pub fn vacancy(&self) -> Result<Vacancy> {
        Ok(self.0.clone())
    }
}

impl Vacancy {
    fn open(&mut self, places: u64) -> Result<()> {
        ensure!(
            *self == Vacancy::default(),
            "in_use",
            "there were {} places before",
            self.left + self.taken
        );
        self.left = places;
        Ok(())
    }

    fn take(&mut self, what: &str) -> Result<u64> {
        ensure!(self.left > 0, "sold_out", "no {what} is left");
        self.left -= 1;
        self.taken += 1;
        Ok(self.left)
    }
}
