//! SmallBank through a node in memory: each procedure, and that money stays.

use ordain::prelude::*;
use ordain::{CallError, TestNode};
use ordain_example_smallbank::{Customer, entities};

fn node() -> TestNode {
    let node = TestNode::new(entities());
    for customer in ["a", "b", "c"] {
        node.call(Customer::at(customer).open(100, 50))
            .expect("a new account");
    }
    node
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn values(node: &TestNode, customer: &str) -> (i64, i64) {
    let Customer { checking, savings } =
        node.query(Customer::at(customer).values()).expect("values");
    (checking, savings)
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) {
    match result {
        Err(CallError::Rejected(rejection)) => assert_eq!(rejection.code, code),
        other => panic!("{other:?} instead of {code}"),
    }
}

#[test]
fn multi_transfer_pays_all_or_none() {
    let node = node();
    let both = || ["b", "c"].map(key).to_vec();
    assert_eq!(
        node.call(Customer::at("a").multi_transfer(both(), 10)),
        Ok(80)
    );
    assert_eq!(
        (values(&node, "b"), values(&node, "c")),
        ((110, 50), (110, 50))
    );
    rejected(
        node.call(Customer::at("a").multi_transfer(both(), 41)),
        "insufficient_funds",
    );
    rejected(
        node.call(Customer::at("a").multi_transfer(both(), i64::MAX)),
        "bad_amount",
    );
    // `b` is paid before `c`, who is full, refuses: that payment is undone as well.
    node.call(Customer::at("c").deposit_checking(i64::MAX - 110))
        .expect("a deposit");
    rejected(
        node.call(Customer::at("a").multi_transfer(both(), 1)),
        "too_large",
    );
    assert_eq!(
        (values(&node, "a"), values(&node, "b")),
        ((80, 50), (110, 50))
    );
}

#[test]
fn the_classic_procedures() {
    let node = node();
    assert_eq!(node.query(Customer::at("a").balance()), Ok(150));
    assert_eq!(node.call(Customer::at("a").deposit_checking(5)), Ok(105));
    assert_eq!(node.call(Customer::at("a").transact_savings(-50)), Ok(0));
    rejected(
        node.call(Customer::at("a").transact_savings(-1)),
        "insufficient_funds",
    );
    assert_eq!(
        node.call(Customer::at("a").send_payment(key("b"), 5)),
        Ok(100)
    );
    rejected(
        node.call(Customer::at("a").send_payment(key("b"), 101)),
        "insufficient_funds",
    );
    assert_eq!(node.call(Customer::at("b").amalgamate(key("c"))), Ok(155));
    assert_eq!(values(&node, "b"), (0, 0));
    assert_eq!(values(&node, "c"), (255, 50));
}

#[test]
fn a_check_that_is_not_covered_costs_a_penalty() {
    let node = node();
    assert_eq!(node.call(Customer::at("a").write_check(150)), Ok(150));
    assert_eq!(values(&node, "a"), (-50, 50));
    assert_eq!(node.call(Customer::at("a").write_check(1)), Ok(2));
    assert_eq!(values(&node, "a"), (-52, 50));
    rejected(
        node.call(Customer::at("a").amalgamate(key("b"))),
        "insufficient_funds",
    );
}

#[test]
fn an_account_is_opened_once() {
    rejected(node().call(Customer::at("a").open(1, 1)), "in_use");
}
