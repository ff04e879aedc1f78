// The marketplace on a node in memory: a checkout from cart to doorstep, what refuses it, and what everyone
// was told.

import { assert, assertEquals, test, type Test } from "ordain/test";

const rich = { limit_cents: 1_000_000 };

/** Two sellers: `acme` has `lamp` (10.00) and `rug` (20.00), `bolt` has `nut` (0.50); 10 of each. */
function market(t: Test) {
  for (const [key, seller, cents] of [["lamp", "acme", 1_000], ["rug", "acme", 2_000], ["nut", "bolt", 50]] as const) {
    t.call("product", key, "list", { seller, cents, quantity: 10 });
  }
}

function fill(t: Test, customer: string, ...wishes: [product: string, quantity: number][]) {
  const wish = ([product, quantity]: [string, number]) => ({ product, quantity, voucher_cents: 0 });
  return t.call("cart", customer, "fill", { wishes: wishes.map(wish) });
}

function checkout(t: Test, customer: string, card = rich) {
  return t.call("cart", customer, "checkout", { card });
}

function stock(t: Test, key: string) {
  const { quantity, reserved } = t.query("stock", key, "level", {});
  return [quantity, reserved];
}

function seller(t: Test, key: string) {
  const { seller, orders } = t.query("seller", key, "dashboard", {});
  assertEquals(seller.open_cents, orders.reduce((sum: number, [, { cents }]: [string, { cents: number }]) => sum + cents, 0));
  assertEquals(seller.open, orders.length);
  return seller;
}

test("a checkout reaches everyone", (t) => {
  market(t);
  fill(t, "alice", ["lamp", 2], ["rug", 1], ["nut", 4]);
  const receipt = checkout(t, "alice");
  assertEquals(receipt, { order: "alice.1", paid: true, cents: 4_200, lines: 3, missing: [] });
  const { order, lines } = t.query("order", "alice.1", "details", {});
  assertEquals(order.status, "Shipped");
  assertEquals(lines.map(({ cents }: { cents: number }) => cents), [2_000, 2_000, 200]);
  assertEquals(t.query("payment", "alice.1", "details", {}), { status: "Paid", cents: 4_200 });
  const { depot, number } = order.shipped_by;
  assertEquals(t.query("shipment", depot, "find", { number }).packages.length, 3);
  assertEquals([stock(t, "lamp"), stock(t, "nut")], [[8, 0], [6, 0]]);
  const { open, open_cents, earned_cents } = seller(t, "acme");
  assertEquals([open, open_cents, earned_cents], [1, 4_000, 4_000]);
  const { paid, spent_cents } = t.query("customer", "alice", "details", {});
  assertEquals([paid, spent_cents], [1, 4_200]);
  assertEquals(t.query("cart", "alice", "contents", {}).items, []);
});

test("vouchers come off a line but make it no gift", (t) => {
  market(t);
  for (const [voucher_cents, costs] of [[30, 70], [500, 0]]) {
    t.call("cart", "alice", "fill", { wishes: [{ product: "nut", quantity: 2, voucher_cents }] });
    assertEquals(checkout(t, "alice").cents, costs);
  }
});

test("a declined payment gives the stock back", (t) => {
  market(t);
  fill(t, "alice", ["lamp", 2], ["nut", 1]);
  assert(!checkout(t, "alice", { limit_cents: 2_049 }).paid);
  const { order } = t.query("order", "alice.1", "details", {});
  assertEquals([order.status, order.shipped_by], ["Declined", null]);
  assertEquals([stock(t, "lamp"), stock(t, "nut")], [[10, 0], [10, 0]]);
  assertEquals(seller(t, "acme"), { open: 0, open_cents: 0, earned_cents: 0, delivered: 0 });
  const { paid, declined } = t.query("customer", "alice", "details", {});
  assertEquals([paid, declined], [0, 1]);
});

test("what is not to be had is left out", (t) => {
  market(t);
  fill(t, "alice", ["lamp", 11], ["rug", 1], ["nut", 1]);
  assertEquals(t.call("product", "rug", "replace", {}), 2);
  assertEquals(t.query("stock", "rug", "level", {}).version, 2);
  const { lines, missing } = checkout(t, "alice");
  assertEquals([lines, missing], [1, ["lamp", "rug"]]);
  fill(t, "bob", ["lamp", 11]);
  t.expectRejection("nothing_available", () => checkout(t, "bob"));
  const { items, orders } = t.query("cart", "bob", "contents", {});
  assertEquals([items.length, orders], [1, 0], "as if it was not asked for");
});

test("deliveries take each seller's oldest package", (t) => {
  market(t);
  fill(t, "alice", ["lamp", 1], ["rug", 1], ["nut", 1]);
  checkout(t, "alice");
  fill(t, "alice", ["nut", 1]);
  checkout(t, "alice");
  const order = (name: string) => t.query("order", name, "details", {}).order;
  const { depot } = order("alice.1").shipped_by;
  const deliver = () => t.call("shipment", depot, "deliver", {});
  // Acme's lamp and bolt's nut, both of the first order; then acme's rug, and bolt's nut of the second.
  assertEquals(deliver(), 2);
  assertEquals([order("alice.1").delivered, order("alice.2").delivered], [2, 0]);
  assertEquals(deliver(), 2);
  assertEquals([order("alice.1").status, order("alice.2").status], ["Delivered", "Delivered"]);
  assertEquals([deliver(), seller(t, "acme").open, seller(t, "bolt").open], [0, 0, 0]);
  assertEquals(t.query("shipment", depot, "counters", {}), { shipments: 2, open: 0, delivered: 4 });
  assert(t.query("shipment", depot, "find", { number: 1 }).packages.every(({ delivered }: { delivered: boolean }) => delivered));
  assertEquals(t.query("customer", "alice", "details", {}).delivered, 4);
});

test("prices reach the carts that hold the product", (t) => {
  market(t);
  // More carts than one transaction tells.
  const carts = Array.from({ length: 250 }, (_, n) => `c${n}`);
  for (const cart of carts) fill(t, cart, ["lamp", 1], ["nut", 1]);
  for (const cents of [1_100, 1_200, 1_300]) t.call("product", "lamp", "set_price", { cents });
  t.advance("1s");
  for (const cart of carts) {
    const { items, prices_missed } = t.query("cart", cart, "contents", {});
    assertEquals([items.map(({ price }: { price: { cents: number } }) => price.cents), prices_missed], [[1_300, 50], 0]);
  }
});

test("carts are checked", (t) => {
  market(t);
  t.expectRejection("cart_size", () => fill(t, "alice"));
  t.expectRejection("bad_quantity", () => fill(t, "alice", ["lamp", 0]));
  t.expectRejection("item_twice", () => fill(t, "alice", ["lamp", 1], ["lamp", 1]));
  t.expectRejection("no_product", () => fill(t, "alice", ["sofa", 1]));
  t.expectRejection("cart_empty", () => checkout(t, "alice"));
  t.expectRejection("listed", () => t.call("product", "lamp", "list", { seller: "acme", cents: 1, quantity: 1 }));
  t.expectRejection("bad_price", () => t.call("product", "lamp", "set_price", { cents: 0 }));
});
