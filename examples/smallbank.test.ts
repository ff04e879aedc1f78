// SmallBank on a node in memory: each procedure, and that money stays.

import { assertEquals, test, type Test } from "ordain/test";

const customer = "bank_customer";

function open(t: Test) {
  for (const key of ["a", "b", "c"]) t.call(customer, key, "open", { checking: 100, savings: 50 });
}

function values(t: Test, key: string) {
  const { checking, savings } = t.query(customer, key, "values", {});
  return [checking, savings];
}

test("multi_transfer pays all or none", (t) => {
  open(t);
  const destinations = ["b", "c"];
  const pay = (amount: number) => t.call(customer, "a", "multi_transfer", { destinations, amount });
  assertEquals(pay(10), 80);
  assertEquals([values(t, "b"), values(t, "c")], [[110, 50], [110, 50]]);
  t.expectRejection("insufficient_funds", () => pay(41));
  t.expectRejection("bad_amount", () => pay(Number.MAX_SAFE_INTEGER));
  // `b` is paid before `c`, who is full, refuses: that payment is undone as well.
  t.call(customer, "c", "deposit_checking", { amount: Number.MAX_SAFE_INTEGER - 110 });
  t.expectRejection("too_large", () => pay(1));
  assertEquals([values(t, "a"), values(t, "b")], [[80, 50], [110, 50]]);
});

test("the classic procedures", (t) => {
  open(t);
  assertEquals(t.query(customer, "a", "balance", {}), 150);
  assertEquals(t.call(customer, "a", "deposit_checking", { amount: 5 }), 105);
  assertEquals(t.call(customer, "a", "transact_savings", { amount: -50 }), 0);
  t.expectRejection("insufficient_funds", () => t.call(customer, "a", "transact_savings", { amount: -1 }));
  assertEquals(t.call(customer, "a", "send_payment", { to: "b", amount: 5 }), 100);
  t.expectRejection("insufficient_funds", () => t.call(customer, "a", "send_payment", { to: "b", amount: 101 }));
  assertEquals(t.call(customer, "b", "amalgamate", { to: "c" }), 155);
  assertEquals([values(t, "b"), values(t, "c")], [[0, 0], [255, 50]]);
});

test("a check that is not covered costs a penalty", (t) => {
  open(t);
  assertEquals(t.call(customer, "a", "write_check", { amount: 150 }), 150);
  assertEquals(values(t, "a"), [-50, 50]);
  assertEquals(t.call(customer, "a", "write_check", { amount: 1 }), 2);
  assertEquals(values(t, "a"), [-52, 50]);
  t.expectRejection("insufficient_funds", () => t.call(customer, "a", "amalgamate", { to: "b" }));
});

test("an account is opened once", (t) => {
  open(t);
  t.expectRejection("in_use", () => t.call(customer, "a", "open", { checking: 1, savings: 1 }));
});
