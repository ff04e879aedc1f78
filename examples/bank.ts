// Accounts and transfers between them: the smallest application that has a transaction over two entities.
// The same as examples/transfer in Rust, type by type and method by method.
//
// A method runs as if it were alone. If it ends with a rejection, nothing of it happened.

import { entity, query, reject, Rejection, type Context, type QueryContext } from "ordain";

type Account = { balance: number };

/** One account, addressed as `account/alice`. Before its first write it has its default: a balance of 0. */
export const account = entity({ balance: 0 } as Account, {
  /** Puts money in; gives the new balance. */
  deposit(cx: Context<Account>, { amount }: { amount: number }) {
    checkAmount(amount);
    const balance = cx.state.balance + amount;
    // Beyond this, numbers are no longer exact.
    if (balance > Number.MAX_SAFE_INTEGER) {
      reject("balance_too_large", `no account holds ${amount} more than it has`);
    }
    return (cx.state.balance = balance);
  },

  /** Takes money out; gives the new balance. Rejects what the account does not have. */
  withdraw(cx: Context<Account>, { amount }: { amount: number }) {
    return take(cx.state, amount);
  },

  /**
   * Moves money from this account to another; gives this one's new balance. Were `to` this same account,
   * the inner `deposit` would see what was written here, and `cx.state` what it wrote.
   */
  transfer(cx: Context<Account>, { to, amount }: { to: string; amount: number }) {
    take(cx.state, amount);
    // If this rejects, so does the transfer, and the withdrawal is undone with it.
    cx.call("account", to).deposit({ amount });
    return cx.state.balance;
  },

  /** What is in it. A query cannot write. */
  balance: query((cx: QueryContext<Account>) => cx.state.balance),
});

/** Something without a state of its own that acts on others: `bank/main`, or any other key. */
export const bank = entity({}, {
  /** Moves money between two accounts: either both calls happen or neither. */
  transfer(cx: Context, { from, to, amount }: { from: string; to: string; amount: number }) {
    cx.call(account, from).withdraw({ amount });
    cx.call(account, to).deposit({ amount });
  },

  /**
   * Moves money to `to` from the first of `sources` that has enough; gives which it was. A rejection can be
   * caught; what the rejected call did is undone.
   */
  collect(cx: Context, { sources, to, amount }: { sources: string[]; to: string; amount: number }) {
    for (const from of sources) {
      try {
        cx.call(account, from).withdraw({ amount });
      } catch (rejection) {
        if (rejection instanceof Rejection && rejection.code === "insufficient_funds") continue;
        throw rejection;
      }
      cx.call(account, to).deposit({ amount });
      return from;
    }
    reject("insufficient_funds", `none of them has ${amount}`);
  },

  /** What is in all of these, at one moment. */
  total: query((cx: QueryContext, { accounts }: { accounts: string[] }) => {
    let total = 0;
    for (const key of accounts) total += cx.call(account, key).balance({});
    return total;
  }),
});

/** Any function may be shared by methods. */
function take(state: Account, amount: number) {
  checkAmount(amount);
  if (state.balance < amount) {
    reject("insufficient_funds", `balance is ${state.balance}, less than ${amount}`);
  }
  return (state.balance -= amount);
}

function checkAmount(amount: number) {
  if (!Number.isSafeInteger(amount) || amount <= 0) {
    reject("bad_amount", `the amount is ${amount}, but must be a whole number of more than 0`);
  }
}
