#![deny(unused_must_use)]

use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn deposit(&mut self, amount: i64) -> Result<()> {
        self.balance += amount;
        Ok(())
    }

    fn pass_on(cx: &mut Context<Self>, to: Key, amount: i64) -> Result<()> {
        cx.state_mut().balance -= amount;
        Account::at(&to).deposit(amount);
        Ok(())
    }
}

fn main() {}
