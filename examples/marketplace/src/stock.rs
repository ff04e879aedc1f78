//! How many pieces of a product there are: `stock/lamp` is that of `product/lamp`.

use ordain::prelude::*;

/// A stock. Never less in it than is reserved.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Which version of the product; 0 before it is listed.
    pub version: u32,
    /// Pieces there are.
    pub quantity: u64,
    /// Of these, promised to orders that are not paid yet.
    pub reserved: u64,
}

/// What came of asking for pieces. Not to have them is an answer here and no rejection: the order
/// goes on without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reserved {
    /// They are reserved.
    InStock,
    /// There are not as many.
    OutOfStock,
    /// The product is no longer the one that was asked for.
    Unavailable,
}

#[entity]
impl Stock {
    /// The first pieces of a new product.
    pub fn start(&mut self, version: u32, quantity: u64) -> Result<()> {
        ensure!(self.version == 0, "listed", "this stock is in use");
        *self = Stock {
            version,
            quantity,
            reserved: 0,
        };
        Ok(())
    }

    /// Follows its product to a new version.
    pub fn replace(&mut self, version: u32) -> Result<()> {
        ensure!(
            version > self.version,
            "old_version",
            "version {} is newer",
            self.version
        );
        self.version = version;
        Ok(())
    }

    /// Promises pieces of this version to an order.
    pub fn reserve(&mut self, version: u32, quantity: u32) -> Result<Reserved> {
        let quantity = u64::from(quantity);
        if version != self.version {
            return Ok(Reserved::Unavailable);
        }
        if quantity > self.quantity - self.reserved {
            return Ok(Reserved::OutOfStock);
        }
        self.reserved += quantity;
        Ok(Reserved::InStock)
    }

    /// Reserved pieces are sold.
    pub fn confirm(&mut self, quantity: u32) -> Result<()> {
        self.release(quantity)?;
        self.quantity -= u64::from(quantity);
        Ok(())
    }

    /// Reserved pieces are not wanted after all.
    pub fn cancel(&mut self, quantity: u32) -> Result<()> {
        self.release(quantity)
    }

    /// All of it.
    #[query]
    pub fn level(&self) -> Result<Stock> {
        Ok(self.clone())
    }
}

impl Stock {
    fn release(&mut self, quantity: u32) -> Result<()> {
        let quantity = u64::from(quantity);
        ensure!(
            quantity <= self.reserved,
            "not_reserved",
            "{quantity} pieces, but only {} are reserved",
            self.reserved
        );
        self.reserved -= quantity;
        Ok(())
    }
}
