//! The marketplace: checkouts, deliveries, price changes, replaced products and dashboards. What
//! clients were told is kept in a ledger, to be held against the data at the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ordain::Key;
use ordain_example_marketplace::sale::Price;
use ordain_example_marketplace::{
    Card, Cart, DEPOTS, Dashboard, Product, Receipt, Seller, Shipment, Wish, depot,
};
use rand::RngExt;

use super::audit::{self, Audited};
use super::ledger::Ledger;
use super::{Loading, Source, Task, Workload, keys};
use crate::answer::{Answer, Ask, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::Door;

/// More than any order costs, and a number that is exact in every language.
const RICH_CENTS: i64 = 1_000_000_000_000;

/// How much there is of everything.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Customers, each with a cart.
    pub customers: usize,
    /// Sellers.
    pub sellers: usize,
    /// Products of each seller.
    pub products_each: usize,
    /// Pieces in stock of each product.
    pub stock: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            customers: 100_000,
            sellers: 10_000,
            products_each: 10,
            stock: 10_000,
        }
    }
}

/// The marketplace, with what its clients were told.
#[derive(Clone)]
pub struct Market(Arc<Shared>);

struct Shared {
    sizes: Sizes,
    chooser: Chooser,
    names: Names,
    told: Mutex<Told>,
}

/// The keys of everything there is.
#[derive(Debug, Clone)]
pub struct Names {
    /// Of customers and their carts.
    pub customers: Vec<Key>,
    /// Of sellers.
    pub sellers: Vec<Key>,
    /// Of products and their stocks; those of a seller are neighbours.
    pub products: Vec<Key>,
    /// Of depots.
    pub depots: Vec<Key>,
}

/// What clients were told, by the answers they got.
struct Told {
    ledger: Ledger,
    violations: Vec<String>,
}

impl Market {
    /// A marketplace of these sizes; `spread` chooses its products.
    pub fn new(sizes: Sizes, spread: Spread) -> Self {
        let sizes = Sizes {
            customers: sizes.customers.max(1),
            sellers: sizes.sellers.max(1),
            ..sizes
        };
        let products = sizes.sellers * sizes.products_each.max(1);
        let names = Names {
            customers: keys("c", sizes.customers),
            sellers: keys("s", sizes.sellers),
            products: keys("p", products),
            depots: (0..DEPOTS)
                .map(|n| Key::new(&depot(n)).expect("a short text"))
                .collect(),
        };
        let ledger = Ledger::new(names.customers.len(), products, names.depots.len());
        let told = Mutex::new(Told {
            ledger,
            violations: Vec::new(),
        });
        Self(Arc::new(Shared {
            sizes,
            chooser: Chooser::new(products, spread),
            names,
            told,
        }))
    }

    /// Reads everything and checks it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn audit(&self, door: &mut dyn Door) -> anyhow::Result<Audited> {
        let told = self.0.told();
        let mut audited = audit::run(door, &self.0.names, self.0.sizes.stock, &told.ledger)?;
        audited.violations.extend(told.violations.iter().cloned());
        Ok(audited)
    }
}

