//! Retwis through a node in memory: whom one follows, what one writes, and what a timeline shows.

use std::time::Duration;

use ordain::prelude::*;
use ordain::{CallError, TestNode};
use ordain_example_retwis::{FOLLOWED_MAX, PAGE_MAX, TEXT_MAX, TIMELINE, User, entities};

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn follow(node: &TestNode, user: &str, others: &[&str]) -> usize {
    let others = others.iter().map(|other| key(other)).collect();
    node.call(User::at(user).follow(others))
        .expect("it follows")
}

fn post(node: &TestNode, user: &str, text: &str) -> u64 {
    node.call(User::at(user).post(text.into())).expect("a post")
}

/// Who wrote what, the latest first.
fn timeline(node: &TestNode, user: &str) -> Vec<String> {
    let entries = node.query(User::at(user).timeline()).expect("a timeline");
    let shown = |e: ordain_example_retwis::Entry| format!("{}: {}", e.author, e.post.text);
    entries.into_iter().map(shown).collect()
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) {
    match result {
        Err(CallError::Rejected(rejection)) => assert_eq!(rejection.code, code),
        other => panic!("{other:?} instead of {code}"),
    }
}

#[test]
fn a_timeline_is_of_those_who_are_followed() {
    let node = TestNode::new(entities());
    follow(&node, "alice", &["bob", "carol"]);
    for (user, text) in [
        ("bob", "one"),
        ("carol", "two"),
        ("dave", "three"),
        ("bob", "four"),
    ] {
        post(&node, user, text);
        node.advance(Duration::from_millis(1));
    }
    assert_eq!(
        timeline(&node, "alice"),
        ["bob: four", "carol: two", "bob: one"]
    );
    assert_eq!(timeline(&node, "bob"), [""; 0]);
    let left = node.call(User::at("alice").unfollow(key("bob")));
    assert_eq!(left, Ok(1));
    assert_eq!(timeline(&node, "alice"), ["carol: two"]);
}

#[test]
fn a_timeline_shows_the_latest_and_no_more() {
    let node = TestNode::new(entities());
    follow(&node, "alice", &["bob"]);
    for number in 1..=TIMELINE as u64 + 5 {
        // All of them may be of one moment: then their numbers order them.
        assert_eq!(post(&node, "bob", &number.to_string()), number);
    }
    let shown = timeline(&node, "alice");
    assert_eq!(shown.len(), TIMELINE);
    assert_eq!(
        (shown[0].as_str(), shown[9].as_str()),
        ("bob: 15", "bob: 6")
    );
}

#[test]
fn following_again_changes_nothing() {
    let node = TestNode::new(entities());
    assert_eq!(follow(&node, "alice", &["bob", "bob", "carol"]), 2);
    assert_eq!(follow(&node, "alice", &["carol"]), 2);
    let many = (0..FOLLOWED_MAX).map(|n| key(&format!("u{n}"))).collect();
    rejected(node.call(User::at("alice").follow(many)), "too_many");
    let alice = node.query(User::at("alice").details()).expect("a user");
    assert_eq!(alice.followed, ["bob", "carol"].map(key));
}

#[test]
fn a_post_has_a_length() {
    let node = TestNode::new(entities());
    rejected(node.call(User::at("bob").post(String::new())), "bad_text");
    let long = "ß".repeat(TEXT_MAX + 1);
    rejected(node.call(User::at("bob").post(long.clone())), "bad_text");
    assert_eq!(post(&node, "bob", &long[2..]), 1);
}

#[test]
fn posts_are_numbered_and_come_by_pages() {
    let node = TestNode::new(entities());
    let all = PAGE_MAX as u64 + 2;
    (1..=all).for_each(|number| assert_eq!(post(&node, "bob", "x"), number));
    let (node, _) = node.crash();
    let page = |after| {
        let posts = node.query(User::at("bob").page(after)).expect("a page");
        posts.iter().map(|post| post.number).collect::<Vec<_>>()
    };
    assert_eq!(page(0), (1..=PAGE_MAX as u64).collect::<Vec<_>>());
    assert_eq!(page(PAGE_MAX as u64), [all - 1, all]);
    assert_eq!(page(u64::MAX), [0; 0]);
}
