// Tests of {{name}}.ts, on a node in memory with virtual time: `ordain test`.
import { assertEquals, test } from "ordain/test";

test("a transfer moves money", (t) => {
  t.call("account", "alice", "deposit", { amount: 10 });
  t.call("bank", "main", "transfer", { from: "alice", to: "bob", amount: 3 });
  assertEquals(t.query("account", "alice", "balance", {}), 7);
  assertEquals(t.query("account", "bob", "balance", {}), 3);
});

test("what an account does not have stays where it is", (t) => {
  t.call("account", "alice", "deposit", { amount: 10 });
  const transfer = () => t.call("bank", "main", "transfer", { from: "alice", to: "bob", amount: 11 });
  t.expectRejection("insufficient_funds", transfer);
  assertEquals(t.query("account", "alice", "balance", {}), 10);
});
