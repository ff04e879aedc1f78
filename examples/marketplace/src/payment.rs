//! How an order was paid: `payment/alice.1` is that of `order/alice.1`.

use ordain::prelude::*;

use crate::sale::{Line, Share};
use crate::{Customer, Order, Seller, Stock};

/// A payment.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// What came of it.
    pub status: PaymentStatus,
    /// What was asked for.
    pub cents: i64,
}

/// What came of a payment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentStatus {
    /// None was asked for.
    #[default]
    None,
    /// Paid.
    Paid,
    /// The card's limit is too low.
    Declined,
}

/// What a customer pays with. In place of a bank, it says itself how much it is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// A payment of more is declined.
    pub limit_cents: i64,
}

#[entity]
impl Payment {
    /// Asks the card for the money, and tells everyone what came of it: sold or not, the stock's
    /// reservations end here. Gives whether it was paid.
    pub fn process(
        cx: &mut Context<Self>,
        customer: Key,
        cents: i64,
        lines: Vec<Line>,
        shares: Vec<Share>,
        card: Card,
    ) -> Result<bool> {
        let order = cx.key();
        let paid = cents <= card.limit_cents;
        let payment = cx.state_mut();
        let first = payment.status == PaymentStatus::None;
        ensure!(
            first,
            "paid_twice",
            "the order {order} asked for its payment before"
        );
        let status = if paid {
            PaymentStatus::Paid
        } else {
            PaymentStatus::Declined
        };
        *payment = Payment { status, cents };
        for line in lines {
            let mut stock = cx.entity::<Stock>(&line.product);
            match paid {
                true => stock.confirm(line.quantity)?,
                false => stock.cancel(line.quantity)?,
            }
        }
        cx.entity::<Customer>(&customer).paid(cents, paid)?;
        for share in shares {
            cx.entity::<Seller>(&share.seller)
                .paid(order.clone(), paid)?;
        }
        // Back into the order that called: it is still in the middle of `place`.
        cx.entity::<Order>(&order).paid(paid)?;
        Ok(paid)
    }

    /// All of it.
    #[query]
    pub fn details(&self) -> Result<Payment> {
        Ok(self.clone())
    }
}
