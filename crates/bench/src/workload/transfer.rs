//! Transfers between accounts: the sum of balances stays, and none is negative.

use ordain_example_transfer::Account;
use rand::RngExt;

use super::{Keys, Loading, Source, Task, Workload};
use crate::answer::{Answer, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// Accounts, and how transfers choose among them.
#[derive(Debug, Clone)]
pub struct Transfer {
    keys: Keys,
    balance: i64,
    amount_max: i64,
    from: Chooser,
    to: Chooser,
}

impl Transfer {
    /// The form of the stateful-dataflow literature: `from` uniform, `to` as given, small amounts.
    pub fn ycsb(accounts: usize, to: Spread) -> Self {
        let keys = Keys::new("", accounts.max(2));
        Self {
            keys,
            balance: 1_000_000,
            amount_max: 100,
            from: Chooser::new(keys.count(), Spread::Uniform),
            to: Chooser::new(keys.count(), to),
        }
    }

    /// The form of transactional databases' figures: an amount of 1, both sides spread alike.
    pub fn keynote(accounts: usize, spread: Spread) -> Self {
        let (balance, amount_max) = (1_000_000_000, 1);
        let ycsb = Self::ycsb(accounts, spread);
        Self {
            balance,
            amount_max,
            from: ycsb.to.clone(),
            ..ycsb
        }
    }

    fn total(&self) -> i128 {
        i128::from(self.balance) * self.keys.count() as i128
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
        let (accounts, from, to) = (keys.count(), from.spread(), to.spread());
        format!("{accounts} accounts, from {from}, to {to}, amount 1..{amount_max}")
    }

    fn load(&self) -> Loading<'_> {
        let deposit = |key| ask(Account::at(key).deposit(self.balance));
        Box::new(self.keys.iter().map(deposit))
    }

    fn loaded(&self, answer: &Answer) -> bool {
        matches!(answer.value::<i64>(), Ok(balance) if balance == self.balance)
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Transfers {
            keys: self.keys,
            amount_max: self.amount_max,
            from: self.from.clone(),
            to: self.to.clone(),
            chance: chance(seed, slot),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let mut balances = Vec::with_capacity(self.keys.count());
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
    keys: Keys,
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
        let (from, to) = (self.keys.get(from), self.keys.get(to));
        let ask = ask(Account::at(from).transfer(to, amount));
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
        format!("{} accounts, {}", self.0.keys.count(), self.0.from.spread())
    }

    fn load(&self) -> Loading<'_> {
        self.0.load()
    }

    fn loaded(&self, answer: &Answer) -> bool {
        self.0.loaded(answer)
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Queries {
            keys: self.0.keys,
            chooser: self.0.from.clone(),
            chance: chance(seed, slot),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        self.0.check(door)
    }
}

struct Queries {
    keys: Keys,
    chooser: Chooser,
    chance: Chance,
}

impl Source for Queries {
    fn next(&mut self) -> Task {
        let key = self.keys.get(self.chooser.choose(&mut self.chance));
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
