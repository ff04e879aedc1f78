//! The command `bench`: from its words to a report.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain::Node;
use ordain_cli::settings::Group;
use ordain_cli::{Bar, Context, Exit, ExtraCommand, Failure};
use ordain_client::Client;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::answer::Answer;
use crate::door::{Door, Embedded, Remote};
use crate::drive::closed;
use crate::drive::lane::Lane;
use crate::drive::open::{self, Target};
use crate::measure::{Plan, Record};
use crate::report::{CpuTimes, Report};
use crate::server::Server;
use crate::words::Words;
use crate::workload::Workload;
use crate::{compare, limits, process};

/// The command.
pub fn command() -> ExtraCommand {
    let about = "Measure a workload, and check its invariants";
    let words = Words::augment_args(Command::new("bench").about(about))
        .subcommand_negates_reqs(true)
        .args_conflicts_with_subcommands(true)
        .subcommands([limits::command(), compare::command()]);
    let groups = &[Group::Client];
    ExtraCommand::new(words, groups, |context, given| match given.subcommand() {
        None => workload(&context, given),
        Some(("limits", given)) => limits::run(&context, given),
        Some((_, given)) => compare::run(&context, given),
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
    let open = move |dir: &Path| Ok(Node::open(dir, catalog)?);
    let report = until_interrupted(|handle| {
        let seed = words.seed.unwrap_or_else(new_seed);
        let workload = words.workload().into();
        let bench = Bench {
            words,
            seed,
            handle,
            workload,
        };
        bench.run(client, open)
    })?;
    report.print(context.output)?;
    match report.violations.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failed, "an invariant is violated")),
    }
}

/// Runs it to its end, or until somebody wants this process to end. Whatever is dropped then takes its
/// own with it: a server is killed, a directory removed.
///
/// # Errors
/// Its own; or that it was interrupted.
pub fn until_interrupted<T, F: Future<Output = anyhow::Result<T>>>(
    work: impl FnOnce(Handle) -> F,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = work(runtime.handle().clone()) => done,
            () = interrupted() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    runtime.shutdown_background();
    done
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

/// Runs what blocks, aside.
///
/// # Errors
/// Its own.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
