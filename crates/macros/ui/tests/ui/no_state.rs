#![allow(unused)]

use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn touch(cx: &mut Context) -> Result<()> {
        cx.state_mut().balance = 1;
        Ok(())
    }
}

fn main() {}
