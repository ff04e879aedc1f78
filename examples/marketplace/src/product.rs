//! What is for sale: `product/lamp`. Its stock is another entity of the same key, so that prices and
//! quantities change without touching each other.

use std::ops::Bound;

use ordain::prelude::*;

use crate::sale::Price;
use crate::{Cart, Stock};

/// How many carts one transaction tells of a price. More are told by a transaction that follows.
const CARTS_AT_ONCE: usize = 200;
/// Fields named after this hold the carts to be told of a price.
const CARTS: &str = "cart/";

/// A product.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Whose; no one's before it is listed.
    pub seller: Option<Key>,
    /// Counts up when the product is replaced. A cart that holds an older version cannot be ordered.
    pub version: u32,
    /// What a piece costs.
    pub price: Price,
}

/// A product as a cart gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Whose.
    pub seller: Key,
    /// Which version.
    pub version: u32,
    /// What a piece costs.
    pub price: Price,
}

#[entity]
impl Product {
    /// Offers a new product, with so many pieces in stock.
    pub fn list(cx: &mut Context<Self>, seller: Key, cents: i64, quantity: u64) -> Result<()> {
        check_price(cents)?;
        ensure!(
            cx.state().version == 0,
            "listed",
            "{} is listed already",
            cx.key()
        );
        *cx.state_mut() = Product {
            seller: Some(seller),
            version: 1,
            price: Price { cents, number: 1 },
        };
        let me = cx.key();
        cx.entity::<Stock>(&me).start(1, quantity)
    }

    /// Changes the price, and tells the carts that hold the product; gives the new price.
    pub fn set_price(cx: &mut Context<Self>, cents: i64) -> Result<Price> {
        check_price(cents)?;
        check_listed(cx)?;
        let number = cx.state().price.number + 1;
        let price = Price { cents, number };
        cx.state_mut().price = price;
        tell_carts(cx, price, None)?;
        Ok(price)
    }

    /// Goes on telling carts of a price, after the cart named.
    pub fn tell_more(cx: &mut Context<Self>, price: Price, after: String) -> Result<()> {
        tell_carts(cx, price, Some(after))
    }

    /// Replaces the product by a new version. Its stock follows in the same transaction, so no one
    /// ever sees the one without the other.
    pub fn replace(cx: &mut Context<Self>) -> Result<u32> {
        check_listed(cx)?;
        let product = cx.state_mut();
        product.version += 1;
        let version = product.version;
        let me = cx.key();
        cx.entity::<Stock>(&me).replace(version)?;
        Ok(version)
    }

    /// The offer, for a cart that will hear of its price changes.
    pub fn watch(cx: &mut Context<Self>, cart: Key) -> Result<Offer> {
        // One field a cart: a state that lists them all would be written whole each time. It is put
        // without a look whether it is there, which would cost more.
        cx.field(&format!("{CARTS}{cart}")).put(&true);
        let key = cx.key();
        offer(cx.state(), &key)
    }

    /// Tells a cart no more.
    pub fn unwatch(cx: &mut Context<Self>, cart: Key) -> Result<()> {
        cx.field(&format!("{CARTS}{cart}")).delete();
        Ok(())
    }

    /// The offer, for a look.
    #[query]
    pub fn look(cx: &mut QueryContext<Self>) -> Result<Offer> {
        let key = cx.key();
        offer(cx.state(), &key)
    }
}

/// Sends the price to the carts that watch, a page at a time. A later price is sent to each cart after
/// this one, since the pages of both go the same way in the same order.
fn tell_carts(cx: &mut Context<Product>, price: Price, after: Option<String>) -> Result<()> {
    let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let carts = cx
        .fields()
        .prefix(CARTS)
        .range::<&str>((from, Bound::Unbounded))
        .limit(CARTS_AT_ONCE)
        .keys()?;
    let me = cx.key();
    for field in &carts {
        let cart = field
            .strip_prefix(CARTS)
            .expect("the scan is of this prefix");
        cx.send(Cart::at(cart).price_changed(me.clone(), price));
    }
    if carts.len() == CARTS_AT_ONCE
        && let Some(last) = carts.into_iter().next_back()
    {
        cx.send(Product::at(&me).tell_more(price, last));
    }
    Ok(())
}

fn offer(product: &Product, key: &Key) -> Result<Offer> {
    match &product.seller {
        Some(seller) => Ok(Offer {
            seller: seller.clone(),
            version: product.version,
            price: product.price,
        }),
        None => reject!("no_product", "there is no product {key}"),
    }
}

fn check_listed(cx: &mut Context<Product>) -> Result<()> {
    let (key, product) = (cx.key(), cx.state());
    ensure!(
        product.seller.is_some(),
        "no_product",
        "there is no product {key}"
    );
    Ok(())
}

fn check_price(cents: i64) -> Result<()> {
    // Bounded, so that no total overflows.
    ensure!(
        (1..=100_000_000).contains(&cents),
        "bad_price",
        "no price is {cents} cents"
    );
    Ok(())
}
