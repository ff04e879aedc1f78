//! The command `bench`: from its words to a report.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Command, FromArgMatches, ValueEnum};
use ordain::Node;
use ordain_cli::settings::Group;
use ordain_cli::{Bar, Context, Exit, ExtraCommand, Failure, parse_duration};
use ordain_client::Client;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::answer::Answer;
use crate::choose::Spread;
use crate::door::{Door, Embedded, Remote};
use crate::drive::closed;
use crate::drive::lane::Lane;
use crate::drive::open::{self, Target};
use crate::measure::{Plan, Record};
use crate::report::{CpuTimes, Report};
use crate::server::Server;
use crate::workload::Workload;
use crate::workload::market::{Market, Sizes};
use crate::workload::smallbank::SmallBank;
use crate::workload::transfer::Transfer;
use crate::{limits, process};

/// How long one limit is measured at most.
const LIMIT_MAX: Duration = Duration::from_secs(2);

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Transfers between accounts
    Transfer,
    /// Payments between customers with two accounts each
    Smallbank,
    /// Checkouts, deliveries and more of an online marketplace
    Marketplace,
    /// What the machine allows: syncs, and transfers on a hash map
    Limits,
}

#[derive(Debug, Clone, Args)]
struct Words {
    /// What to measure
    #[arg(value_enum)]
    what: What,

    /// Run a node in this process (the default without --url and --server)
    #[arg(long, help_heading = "Where", conflicts_with_all = ["url", "server"])]
    embedded: bool,
    /// Start a server as a child process and ask that
    #[arg(long, help_heading = "Where", conflicts_with = "url")]
    server: bool,
    /// The data directory, which must be new; without it a temporary one
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Where",
        conflicts_with = "url"
    )]
    dir: Option<PathBuf>,

    /// Ask a server by streams
    #[arg(long, help_heading = "How", conflicts_with = "batch")]
    stream: bool,
    /// Give the calls of a stream idempotency keys
    #[arg(long, help_heading = "How", requires = "stream")]
    keys: bool,
    /// Ask a server by batches of so many calls
    #[arg(long, value_name = "CALLS", help_heading = "How")]
    batch: Option<usize>,
    /// Clients of a server, each with a connection
    #[arg(long, default_value_t = 64, help_heading = "How")]
    clients: usize,
    /// Calls in flight: of each client by streams [default: 1], or in all if embedded [default: 4096]
    #[arg(long, value_name = "CALLS", help_heading = "How")]
    in_flight: Option<usize>,
    /// Open loop: begin so many transactions a second, and count latency from when they should begin
    #[arg(long, value_name = "TX/S", help_heading = "How")]
    rate: Option<f64>,
    /// How long to warm up
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration, help_heading = "How")]
    warm_up: Duration,
    /// How long each run is
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration, help_heading = "How")]
    duration: Duration,
    /// Runs, one after another under one load; the median is shown with the least and the greatest
    #[arg(long, default_value_t = 3, help_heading = "How")]
    runs: usize,
    /// What all choices follow from [default: a new one, which is printed]
    #[arg(long, help_heading = "How")]
    seed: Option<u64>,

    /// How keys are chosen: uniform, hotspot, or zipf:S
    #[arg(long, default_value = "uniform", help_heading = "What")]
    spread: Spread,
    /// transfer: accounts [default: 10000; keynote: 100000]
    #[arg(long, help_heading = "What")]
    accounts: Option<usize>,
    /// transfer: an amount of 1, and both accounts chosen by --spread
    #[arg(long, help_heading = "What")]
    keynote: bool,
    /// smallbank and marketplace: customers [default: 10000; marketplace: 100000]
    #[arg(long, help_heading = "What")]
    customers: Option<usize>,
    /// smallbank: customers in one transfer
    #[arg(long, default_value_t = 4, help_heading = "What")]
    size: usize,
    /// smallbank: the six classic procedures in place of transfers
    #[arg(long, help_heading = "What")]
    classic: bool,
    /// marketplace: sellers, with 10 products each
    #[arg(long, default_value_t = 10_000, help_heading = "What")]
    sellers: usize,
    /// marketplace: pieces in stock of each product
    #[arg(long, default_value_t = 10_000, help_heading = "What")]
    stock: u64,
}

/// The command.
pub fn command() -> ExtraCommand {
    let command = Command::new("bench").about("Measure a workload, and check its invariants");
    ExtraCommand::new(
        Words::augment_args(command),
        &[Group::Client],
        |context, given| {
            let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
            let url_given = given.value_source("url").is_some();
            let holds = run(words, url_given, &context)?;
            match holds {
                true => Ok(()),
                false => Err(Failure::new(Exit::Failed, "an invariant is violated")),
            }
        },
    )
}

