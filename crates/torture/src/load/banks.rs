//! The bench's workloads, small: transfers, smallbank, the marketplace. Their data, what is asked of
//! them, and their own audits at the end.

use anyhow::ensure;
use ordain_bench::answer::Answer;
use ordain_bench::choose::Spread;
use ordain_bench::door::{Door, Remote};
use ordain_bench::workload::market::{Market, Sizes};
use ordain_bench::workload::smallbank::SmallBank;
use ordain_bench::workload::transfer::Transfer;
use ordain_bench::workload::{Source, Workload};
use ordain_client::Client;
use tokio::runtime::Handle;

/// Few, so that transactions meet and the audit is quick.
const ACCOUNTS: usize = 20;

/// The workloads of one run.
pub struct Banks {
    workloads: Vec<Box<dyn Workload>>,
}

impl Banks {
    /// None of them.
    pub fn none() -> Self {
        Self {
            workloads: Vec::new(),
        }
    }

    /// All of them, without data yet.
    #[expect(clippy::new_without_default, reason = "none is as much a default")]
    pub fn new() -> Self {
        let sizes = Sizes {
            customers: 40,
            sellers: 5,
            products_each: 4,
            stock: 10_000,
        };
        Self {
            workloads: vec![
                Box::new(Transfer::ycsb(ACCOUNTS, Spread::Uniform)),
                Box::new(SmallBank::classic(ACCOUNTS, Spread::Uniform)),
                Box::new(Market::new(sizes, Spread::Uniform)),
            ],
        }
    }

    /// Makes their data.
    ///
    /// # Errors
    /// If not all of it was made, or there was some already.
    pub fn load(&self, handle: &Handle, client: &Client) -> anyhow::Result<()> {
        let mut door = Remote::open(handle, client)?;
        for workload in &self.workloads {
            door.each(&mut workload.load(), &mut |_, answer| {
                let made = matches!(answer, Answer::Value(_)) && workload.loaded(&answer);
                ensure!(made, "{} could not be loaded: {answer:?}", workload.name());
                Ok(())
            })?;
        }
        Ok(())
    }

    /// What `each` clients of each workload ask.
    pub fn sources(&self, each: usize, seed: u64) -> Vec<Box<dyn Source>> {
        let of = |workload: &dyn Workload| {
            let slots = (0..each).map(|slot| workload.source(slot, each, seed));
            slots.collect::<Vec<_>>()
        };
        self.workloads
            .iter()
            .flat_map(|workload| of(&**workload))
            .collect()
    }

    /// Audits all of them, at rest: what does not hold.
    ///
    /// # Errors
    /// If the data cannot be read.
    pub fn audit(&self, handle: &Handle, client: &Client) -> anyhow::Result<Vec<String>> {
        let mut door = Remote::open(handle, client)?;
        let mut violations = Vec::new();
        for workload in &self.workloads {
            let found = workload.check(&mut door)?;
            let named = found
                .into_iter()
                .map(|what| format!("{}: {what}", workload.name()));
            violations.extend(named);
        }
        Ok(violations)
    }
}
