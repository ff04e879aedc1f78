//! The probe's entities tell what happened, and when.

use std::time::Duration;

use ordain::{Key, TestNode};
use ordain_example_probe::{Counter, List, Lists, Op, Timer, entities};

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn append(list: &str, value: u64) -> Op {
    Op::Append {
        key: key(list),
        value,
    }
}

fn read(list: &str) -> Op {
    Op::Read { key: key(list) }
}

#[test]
fn a_transaction_over_lists_tells_what_it_read() {
    let node = TestNode::new(entities());
    let seen = node
        .call(Lists::at("all").apply(vec![
            append("a", 1),
            read("a"),
            append("a", 2),
            append("b", 3),
            read("b"),
        ]))
        .unwrap();
    assert_eq!(seen, [None, Some(vec![1]), None, None, Some(vec![3])]);
    let both = Lists::at("all").read(vec![key("a"), key("b")]);
    assert_eq!(node.query(both).unwrap(), [vec![1, 2], vec![3]]);
    assert_eq!(node.query(List::at("a").read()).unwrap(), [1, 2]);
}

#[test]
fn a_counter_counts() {
    let node = TestNode::new(entities());
    assert_eq!(node.call(Counter::at("a").add()).unwrap(), 1);
    assert_eq!(node.call(Counter::at("a").add()).unwrap(), 2);
    assert_eq!(node.query(Counter::at("a").count()).unwrap(), 2);
}

#[test]
fn a_timer_tells_when_its_sends_arrived() {
    let node = TestNode::new(entities());
    let set = node.call(Timer::at("t").set(7, 500)).unwrap();
    node.advance(Duration::from_millis(499));
    assert_eq!(node.query(Timer::at("t").told()).unwrap().fired, []);
    node.advance(Duration::from_millis(1));
    let told = node.query(Timer::at("t").told()).unwrap();
    let [fired] = &told.fired[..] else {
        panic!("it arrived once: {told:?}")
    };
    assert_eq!((fired.number, fired.set, fired.delay_ms), (7, set, 500));
    assert!(fired.now.0 >= set.0 + 500);
    assert_eq!((told.set, told.went_back), (1, 0));
}
