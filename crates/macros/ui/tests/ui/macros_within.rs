use ordain::prelude::*;

#[derive(Default, Clone, Serialize, Deserialize)]
struct Counter {
    count: u32,
}

macro_rules! add {
    ($name:ident, $by:literal) => {
        fn $name(&mut self) -> Result<u32> {
            self.count += $by;
            Ok(self.count)
        }
    };
}

#[entity]
impl Counter {
    add!(add_one, 1);
    add! { add_two, 2 }

    #[query]
    fn count(&self) -> Result<u32> {
        Ok(self.count)
    }
}

fn main() {}
