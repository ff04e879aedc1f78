//! SmallBank: customers with a checking and a savings value each, and seven ways to move money.
//!
//! The six classic procedures are those of Alomari, Cahill, Fekete and Röhm, "The Cost of
//! Serializability on Platforms That Use Snapshot Isolation" (ICDE 2008); `multi_transfer` is the one
//! that the actor-transaction literature measures. Under weaker isolation these procedures break the
//! bank; here each is one strictly serializable transaction, written as if it ran alone.

use ordain::prelude::*;

/// What there is to call.
pub fn entities() -> Entities {
    entities![Customer]
}

// Built for WebAssembly, the crate is a module to deploy.
ordain::export!(entities());

/// One customer's money: `bank_customer/00042`. Named apart, for the marketplace in the same program
/// has customers of its own.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// May become negative by a check ([`Customer::write_check`]), and in no other way.
    pub checking: i64,
    /// Never negative.
    pub savings: i64,
}

#[entity(name = "bank_customer")]
impl Customer {
    /// Gives both values a start. An account that is in use is not opened again.
    pub fn open(&mut self, checking: i64, savings: i64) -> Result<()> {
        ensure!(
            *self == Customer::default(),
            "in_use",
            "there is money in this account already"
        );
        check_amount(checking)?;
        check_amount(savings)?;
        *self = Customer { checking, savings };
        Ok(())
    }

    /// Pays `amount` to each of `destinations`; gives what is left. One destination too many, one that
    /// refuses, or too little money: nothing happens at all.
    ///
    /// The state is reached through the context and not held over the calls, so that a customer may
    /// be among the destinations.
    pub fn multi_transfer(
        cx: &mut Context<Self>,
        destinations: Vec<Key>,
        amount: i64,
    ) -> Result<i64> {
        check_amount(amount)?;
        let Some(total) = amount.checked_mul(destinations.len() as i64) else {
            reject!(
                "bad_amount",
                "{amount} to {} customers is too much",
                destinations.len()
            );
        };
        cx.state_mut().take_checking(total)?;
        for destination in &destinations {
            cx.entity::<Customer>(destination)
                .deposit_checking(amount)?;
        }
        Ok(cx.state().checking)
    }

    /// Classic: puts `amount` into checking; gives the new value.
    pub fn deposit_checking(&mut self, amount: i64) -> Result<i64> {
        check_amount(amount)?;
        self.checking = sum(self.checking, amount)?;
        Ok(self.checking)
    }

    /// Classic: adds `amount`, which may be negative, to savings; gives the new value.
    pub fn transact_savings(&mut self, amount: i64) -> Result<i64> {
        let savings = sum(self.savings, amount)?;
        ensure!(
            savings >= 0,
            "insufficient_funds",
            "savings are {}",
            self.savings
        );
        self.savings = savings;
        Ok(savings)
    }

    /// Classic: moves all of this customer's money into another's checking; gives how much.
    pub fn amalgamate(cx: &mut Context<Self>, to: Key) -> Result<i64> {
        let all = std::mem::take(cx.state_mut());
        let amount = sum(all.checking, all.savings)?;
        ensure!(
            amount >= 0,
            "insufficient_funds",
            "the customer owes {}",
            -amount
        );
        cx.entity::<Customer>(&to).deposit_checking(amount)?;
        Ok(amount)
    }

    /// Classic: cashes a check against both values; one that is not covered is paid all the same and
    /// costs a penalty of 1. Gives what was taken.
    pub fn write_check(&mut self, amount: i64) -> Result<i64> {
        check_amount(amount)?;
        let covered = sum(self.checking, self.savings)? >= amount;
        let taken = if covered { amount } else { sum(amount, 1)? };
        self.checking = sum(self.checking, -taken)?;
        Ok(taken)
    }

    /// Classic: pays another customer from checking to checking; gives what is left.
    pub fn send_payment(cx: &mut Context<Self>, to: Key, amount: i64) -> Result<i64> {
        check_amount(amount)?;
        cx.state_mut().take_checking(amount)?;
        cx.entity::<Customer>(&to).deposit_checking(amount)?;
        Ok(cx.state().checking)
    }

    /// Classic: what the customer has in all.
    #[query]
    pub fn balance(&self) -> Result<i64> {
        sum(self.checking, self.savings)
    }

    /// Both values.
    #[query]
    pub fn values(&self) -> Result<Customer> {
        Ok(self.clone())
    }
}

// Functions in a block of their own are for the methods; no one calls them from outside.
impl Customer {
    fn take_checking(&mut self, amount: i64) -> Result<()> {
        ensure!(
            self.checking >= amount,
            "insufficient_funds",
            "checking is {}, less than {amount}",
            self.checking
        );
        self.checking -= amount;
        Ok(())
    }
}

fn check_amount(amount: i64) -> Result<()> {
    ensure!(
        amount >= 0,
        "bad_amount",
        "the amount is {amount}, but must not be negative"
    );
    Ok(())
}

/// Overflow is an answer here, not a crash.
fn sum(a: i64, b: i64) -> Result<i64> {
    a.checked_add(b)
        .ok_or_else(|| Rejection::new("too_large", format!("{a} and {b} are too much")))
}
