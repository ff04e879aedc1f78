// A small bank. Each account is an entity: a state of its own, addressed by a key such as
// `account/alice`. A call is one transaction, with everything it calls: all of it happens, or nothing.
import { entity, query, reject } from "ordain";

export const account = entity({ balance: 0 }, {
  deposit(cx, { amount }: { amount: number }) {
    if (amount <= 0) reject("bad_amount", `an amount is positive, not ${amount}`);
    return (cx.state.balance += amount);
  },

  withdraw(cx, { amount }: { amount: number }) {
    if (cx.state.balance < amount) {
      reject("insufficient_funds", `balance is ${cx.state.balance}`, { balance: cx.state.balance });
    }
    return (cx.state.balance -= amount);
  },

  balance: query((cx) => cx.state.balance),
});

export const bank = entity({ transfers: 0 }, {
  transfer(cx, { from, to, amount }: { from: string; to: string; amount: number }) {
    cx.call(account, from).withdraw({ amount });
    cx.call(account, to).deposit({ amount }); // a rejection here undoes the withdrawal as well
    return (cx.state.transfers += 1);
  },
});
