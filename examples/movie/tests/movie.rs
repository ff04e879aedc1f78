//! Movie reviews through a node in memory: a review is in both lists once, and one that is refused is
//! nowhere.

use ordain::prelude::*;
use ordain::{CallError, TestNode};
use ordain_example_movie::{
    Composer, Heading, Movie, MovieReviews, MovieUser, PAGE_MAX, Review, Stars, TEXT_MAX,
    UserReviews, entities,
};

/// `alice` is `u1`, `bob` is `u2`; `metropolis` is `m1`.
fn node() -> TestNode {
    let node = TestNode::new(entities());
    for (name, id) in [("alice", "u1"), ("bob", "u2")] {
        node.call(MovieUser::at(name).register(key(id)))
            .expect("a name");
    }
    node.call(Movie::at("metropolis").release(key("m1")))
        .expect("a title");
    node
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn compose(
    node: &TestNode,
    user: &str,
    title: &str,
    text: &str,
    rating: u32,
) -> Result<Key, CallError> {
    let composer = Composer::at("main");
    node.call(composer.compose_review(key(user), key(title), text.into(), rating))
}

fn of_user(node: &TestNode, id: &str) -> Vec<Key> {
    node.query(UserReviews::at(id).page(0)).expect("a page")
}

fn of_movie(node: &TestNode, id: &str) -> Vec<Key> {
    node.query(MovieReviews::at(id).page(0)).expect("a page")
}

#[track_caller]
fn rejected<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) {
    match result {
        Err(CallError::Rejected(rejection)) => assert_eq!(rejection.code, code),
        other => panic!("{other:?} instead of {code}"),
    }
}

#[test]
fn a_review_is_in_both_lists_once() {
    let node = node();
    let first = compose(&node, "alice", "metropolis", "a city", 9).expect("a review");
    let second = compose(&node, "bob", "metropolis", "", 0).expect("a review");
    assert_ne!(first, second);
    assert_eq!(of_user(&node, "u1"), std::slice::from_ref(&first));
    assert_eq!(of_user(&node, "u2"), std::slice::from_ref(&second));
    assert_eq!(of_movie(&node, "m1"), [first.clone(), second]);
    let stars = node.query(MovieReviews::at("m1").stars());
    assert_eq!(
        stars,
        Ok(Stars {
            reviews: 2,
            ratings: 9
        })
    );
    let review: Review = node.query(Review::at(&first).details()).expect("a review");
    assert_eq!((review.text.as_str(), review.rating), ("a city", Some(9)));
    let heading = node.query(Review::at(&first).heading()).expect("a heading");
    let Some(Heading { user, movie, .. }) = heading else {
        panic!("the review is composed")
    };
    assert_eq!((user, movie), (key("u1"), key("m1")));
}

#[test]
fn a_review_that_is_refused_is_nowhere() {
    let node = node();
    let long = "ä".repeat(TEXT_MAX + 1);
    rejected(
        compose(&node, "alice", "metropolis", &long, 1),
        "text_too_long",
    );
    rejected(compose(&node, "alice", "metropolis", "", 11), "bad_rating");
    rejected(compose(&node, "alice", "m", "", 1), "no_movie");
    rejected(compose(&node, "carol", "metropolis", "", 1), "no_user");
    assert!(of_user(&node, "u1").is_empty() && of_movie(&node, "m1").is_empty());
    compose(&node, "alice", "metropolis", &long[2..], 10).expect("that many characters fit");
    assert_eq!(of_user(&node, "u1").len(), 1);
}

#[test]
fn a_review_is_composed_once_and_of_all_its_parts() {
    let node = node();
    let name = compose(&node, "alice", "metropolis", "a city", 9).expect("a review");
    rejected(node.call(Review::at(&name).compose()), "composed");
    rejected(node.call(Review::at(&name).rates(1)), "composed");
    node.call(Review::at("draft").rates(1)).expect("a part");
    rejected(node.call(Review::at("draft").compose()), "incomplete");
    assert_eq!(node.query(Review::at("draft").heading()), Ok(None));
    assert_eq!(of_movie(&node, "m1").len(), 1);
}

#[test]
fn names_are_taken_once() {
    let node = node();
    rejected(
        node.call(MovieUser::at("alice").register(key("u3"))),
        "registered",
    );
    rejected(
        node.call(Movie::at("metropolis").release(key("m2"))),
        "released",
    );
}

#[test]
fn lists_come_by_pages() {
    let node = node();
    let name = |number: usize| key(&format!("r{number}"));
    for number in 1..=PAGE_MAX + 2 {
        let append = UserReviews::at("u1").append(name(number));
        assert_eq!(node.call(append), Ok(number as u64));
    }
    assert_eq!(of_user(&node, "u1").len(), PAGE_MAX);
    let rest = node.query(UserReviews::at("u1").page(PAGE_MAX as u64));
    assert_eq!(rest, Ok(vec![name(PAGE_MAX + 1), name(PAGE_MAX + 2)]));
    let count = node.query(UserReviews::at("u1").count());
    assert_eq!(count, Ok(PAGE_MAX as u64 + 2));
    let (node, _) = node.crash();
    assert_eq!(node.query(UserReviews::at("u1").count()), count);
}
