//! The command `bench`: from its words to a report.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain::{Node, Options};
use ordain_cli::settings::Group;
use ordain_cli::{Bar, Context, Exit, ExtraCommand, Failure};
use ordain_client::Client;
use tokio::runtime::Handle;

use crate::answer::Answer;
use crate::door::{Door, Embedded, Remote};
use crate::drive::closed;
use crate::drive::lane::Lane;
use crate::drive::open::{self, Target};
use crate::drive::paced;
use crate::measure::{Plan, Record};
use crate::report::{CpuTimes, Report};
use crate::run::{blocking, new_dir, new_seed, until_interrupted};
use crate::server::Server;
use crate::words::Words;
use crate::workload::Workload;
use crate::{compare, echo, guard, limits, memory, process, recovery};

/// The command.
pub fn command() -> ExtraCommand {
    let about = "Measure a workload, and check its invariants";
    let words = Words::augment_args(Command::new("bench").about(about))
        .subcommand_negates_reqs(true)
        .args_conflicts_with_subcommands(true)
        .subcommands([limits::command(), compare::command()])
        .subcommands([guard::command(), echo::command()])
        .subcommands(recovery::commands())
        .subcommands(memory::commands());
    let groups = &[Group::Client];
    ExtraCommand::new(words, groups, |context, given| match given.subcommand() {
        None => workload(&context, given),
        Some(("limits", given)) => limits::run(&context, given),
        Some(("compare", given)) => compare::run(&context, given),
        Some(("guard", given)) => guard::run(&context, given),
        Some(("echo", given)) => echo::run(given),
        Some(("recovery", given)) => recovery::run("recovery", &context, given),
        Some(("replay", given)) => recovery::run("replay", &context, given),
        Some((name, given)) => memory::run(name, &context, given),
    })
}

fn workload(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    let url_given = given.value_source("url").is_some();
    words.check(url_given).map_err(Failure::usage)?;
    let client = match url_given {
        true => Some(context.client()?),
        false => None,
    };
    let catalog = context.catalog.clone();
    let report = until_interrupted(|handle| {
        let bench = Bench::new(words, handle);
        bench.run(client, move |dir, options| {
            let (node, _) = Node::open_with(dir, catalog.clone(), options, &mut |_| {})?;
            Ok(node)
        })
    })?;
    report.print(context.output)?;
    match report.violations.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failed, "an invariant is violated")),
    }
}

/// One measurement.
#[derive(Clone)]
pub struct Bench {
    words: Words,
    seed: u64,
    handle: Handle,
    workload: Arc<dyn Workload>,
}

impl Bench {
    /// What these words say.
    pub fn new(words: Words, handle: Handle) -> Self {
        let seed = words.seed.unwrap_or_else(new_seed);
        let workload = words.workload().into();
        Self {
            words,
            seed,
            handle,
            workload,
        }
    }

    async fn run(
        self,
        client: Option<Client>,
        open: impl Fn(&Path, Options) -> anyhow::Result<Node> + Send + 'static,
    ) -> anyhow::Result<Report> {
        if let Some(client) = client {
            return blocking(move || self.remote(&client, None)).await;
        }
        if self.words.echo || self.words.server {
            return self.child().await;
        }
        let (root, _removed_at_the_end) = new_dir(self.words.dir.as_deref(), "ordain-bench-")?;
        blocking(move || {
            let dir = root.join("data");
            let mut node = open(&dir, self.words.options())?;
            load(&*self.workload, &mut Embedded(node.clone()))?;
            if let Some(times) = self.words.state_over_memory {
                let budget = share(&node, times);
                node.stop();
                drop(node);
                node = open(&dir, budget)?;
            }
            let report = self.embedded(&node);
            node.stop();
            report
        })
        .await
    }

    /// Measures a server in a child process.
    ///
    /// # Errors
    /// If it does not start, or cannot be asked.
    pub async fn child(self) -> anyhow::Result<Report> {
        let (root, _removed_at_the_end) = new_dir(self.words.dir.as_deref(), "ordain-bench-")?;
        let server = match self.words.echo {
            true => Server::echo(&root).await?,
            false => Server::start(&root, &[]).await?,
        };
        let (client, pid) = (server.client().clone(), server.pid());
        blocking(move || self.remote(&client, Some(pid))).await
    }

    fn embedded(&self, node: &Node) -> anyhow::Result<Report> {
        let plan = self.words.plan();
        let cpu = watch_cpu(plan, None);
        let slots = self.words.slots();
        let lane = Lane::new(&*self.workload, plan, 0, slots, slots, self.seed);
        let (record, driver) = match self.words.rate {
            Some(rate) => {
                let driver = format!("embedded, {rate} tx/s, up to {slots} in flight");
                (paced::embedded(node, lane, plan, rate)?, driver)
            }
            None => {
                let driver = format!("embedded, {slots} in flight");
                (closed::embedded(node, lane)?, driver)
            }
        };
        let cpu = cpu.recv().context("the processor time was not read")?;
        self.report(record, driver, &cpu, &mut Embedded(node.clone()))
    }

