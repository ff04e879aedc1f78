//! Reads the whole marketplace through its queries and checks that every entity says the same of what
//! happened.

use std::collections::BTreeMap;

use ordain::Key;
use ordain_example_marketplace::{
    Cart, Consignment, Customer, Dashboard, Offer, Order, OrderDetails, Payment, PaymentStatus,
    Product, Seller, Shipment, ShippedBy, Status, Stock, sale,
};

use super::ledger::{Found, Ledger};
use super::market::Names;
use super::rest::look_until;
use super::violations::Violations;
use crate::door::{self, Door};

/// What an audit came to.
#[derive(Debug, Clone, Default)]
pub struct Audited {
    /// Every invariant that does not hold.
    pub violations: Vec<String>,
    /// Orders there are.
    pub orders: u64,
    /// Transactions acknowledged and not there.
    pub lost: u64,
    /// Transactions there and neither acknowledged nor among what was not answered.
    pub more: u64,
    /// Updates that were not answered, each of which may have happened.
    pub unanswered: u64,
}

/// Audits everything, at rest.
///
/// # Errors
/// If something cannot be read.
pub fn run(
    door: &mut dyn Door,
    names: &Names,
    stock: u64,
    ledger: &Ledger,
) -> anyhow::Result<Audited> {
    let mut books = Books::default();
    let offers = read(door, &names.products, |key| Product::at(key).look())?;
    let carts = carts(door, names, &offers, &mut books)?;
    read_orders(door, names, &carts, &mut books)?;
    check_stocks(door, names, stock, &offers, &mut books)?;
    check_customers(door, names, &mut books)?;
    check_sellers(door, names, &mut books)?;
    let delivered = check_depots(door, names, &mut books)?;
    let found = Found {
        orders: carts.iter().map(|cart| cart.orders).collect(),
        prices: offers.iter().map(|offer| offer.price.number - 1).collect(),
        versions: offers
            .iter()
            .map(|offer| u64::from(offer.version) - 1)
            .collect(),
        delivered,
    };
    let difference = ledger.compare(&found);
    Ok(Audited {
        violations: books.violations.into_lines(),
        orders: found.orders.iter().sum(),
        lost: difference.lost,
        more: difference.more,
        unanswered: ledger.all_unanswered(),
    })
}

/// What the orders come to, for everyone else to be held against.
#[derive(Debug, Default)]
struct Books {
    violations: Violations,
    sold: BTreeMap<Key, u64>,
    customers: BTreeMap<Key, Customer>,
    sellers: BTreeMap<Key, Seller>,
    depots: BTreeMap<Key, Shipment>,
}

fn read<R: serde::de::DeserializeOwned + Send>(
    door: &mut dyn Door,
    keys: &[Key],
    request: impl Fn(&Key) -> ordain::Request<R> + Send,
) -> anyhow::Result<Vec<R>> {
    let mut values = Vec::with_capacity(keys.len());
    door::values(door, keys.iter().map(request), |_, value| {
        values.push(value)
    })?;
    Ok(values)
}

/// The carts, when the prices that are on their way to them have come.
fn carts(
    door: &mut dyn Door,
    names: &Names,
    offers: &[Offer],
    books: &mut Books,
) -> anyhow::Result<Vec<Cart>> {
    let offers: BTreeMap<&Key, &Offer> = names.products.iter().zip(offers).collect();
    let late = |cart: &Cart| {
        let late = |item: &sale::Item| {
            offers
                .get(&item.product)
                .is_none_or(|offer| offer.price != item.price)
        };
        cart.items.iter().any(late)
    };
    let carts = look_until(
        || read(door, &names.customers, |key| Cart::at(key).contents()),
        |carts| !carts.iter().any(late),
    )?;
    let violations = &mut books.violations;
    for (key, cart) in names.customers.iter().zip(&carts) {
        violations.unless(!late(cart), "a cart without its latest prices", || {
            key.to_string()
        });
        let in_order = cart.prices_missed == 0;
        violations.unless(in_order, "a cart that missed a price", || {
            format!("{key}: {cart:?}")
        });
    }
    Ok(carts)
}

