//! A workload in one language, on a node or a server of its own: loaded, driven run by run, and checked at
//! the end.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ordain::{Node, Options};
use ordain_cli::modules_only;
use ordain_client::Client;
use ordain_node::Catalog;
use tokio::runtime::Handle;

use crate::bench::load;
use crate::door::{Door, Embedded, Remote};
use crate::drive::closed;
use crate::drive::lane::Lane;
use crate::drive::open::{self, Target};
use crate::drive::paced;
use crate::language::Language;
use crate::measure::{Plan, Record};
use crate::process;
use crate::report::{CpuTimes, Report};
use crate::words::Words;
use crate::workload::Workload;
use crate::workload::named::Named;

/// What is measured, and what came of it so far.
#[derive(Clone)]
pub struct Subject {
    words: Words,
    language: Language,
    handle: Handle,
    workload: Arc<dyn Workload>,
    place: Place,
    outcome: Option<(Record, CpuTimes, String)>,
}

/// Where it is.
#[derive(Clone)]
pub enum Place {
    /// In this process.
    Node(Node),
    /// A server; if it is our child, its process.
    Server(Client, Option<u32>),
}

/// Opens a node that has the workload in this language, and nothing in it yet.
///
/// # Errors
/// If it does not open, or the module is not deployed.
pub fn open_node(
    language: Language,
    words: &Words,
    catalog: &Catalog,
    dir: &Path,
    options: Options,
) -> anyhow::Result<Node> {
    let module = language.module(words.what)?;
    let catalog = match module {
        None => catalog.clone(),
        Some(_) => modules_only(catalog),
    };
    let (node, _) = Node::open_with(dir, catalog, options, &mut |_| {})?;
    if let Some(module) = module {
        module.deploy(&node)?;
    }
    Ok(node)
}

impl Subject {
    /// Loads its data there. Blocks.
    ///
    /// # Errors
    /// If there is data already, or not all of it commits.
    pub fn load(
        words: Words,
        language: Language,
        handle: Handle,
        place: Place,
    ) -> anyhow::Result<Self> {
        let workload: Arc<dyn Workload> = words.workload().into();
        let workload = match language {
            Language::Rust => workload,
            Language::Ts | Language::Wasm | Language::WasmReuse => Arc::new(Named(workload)),
        };
        let subject = Self {
            words,
            language,
            handle,
            workload,
            place,
            outcome: None,
        };
        if !subject.words.echo {
            load(&*subject.workload, &mut *subject.door()?)?;
        }
        Ok(subject)
    }

    /// The same with its node opened again, with memory for the so manieth part of what it has in memory: three
    /// quarters of that for entities, the rest for blocks of the store.
    ///
    /// # Errors
    /// If it does not open.
    pub fn squeezed(self, times: u32, catalog: &Catalog, dir: &Path) -> anyhow::Result<Self> {
        let Place::Node(node) = self.place else {
            return Ok(self);
        };
        let bytes = node.counters().memory_bytes.load(Ordering::Relaxed) as usize;
        let part = bytes / times as usize;
        let options = Options {
            memory_budget_bytes: part / 4 * 3,
            store_cache_bytes: part as u64 / 4,
            ..Options::default()
        };
        node.stop();
        drop(node);
        let node = open_node(self.language, &self.words, catalog, dir, options)?;
        Ok(Self {
            place: Place::Node(node),
            ..self
        })
    }

    /// Drives it through the plan, whose windows follow those before. Blocks.
    ///
    /// # Errors
    /// If requests cannot be made.
    pub fn drive(&mut self, plan: Plan, seed: u64) -> anyhow::Result<()> {
        let server = match &self.place {
            Place::Node(_) => None,
            Place::Server(_, pid) => *pid,
        };
        let cpu = watch_cpu(plan, server);
        let (record, driver) = match &self.place {
            Place::Node(node) => self.embedded(node, plan, seed)?,
            Place::Server(client, _) => self.remote(client, plan, seed)?,
        };
        let cpu = cpu.recv().context("the processor time was not read")?;
        match &mut self.outcome {
            None => self.outcome = Some((record, cpu, driver)),
            Some((before, times, _)) => {
                before.append(record);
                times.own.extend(cpu.own);
                times.server.extend(cpu.server);
            }
        }
        Ok(())
    }

    /// Checks what must be true, and says what came of it all. Blocks.
    ///
    /// # Errors
    /// If the data cannot be read.
    pub fn report(&self, seed: u64) -> anyhow::Result<Report> {
        let (record, cpu, driver) = self.outcome.as_ref().context("it was not driven")?;
        let mut violations = match self.words.echo {
            true => Vec::new(),
            false => self.workload.check(&mut *self.door()?)?,
        };
        if record.windows.iter().all(|window| window.committed() == 0) {
            violations.push("nothing committed".to_owned());
        }
        if let Place::Node(node) = &self.place {
            node.stop();
        }
        let name = (self.workload.name(), self.workload.about());
        let measured = (record, self.words.duration);
        let driver = (driver.clone(), self.language);
        Ok(Report::new(name, driver, seed, measured, cpu, violations))
    }

