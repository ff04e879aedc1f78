//! SmallBank: money is conserved, but for what clients brought and took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ordain_example_smallbank::Customer;
use rand::RngExt;

use super::{Keys, Loading, Source, Task, Workload};
use crate::answer::{Answer, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// What each value starts with.
const START: i64 = i32::MAX as i64;

/// Customers, and what they do.
#[derive(Debug, Clone)]
pub struct SmallBank {
    keys: Keys,
    chooser: Chooser,
    /// Customers in a `multi_transfer`; none: the six classic procedures.
    size: Option<usize>,
    flow: Arc<Flow>,
}

/// Money that clients brought less what they took, by the replies they got.
#[derive(Debug, Default)]
struct Flow {
    net: AtomicI64,
    /// Whether a procedure that brings or takes money was not answered: then no one knows the sum.
    unknown: AtomicBool,
}

impl SmallBank {
    /// All `multi_transfer`, with so many customers in each.
    pub fn multi(customers: usize, spread: Spread, size: usize) -> Self {
        Self {
            size: Some(size),
            ..Self::classic(customers.max(size), spread)
        }
    }

    /// The six classic procedures.
    pub fn classic(customers: usize, spread: Spread) -> Self {
        let keys = Keys::new("", customers.max(2));
        Self {
            keys,
            chooser: Chooser::new(keys.count(), spread),
            size: None,
            flow: Arc::default(),
        }
    }
}

impl Workload for SmallBank {
    fn name(&self) -> &'static str {
        "smallbank"
    }

    fn about(&self) -> String {
        let (customers, spread) = (self.keys.count(), self.chooser.spread());
        match self.size {
            Some(size) => format!("{customers} customers, {spread}, multi_transfer of size {size}"),
            None => format!("{customers} customers, {spread}, the six classic procedures"),
        }
    }

    fn load(&self) -> Loading<'_> {
        let open = |key| ask(Customer::at(key).open(START, START));
        Box::new(self.keys.iter().map(open))
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Procedures {
            keys: self.keys,
            chooser: self.chooser.clone(),
            size: self.size,
            chance: chance(seed, slot),
            flow: self.flow.clone(),
            pending: Pending::Nothing,
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let mut all = Vec::with_capacity(self.keys.count());
        let requests = self.keys.iter().map(|key| Customer::at(key).values());
        door::values(door, requests, |_, customer: Customer| all.push(customer))?;
        let start = 2 * i128::from(START) * self.keys.count() as i128;
        let net = self.flow.net.load(Ordering::SeqCst);
        let known = !self.flow.unknown.load(Ordering::SeqCst);
        Ok(violations(&all, known.then_some(start + i128::from(net))))
    }
}

fn violations(customers: &[Customer], expected: Option<i128>) -> Vec<String> {
    let money = |customer: &Customer| i128::from(customer.checking) + i128::from(customer.savings);
    let total: i128 = customers.iter().map(money).sum();
    let mut violations = Vec::new();
    if let Some(expected) = expected.filter(|&expected| expected != total) {
        violations.push(format!("there is money for {total}, not for {expected}"));
    }
    let negative = customers
        .iter()
        .filter(|customer| customer.savings < 0)
        .count();
    if negative > 0 {
        violations.push(format!("the savings of {negative} customers are negative"));
    }
    violations
}

/// What the procedure in flight does to the sum of money if it commits.
#[derive(Clone, Copy)]
enum Pending {
    /// Nothing.
    Nothing,
    /// Brings this much, or takes it.
    Brings(i64),
    /// Takes what its value says.
    TakesItsValue,
}

struct Procedures {
    keys: Keys,
    chooser: Chooser,
    size: Option<usize>,
    chance: Chance,
    flow: Arc<Flow>,
    pending: Pending,
}

