// Retwis on a node in memory: whom one follows, what one writes, and what a timeline shows.

import { assertEquals, test, type Test } from "ordain/test";

const user = "retwis_user";
const post = (t: Test, key: string, text: string) => t.call(user, key, "post", { text });

function timeline(t: Test, key: string) {
  return t.query(user, key, "timeline", {}).map(({ author, post }: { author: string; post: { text: string } }) => `${author}: ${post.text}`);
}

test("a timeline is of those who are followed", (t) => {
  t.call(user, "alice", "follow", { users: ["bob", "carol"] });
  for (const [author, text] of [["bob", "one"], ["carol", "two"], ["dave", "three"], ["bob", "four"]]) {
    post(t, author, text);
    t.advance("1s");
  }
  assertEquals(timeline(t, "alice"), ["bob: four", "carol: two", "bob: one"]);
  assertEquals(timeline(t, "bob"), []);
  assertEquals(t.call(user, "alice", "unfollow", { user: "bob" }), 1);
  assertEquals(timeline(t, "alice"), ["carol: two"]);
});

test("a timeline shows the latest and no more", (t) => {
  t.call(user, "alice", "follow", { users: ["bob"] });
  // All of them may be of one moment: then their numbers order them.
  for (let n = 1; n <= 15; n++) assertEquals(post(t, "bob", String(n)), n);
  const shown = timeline(t, "alice");
  assertEquals([shown.length, shown[0], shown[9]], [10, "bob: 15", "bob: 6"]);
});

test("following again changes nothing", (t) => {
  const follow = (users: string[]) => t.call(user, "alice", "follow", { users });
  assertEquals(follow(["bob", "bob", "carol"]), 2);
  assertEquals(follow(["carol"]), 2);
  t.expectRejection("too_many", () => follow(Array.from({ length: 1_000 }, (_, n) => `u${n}`)));
  assertEquals(t.query(user, "alice", "details", {}).followed, ["bob", "carol"]);
});

test("a post has a length", (t) => {
  t.expectRejection("bad_text", () => post(t, "bob", ""));
  t.expectRejection("bad_text", () => post(t, "bob", "ß".repeat(141)));
  assertEquals(post(t, "bob", "ß".repeat(140)), 1);
});

test("posts are numbered and come by pages", (t) => {
  for (let n = 1; n <= 1_002; n++) assertEquals(post(t, "bob", "x"), n);
  const page = (after: number) => t.query(user, "bob", "page", { after }).map(({ number }: { number: number }) => number);
  assertEquals([page(0).length, page(1_000), page(2_000)], [1_000, [1_001, 1_002], []]);
});
