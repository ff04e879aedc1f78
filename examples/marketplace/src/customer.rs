//! Who buys: `customer/alice`. Keeps count of what the others tell it.

use ordain::prelude::*;

/// A customer.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Orders paid.
    pub paid: u64,
    /// Orders whose payment was declined.
    pub declined: u64,
    /// Money spent.
    pub spent_cents: i64,
    /// Packages that arrived.
    pub delivered: u64,
}

#[entity]
impl Customer {
    /// An order of these cents was paid, or declined.
    pub fn paid(&mut self, cents: i64, paid: bool) -> Result<()> {
        match paid {
            true => {
                self.paid += 1;
                self.spent_cents += cents;
            }
            false => self.declined += 1,
        }
        Ok(())
    }

    /// A package arrived.
    pub fn delivered(&mut self) -> Result<()> {
        self.delivered += 1;
        Ok(())
    }

    /// All of it.
    #[query]
    pub fn details(&self) -> Result<Customer> {
        Ok(self.clone())
    }
}