fn run(words: Words, url_given: bool, context: &Context) -> Result<bool, Failure> {
    words.check(url_given).map_err(Failure::usage)?;
    let seed = words.seed.unwrap_or_else(new_seed);
    if words.what == What::Limits {
        let dir = words.dir.clone().unwrap_or_else(std::env::temp_dir);
        limits::run(&dir, words.duration.min(LIMIT_MAX), seed, context.output)?;
        return Ok(true);
    }
    let client = if url_given {
        Some(context.client()?)
    } else {
        None
    };
    let catalog = context.catalog.clone();
    let open = move |dir: &Path| Ok(Node::open(dir, catalog)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(anyhow::Error::from)?;
    let workload = words.workload().into();
    let bench = Bench {
        words,
        seed,
        handle: runtime.handle().clone(),
        workload,
    };
    let report = runtime.block_on(async {
        // Whoever is dropped takes its own with it: the server is killed, the directory removed.
        tokio::select! {
            report = bench.run(client, open) => report,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    runtime.shutdown_background();
    let report = report?;
    report.print(context.output)?;
    Ok(report.violations.is_empty())
}

impl Words {
    fn check(&self, url_given: bool) -> anyhow::Result<()> {
        let remote = url_given || self.server;
        let by_network = self.stream || self.batch.is_some();
        ensure!(
            remote || !by_network,
            "--stream and --batch ask a server: give --server or --url"
        );
        ensure!(
            !(self.embedded && url_given),
            "--embedded asks no server: leave out --url"
        );
        ensure!(
            !(self.rate.is_some() && self.batch.is_some()),
            "batches have no rate"
        );
        ensure!(
            self.clients > 0 && self.runs > 0,
            "there must be a client and a run"
        );
        ensure!(
            self.in_flight != Some(0) && self.batch != Some(0),
            "a call must be in flight"
        );
        ensure!(
            self.rate.is_none_or(|rate| rate > 0.0),
            "a rate is more than 0"
        );
        ensure!(self.size > 0, "a transfer has a source");
        ensure!(!self.duration.is_zero(), "a run takes time");
        Ok(())
    }

    fn workload(&self) -> Box<dyn Workload> {
        let spread = self.spread;
        match self.what {
            What::Transfer if self.keynote => {
                Box::new(Transfer::keynote(self.accounts.unwrap_or(100_000), spread))
            }
            What::Transfer => Box::new(Transfer::ycsb(self.accounts.unwrap_or(10_000), spread)),
            What::Smallbank => {
                let customers = self.customers.unwrap_or(10_000);
                match self.classic {
                    true => Box::new(SmallBank::classic(customers, spread)),
                    false => Box::new(SmallBank::multi(customers, spread, self.size)),
                }
            }
            What::Marketplace | What::Limits => {
                let sizes = Sizes {
                    customers: self.customers.unwrap_or(100_000),
                    sellers: self.sellers,
                    products_each: 10,
                    stock: self.stock,
                };
                Box::new(Market::new(sizes, spread))
            }
        }
    }

    fn plan(&self) -> Plan {
        let (warm_up, window, windows) = (self.warm_up, self.duration, self.runs);
        Plan {
            begin: Instant::now(),
            warm_up,
            window,
            windows,
        }
    }
}

/// One measurement.
#[derive(Clone)]
struct Bench {
    words: Words,
    seed: u64,
    handle: Handle,
    workload: Arc<dyn Workload>,
}

impl Bench {
    async fn run(
        self,
        client: Option<Client>,
        open: impl FnOnce(&Path) -> anyhow::Result<Node> + Send + 'static,
    ) -> anyhow::Result<Report> {
        if let Some(client) = client {
            return blocking(move || self.remote(&client, None)).await;
        }
        let (root, _removed_at_the_end) = new_dir(self.words.dir.as_deref(), "ordain-bench-")?;
        if self.words.server {
            let server = Server::start(&root).await?;
            let (client, pid) = (server.client().clone(), server.pid());
            return blocking(move || self.remote(&client, Some(pid))).await;
        }
        blocking(move || {
            let node = open(&root.join("data"))?;
            let report = self.embedded(&node);
            node.stop();
            report
        })
        .await
    }

    fn embedded(&self, node: &Node) -> anyhow::Result<Report> {
        let mut door = Embedded(node.clone());
        load(&*self.workload, &mut door)?;
        let slots = self.words.in_flight.unwrap_or(4_096);
        let plan = self.words.plan();
        let cpu = watch_cpu(plan, None);
        let (record, driver) = match self.words.rate {
            Some(rate) => {
                let target = Target::Node(node.clone());
                let driver = format!("embedded, {rate} tx/s, up to {slots} in flight");
                (self.open_loop(target, plan, rate, slots), driver)
            }
            None => {
                let lane = Lane::new(&*self.workload, plan, 0, slots, slots, self.seed);
                (
                    closed::embedded(node, lane)?,
                    format!("embedded, {slots} in flight"),
                )
            }
        };
        let cpu = cpu.recv().context("the processor time was not read")?;
        self.report(record, driver, &cpu, &mut door)
    }

    fn remote(&self, client: &Client, server: Option<u32>) -> anyhow::Result<Report> {
        let mut door = Remote::open(&self.handle, client)?;
        load(&*self.workload, &mut door)?;
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
        let mut violations = self.workload.check(door)?;
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

/// A seed that is not chosen. The clock is chance enough.
pub fn new_seed() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_nanos() as u64 % 1_000_000_000
}

/// The directory of that name, which must have nothing in it; or a temporary one, which goes with the
/// value beside it.
///
/// # Errors
/// If it is in use, or none can be made.
pub fn new_dir(dir: Option<&Path>, prefix: &str) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    let Some(dir) = dir else {
        let temp = tempfile::Builder::new().prefix(prefix).tempdir();
        let temp = temp.context("cannot make a temporary directory")?;
        return Ok((temp.path().to_owned(), Some(temp)));
    };
    let empty = std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    ensure!(
        empty,
        "{} is not empty: give a new directory",
        dir.display()
    );
    Ok((dir.to_owned(), None))
}

/// Returns when somebody wants this process to end.
pub async fn interrupted() {
    let listen = |kind| signal(kind).expect("the system lets us listen to signals");
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