/// Every order with its payment and its shipment, into the books.
fn read_orders(
    door: &mut dyn Door,
    names: &Names,
    carts: &[Cart],
    books: &mut Books,
) -> anyhow::Result<()> {
    for (customers, carts) in names.customers.chunks(1_000).zip(carts.chunks(1_000)) {
        let mut orders: Vec<Key> = Vec::new();
        for (customer, cart) in customers.iter().zip(carts) {
            let name = |number| Key::new(&format!("{customer}.{number}"));
            orders.extend((1..=cart.orders).flat_map(name));
        }
        let details = read(door, &orders, |key| Order::at(key).details())?;
        let payments = read(door, &orders, |key| Payment::at(key).details())?;
        let places = details
            .iter()
            .map(|details| details.order.shipped_by.clone());
        let places: Vec<ShippedBy> = places.flatten().collect();
        let requests = places
            .iter()
            .map(|by| Shipment::at(&by.depot).find(by.number));
        let mut shipments = Vec::with_capacity(places.len());
        door::values(door, requests, |_, found: Option<Consignment>| {
            shipments.push(found)
        })?;
        let mut shipments = shipments.into_iter();
        for ((order, details), payment) in orders.iter().zip(&details).zip(&payments) {
            let by = details.order.shipped_by.as_ref();
            let shipment = by.and_then(|_| shipments.next().flatten());
            books.enter(order, details, payment, shipment.as_ref());
        }
    }
    Ok(())
}

impl Books {
    /// One order: consistent in itself, and counted for everyone who has a part in it.
    fn enter(
        &mut self,
        key: &Key,
        details: &OrderDetails,
        payment: &Payment,
        shipment: Option<&Consignment>,
    ) {
        self.check_order(key, details, payment, shipment);
        let OrderDetails { order, lines } = details;
        let Some(customer) = &order.customer else {
            return;
        };
        let customer = self.customers.entry(customer.clone()).or_default();
        let Some(by) = &order.shipped_by else {
            customer.declined += 1;
            return;
        };
        let delivered = lines.iter().filter(|line| line.delivered).count() as u64;
        let open = delivered < lines.len() as u64;
        customer.paid += 1;
        customer.spent_cents += order.cents;
        customer.delivered += delivered;
        let depot = self.depots.entry(by.depot.clone()).or_default();
        depot.shipments += 1;
        depot.open += u64::from(open);
        depot.delivered += delivered;
        for line in lines {
            *self.sold.entry(line.product.clone()).or_default() += u64::from(line.quantity);
        }
        for share in sale::shares(lines) {
            let seller = self.sellers.entry(share.seller.clone()).or_default();
            let theirs = lines.iter().filter(|line| line.seller == share.seller);
            let delivered = theirs.filter(|line| line.delivered).count() as u64;
            seller.delivered += delivered;
            seller.earned_cents += share.cents;
            if delivered < u64::from(share.packages) {
                seller.open += 1;
                seller.open_cents += share.cents;
            }
        }
    }

    fn check_order(
        &mut self,
        key: &Key,
        details: &OrderDetails,
        payment: &Payment,
        shipment: Option<&Consignment>,
    ) {
        let OrderDetails { order, lines } = details;
        let said = || format!("{key}: {order:?}, {payment:?}, {shipment:?}");
        let violations = &mut self.violations;
        let delivered = lines.iter().filter(|line| line.delivered).count() as u32;
        let cents: i64 = lines.iter().map(|line| line.cents).sum();
        let adds_up = (order.lines, order.delivered) == (lines.len() as u32, delivered);
        let adds_up = adds_up && order.cents == cents && !lines.is_empty();
        violations.unless(adds_up, "an order unlike its lines", said);
        let (paid, shipped) = match order.status {
            Status::Declined => (PaymentStatus::Declined, false),
            Status::Shipped if delivered < order.lines => (PaymentStatus::Paid, true),
            Status::Delivered if delivered == order.lines => (PaymentStatus::Paid, true),
            _ => return violations.unless(false, "an order left half done", said),
        };
        let payment_fits = (payment.status, payment.cents) == (paid, cents);
        violations.unless(payment_fits, "an order without its one payment", said);
        let shipment_fits = match shipment {
            None => !shipped && order.shipped_by.is_none(),
            Some(found) => {
                let of_lines = lines.iter().map(|line| (&line.seller, line.delivered));
                let of_packages = found.packages.iter().map(|p| (&p.seller, p.delivered));
                shipped && found.order == *key && of_lines.eq(of_packages)
            }
        };
        violations.unless(shipment_fits, "an order unlike its shipment", said);
    }
}

fn check_stocks(
    door: &mut dyn Door,
    names: &Names,
    initial: u64,
    offers: &[Offer],
    books: &mut Books,
) -> anyhow::Result<()> {
    let stocks: Vec<Stock> = read(door, &names.products, |key| Stock::at(key).level())?;
    for ((key, stock), offer) in names.products.iter().zip(&stocks).zip(offers) {
        let said = || format!("{key}: {stock:?}, {offer:?}");
        let violations = &mut books.violations;
        violations.unless(
            stock.reserved <= stock.quantity,
            "more reserved than there is",
            said,
        );
        violations.unless(stock.reserved == 0, "stock reserved at rest", said);
        violations.unless(
            stock.version == offer.version,
            "a stock of another version",
            said,
        );
        let sold = books.sold.get(key).copied().unwrap_or_default();
        let adds_up = initial.checked_sub(stock.quantity) == Some(sold);
        violations.unless(adds_up, "stock unlike what was sold", || {
            format!("{key}: {} of {initial} left, {sold} sold", stock.quantity)
        });
    }
    Ok(())
}

