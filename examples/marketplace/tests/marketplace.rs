//! The marketplace through a node in memory: a checkout from cart to doorstep, what refuses it, and
//! what everyone was told.

use ordain::prelude::*;
use ordain::{CallError, TestNode};
use ordain_example_marketplace::{
    Card, Cart, Customer, DEPOTS, Order, OrderDetails, Payment, PaymentStatus, Product, Receipt,
    Seller, Shipment, Status, Stock, Wish, depot, depot_of, entities,
};

const RICH: Card = Card {
    limit_cents: 1_000_000,
};

/// Two sellers: `acme` has `lamp` (10.00) and `rug` (20.00), `bolt` has `nut` (0.50); 10 of each.
fn node() -> TestNode {
    let node = TestNode::new(entities());
    for (product, seller, cents) in [
        ("lamp", "acme", 1_000),
        ("rug", "acme", 2_000),
        ("nut", "bolt", 50),
    ] {
        node.call(Product::at(product).list(key(seller), cents, 10))
            .expect("a product");
    }
    node
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn fill(node: &TestNode, customer: &str, wishes: &[(&str, u32)]) -> Result<usize, CallError> {
    let wish = |&(product, quantity): &(&str, u32)| Wish {
        product: key(product),
        quantity,
        voucher_cents: 0,
    };
    node.call(Cart::at(customer).fill(wishes.iter().map(wish).collect()))
}

fn buy(node: &TestNode, customer: &str, wishes: &[(&str, u32)]) -> Receipt {
    fill(node, customer, wishes).expect("a cart");
    node.call(Cart::at(customer).checkout(RICH))
        .expect("a receipt")
}

fn order(node: &TestNode, name: &str) -> OrderDetails {
    node.query(Order::at(name).details()).expect("an order")
}

fn seller(node: &TestNode, name: &str) -> Seller {
    let dashboard = node
        .query(Seller::at(name).dashboard())
        .expect("a dashboard");
    let sum: i64 = dashboard.orders.iter().map(|(_, order)| order.cents).sum();
    assert_eq!(dashboard.seller.open_cents, sum);
    assert_eq!(dashboard.seller.open, dashboard.orders.len() as u64);
    dashboard.seller
}

fn stock(node: &TestNode, product: &str) -> (u64, u64) {
    let stock: Stock = node.query(Stock::at(product).level()).expect("a stock");
    (stock.quantity, stock.reserved)
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) -> Rejection {
    match result {
        Err(CallError::Rejected(rejection)) if rejection.code == code => rejection,
        other => panic!("{other:?} instead of {code}"),
    }
}

#[test]
fn a_checkout_reaches_everyone_in_one_transaction() {
    let node = node();
    let receipt = buy(&node, "alice", &[("lamp", 2), ("rug", 1), ("nut", 4)]);
    let expected = Receipt {
        order: key("alice.1"),
        paid: true,
        cents: 4_200,
        lines: 3,
        missing: vec![],
    };
    assert_eq!(receipt, expected);
    let details = order(&node, "alice.1");
    assert_eq!(details.order.status, Status::Shipped);
    assert_eq!(
        details.lines.iter().map(|line| line.cents).sum::<i64>(),
        4_200
    );
    let payment: Payment = node
        .query(Payment::at("alice.1").details())
        .expect("a payment");
    assert_eq!(
        (payment.status, payment.cents),
        (PaymentStatus::Paid, 4_200)
    );
    let by = details.order.shipped_by.expect("a shipment");
    assert_eq!(by.depot.as_str(), depot_of(&key("alice")));
    let found = node
        .query(Shipment::at(by.depot).find(by.number))
        .expect("a shipment");
    assert_eq!(found.expect("a shipment").packages.len(), 3);
    assert_eq!(
        (stock(&node, "lamp"), stock(&node, "nut")),
        ((8, 0), (6, 0))
    );
    let acme = seller(&node, "acme");
    assert_eq!(
        (acme.open, acme.open_cents, acme.earned_cents),
        (1, 4_000, 4_000)
    );
    assert_eq!(seller(&node, "bolt").open_cents, 200);
    let alice: Customer = node
        .query(Customer::at("alice").details())
        .expect("a customer");
    assert_eq!((alice.paid, alice.spent_cents), (1, 4_200));
    assert!(
        node.query(Cart::at("alice").contents())
            .expect("a cart")
            .items
            .is_empty()
    );
}

#[test]
fn vouchers_come_off_a_line_but_make_it_no_gift() {
    let node = node();
    let voucher = |cents| Wish {
        product: key("nut"),
        quantity: 2,
        voucher_cents: cents,
    };
    for (off, costs) in [(30, 70), (500, 0)] {
        node.call(Cart::at("alice").fill(vec![voucher(off)]))
            .expect("a cart");
        let receipt = node
            .call(Cart::at("alice").checkout(RICH))
            .expect("a receipt");
        assert_eq!(receipt.cents, costs);
    }
}

#[test]
fn a_declined_payment_gives_the_stock_back() {
    let node = node();
    fill(&node, "alice", &[("lamp", 2), ("nut", 1)]).expect("a cart");
    let poor = Card { limit_cents: 2_049 };
    let receipt = node
        .call(Cart::at("alice").checkout(poor))
        .expect("a receipt");
    assert!(!receipt.paid);
    let Order {
        status, shipped_by, ..
    } = order(&node, "alice.1").order;
    assert_eq!((status, shipped_by), (Status::Declined, None));
    assert_eq!(
        (stock(&node, "lamp"), stock(&node, "nut")),
        ((10, 0), (10, 0))
    );
    assert_eq!(seller(&node, "acme"), Seller::default());
    let alice: Customer = node
        .query(Customer::at("alice").details())
        .expect("a customer");
    assert_eq!((alice.paid, alice.declined, alice.spent_cents), (0, 1, 0));
}

#[test]
fn what_is_not_to_be_had_is_left_out() {
    let node = node();
    fill(&node, "alice", &[("lamp", 11), ("rug", 1), ("nut", 1)]).expect("a cart");
    node.call(Product::at("rug").replace())
        .expect("a new version");
    let receipt = node
        .call(Cart::at("alice").checkout(RICH))
        .expect("a receipt");
    assert_eq!(
        (receipt.lines, receipt.missing),
        (1, vec![key("lamp"), key("rug")])
    );
    fill(&node, "bob", &[("lamp", 11)]).expect("a cart");
    let rejection = rejected(
        node.call(Cart::at("bob").checkout(RICH)),
        "nothing_available",
    );
    assert_eq!(rejection.details.expect("which"), r#"["lamp"]"#);
    let cart = node.query(Cart::at("bob").contents()).expect("a cart");
    assert_eq!(
        (cart.items.len(), cart.orders),
        (1, 0),
        "as if it was not asked for"
    );
}

#[test]
fn a_product_and_its_stock_are_replaced_together() {
    let node = node();
    assert_eq!(node.call(Product::at("lamp").replace()), Ok(2));
    assert_eq!(
        node.query(Product::at("lamp").look())
            .expect("an offer")
            .version,
        2
    );
    assert_eq!(
        node.query(Stock::at("lamp").level())
            .expect("a stock")
            .version,
        2
    );
    assert_eq!(
        buy(&node, "alice", &[("lamp", 1)]).lines,
        1,
        "a cart filled now has the new one"
    );
    rejected(node.call(Product::at("sofa").replace()), "no_product");
}

#[test]
fn deliveries_take_each_sellers_oldest_package() {
    let node = node();
    buy(&node, "alice", &[("lamp", 1), ("rug", 1), ("nut", 1)]);
    buy(&node, "alice", &[("nut", 1)]);
    let depot = depot_of(&key("alice"));
    let deliver = || node.call(Shipment::at(&depot).deliver()).expect("a round");
    assert_eq!(
        deliver(),
        2,
        "acme's lamp and bolt's nut, both of the first order"
    );
    let delivered = |name: &str| order(&node, name).order.delivered;
    assert_eq!((delivered("alice.1"), delivered("alice.2")), (2, 0));
    assert_eq!(
        (seller(&node, "acme").open, seller(&node, "bolt").open),
        (1, 1)
    );
    assert_eq!(
        deliver(),
        2,
        "acme's rug, and bolt's nut of the second order"
    );
    assert_eq!(order(&node, "alice.1").order.status, Status::Delivered);
    assert_eq!(order(&node, "alice.2").order.status, Status::Delivered);
    assert_eq!(
        (
            deliver(),
            seller(&node, "acme").open,
            seller(&node, "bolt").open
        ),
        (0, 0, 0)
    );
    let counters: Shipment = node
        .query(Shipment::at(&depot).counters())
        .expect("counters");
    assert_eq!(
        counters,
        Shipment {
            shipments: 2,
            open: 0,
            delivered: 4
        }
    );
    let found = node.query(Shipment::at(&depot).find(1)).expect("an answer");
    assert!(
        found
            .expect("kept")
            .packages
            .iter()
            .all(|package| package.delivered)
    );
    let alice: Customer = node
        .query(Customer::at("alice").details())
        .expect("a customer");
    assert_eq!(alice.delivered, 4);
}

#[test]
fn prices_reach_the_carts_that_hold_the_product() {
    let node = node();
    // More carts than one transaction tells.
    let carts: Vec<String> = (0..250).map(|n| format!("c{n}")).collect();
    for cart in &carts {
        fill(&node, cart, &[("lamp", 1), ("nut", 1)]).expect("a cart");
    }
    for cents in [1_100, 1_200, 1_300] {
        node.call(Product::at("lamp").set_price(cents))
            .expect("a price");
    }
    node.settle();
    for cart in &carts {
        let cart = node.query(Cart::at(cart).contents()).expect("a cart");
        let prices: Vec<i64> = cart.items.iter().map(|item| item.price.cents).collect();
        assert_eq!((prices, cart.prices_missed), (vec![1_300, 50], 0));
    }
    // Carts that no longer hold it are forgotten when they are next told.
    fill(&node, "c0", &[("nut", 1)]).expect("a cart");
    node.call(Product::at("lamp").set_price(900))
        .expect("a price");
    node.settle();
    assert_eq!(node.fields::<bool>("product/lamp").len(), 249);
}

#[test]
fn carts_are_checked() {
    let node = node();
    rejected(fill(&node, "alice", &[]), "cart_size");
    rejected(fill(&node, "alice", &[("lamp", 0)]), "bad_quantity");
    rejected(
        fill(&node, "alice", &[("lamp", 1), ("lamp", 1)]),
        "item_twice",
    );
    rejected(fill(&node, "alice", &[("sofa", 1)]), "no_product");
    rejected(node.call(Cart::at("alice").checkout(RICH)), "cart_empty");
    rejected(
        node.call(Product::at("lamp").list(key("acme"), 1, 1)),
        "listed",
    );
    rejected(node.call(Product::at("lamp").set_price(0)), "bad_price");
}

#[test]
fn every_customer_has_a_depot() {
    let depots: Vec<String> = (0..DEPOTS).map(depot).collect();
    for n in 0..100 {
        assert!(depots.contains(&depot_of(&key(&format!("c{n}")))));
    }
}
