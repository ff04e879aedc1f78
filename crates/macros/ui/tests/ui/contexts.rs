#![allow(unused)]

use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    #[query]
    fn may_write(&self, cx: &mut Context) -> Result<()> {
        Ok(())
    }

    fn may_not_write(&mut self, cx: &mut QueryContext) -> Result<()> {
        Ok(())
    }

    fn moved(cx: Context<Self>) -> Result<()> {
        Ok(())
    }

    fn state_twice(&mut self, cx: &mut Context<Self>) -> Result<()> {
        Ok(())
    }

    fn of_another(cx: &mut Context<String>) -> Result<()> {
        Ok(())
    }

    fn late(&mut self, amount: i64, cx: &mut Context) -> Result<()> {
        Ok(())
    }
}

fn main() {}
