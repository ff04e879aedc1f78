//! The values that travel between entities: plain data with no state of its own.
//!
//! Money is in cents, as integers.

use ordain::prelude::*;

/// A price, and which of its product's prices it is: the first, the second, …
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Of one piece.
    pub cents: i64,
    /// Counts up by one with each change.
    pub number: u64,
}

/// What a cart holds of one product: the offer as the customer saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What.
    pub product: Key,
    /// Whose.
    pub seller: Key,
    /// How many pieces.
    pub quantity: u32,
    /// Which version of the product.
    pub version: u32,
    /// Its price; kept up to date while it is in the cart.
    pub price: Price,
    /// Taken off the line's total, which it does not make negative.
    pub voucher_cents: i64,
}

/// A line of an order: an item that was in stock. It leaves as one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub product: Key,
    /// Whose.
    pub seller: Key,
    /// How many pieces.
    pub quantity: u32,
    /// What the line costs in all.
    pub cents: i64,
    /// Whether its package arrived.
    pub delivered: bool,
}

/// One seller's part of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Whose.
    pub seller: Key,
    /// What this seller's lines cost.
    pub cents: i64,
    /// How many lines, each a package.
    pub packages: u32,
}

impl Item {
    /// The line that it becomes when it is ordered.
    pub fn into_line(self) -> Line {
        let full = self.price.cents * i64::from(self.quantity);
        Line {
            cents: (full - self.voucher_cents).max(0),
            product: self.product,
            seller: self.seller,
            quantity: self.quantity,
            delivered: false,
        }
    }
}

/// The lines by seller, each seller once, in the order in which they first come.
pub fn shares(lines: &[Line]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for line in lines {
        match shares.iter_mut().find(|share| share.seller == line.seller) {
            Some(share) => {
                share.cents += line.cents;
                share.packages += 1;
            }
            None => shares.push(Share {
                seller: line.seller.clone(),
                cents: line.cents,
                packages: 1,
            }),
        }
    }
    shares
}