impl Workload for Market {
    fn name(&self) -> &'static str {
        "marketplace"
    }

    fn about(&self) -> String {
        let Sizes {
            customers,
            sellers,
            products_each,
            stock,
        } = self.0.sizes;
        let spread = self.0.chooser.spread();
        format!(
            "{customers} customers, {sellers} sellers with {products_each} products each, {stock} of \
             each in stock, products {spread}"
        )
    }

    fn load(&self) -> Loading<'_> {
        let Names {
            sellers, products, ..
        } = &self.0.names;
        let each = products.len() / sellers.len();
        let stock = self.0.sizes.stock;
        Box::new(products.iter().enumerate().map(move |(at, product)| {
            let cents = 100 + (at as i64 * 7_919) % 9_900;
            ask(Product::at(product).list(sellers[at / each].clone(), cents, stock))
        }))
    }

    fn source(&self, slot: usize, of: usize, seed: u64) -> Box<dyn Source> {
        let (chance, pending) = (chance(seed, slot), Pending::Nothing);
        let chooser = self.0.chooser.clone();
        Box::new(Shoppers {
            shared: self.0.clone(),
            slot,
            of,
            chooser,
            chance,
            pending,
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let audited = self.audit(door)?;
        let mut violations = audited.violations;
        let (lost, more) = (audited.lost, audited.more);
        if lost > 0 {
            violations.push(format!("{lost} acknowledged transactions are lost"));
        }
        if more > 0 {
            violations.push(format!(
                "{more} transactions happened that no one asked for"
            ));
        }
        Ok(violations)
    }
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the transaction in flight changes if it commits.
#[derive(Clone, Copy)]
enum Pending {
    Nothing,
    Checkout { customer: usize },
    Price { product: usize },
    Replace { product: usize },
    Delivery { depot: usize },
    Dashboard,
}

struct Shoppers {
    shared: Arc<Shared>,
    slot: usize,
    of: usize,
    chooser: Chooser,
    chance: Chance,
    pending: Pending,
}

impl Source for Shoppers {
    fn next(&mut self) -> Task {
        match self.chance.random_range(0..100) {
            0..30 => self.checkout(),
            30..35 => self.dashboard(),
            35..38 => self.set_price(),
            38..40 => self.replace(),
            _ => self.deliver(),
        }
    }

    fn ended(&mut self, answer: &Answer) {
        let pending = std::mem::replace(&mut self.pending, Pending::Nothing);
        let mut told = self.shared.told();
        match answer {
            Answer::Value(_) => {
                if let Err(error) = note(&mut told, pending, answer) {
                    told.violations
                        .push(format!("a value is not what it must be: {error}"));
                }
            }
            Answer::None(_) => match pending {
                Pending::Delivery { depot } => told.ledger.unanswered_deliveries[depot] += 1,
                Pending::Dashboard => {}
                _ => told.ledger.unanswered += 1,
            },
            _ => {}
        }
    }
}

fn note(told: &mut Told, pending: Pending, answer: &Answer) -> anyhow::Result<()> {
    match pending {
        Pending::Nothing => {}
        Pending::Checkout { customer } => {
            let receipt: Receipt = answer.value()?;
            told.ledger.ordered(customer, receipt.order.as_str())?;
        }
        Pending::Price { product } => {
            answer.value::<Price>()?;
            told.ledger.prices[product] += 1;
        }
        Pending::Replace { product } => {
            answer.value::<u32>()?;
            told.ledger.versions[product] += 1;
        }
        Pending::Delivery { depot } => told.ledger.delivered[depot] += answer.value::<u64>()?,
        Pending::Dashboard => {
            let Dashboard { seller, orders } = answer.value()?;
            let sum: i64 = orders.iter().map(|(_, order)| order.cents).sum();
            if (seller.open, seller.open_cents) != (orders.len() as u64, sum) {
                told.violations
                    .push(format!("a dashboard's sums {seller:?} are not of its list"));
            }
        }
    }
    Ok(())
}

impl Shoppers {
    /// A customer of this slot: while there are enough of them, no two slots share one.
    fn customer(&mut self) -> usize {
        let all = self.shared.names.customers.len();
        let mine = all.saturating_sub(self.slot).div_ceil(self.of);
        match mine {
            0 => self.slot % all,
            mine => self.slot + self.of * self.chance.random_range(0..mine),
        }
    }

    fn checkout(&mut self) -> Task {
        let names = &self.shared.names;
        let items = self.chance.random_range(1..=names.products.len().min(10));
        let products = self.chooser.choose_distinct(&mut self.chance, items, &[]);
        let wishes = products.into_iter().map(|at| Wish {
            product: names.products[at].clone(),
            quantity: self.chance.random_range(1..=10),
            voucher_cents: if self.chance.random_range(0..100) < 5 {
                500
            } else {
                0
            },
        });
        let wishes = wishes.collect();
        // One card in fifty is not good for much.
        let limit_cents = if self.chance.random_range(0..50) == 0 {
            10_000
        } else {
            RICH_CENTS
        };
        let customer = self.customer();
        self.pending = Pending::Checkout { customer };
        let cart = Cart::at(&self.shared.names.customers[customer]);
        let prepare = Some(ask(cart.fill(wishes)));
        Task {
            kind: "checkout",
            prepare,
            ask: ask(cart.checkout(Card { limit_cents })),
        }
    }

    fn dashboard(&mut self) -> Task {
        self.pending = Pending::Dashboard;
        let sellers = &self.shared.names.sellers;
        let seller = &sellers[self.chance.random_range(0..sellers.len())];
        single("dashboard", ask(Seller::at(seller).dashboard()))
    }

    fn set_price(&mut self) -> Task {
        let product = self.chooser.choose(&mut self.chance);
        self.pending = Pending::Price { product };
        let cents = self.chance.random_range(100..10_000);
        single(
            "set_price",
            ask(Product::at(&self.shared.names.products[product]).set_price(cents)),
        )
    }

    fn replace(&mut self) -> Task {
        let product = self.chooser.choose(&mut self.chance);
        self.pending = Pending::Replace { product };
        single(
            "replace",
            ask(Product::at(&self.shared.names.products[product]).replace()),
        )
    }

    fn deliver(&mut self) -> Task {
        let depot = self.chance.random_range(0..self.shared.names.depots.len());
        self.pending = Pending::Delivery { depot };
        single(
            "deliver",
            ask(Shipment::at(&self.shared.names.depots[depot]).deliver()),
        )
    }
}

fn single(kind: &'static str, ask: Ask) -> Task {
    Task {
        kind,
        prepare: None,
        ask,
    }
}