    fn door(&self) -> anyhow::Result<Box<dyn Door>> {
        Ok(match &self.place {
            Place::Node(node) => Box::new(Embedded(node.clone())),
            Place::Server(client, _) => Box::new(Remote::open(&self.handle, client)?),
        })
    }

    fn embedded(&self, node: &Node, plan: Plan, seed: u64) -> anyhow::Result<(Record, String)> {
        let slots = self.words.slots();
        let lane = Lane::new(&*self.workload, plan, 0, slots, slots, seed);
        Ok(match self.words.rate {
            Some(rate) => {
                let driver = format!("embedded, {rate} tx/s, up to {slots} in flight");
                (paced::embedded(node, lane, plan, rate)?, driver)
            }
            None => {
                let driver = format!("embedded, {slots} in flight");
                (closed::embedded(node, lane)?, driver)
            }
        })
    }

    fn remote(&self, client: &Client, plan: Plan, seed: u64) -> anyhow::Result<(Record, String)> {
        let Words {
            clients,
            stream,
            keys,
            batch,
            ..
        } = self.words;
        let each = self.words.in_flight.unwrap_or(1);
        if let Some(rate) = self.words.rate {
            let target = match stream {
                true => Target::Streams(self.handle.block_on(open_streams(client, clients, keys))?),
                false => Target::Calls(client.clone()),
            };
            let record = self.open_loop(target, plan, rate, clients * each, seed);
            return Ok((
                record,
                format!("{rate} tx/s, up to {} in flight", clients * each),
            ));
        }
        let lanes = |lanes, each| self.lanes(plan, lanes, each, seed);
        let (records, driver) = match (stream, batch) {
            (true, _) => {
                let streams = closed::streams(client, lanes(clients, each), keys);
                let driver = format!("{clients} streams, {each} in flight each");
                (self.handle.block_on(streams)?, driver)
            }
            (_, Some(size)) => {
                let batches = closed::batches(client, lanes(clients, size));
                let driver = format!("{clients} clients, batches of {size}");
                (self.handle.block_on(batches)?, driver)
            }
            _ => {
                let calls = closed::calls(client, lanes(clients * each, 1));
                let driver = format!("{} clients, one HTTP request a call", clients * each);
                (self.handle.block_on(calls)?, driver)
            }
        };
        let mut all = Record::new(plan);
        records.iter().for_each(|record| all.merge(record));
        Ok((all, driver))
    }

    fn lanes(&self, plan: Plan, lanes: usize, each: usize, seed: u64) -> Vec<Lane> {
        let of = lanes * each;
        let lane = |at| Lane::new(&*self.workload, plan, at * each, each, of, seed);
        (0..lanes).map(lane).collect()
    }

    fn open_loop(&self, target: Target, plan: Plan, rate: f64, slots: usize, seed: u64) -> Record {
        open::run(
            &self.handle,
            target,
            &*self.workload,
            plan,
            rate,
            slots,
            seed,
        )
    }
}

async fn open_streams(
    client: &Client,
    count: usize,
    idempotency_keys: bool,
) -> anyhow::Result<Arc<[ordain_client::Stream]>> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let options = ordain_client::StreamOptions {
            idempotency_keys,
            ..Default::default()
        };
        streams.push(client.stream(options).await?);
    }
    Ok(streams.into())
}

/// Reads the processor time at the boundaries of the plan's windows.
fn watch_cpu(plan: Plan, server: Option<u32>) -> mpsc::Receiver<CpuTimes> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let read = |window| {
            let wait = plan
                .starts(window)
                .saturating_duration_since(Instant::now());
            std::thread::sleep(wait);
            let own = process::cpu_of_this_process();
            (own, server.and_then(process::cpu_of))
        };
        let mut times = CpuTimes::default();
        let (mut own, mut of_server) = read(0);
        for window in 1..=plan.windows {
            let (own_now, of_server_now) = read(window);
            times.own.push(spent(own, own_now));
            times.server.push(spent(of_server, of_server_now));
            (own, of_server) = (own_now, of_server_now);
        }
        // Nobody waits any more if the run failed.
        let _ = sender.send(times);
    });
    receiver
}

fn spent(before: Option<Duration>, now: Option<Duration>) -> Option<Duration> {
    Some(now?.saturating_sub(before?))
}
