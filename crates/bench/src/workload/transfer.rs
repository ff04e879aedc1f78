//! Transfers between accounts: the sum of balances stays, and none is negative.

use std::sync::Arc;

use ordain::Key;
use ordain_example_transfer::Account;
use rand::RngExt;

use super::{Loading, Source, Task, Workload, keys};
use crate::answer::{Answer, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// Accounts, and how transfers choose among them.
#[derive(Debug, Clone)]
pub struct Transfer {
    keys: Arc<Vec<Key>>,
    balance: i64,
    amount_max: i64,
    from: Spread,
    to: Spread,
}

impl Transfer {
    /// The form of the stateful-dataflow literature: `from` uniform, `to` as given, small amounts.
    pub fn ycsb(accounts: usize, to: Spread) -> Self {
        let keys = Arc::new(keys("", 1..=accounts.max(2)));
        Self {
            keys,
            balance: 1_000_000,
            amount_max: 100,
            from: Spread::Uniform,
            to,
        }
    }

    /// The form of transactional databases' figures: an amount of 1, both sides spread alike.
    pub fn keynote(accounts: usize, spread: Spread) -> Self {
        let (balance, amount_max) = (1_000_000_000, 1);
        Self {
            balance,
            amount_max,
            from: spread,
            to: spread,
            ..Self::ycsb(accounts, spread)
        }
    }

    fn total(&self) -> i128 {
        i128::from(self.balance) * self.keys.len() as i128
    }
}

impl Workload for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn about(&self) -> String {
        let Self {
            keys,
            from,
            to,
            amount_max,
            ..
        } = self;
        format!(
            "{} accounts, from {from}, to {to}, amount 1..{amount_max}",
            keys.len()
        )
    }

    fn load(&self) -> Loading<'_> {
        Box::new(
            self.keys
                .iter()
                .map(|key| ask(Account::at(key).deposit(self.balance))),
        )
    }

    fn loaded(&self, answer: &Answer) -> bool {
        matches!(answer.value::<i64>(), Ok(balance) if balance == self.balance)
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        let n = self.keys.len();
        Box::new(Transfers {
            keys: self.keys.clone(),
            amount_max: self.amount_max,
            from: Chooser::new(n, self.from),
            to: Chooser::new(n, self.to),
            chance: chance(seed, slot),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let mut balances = Vec::with_capacity(self.keys.len());
        let requests = self.keys.iter().map(|key| Account::at(key).balance());
        door::values(door, requests, |_, balance: i64| balances.push(balance))?;
        Ok(violations(&balances, self.total()))
    }
}

fn violations(balances: &[i64], expected: i128) -> Vec<String> {
    let mut violations = Vec::new();
    let total: i128 = balances.iter().map(|&balance| i128::from(balance)).sum();
    if total != expected {
        violations.push(format!("the balances add up to {total}, not to {expected}"));
    }
    let negative = balances.iter().filter(|&&balance| balance < 0).count();
    if negative > 0 {
        violations.push(format!("{negative} balances are negative"));
    }
    violations
}

struct Transfers {
    keys: Arc<Vec<Key>>,
    amount_max: i64,
    from: Chooser,
    to: Chooser,
    chance: Chance,
}

impl Source for Transfers {
    fn next(&mut self) -> Task {
        let chance = &mut self.chance;
        let from = self.from.choose(chance);
        let to = loop {
            let to = self.to.choose(chance);
            if to != from {
                break to;
            }
        };
        let amount = chance.random_range(1..=self.amount_max);
        let ask = ask(Account::at(&self.keys[from]).transfer(self.keys[to].clone(), amount));
        Task {
            kind: "transfer",
            prepare: None,
            ask,
        }
    }
}

/// The same accounts, of which only balances are asked.
pub struct Balances(pub Transfer);

impl Workload for Balances {
    fn name(&self) -> &'static str {
        "balance"
    }

    fn about(&self) -> String {
        format!("{} accounts, {}", self.0.keys.len(), self.0.from)
    }

    fn load(&self) -> Loading<'_> {
        self.0.load()
    }

    fn loaded(&self, answer: &Answer) -> bool {
        self.0.loaded(answer)
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Queries {
            keys: self.0.keys.clone(),
            chooser: Chooser::new(self.0.keys.len(), self.0.from),
            chance: chance(seed, slot),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        self.0.check(door)
    }
}

struct Queries {
    keys: Arc<Vec<Key>>,
    chooser: Chooser,
    chance: Chance,
}

impl Source for Queries {
    fn next(&mut self) -> Task {
        let key = &self.keys[self.chooser.choose(&mut self.chance)];
        Task {
            kind: "balance",
            prepare: None,
            ask: ask(Account::at(key).balance()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_money_and_debts_are_seen() {
        assert!(violations(&[3, 4], 7).is_empty());
        assert_eq!(violations(&[3, 4], 8).len(), 1);
        assert_eq!(violations(&[-1, 8], 7).len(), 1);
        assert_eq!(violations(&[-1, 4], 7).len(), 2);
    }
}
