#![allow(unused)]

use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn deposit(&mut self, amount: i64) -> Result<i64> {
        self.balance += amount;
        Ok(self.balance)
    }

    fn pay(cx: &mut Context<Self>, to: Key, amount: i64) -> Result<()> {
        let me = cx.state_mut();
        cx.entity::<Account>(&to).deposit(amount)?;
        me.balance -= amount;
        Ok(())
    }
}

fn main() {}
