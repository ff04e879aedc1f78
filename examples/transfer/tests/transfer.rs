//! The transfer application through a node in memory.

use ordain::prelude::*;
use ordain::{CallError, TestNode};
use ordain_example_transfer::{Account, Bank, entities};

fn node() -> TestNode {
    let node = TestNode::new(entities());
    assert_eq!(node.call(Account::at("alice").deposit(100)), Ok(100));
    node
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn balance(node: &TestNode, account: &str) -> i64 {
    node.query(Account::at(account).balance())
        .expect("a balance")
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) {
    match result {
        Err(CallError::Rejected(rejection)) => assert_eq!(rejection.code, code),
        other => panic!("{other:?} instead of {code}"),
    }
}

#[test]
fn money_moves() {
    let node = node();
    assert_eq!(
        node.call(Account::at("alice").transfer(key("bob"), 30)),
        Ok(70)
    );
    node.call(Bank::at("main").transfer(key("bob"), key("carol"), 10))
        .expect("a transfer");
    assert_eq!((balance(&node, "bob"), balance(&node, "carol")), (20, 10));
    let all = ["alice", "bob", "carol"].map(key).to_vec();
    assert_eq!(node.query(Bank::at("main").total(all)), Ok(100));
}

#[test]
fn a_rejected_transfer_does_nothing() {
    let node = node();
    rejected(
        node.call(Account::at("alice").transfer(key("bob"), 101)),
        "insufficient_funds",
    );
    rejected(
        node.call(Account::at("alice").transfer(key("bob"), 0)),
        "bad_amount",
    );
    rejected(
        node.call(Bank::at("main").transfer(key("alice"), key("bob"), -5)),
        "bad_amount",
    );
    assert_eq!(
        node.call(Account::at("full").deposit(i64::MAX)),
        Ok(i64::MAX)
    );
    rejected(
        node.call(Account::at("alice").transfer(key("full"), 1)),
        "balance_too_large",
    );
    assert_eq!((balance(&node, "alice"), balance(&node, "bob")), (100, 0));
}

#[test]
fn a_transfer_to_oneself_changes_nothing() {
    let node = node();
    assert_eq!(
        node.call(Account::at("alice").transfer(key("alice"), 60)),
        Ok(100)
    );
}

#[test]
fn a_caught_rejection_lets_the_caller_go_on() {
    let node = node();
    let sources = ["empty", "alice"].map(key).to_vec();
    let collected = node.call(Bank::at("main").collect(sources.clone(), key("bob"), 40));
    assert_eq!(collected, Ok(key("alice")));
    assert_eq!((balance(&node, "empty"), balance(&node, "bob")), (0, 40));
    rejected(
        node.call(Bank::at("main").collect(sources, key("bob"), 61)),
        "insufficient_funds",
    );
}

#[test]
fn balances_survive_a_crash() {
    let node = node();
    node.call(Account::at("alice").transfer(key("bob"), 30))
        .expect("a transfer");
    let (node, _) = node.crash();
    assert_eq!((balance(&node, "alice"), balance(&node, "bob")), (70, 30));
}
