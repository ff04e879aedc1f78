// Movie reviews on a node in memory: a review is in both lists once, and one that is refused is nowhere.

import { assert, assertEquals, test, type Test } from "ordain/test";

function names(t: Test) {
  t.call("movie_user", "alice", "register", { id: "u1" });
  t.call("movie_user", "bob", "register", { id: "u2" });
  t.call("movie", "metropolis", "release", { id: "m1" });
}

function compose(t: Test, user: string, title: string, text: string, rating: number) {
  return t.call("composer", "main", "compose_review", { user, title, text, rating });
}

const ofUser = (t: Test, id: string) => t.query("user_reviews", id, "page", { after: 0 });
const ofMovie = (t: Test, id: string) => t.query("movie_reviews", id, "page", { after: 0 });

test("a review is in both lists once", (t) => {
  names(t);
  const first = compose(t, "alice", "metropolis", "a city", 9);
  const second = compose(t, "bob", "metropolis", "", 0);
  assert(first !== second);
  assertEquals(ofUser(t, "u1"), [first]);
  assertEquals(ofUser(t, "u2"), [second]);
  assertEquals(ofMovie(t, "m1"), [first, second]);
  assertEquals(t.query("movie_reviews", "m1", "stars", {}), { reviews: 2, ratings: 9 });
  assertEquals(t.query("review", first, "details", {}).text, "a city");
  const { user, movie, rating } = t.query("review", first, "heading", {});
  assertEquals([user, movie, rating], ["u1", "m1", 9]);
});

test("a review that is refused is nowhere", (t) => {
  names(t);
  const long = "ä".repeat(257);
  t.expectRejection("text_too_long", () => compose(t, "alice", "metropolis", long, 1));
  t.expectRejection("bad_rating", () => compose(t, "alice", "metropolis", "", 11));
  t.expectRejection("no_movie", () => compose(t, "alice", "m", "", 1));
  t.expectRejection("no_user", () => compose(t, "carol", "metropolis", "", 1));
  assertEquals([ofUser(t, "u1"), ofMovie(t, "m1")], [[], []]);
  compose(t, "alice", "metropolis", long.slice(1), 10);
  assertEquals(ofUser(t, "u1").length, 1);
});

test("a review is composed once and of all its parts", (t) => {
  names(t);
  const name = compose(t, "alice", "metropolis", "a city", 9);
  t.expectRejection("composed", () => t.call("review", name, "compose", {}));
  t.expectRejection("composed", () => t.call("review", name, "rates", { rating: 1 }));
  t.call("review", "draft", "rates", { rating: 1 });
  t.expectRejection("incomplete", () => t.call("review", "draft", "compose", {}));
  assertEquals(t.query("review", "draft", "heading", {}), null);
});

test("names are taken once", (t) => {
  names(t);
  t.expectRejection("registered", () => t.call("movie_user", "alice", "register", { id: "u3" }));
  t.expectRejection("released", () => t.call("movie", "metropolis", "release", { id: "m2" }));
});

test("lists come by pages", (t) => {
  for (let n = 1; n <= 1_002; n++) assertEquals(t.call("user_reviews", "u1", "append", { review: `r${n}` }), n);
  assertEquals(ofUser(t, "u1").length, 1_000);
  assertEquals(t.query("user_reviews", "u1", "page", { after: 1_000 }), ["r1001", "r1002"]);
  assertEquals(t.query("user_reviews", "u1", "count", {}), 1_002);
});
