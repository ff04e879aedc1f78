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

    #[query]
    fn assigns(&self) -> Result<()> {
        self.balance = 1;
        Ok(())
    }

    #[query]
    fn calls_an_update(cx: &mut QueryContext<Self>, other: Key) -> Result<i64> {
        cx.entity::<Account>(&other).deposit(1)
    }

    #[query]
    fn writes_its_state(cx: &mut QueryContext<Self>) -> Result<()> {
        cx.state_mut().balance = 1;
        Ok(())
    }

    #[query]
    fn writes_a_field(cx: &mut QueryContext<Self>) -> Result<()> {
        cx.field("x").put(&1);
        Ok(())
    }

    #[query]
    fn sends(cx: &mut QueryContext<Self>, other: Key) -> Result<()> {
        cx.send(Account::at(other).deposit(1));
        Ok(())
    }
}

fn main() {}
