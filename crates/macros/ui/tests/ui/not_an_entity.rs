#![allow(unused)]

use ordain::prelude::*;

struct Plain;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Account;

#[entity]
impl Account {
    fn go(cx: &mut Context) -> Result<()> {
        cx.entity::<Plain>("a");
        cx.entity::<Account>(5);
        Ok(())
    }
}

fn main() {}
