//! Who sells: `seller/acme`. Knows its open orders, and what they come to.

use ordain::prelude::*;

/// Fields named after this hold the open orders.
const OPEN: &str = "open/";

/// A seller. Its open orders are fields beside this state, which holds what they add up to: both
/// change in one transaction, so the sum is always that of the list.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// Open orders.
    pub open: u64,
    /// What they come to.
    pub open_cents: i64,
    /// What was paid in all.
    pub earned_cents: i64,
    /// Packages delivered in all.
    pub delivered: u64,
}

/// What a seller still has to do with one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOrder {
    /// The seller's part of it.
    pub cents: i64,
    /// Packages that did not arrive yet.
    pub packages: u32,
    /// How far it is.
    pub progress: Progress,
}

/// How far an open order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Not paid yet.
    Invoiced,
    /// Paid.
    Paid,
    /// On its way.
    Shipped,
}

/// A seller's open orders: what they come to, and each of them, from one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dashboard {
    /// The aggregate.
    pub seller: Seller,
    /// The orders, with their keys.
    pub orders: Vec<(String, OpenOrder)>,
}

#[entity]
impl Seller {
    /// An order holds these packages of this seller.
    pub fn invoiced(cx: &mut Context<Self>, order: Key, cents: i64, packages: u32) -> Result<()> {
        let open = OpenOrder {
            cents,
            packages,
            progress: Progress::Invoiced,
        };
        cx.field(&field(&order)).put(&open);
        let seller = cx.state_mut();
        seller.open += 1;
        seller.open_cents += cents;
        Ok(())
    }

    /// It was paid, or will never be.
    pub fn paid(cx: &mut Context<Self>, order: Key, paid: bool) -> Result<()> {
        let mut open = find(cx, &order)?;
        if !paid {
            return close(cx, &order, &open);
        }
        open.progress = Progress::Paid;
        cx.field(&field(&order)).put(&open);
        cx.state_mut().earned_cents += open.cents;
        Ok(())
    }

    /// It is on its way.
    pub fn shipped(cx: &mut Context<Self>, order: Key) -> Result<()> {
        let mut open = find(cx, &order)?;
        open.progress = Progress::Shipped;
        cx.field(&field(&order)).put(&open);
        Ok(())
    }

    /// One of its packages arrived. With the last one the order is no longer open.
    pub fn delivered(cx: &mut Context<Self>, order: Key) -> Result<()> {
        let mut open = find(cx, &order)?;
        cx.state_mut().delivered += 1;
        open.packages -= 1;
        if open.packages == 0 {
            return close(cx, &order, &open);
        }
        cx.field(&field(&order)).put(&open);
        Ok(())
    }

    /// The open orders, and what they come to.
    #[query]
    pub fn dashboard(&self, cx: &mut QueryContext) -> Result<Dashboard> {
        let orders = cx.fields().prefix(OPEN).read::<OpenOrder>()?;
        let name = |(field, order): (String, OpenOrder)| (field[OPEN.len()..].to_owned(), order);
        Ok(Dashboard {
            seller: self.clone(),
            orders: orders.into_iter().map(name).collect(),
        })
    }
}

fn field(order: &Key) -> String {
    format!("{OPEN}{order}")
}

fn find(cx: &mut Context<Seller>, order: &Key) -> Result<OpenOrder> {
    match cx.field(&field(order)).get()? {
        Some(open) => Ok(open),
        None => reject!("not_open", "the order {order} is not open here"),
    }
}

fn close(cx: &mut Context<Seller>, order: &Key, open: &OpenOrder) -> Result<()> {
    cx.field(&field(order)).delete();
    let seller = cx.state_mut();
    seller.open -= 1;
    seller.open_cents -= open.cents;
    Ok(())
}
