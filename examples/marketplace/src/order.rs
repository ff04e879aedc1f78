//! What a customer bought: `order/alice.1` is the first order of `customer/alice`.

use ordain::prelude::*;

use crate::sale::{Item, Line, shares};
use crate::{Card, Payment, Reserved, Seller, Shipment, Stock, depot_of};

/// Fields named after this hold the lines.
const LINES: &str = "line/";

/// An order. Its lines are fields beside this state: to mark one as delivered writes that one alone.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// How far it is.
    pub status: Status,
    /// Whose.
    pub customer: Option<Key>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// What it costs.
    pub cents: i64,
    /// How many lines it has.
    pub lines: u32,
    /// Of these, how many arrived.
    pub delivered: u32,
    /// Where its shipment is; none before it is paid.
    pub shipped_by: Option<ShippedBy>,
}

/// How far an order is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// There is none of this name.
    #[default]
    None,
    /// Stock is reserved and the sellers know.
    Invoiced,
    /// The card was refused. The end.
    Declined,
    /// Paid, and the stock is its own.
    Paid,
    /// On its way.
    Shipped,
    /// All of it arrived. The end.
    Delivered,
}

/// Where a shipment is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedBy {
    /// The depot: a key of [`Shipment`].
    pub depot: Key,
    /// The shipment's number there.
    pub number: u64,
}

/// What a checkout gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The order.
    pub order: Key,
    /// Whether it was paid.
    pub paid: bool,
    /// What it costs.
    pub cents: i64,
    /// How many items were ordered.
    pub lines: u32,
    /// Items that were left out: out of stock, or no longer what the cart held.
    pub missing: Vec<Key>,
}

/// An order with its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDetails {
    /// The order.
    pub order: Order,
    /// Its lines, in order.
    pub lines: Vec<Line>,
}

#[entity]
impl Order {
    /// Places the order, and sees it through payment to its shipment.
    ///
    /// Payment and shipment come back into this order before this method ends. That is why it holds no
    /// reference to its state over a call (`cx.state_mut()` does not let it): what they wrote is there
    /// when it goes on.
    pub fn place(
        cx: &mut Context<Self>,
        customer: Key,
        items: Vec<Item>,
        card: Card,
    ) -> Result<Receipt> {
        let me = cx.key();
        ensure!(
            cx.state().status == Status::None,
            "placed",
            "the order {me} was placed already"
        );
        let (lines, missing) = reserve(cx, items)?;
        if lines.is_empty() {
            let message = "nothing in the cart is to be had";
            return Err(Rejection::new("nothing_available", message).with_details(&missing));
        }
        let cents = invoice(cx, &customer, &lines)?;
        let shares = shares(&lines);
        for share in shares.clone() {
            cx.entity::<Seller>(&share.seller)
                .invoiced(me.clone(), share.cents, share.packages)?;
        }
        let paid = cx.entity::<Payment>(&me).process(
            customer.clone(),
            cents,
            lines.clone(),
            shares.clone(),
            card,
        )?;
        let count = lines.len() as u32;
        if paid {
            cx.entity::<Shipment>(depot_of(&customer)).create(
                me.clone(),
                customer,
                lines,
                shares,
            )?;
        }
        Ok(Receipt {
            order: me,
            paid,
            cents,
            lines: count,
            missing,
        })
    }

    /// The payment went through, or not.
    pub fn paid(&mut self, paid: bool) -> Result<()> {
        self.advance(
            Status::Invoiced,
            if paid { Status::Paid } else { Status::Declined },
        )
    }

    /// It is on its way.
    pub fn shipped(&mut self, by: ShippedBy) -> Result<()> {
        self.advance(Status::Paid, Status::Shipped)?;
        self.shipped_by = Some(by);
        Ok(())
    }

    /// The package of one line arrived.
    pub fn delivered(cx: &mut Context<Self>, line: u32) -> Result<Status> {
        let mut field = cx.field(&line_field(line));
        let Some(mut found) = field.get::<Line>()? else {
            reject!("no_line", "the order has no line {line}");
        };
        ensure!(
            !found.delivered,
            "delivered_twice",
            "line {line} was delivered before"
        );
        found.delivered = true;
        field.put(&found);
        let order = cx.state_mut();
        order.delivered += 1;
        if order.delivered == order.lines {
            order.advance(Status::Shipped, Status::Delivered)?;
        }
        Ok(order.status)
    }

    /// The order and its lines.
    #[query]
    pub fn details(&self, cx: &mut QueryContext) -> Result<OrderDetails> {
        let lines = cx.fields().prefix(LINES).read::<Line>()?;
        let lines = lines.into_iter().map(|(_, line)| line).collect();
        Ok(OrderDetails {
            order: self.clone(),
            lines,
        })
    }
}

impl Order {
    fn advance(&mut self, from: Status, to: Status) -> Result<()> {
        ensure!(
            self.status == from,
            "wrong_status",
            "the order is {:?}, not {from:?}",
            self.status
        );
        self.status = to;
        Ok(())
    }
}

/// Reserves what is in stock; gives the lines, and the products that are left out.
fn reserve(cx: &mut Context<Order>, items: Vec<Item>) -> Result<(Vec<Line>, Vec<Key>)> {
    let (mut lines, mut missing) = (Vec::with_capacity(items.len()), Vec::new());
    for item in items {
        match cx
            .entity::<Stock>(&item.product)
            .reserve(item.version, item.quantity)?
        {
            Reserved::InStock => lines.push(item.into_line()),
            Reserved::OutOfStock | Reserved::Unavailable => missing.push(item.product),
        }
    }
    Ok((lines, missing))
}

/// Writes down what was ordered; gives what it costs.
fn invoice(cx: &mut Context<Order>, customer: &Key, lines: &[Line]) -> Result<i64> {
    for (number, line) in (1..).zip(lines) {
        cx.field(&line_field(number)).put(line);
    }
    let (placed_at, cents) = (cx.now(), lines.iter().map(|line| line.cents).sum());
    *cx.state_mut() = Order {
        status: Status::Invoiced,
        customer: Some(customer.clone()),
        placed_at,
        cents,
        lines: lines.len() as u32,
        delivered: 0,
        shipped_by: None,
    };
    Ok(cents)
}

/// Lines count from 1. Padded, so that their keys are in the order of their numbers.
fn line_field(number: u32) -> String {
    format!("{LINES}{number:02}")
}
