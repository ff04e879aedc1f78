use ordain::prelude::*;

#[derive(Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    #[query]
    fn balance(&self) -> Result<i64> {
        Ok(self.balance)
    }
}

fn main() {}
