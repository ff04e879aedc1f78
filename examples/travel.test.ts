// The travel agency on a node in memory: what a search finds, that a reservation takes both or nothing, and
// that its order is placed once.

import { assert, assertEquals, test, type Test } from "ordain/test";

const origin = { lat: 0, lon: 0 };

/** Eight hotels in a row, each 10 further east, better and dearer; two rooms in `h1`, one seat on `f1`. */
function agency(t: Test) {
  for (let n = 1; n <= 8; n++) {
    const listing = { hotel: `h${n}`, place: { lat: 0, lon: n * 10 }, rating: n, cents: n * 100 };
    t.call("region", "bay", "list", { listing });
    const profile = { name: `h${n}`, phone: "555", address: "1 Quay", description: "by the water" };
    t.call("hotel", `h${n}`, "describe", { profile, rates: [{ room: "double", cents: n * 100 }] });
  }
  t.call("rooms", "h1", "open", { places: 2 });
  t.call("flight", "f1", "open", { places: 1 });
  t.call("traveler", "alice", "register", { digest: "d1" });
}

function reserve(t: Test) {
  return t.call("traveler", "alice", "reserve", { hotel: "h1", flight: "f1" });
}

function vacancies(t: Test) {
  return [t.query("rooms", "h1", "vacancy", {}), t.query("flight", "f1", "vacancy", {})];
}

test("a search finds the nearest", (t) => {
  agency(t);
  const found = t.query("region", "bay", "search", { place: { lat: 0, lon: 38 } });
  assertEquals(found.map(({ hotel }: { hotel: string }) => hotel), ["h4", "h3", "h5", "h2", "h6"]);
  assertEquals(found[0].profile.name, "h4");
  assertEquals(found[0].rates, [{ room: "double", cents: 400 }]);
  assertEquals(t.query("region", "desert", "search", { place: origin }), []);
});

test("the best are recommended", (t) => {
  agency(t);
  const recommend = (by: string, place: { lat: number; lon: number }) => t.query("region", "bay", "recommend", { by, place });
  assertEquals(recommend("distance", { lat: 5, lon: 45 }), ["h4", "h5"]);
  assertEquals(recommend("rating", origin), ["h8"]);
  assertEquals(recommend("price", origin), ["h1"]);
  t.expectRejection("bad_place", () => recommend("price", { lat: 9_000_001, lon: 0 }));
});

test("a hotel listed anew is there once", (t) => {
  agency(t);
  const listing = { hotel: "h1", place: origin, rating: 50, cents: 1 };
  assertEquals(t.call("region", "bay", "list", { listing }), 8);
  assertEquals(t.query("region", "bay", "recommend", { by: "rating", place: origin }), ["h1"]);
});

test("a reservation takes both or nothing", (t) => {
  agency(t);
  const name = reserve(t);
  const after = [{ left: 1, taken: 1 }, { left: 0, taken: 1 }];
  assertEquals(vacancies(t), after);
  // A room is left, and is taken first: that is undone when no seat is.
  t.expectRejection("sold_out", () => reserve(t));
  assertEquals(vacancies(t), after);
  t.advance("1s");
  assertEquals(t.query("itinerary", "alice", "count", {}), 1);
  const page = t.query("itinerary", "alice", "page", { after: null });
  assertEquals(page.map(([reservation, { hotel, flight }]: [string, { hotel: string; flight: string }]) => [reservation, hotel, flight]), [[name, "h1", "f1"]]);
  t.expectRejection("placed", () => t.call("itinerary", "alice", "place", { reservation: name, hotel: "h1", flight: "f1" }));
});

test("orders come by pages", (t) => {
  const name = (n: number) => `r${String(n).padStart(5, "0")}`;
  for (let n = 0; n < 1_003; n++) t.call("itinerary", "bob", "place", { reservation: name(n), hotel: "h", flight: "f" });
  const page = (after: string | null) =>
    t.query("itinerary", "bob", "page", { after }).map(([reservation]: [string]) => reservation);
  const first = page(null);
  assertEquals(first.length, 1_000);
  assertEquals(page(first[999]), [name(1_000), name(1_001), name(1_002)]);
});

test("who is not registered reserves nothing", (t) => {
  agency(t);
  t.expectRejection("no_traveler", () => t.call("traveler", "bob", "reserve", { hotel: "h1", flight: "f1" }));
  const login = (who: string, digest: string) => t.query("traveler", who, "login", { digest });
  assert(login("alice", "d1"));
  assert(!login("alice", "d2"));
  assert(!login("bob", ""));
  t.expectRejection("registered", () => t.call("traveler", "alice", "register", { digest: "d3" }));
  t.expectRejection("bad_digest", () => t.call("traveler", "bob", "register", { digest: "" }));
});

test("what is in use is not opened again", (t) => {
  agency(t);
  t.expectRejection("in_use", () => t.call("rooms", "h1", "open", { places: 5 }));
  t.expectRejection("in_use", () => t.call("flight", "f1", "open", { places: 5 }));
  t.expectRejection("no_hotel", () => t.query("hotel", "h9", "profile", {}));
});
