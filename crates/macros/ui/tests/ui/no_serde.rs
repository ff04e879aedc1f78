#![allow(unused)]

use ordain::prelude::*;

struct Receipt;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn deposit(&mut self, amount: i64, receipt: Receipt) -> Result<()> {
        Ok(())
    }

    fn withdraw(&mut self, amount: i64) -> Result<Receipt> {
        Ok(Receipt)
    }
}

fn main() {}
