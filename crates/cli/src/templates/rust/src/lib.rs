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
        ensure!(
            amount > 0,
            "bad_amount",
            "an amount is positive, not {amount}"
        );
        self.balance += amount;
        Ok(self.balance)
    }

    fn withdraw(&mut self, amount: i64) -> Result<i64> {
        ensure!(
            self.balance >= amount,
            "insufficient_funds",
            "balance is {}",
            self.balance
        );
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

#[cfg(test)]
mod tests {
    use ordain::{CallError, TestNode};

    use super::*;

    #[test]
    fn a_transfer_moves_money_or_does_nothing() {
        let node = TestNode::new(entities![Account, Bank]);
        node.call(Account::at("alice").deposit(10)).unwrap();
        let [alice, bob]: [Key; 2] = ["alice", "bob"].map(|key| key.parse().unwrap());
        let transfer = |amount| Bank::at("main").transfer(alice.clone(), bob.clone(), amount);
        node.call(transfer(3)).unwrap();
        assert_eq!(node.query(Account::at("bob").balance()).unwrap(), 3);

        let Err(CallError::Rejected(no)) = node.call(transfer(8)) else {
            panic!("alice has 7");
        };
        assert_eq!(no.code, "insufficient_funds");
        assert_eq!(node.query(Account::at("alice").balance()).unwrap(), 7);
    }
}
