#![allow(unused)]

use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[entity]
impl Account {
    fn pattern(&mut self, (a, b): (i64, i64)) -> Result<()> {
        Ok(())
    }

    fn text(&mut self, name: &str) -> Result<()> {
        Ok(())
    }

    fn list(&mut self, names: &[String]) -> Result<()> {
        Ok(())
    }

    fn inside(&mut self, name: Option<&'static str>) -> Result<()> {
        Ok(())
    }

    fn any(&mut self, key: impl ToString) -> Result<()> {
        Ok(())
    }

    fn unordered(&mut self, stock: std::collections::HashMap<String, u32>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