impl Procedures {
    fn multi_transfer(&mut self, size: usize) -> Task {
        let chosen = self.chooser.choose_distinct(&mut self.chance, size, &[]);
        let (source, destinations) = chosen.split_first().expect("a size is at least one");
        let destinations = destinations.iter().map(|&at| self.keys.get(at));
        let destinations = destinations.collect();
        let amount = self.chance.random_range(0..=10);
        let source = Customer::at(self.keys.get(*source));
        let ask = ask(source.multi_transfer(destinations, amount));
        Task {
            kind: "multi_transfer",
            prepare: None,
            ask,
        }
    }

    fn classic(&mut self) -> Task {
        let chosen = self.chooser.choose_distinct(&mut self.chance, 2, &[]);
        let (from, to) = (
            Customer::at(self.keys.get(chosen[0])),
            self.keys.get(chosen[1]),
        );
        let amount = self.chance.random_range(1..=100);
        let (kind, ask, pending) = match self.chance.random_range(0..100) {
            0..15 => ("balance", ask(from.balance()), Pending::Nothing),
            15..30 => (
                "deposit_checking",
                ask(from.deposit_checking(amount)),
                Pending::Brings(amount),
            ),
            30..45 => {
                let amount = if self.chance.random() {
                    amount
                } else {
                    -amount
                };
                (
                    "transact_savings",
                    ask(from.transact_savings(amount)),
                    Pending::Brings(amount),
                )
            }
            45..60 => ("amalgamate", ask(from.amalgamate(to)), Pending::Nothing),
            60..75 => (
                "write_check",
                ask(from.write_check(amount)),
                Pending::TakesItsValue,
            ),
            _ => (
                "send_payment",
                ask(from.send_payment(to, amount)),
                Pending::Nothing,
            ),
        };
        self.pending = pending;
        Task {
            kind,
            prepare: None,
            ask,
        }
    }
}

impl Source for Procedures {
    fn next(&mut self) -> Task {
        match self.size {
            Some(size) => self.multi_transfer(size),
            None => self.classic(),
        }
    }

    fn ended(&mut self, answer: &Answer) {
        let brought = match (
            std::mem::replace(&mut self.pending, Pending::Nothing),
            answer,
        ) {
            (Pending::Nothing, _) | (_, Answer::Rejected(_) | Answer::Fault(_)) => return,
            (Pending::Brings(amount), Answer::Value(_)) => Some(amount),
            (Pending::TakesItsValue, Answer::Value(_)) => answer.value::<i64>().ok().map(|v| -v),
            (_, Answer::None(_)) => None,
        };
        match brought {
            Some(amount) => drop(self.flow.net.fetch_add(amount, Ordering::SeqCst)),
            None => self.flow.unknown.store(true, Ordering::SeqCst),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_that_comes_from_nowhere_is_seen() {
        let customer = |checking, savings| Customer { checking, savings };
        let customers = [customer(-2, 5), customer(1, 0)];
        assert!(violations(&customers, Some(4)).is_empty());
        assert!(violations(&customers, None).is_empty());
        assert_eq!(violations(&customers, Some(3)).len(), 1);
        assert_eq!(violations(&[customer(5, -1)], Some(4)).len(), 1);
    }

    #[test]
    fn what_clients_bring_and_take_is_counted_by_the_answers() {
        let bank = SmallBank::classic(10, Spread::Uniform);
        let flow = bank.flow.clone();
        let mut source = Procedures {
            keys: bank.keys,
            chooser: Chooser::new(10, Spread::Uniform),
            size: None,
            chance: chance(1, 0),
            flow: flow.clone(),
            pending: Pending::Brings(5),
        };
        source.ended(&Answer::Value("9".into()));
        source.ended(&Answer::Value("9".into()));
        source.pending = Pending::TakesItsValue;
        source.ended(&Answer::Value("3".into()));
        source.pending = Pending::Brings(100);
        source.ended(&Answer::Rejected("no".into()));
        assert_eq!(flow.net.load(Ordering::SeqCst), 2);
        assert!(!flow.unknown.load(Ordering::SeqCst));
        source.pending = Pending::Brings(1);
        source.ended(&Answer::None("lost".into()));
        assert!(flow.unknown.load(Ordering::SeqCst));
    }
}
