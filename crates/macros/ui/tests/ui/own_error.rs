#![allow(unused)]

use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn parse(&mut self, text: String) -> std::result::Result<i64, std::num::ParseIntError> {
        text.parse()
    }
}

fn main() {}
