//! What a customer is about to buy: `cart/alice` is the cart of `customer/alice`.

use ordain::prelude::*;

use crate::sale::{Item, Price};
use crate::{Card, Order, Product, Receipt};

/// The most items a cart holds, and so the most lines an order has.
pub const ITEMS_MAX: usize = 10;
/// The most pieces of one item.
const QUANTITY_MAX: u32 = 1_000;

/// A cart.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    /// What is in it.
    pub items: Vec<Item>,
    /// How many orders were made of it; they are named after it: `alice.1`, `alice.2`, …
    pub orders: u64,
    /// Price changes that came while an earlier one was missing. Stays 0, for sends from one entity to
    /// another arrive in order.
    pub prices_missed: u64,
}

/// What a customer puts into the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What.
    pub product: Key,
    /// How many pieces.
    pub quantity: u32,
    /// Taken off; 0 if there is no voucher.
    pub voucher_cents: i64,
}

#[entity]
impl Cart {
    /// Puts these into the cart in place of what was there, at their present prices; gives how many
    /// there are. From now on the cart hears of their price changes.
    pub fn fill(cx: &mut Context<Self>, wishes: Vec<Wish>) -> Result<usize> {
        check(&wishes)?;
        let me = cx.key();
        let mut items = Vec::with_capacity(wishes.len());
        for Wish {
            product,
            quantity,
            voucher_cents,
        } in wishes
        {
            let offer = cx.entity::<Product>(&product).watch(me.clone())?;
            items.push(Item {
                product,
                seller: offer.seller,
                quantity,
                version: offer.version,
                price: offer.price,
                voucher_cents,
            });
        }
        let count = items.len();
        cx.state_mut().items = items;
        Ok(count)
    }

    /// Orders what is in the cart, pays with the card, and empties the cart.
    ///
    /// One transaction: it may touch a stock for each item and several sellers, and all of it happens
    /// or none. An item that is not to be had is left out; if none is, the checkout is rejected and the
    /// cart stays as it is.
    pub fn checkout(cx: &mut Context<Self>, card: Card) -> Result<Receipt> {
        let customer = cx.key();
        let cart = cx.state_mut();
        ensure!(
            !cart.items.is_empty(),
            "cart_empty",
            "there is nothing in the cart of {customer}"
        );
        let items = std::mem::take(&mut cart.items);
        cart.orders += 1;
        let order = format!("{customer}.{}", cart.orders);
        // An empty cart needs to hear of no price: told of each, it would only answer that.
        for item in &items {
            cx.entity::<Product>(&item.product)
                .unwatch(customer.clone())?;
        }
        cx.entity::<Order>(order).place(customer, items, card)
    }

    /// A product's price changed. It reaches every cart that holds the product by a send of its own, so
    /// that changing a price costs the same however many carts there are.
    pub fn price_changed(cx: &mut Context<Self>, product: Key, price: Price) -> Result<()> {
        let cart = cx.state_mut();
        let item = cart.items.iter_mut().find(|item| item.product == product);
        match item {
            None => {
                let me = cx.key();
                cx.entity::<Product>(&product).unwatch(me)?;
            }
            // It came into the cart after this change, with a price at least as new.
            Some(item) if price.number <= item.price.number => {}
            Some(item) => {
                let missed = price.number - item.price.number - 1;
                item.price = price;
                cart.prices_missed += missed;
            }
        }
        Ok(())
    }

    /// What is in it.
    #[query]
    pub fn contents(&self) -> Result<Cart> {
        Ok(self.clone())
    }
}

fn check(wishes: &[Wish]) -> Result<()> {
    let fits = (1..=ITEMS_MAX).contains(&wishes.len());
    ensure!(
        fits,
        "cart_size",
        "a cart holds 1 to {ITEMS_MAX} items, not {}",
        wishes.len()
    );
    for (at, wish) in wishes.iter().enumerate() {
        let product = &wish.product;
        let fits = (1..=QUANTITY_MAX).contains(&wish.quantity);
        ensure!(
            fits,
            "bad_quantity",
            "{} pieces of {product}; at most {QUANTITY_MAX}",
            wish.quantity
        );
        ensure!(
            wish.voucher_cents >= 0,
            "bad_voucher",
            "the voucher for {product} is negative"
        );
        let twice = wishes[..at].iter().any(|other| other.product == *product);
        ensure!(
            !twice,
            "item_twice",
            "{product} is there twice; add up the quantities"
        );
    }
    Ok(())
}