fn check_customers(door: &mut dyn Door, names: &Names, books: &mut Books) -> anyhow::Result<()> {
    let customers = read(door, &names.customers, |key| Customer::at(key).details())?;
    for (key, customer) in names.customers.iter().zip(customers) {
        let expected = books.customers.remove(key).unwrap_or_default();
        books
            .violations
            .unless(customer == expected, "a customer unlike the orders", || {
                format!("{key}: {customer:?}, not {expected:?}")
            });
    }
    Ok(())
}

fn check_sellers(door: &mut dyn Door, names: &Names, books: &mut Books) -> anyhow::Result<()> {
    let dashboards: Vec<Dashboard> = read(door, &names.sellers, |key| Seller::at(key).dashboard())?;
    for (key, Dashboard { seller, orders }) in names.sellers.iter().zip(dashboards) {
        let expected = books.sellers.remove(key).unwrap_or_default();
        books
            .violations
            .unless(seller == expected, "a seller unlike the orders", || {
                format!("{key}: {seller:?}, not {expected:?}")
            });
        let listed = (
            orders.len() as u64,
            orders.iter().map(|(_, order)| order.cents).sum::<i64>(),
        );
        let adds_up = listed == (seller.open, seller.open_cents);
        books
            .violations
            .unless(adds_up, "a dashboard unlike its list", || {
                format!("{key}: {seller:?}, its list comes to {listed:?}")
            });
    }
    Ok(())
}

/// Gives how many packages each depot delivered.
fn check_depots(door: &mut dyn Door, names: &Names, books: &mut Books) -> anyhow::Result<Vec<u64>> {
    let depots: Vec<Shipment> = read(door, &names.depots, |key| Shipment::at(key).counters())?;
    for (key, depot) in names.depots.iter().zip(&depots) {
        let expected = books.depots.remove(key).unwrap_or_default();
        books
            .violations
            .unless(*depot == expected, "a depot unlike the orders", || {
                format!("{key}: {depot:?}, not {expected:?}")
            });
    }
    Ok(depots.iter().map(|depot| depot.delivered).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordain_example_marketplace::Package;

    fn key(text: &str) -> Key {
        Key::new(text).expect("a key")
    }

    /// A paid order of one line, on its way.
    fn order() -> (OrderDetails, Payment, Consignment) {
        let line = sale::Line {
            product: key("p"),
            seller: key("s"),
            quantity: 2,
            cents: 10,
            delivered: false,
        };
        let order = Order {
            status: Status::Shipped,
            customer: Some(key("c")),
            cents: 10,
            lines: 1,
            shipped_by: Some(ShippedBy {
                depot: key("d"),
                number: 1,
            }),
            ..Order::default()
        };
        let package = Package {
            seller: key("s"),
            delivered: false,
        };
        let shipment = Consignment {
            order: key("c.1"),
            customer: key("c"),
            packages: vec![package],
        };
        let payment = Payment {
            status: PaymentStatus::Paid,
            cents: 10,
        };
        (
            OrderDetails {
                order,
                lines: vec![line],
            },
            payment,
            shipment,
        )
    }

    type Parts = (OrderDetails, Payment, Consignment);

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Parts), expected: &[&str]) {
        let mut parts = order();
        spoil(&mut parts);
        let mut books = Books::default();
        books.enter(&key("c.1"), &parts.0, &parts.1, Some(&parts.2));
        let kinds: Vec<_> = books.violations.kinds().collect();
        assert_eq!(kinds, expected);
    }

    #[test]
    fn an_order_is_held_against_its_parts() {
        check(|_| {}, &[]);
        check(
            |parts| parts.0.order.status = Status::Paid,
            &["an order left half done"],
        );
        check(
            |parts| parts.0.order.status = Status::Delivered,
            &["an order left half done"],
        );
        check(
            |parts| parts.1.cents = 9,
            &["an order without its one payment"],
        );
        check(
            |parts| parts.1.status = PaymentStatus::None,
            &["an order without its one payment"],
        );
        check(
            |parts| parts.2.packages.clear(),
            &["an order unlike its shipment"],
        );
        check(
            |parts| parts.2.packages[0].delivered = true,
            &["an order unlike its shipment"],
        );
        check(
            |parts| parts.2.order = key("c.2"),
            &["an order unlike its shipment"],
        );
        check(
            |parts| parts.0.order.delivered = 1,
            &["an order unlike its lines"],
        );
        check(
            |parts| parts.0.order.lines = 2,
            &["an order unlike its lines"],
        );
    }
}
