//! Concurrent clients: each asks one thing at a time until it is answered, under one idempotency key
//! over all attempts, and everything is recorded.
//!
//! ```text
//!   asker    one client: asks, tries again, records
//!   probe    what is asked of the probe's lists, counters and timers
//!   banks    what is asked of the bench's workloads, and their audits
//! ```

mod asker;
mod banks;
mod probe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ordain_bench::workload::Source;
use ordain_client::Client;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

pub use asker::{Asker, Shared};
pub use banks::Banks;
pub use probe::{Delays, timer_key};

use crate::history::History;

/// Clients of each kind of work.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Of lists.
    pub lists: u32,
    /// Of counters.
    pub counters: u32,
    /// Of timers.
    pub timers: u32,
    /// Of each of transfer, smallbank and marketplace.
    pub banks: u32,
    /// How long timers are set for.
    pub delays: Delays,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            lists: 6,
            counters: 2,
            timers: 2,
            banks: 2,
            delays: Delays { ms_max: 400 },
        }
    }
}

/// The clients of one run.
pub struct Load {
    runtime: Runtime,
    tasks: Vec<JoinHandle<()>>,
    /// What they share.
    pub shared: Arc<Shared>,
    /// The workloads of the bench.
    pub banks: Banks,
    mix: Mix,
    seed: u64,
}

impl Load {
    /// No client yet.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn new(url: &str, mix: Mix, seed: u64) -> anyhow::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build()?;
        Ok(Self {
            runtime,
            tasks: Vec::new(),
            shared: Arc::new(Shared::new(url, seed)?),
            banks: match mix.banks {
                0 => Banks::none(),
                _ => Banks::new(),
            },
            mix,
            seed,
        })
    }

    /// What was recorded.
    pub fn history(&self) -> &History {
        &self.shared.history
    }

    /// Where async work runs.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// A client for the harness itself, with patience.
    ///
    /// # Errors
    /// If the address is none.
    pub fn client(&self) -> anyhow::Result<Client> {
        let builder = Client::builder(&self.shared.url).timeout(Duration::from_secs(10));
        Ok(builder.retries(8).build()?)
    }

    /// Makes the data that clients work on.
    ///
    /// # Errors
    /// If not all of it can be made.
    pub fn prepare(&self) -> anyhow::Result<()> {
        self.banks.load(self.handle(), &self.client()?)
    }

    /// Starts the clients.
    ///
    /// # Errors
    /// If the address is none.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let mix = self.mix;
        let values = probe::Values::default();
        let mut sources: Vec<Box<dyn Source>> = Vec::new();
        for slot in 0..mix.lists {
            sources.push(values.lists(slot, self.seed));
        }
        for slot in 0..mix.counters {
            sources.push(probe::counters(slot, self.seed));
        }
        for slot in 0..mix.timers {
            sources.push(probe::timers(slot, mix.delays, self.seed));
        }
        sources.extend(self.banks.sources(mix.banks as usize, self.seed));
        for (number, source) in sources.into_iter().enumerate() {
            let asker = Asker::new(number as u32, self.shared.clone())?;
            self.tasks.push(self.runtime.spawn(drive(asker, source)));
        }
        Ok(())
    }

    /// Whether a client gave up: then there is something wrong to be told.
    pub fn trouble(&self) -> bool {
        !self.shared.troubles().is_empty()
    }

    /// Lets each client finish what it asked. Whoever is not answered within `max` gives up, and its
    /// operation is unknown.
    pub fn stop(&mut self, max: Duration) {
        self.shared.stop_at(Instant::now() + max);
        for task in self.tasks.drain(..) {
            if let Err(error) = self.runtime.block_on(task) {
                self.shared.trouble(format!("a client panicked: {error}"));
            }
        }
    }
}

/// One client's life.
async fn drive(mut asker: Asker, mut source: Box<dyn Source>) {
    while !asker.shared.stopping() {
        let task = source.next();
        if let Some(prepare) = task.prepare {
            let answer = asker.ask(prepare).await;
            if !matches!(answer, ordain_bench::answer::Answer::Value(_)) {
                source.ended(&answer);
                continue;
            }
        }
        let answer = asker.ask(task.ask).await;
        source.ended(&answer);
    }
}
