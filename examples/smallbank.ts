// SmallBank: customers with a checking and a savings value each, and seven ways to move money. The same as
// examples/smallbank in Rust, method by method.
//
// The six classic procedures are those of Alomari, Cahill, Fekete and Röhm, "The Cost of Serializability on
// Platforms That Use Snapshot Isolation" (ICDE 2008); `multi_transfer` is the one that the actor-transaction
// literature measures. Each is one strictly serializable transaction, written as if it ran alone.

import { entity, query, reject, type Context, type QueryContext } from "ordain";

/** `checking` may become negative by a check, and in no other way; `savings` never. */
type Customer = { checking: number; savings: number };

/** One customer's money: `bank_customer/00042`. */
export const bank_customer = entity({ checking: 0, savings: 0 } as Customer, {
  /** Gives both values a start. An account that is in use is not opened again. */
  open(cx: Context<Customer>, { checking, savings }: Customer) {
    if (cx.state.checking !== 0 || cx.state.savings !== 0) {
      reject("in_use", "there is money in this account already");
    }
    checkAmount(checking);
    checkAmount(savings);
    cx.state.checking = checking;
    cx.state.savings = savings;
  },

  /**
   * Pays `amount` to each of `destinations`; gives what is left. One destination that refuses, or too little
   * money: nothing happens at all.
   */
  multi_transfer(cx: Context<Customer>, { destinations, amount }: { destinations: string[]; amount: number }) {
    checkAmount(amount);
    const total = amount * destinations.length;
    if (!Number.isSafeInteger(total)) {
      reject("bad_amount", `${amount} to ${destinations.length} customers is too much`);
    }
    takeChecking(cx.state, total);
    for (const destination of destinations) {
      cx.call("bank_customer", destination).deposit_checking({ amount });
    }
    return cx.state.checking;
  },

  /** Classic: puts `amount` into checking; gives the new value. */
  deposit_checking(cx: Context<Customer>, { amount }: { amount: number }) {
    checkAmount(amount);
    return (cx.state.checking = sum(cx.state.checking, amount));
  },

  /** Classic: adds `amount`, which may be negative, to savings; gives the new value. */
  transact_savings(cx: Context<Customer>, { amount }: { amount: number }) {
    const savings = sum(cx.state.savings, amount);
    if (savings < 0) reject("insufficient_funds", `savings are ${cx.state.savings}`);
    return (cx.state.savings = savings);
  },

  /** Classic: moves all of this customer's money into another's checking; gives how much. */
  amalgamate(cx: Context<Customer>, { to }: { to: string }) {
    const amount = sum(cx.state.checking, cx.state.savings);
    if (amount < 0) reject("insufficient_funds", `the customer owes ${-amount}`);
    cx.state.checking = 0;
    cx.state.savings = 0;
    cx.call("bank_customer", to).deposit_checking({ amount });
    return amount;
  },

  /**
   * Classic: cashes a check against both values; one that is not covered is paid all the same and costs a
   * penalty of 1. Gives what was taken.
   */
  write_check(cx: Context<Customer>, { amount }: { amount: number }) {
    checkAmount(amount);
    const covered = sum(cx.state.checking, cx.state.savings) >= amount;
    const taken = covered ? amount : sum(amount, 1);
    cx.state.checking = sum(cx.state.checking, -taken);
    return taken;
  },

  /** Classic: pays another customer from checking to checking; gives what is left. */
  send_payment(cx: Context<Customer>, { to, amount }: { to: string; amount: number }) {
    checkAmount(amount);
    takeChecking(cx.state, amount);
    cx.call("bank_customer", to).deposit_checking({ amount });
    return cx.state.checking;
  },

  /** Classic: what the customer has in all. */
  balance: query((cx: QueryContext<Customer>) => sum(cx.state.checking, cx.state.savings)),

  /** Both values. */
  values: query((cx: QueryContext<Customer>) => cx.state),
});

function takeChecking(state: Customer, amount: number) {
  if (state.checking < amount) {
    reject("insufficient_funds", `checking is ${state.checking}, less than ${amount}`);
  }
  state.checking -= amount;
}

function checkAmount(amount: number) {
  if (!Number.isSafeInteger(amount) || amount < 0) {
    reject("bad_amount", `the amount is ${amount}, but must be a whole number and not negative`);
  }
}

/** Beyond the numbers that are exact, a sum is an answer here and no rounding. */
function sum(a: number, b: number) {
  if (!Number.isSafeInteger(a + b)) reject("too_large", `${a} and ${b} are too much`);
  return a + b;
}
