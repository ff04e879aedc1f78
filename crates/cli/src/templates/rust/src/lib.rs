//! A small bank. Each account is an entity: a state of its own, addressed by a key such as
//! `account/alice`. A call is one transaction, with everything it calls: all of it happens, or nothing.

use ordain::prelude::*;

/// The state of one account; before its first write it is the default.
#[derive(Default, Clone, Serialize, Deserialize)]
pub struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn deposit(&mut self, amount: i64) -> Result<i64> {
        ensure!(amount > 0, "bad_amount", "an amount is positive, not {amount}");
        self.balance += amount;
        Ok(self.balance)
    }

    fn withdraw(&mut self, amount: i64) -> Result<i64> {
        ensure!(self.balance >= amount, "insufficient_funds", "balance is {}", self.balance);
        self.balance -= amount;
        Ok(self.balance)
    }

    #[query]
    fn balance(&self) -> Result<i64> {
        Ok(self.balance)
    }
}

/// Transfers.
#[derive(Default, Clone, Serialize, Deserialize)]
pub struct Bank;

#[entity]
impl Bank {
    fn transfer(cx: &mut Context, from: Key, to: Key, amount: i64) -> Result<()> {
        cx.entity::<Account>(&from).withdraw(amount)?;
        cx.entity::<Account>(&to).deposit(amount)?; // a rejection here undoes the withdrawal as well
        Ok(())
    }
}

ordain::export!(entities![Account, Bank]);
