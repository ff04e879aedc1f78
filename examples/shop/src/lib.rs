//! What is in stock.

use ordain::prelude::*;

/// The state of one kind of item, addressed as `stock/tea`.
#[derive(Default, Clone, Serialize, Deserialize)]
pub struct Stock {
    /// How many there are.
    pub available: u32,
}

#[entity]
impl Stock {
    /// Puts items on the shelf; gives how many there are.
    pub fn add(&mut self, count: u32) -> Result<u32> {
        self.available += count;
        Ok(self.available)
    }

    /// Takes items off the shelf; says no if there are too few.
    pub fn take(&mut self, count: u32) -> Result<u32> {
        let left = self.available;
        ensure!(left >= count, "out_of_stock", "only {left} left");
        self.available -= count;
        Ok(self.available)
    }
}

/// All that can be called.
pub fn entities() -> Entities {
    entities![Stock]
}

#[cfg(test)]
mod tests {
    use ordain::{CallError, TestNode};

    use super::*;

    #[test]
    fn nothing_is_taken_that_is_not_there() {
        let node = TestNode::new(entities());
        assert_eq!(node.call(Stock::at("tea").add(3)), Ok(3));

        let Err(CallError::Rejected(no)) = node.call(Stock::at("tea").take(4)) else {
            panic!("four were taken of three");
        };
        assert_eq!(no.code, "out_of_stock");

        let (node, recovered) = node.crash(); // as kill -9 would
        assert!(recovered.replayed > 0);
        assert_eq!(node.state::<Stock>("stock/tea").unwrap().available, 3);
    }
}
