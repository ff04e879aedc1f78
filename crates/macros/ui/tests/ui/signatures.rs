#![allow(unused)]

use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn no_result(&mut self) {}

    fn no_result_but_a_value(&self, amount: i64) -> Option<Vec<i64>> {
        Some(vec![amount])
    }

    fn takes_itself(self) -> Result<()> {
        Ok(())
    }

    fn reads_but_is_no_query(&self) -> Result<i64> {
        Ok(self.balance)
    }

    #[query]
    fn writes_but_is_a_query(&mut self) -> Result<()> {
        Ok(())
    }

    fn generic<T>(&mut self, value: T) -> Result<()> {
        Ok(())
    }

    async fn later(&mut self) -> Result<()> {
        Ok(())
    }

    fn at(&mut self) -> Result<()> {
        Ok(())
    }

    fn Shout(&mut self) -> Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn sometimes(&mut self) -> Result<()> {
        Ok(())
    }

    fn helper(amount: i64) -> i64 {
        amount * 2
    }
}

fn main() {}