    fn remote(&self, client: &Client, server: Option<u32>) -> anyhow::Result<Report> {
        let mut door = Remote::open(&self.handle, client)?;
        if !self.words.echo {
            load(&*self.workload, &mut door)?;
        }
        let plan = self.words.plan();
        let cpu = watch_cpu(plan, server);
        let (record, driver) = self.drive_remote(client, plan)?;
        let cpu = cpu.recv().context("the processor time was not read")?;
        self.report(record, driver, &cpu, &mut door)
    }

    fn drive_remote(&self, client: &Client, plan: Plan) -> anyhow::Result<(Record, String)> {
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
            let record = self.open_loop(target, plan, rate, clients * each);
            return Ok((
                record,
                format!("{rate} tx/s, up to {} in flight", clients * each),
            ));
        }
        let (records, driver) = match (stream, batch) {
            (true, _) => {
                let streams = closed::streams(client, self.lanes(plan, clients, each), keys);
                let driver = format!("{clients} streams, {each} in flight each");
                (self.handle.block_on(streams)?, driver)
            }
            (_, Some(size)) => {
                let batches = closed::batches(client, self.lanes(plan, clients, size));
                let driver = format!("{clients} clients, batches of {size}");
                (self.handle.block_on(batches)?, driver)
            }
            _ => {
                let calls = closed::calls(client, self.lanes(plan, clients * each, 1));
                let driver = format!("{} clients, one HTTP request a call", clients * each);
                (self.handle.block_on(calls)?, driver)
            }
        };
        let mut all = Record::new(plan);
        records.iter().for_each(|record| all.merge(record));
        Ok((all, driver))
    }

    fn lanes(&self, plan: Plan, lanes: usize, each: usize) -> Vec<Lane> {
        let of = lanes * each;
        let lane = |at| Lane::new(&*self.workload, plan, at * each, each, of, self.seed);
        (0..lanes).map(lane).collect()
    }

    fn open_loop(&self, target: Target, plan: Plan, rate: f64, slots: usize) -> Record {
        open::run(
            &self.handle,
            target,
            &*self.workload,
            plan,
            rate,
            slots,
            self.seed,
        )
    }

    fn report(
        &self,
        record: Record,
        driver: String,
        cpu: &CpuTimes,
        door: &mut dyn Door,
    ) -> anyhow::Result<Report> {
        let mut violations = match self.words.echo {
            true => Vec::new(),
            false => self.workload.check(door)?,
        };
        if record.windows.iter().all(|window| window.committed() == 0) {
            violations.push("nothing committed".to_owned());
        }
        let name = (self.workload.name(), self.workload.about());
        let measured = (&record, self.words.duration);
        Ok(Report::new(
            name, driver, self.seed, measured, cpu, violations,
        ))
    }
}

/// Options with a memory budget so many times smaller than what the node has in memory.
fn share(node: &Node, times: u32) -> Options {
    let bytes = node.counters().memory_bytes.load(Ordering::Relaxed) as usize;
    Options {
        memory_budget_bytes: bytes / times as usize,
        ..Options::default()
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

const EARLIER_DATA: &str = "there is data of an earlier run; begin with an empty data directory";

/// Makes a workload's data.
///
/// # Errors
/// If a part of it does not commit.
pub fn load(workload: &dyn Workload, door: &mut dyn Door) -> anyhow::Result<()> {
    let mut asks = workload.load();
    let of = asks.len() as u64;
    let mut bar = Bar::of_things("loading");
    door.each(&mut asks, &mut |at, answer| {
        bar.at(at as u64 + 1, Some(of));
        match answer {
            Answer::Rejected(_) => bail!(EARLIER_DATA),
            Answer::Value(_) if !workload.loaded(&answer) => bail!(EARLIER_DATA),
            Answer::Value(_) => Ok(()),
            other => other.value(),
        }
    })
}

/// Reads the processor time at the boundaries of the plan's windows.
fn watch_cpu(plan: Plan, server: Option<u32>) -> mpsc::Receiver<CpuTimes> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut times = CpuTimes::default();
        for window in 0..=plan.windows {
            std::thread::sleep(
                plan.starts(window)
                    .saturating_duration_since(Instant::now()),
            );
            times.own.push(process::cpu_of_this_process());
            times.server.push(server.and_then(process::cpu_of));
        }
        // Nobody waits any more if the run failed.
        let _ = sender.send(times);
    });
    receiver
}
