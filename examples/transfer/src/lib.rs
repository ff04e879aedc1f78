//! Accounts and transfers between them: the smallest Ordain application that has a transaction over
//! two entities.
//!
//! It is also the `transfer` workload of the bench (the transactional form of YCSB known as YCSB-T).
//! Knows accounts; knows nothing of disks, networks or locks, for a method is written as if it ran
//! alone.

use ordain::prelude::*;

/// What there is to call: all that `main`, the bench and the tests are given.
pub fn entities() -> Entities {
    entities![Account, Bank]
}

// Built for WebAssembly, the crate is a module to deploy.
ordain::export!(entities(), reuse = cfg!(feature = "reuse"));

/// The state of one account, addressed as `account/alice`. Before its first write it is the default:
/// an account that no one has used has a balance of 0.
///
/// Money is counted in whole units of the smallest coin, as an integer.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Never negative.
    pub balance: i64,
}

#[entity]
impl Account {
    /// Puts money in; gives the new balance.
    ///
    /// It needs nothing but its own state, so it takes `&mut self` and nothing else.
    pub fn deposit(&mut self, amount: i64) -> Result<i64> {
        check_amount(amount)?;
        match self.balance.checked_add(amount) {
            Some(balance) => self.balance = balance,
            None => reject!(
                "balance_too_large",
                "no account holds {amount} more than it has"
            ),
        }
        Ok(self.balance)
    }

    /// Takes money out; gives the new balance. Rejects what the account does not have.
    pub fn withdraw(&mut self, amount: i64) -> Result<i64> {
        check_amount(amount)?;
        ensure!(
            self.balance >= amount,
            "insufficient_funds",
            "balance is {}, less than {amount}",
            self.balance
        );
        self.balance -= amount;
        Ok(self.balance)
    }

    /// Moves money from this account to another; gives this one's new balance.
    ///
    /// It calls another entity, so it takes a context. `Context<Self>` reaches its own state as well,
    /// and lends it no longer than until the next use of the context: were `to` this same account, the
    /// inner `deposit` would see what was written here, and what it writes would be kept.
    pub fn transfer(cx: &mut Context<Self>, to: Key, amount: i64) -> Result<i64> {
        // A method is an ordinary function: called like this, on the state, it is no call of its own.
        cx.state_mut().withdraw(amount)?;
        // If this rejects, `?` rejects the transfer too, and the withdrawal is undone with it.
        cx.entity::<Account>(&to).deposit(amount)?;
        Ok(cx.state().balance)
    }

    /// What is in it. A query cannot write: `&mut self` would not compile here.
    #[query]
    pub fn balance(&self) -> Result<i64> {
        Ok(self.balance)
    }
}

/// Something without a state of its own that acts on others: `bank/main`, or any other key.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Bank;

#[entity]
impl Bank {
    /// Moves money between two accounts.
    pub fn transfer(cx: &mut Context, from: Key, to: Key, amount: i64) -> Result<()> {
        cx.entity::<Account>(&from).withdraw(amount)?;
        cx.entity::<Account>(&to).deposit(amount)?; // either both happen or neither
        Ok(())
    }

    /// Moves money to `to` from the first of `sources` that has enough; gives which it was.
    ///
    /// A rejection is a value like any other: who catches it goes on, and what the rejected call did
    /// is undone.
    pub fn collect(cx: &mut Context, sources: Vec<Key>, to: Key, amount: i64) -> Result<Key> {
        for from in sources {
            match cx.entity::<Account>(&from).withdraw(amount) {
                Ok(_) => {
                    cx.entity::<Account>(&to).deposit(amount)?;
                    return Ok(from);
                }
                Err(rejection) if rejection.code == "insufficient_funds" => continue,
                Err(rejection) => return Err(rejection),
            }
        }
        reject!("insufficient_funds", "none of them has {amount}")
    }

    /// What is in all of these, at one moment: a query sees one state of everything.
    #[query]
    pub fn total(cx: &mut QueryContext, accounts: Vec<Key>) -> Result<i64> {
        let mut total = 0;
        for account in &accounts {
            total += cx.entity::<Account>(account).balance()?;
        }
        Ok(total)
    }
}

/// Any function may be shared by methods; only those in an `#[entity]` block can be called from outside.
fn check_amount(amount: i64) -> Result<()> {
    ensure!(
        amount > 0,
        "bad_amount",
        "the amount is {amount}, but must be more than 0"
    );
    Ok(())
}
