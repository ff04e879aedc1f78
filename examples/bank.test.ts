// The bank on a node in memory: `ordain test examples/bank.ts`.

import { assertEquals, test } from "ordain/test";

test("a transfer moves money", (t) => {
  t.call("account", "alice", "deposit", { amount: 100 });
  assertEquals(t.call("account", "alice", "transfer", { to: "bob", amount: 30 }), 70);
  t.call("bank", "main", "transfer", { from: "bob", to: "carol", amount: 10 });
  assertEquals(t.query("account", "bob", "balance", {}), 20);
  assertEquals(t.query("bank", "main", "total", { accounts: ["alice", "bob", "carol"] }), 100);
});

test("a rejected transfer does nothing", (t) => {
  t.call("account", "alice", "deposit", { amount: 100 });
  t.expectRejection("insufficient_funds", () => t.call("account", "alice", "transfer", { to: "bob", amount: 101 }));
  for (const amount of [0, -5, 0.5]) {
    t.expectRejection("bad_amount", () => t.call("account", "alice", "transfer", { to: "bob", amount }));
  }
  t.call("account", "full", "deposit", { amount: Number.MAX_SAFE_INTEGER });
  t.expectRejection("balance_too_large", () => t.call("account", "alice", "transfer", { to: "full", amount: 1 }));
  assertEquals(t.query("account", "alice", "balance", {}), 100);
  assertEquals(t.query("account", "bob", "balance", {}), 0);
});

test("a transfer to oneself changes nothing", (t) => {
  t.call("account", "alice", "deposit", { amount: 100 });
  assertEquals(t.call("account", "alice", "transfer", { to: "alice", amount: 60 }), 100);
});

test("a caught rejection lets the caller go on", (t) => {
  t.call("account", "alice", "deposit", { amount: 100 });
  const sources = ["empty", "alice"];
  assertEquals(t.call("bank", "main", "collect", { sources, to: "bob", amount: 40 }), "alice");
  assertEquals(t.query("account", "bob", "balance", {}), 40);
  t.expectRejection("insufficient_funds", () => t.call("bank", "main", "collect", { sources, to: "bob", amount: 61 }));
});
