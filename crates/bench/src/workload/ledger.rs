//! What clients were told happened, to be held against what did: each acknowledged transaction is
//! there exactly once, and nothing else is.

use std::collections::BTreeSet;

/// What was acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The numbers of each customer's orders, as receipts named them.
    orders: Vec<Vec<u64>>,
    /// Price changes of each product.
    pub prices: Vec<u64>,
    /// Replacements of each product.
    pub versions: Vec<u64>,
    /// Packages delivered by each depot.
    pub delivered: Vec<u64>,
    /// Updates of one thing without an answer: each may have happened or not.
    pub unanswered: u64,
    /// Deliveries of each depot without an answer: each may have delivered any number of packages, or none.
    pub unanswered_deliveries: Vec<u64>,
}

/// What the data says happened.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// How many orders each customer has; they are numbered from 1.
    pub orders: Vec<u64>,
    /// Price changes of each product.
    pub prices: Vec<u64>,
    /// Replacements of each product.
    pub versions: Vec<u64>,
    /// Packages delivered by each depot.
    pub delivered: Vec<u64>,
}

/// How the two differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Acknowledged, and not there.
    pub lost: u64,
    /// There, and neither acknowledged nor among what was not answered: it happened twice, or no one asked for it.
    pub more: u64,
}

impl Ledger {
    /// Nothing was acknowledged yet.
    pub fn new(customers: usize, products: usize, depots: usize) -> Self {
        Self {
            orders: vec![Vec::new(); customers],
            prices: vec![0; products],
            versions: vec![0; products],
            delivered: vec![0; depots],
            unanswered: 0,
            unanswered_deliveries: vec![0; depots],
        }
    }

    /// Updates without an answer, of whatever.
    pub fn all_unanswered(&self) -> u64 {
        self.unanswered + self.unanswered_deliveries.iter().sum::<u64>()
    }

    /// A checkout of that customer was acknowledged with an order of this name, `customer.number`.
    ///
    /// # Errors
    /// If that is no order's name.
    pub fn ordered(&mut self, customer: usize, order: &str) -> anyhow::Result<()> {
        let number = order
            .rsplit_once('.')
            .and_then(|(_, number)| number.parse().ok());
        let number = number.ok_or_else(|| anyhow::anyhow!("`{order}` names no order"))?;
        self.orders[customer].push(number);
        Ok(())
    }

    /// How what was found differs from what was acknowledged.
    pub fn compare(&self, found: &Found) -> Difference {
        let mut difference = Difference::default();
        for (told, &there) in self.orders.iter().zip(&found.orders) {
            let there_and_told: BTreeSet<_> = told
                .iter()
                .filter(|number| (1..=there).contains(*number))
                .collect();
            // Two receipts for one order: one of the two checkouts is lost.
            difference.lost += (told.len() - there_and_told.len()) as u64;
            difference.more += there - there_and_told.len() as u64;
        }
        let counted = [
            (&self.prices, &found.prices),
            (&self.versions, &found.versions),
        ];
        for (told, there) in counted {
            for (told, there) in told.iter().zip(there) {
                difference.lost += told.saturating_sub(*there);
                difference.more += there.saturating_sub(*told);
            }
        }
        difference.more = difference.more.saturating_sub(self.unanswered);
        let deliveries = self.delivered.iter().zip(&found.delivered);
        for ((told, there), unanswered) in deliveries.zip(&self.unanswered_deliveries) {
            difference.lost += told.saturating_sub(*there);
            if *unanswered == 0 {
                difference.more += there.saturating_sub(*told);
            }
        }
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(orders: &[&str]) -> Ledger {
        let mut ledger = Ledger::new(2, 1, 1);
        for order in orders {
            ledger
                .ordered(usize::from(order.starts_with('b')), order)
                .expect("a name");
        }
        ledger
    }

    fn found(a: u64, b: u64) -> Found {
        Found {
            orders: vec![a, b],
            prices: vec![0],
            versions: vec![0],
            delivered: vec![0],
        }
    }

    #[track_caller]
    fn check(orders: &[&str], found: Found, lost: u64, more: u64) {
        assert_eq!(ledger(orders).compare(&found), Difference { lost, more });
    }

    #[test]
    fn orders_are_there_exactly_once() {
        check(&[], found(0, 0), 0, 0);
        check(&["a.2", "a.1", "b.1"], found(2, 1), 0, 0);
        check(&["a.1", "a.2", "b.1"], found(1, 1), 1, 0);
        check(&["a.1"], found(1, 1), 0, 1);
        check(&["a.1", "a.3"], found(3, 0), 0, 1);
        check(&["a.1", "a.1"], found(1, 0), 1, 0);
        check(&["a.1", "a.1"], found(2, 0), 1, 1);
    }

    #[test]
    fn counts_are_held_against_each_other() {
        let mut ledger = ledger(&[]);
        (ledger.prices[0], ledger.versions[0], ledger.delivered[0]) = (5, 2, 7);
        let found = Found {
            prices: vec![4],
            versions: vec![2],
            delivered: vec![9],
            ..found(0, 0)
        };
        assert_eq!(ledger.compare(&found), Difference { lost: 1, more: 2 });
    }

    #[test]
    fn what_was_not_answered_may_have_happened() {
        let mut ledger = ledger(&[]);
        ledger.unanswered = 1;
        let prices = |prices, delivered| Found {
            prices: vec![prices],
            delivered: vec![delivered],
            ..found(0, 0)
        };
        let more = |ledger: &Ledger, found| ledger.compare(&found).more;
        assert_eq!(more(&ledger, prices(1, 0)), 0);
        assert_eq!(more(&ledger, prices(2, 0)), 1);
        assert_eq!(more(&ledger, prices(0, 9)), 9, "no delivery was unanswered");
        // One delivery is many packages, and nothing but packages.
        ledger.unanswered_deliveries[0] = 1;
        assert_eq!(more(&ledger, prices(1, 9)), 0);
        assert_eq!(more(&ledger, prices(2, 9)), 1);
        assert_eq!(ledger.all_unanswered(), 2);
    }

    #[test]
    fn a_receipt_names_its_order() {
        assert!(ledger(&[]).ordered(0, "a").is_err());
        assert!(ledger(&[]).ordered(0, "a.x").is_err());
    }
}
