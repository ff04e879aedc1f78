//! One run: a server, clients, a fault, healing, and then every check there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use ordain::Key;
use ordain_bench::choose::{Chance, chance};
use ordain_client::{Client, Reply};
use ordain_example_probe::{Counter, List, Op, Timer};

use crate::check::{counters, isolation, order, timers};
use crate::faults::copy;
use crate::history::Record;
use crate::load::{Load, Mix};
use crate::server::{Server, Setup};

/// Calls that must be acknowledged after healing, or the run shows nothing.
pub const AFTER_HEALING: u64 = 1_000;
/// How long that may take.
const AFTER_HEALING_MAX: Duration = Duration::from_secs(40);
/// How long clients may take to finish what they asked.
const SETTLE_MAX: Duration = Duration::from_secs(40);
/// How often the harness looks again at what it waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Whether the fault happened, as far as that can be seen from outside.
    pub bit: bool,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Of these, after the server was healed.
    pub after_healing: u64,
    /// Checks made.
    pub checks: u64,
    /// What did not hold.
    pub violations: Vec<String>,
    /// What happened, for people.
    pub notes: Vec<String>,
}

/// A run under way.
pub struct Scene {
    /// Its directory: data, messages, history.
    pub root: PathBuf,
    /// How its server is started.
    pub setup: Setup,
    /// Its choices.
    pub chance: Chance,
    /// Its clients.
    pub load: Load,
    /// Which repetition this is, from 0.
    pub repetition: u32,
    seed: u64,
    server: Option<Server>,
    kept: Vec<Box<dyn std::any::Any>>,
    healed_at: Option<u64>,
    outcome: Outcome,
}

impl Scene {
    /// A scene in that directory, which is made.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(program: &Path, root: &Path, seed: u64, repetition: u32) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
        let root = std::path::absolute(root)?;
        let setup = Setup::new(program, &root)?;
        let load = Load::new(&setup.url(), Mix::default(), seed)?;
        Ok(Self {
            chance: chance(seed, usize::MAX),
            setup,
            root,
            load,
            repetition,
            seed,
            server: None,
            kept: Vec::new(),
            healed_at: None,
            outcome: Outcome::default(),
        })
    }

    /// Other clients than usual. Before they start.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn mix(&mut self, mix: Mix) -> anyhow::Result<()> {
        self.load = Load::new(&self.setup.url(), mix, self.seed)?;
        Ok(())
    }

    /// Starts a server, makes the data and starts the clients.
    ///
    /// # Errors
    /// If the server does not start or the data cannot be made.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.start()?;
        self.load.prepare()?;
        self.load.start()
    }

    /// Starts the server.
    ///
    /// # Errors
    /// If it does not become ready.
    pub fn start(&mut self) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "a server runs already");
        self.server = Some(self.setup.start()?);
        Ok(())
    }

    /// A server that was started in another way.
    pub fn adopt(&mut self, server: Server) {
        self.server = Some(server);
    }

    /// The server.
    ///
    /// # Errors
    /// If none runs.
    pub fn server(&mut self) -> anyhow::Result<&mut Server> {
        self.server.as_mut().context("no server runs")
    }

    /// The server, to be killed or stopped.
    ///
    /// # Errors
    /// If none runs.
    pub fn take(&mut self) -> anyhow::Result<Server> {
        self.server.take().context("no server runs")
    }

    /// As `kill -9`.
    ///
    /// # Errors
    /// If none runs.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.take()?.kill()
    }

    /// Something that the server needs for as long as there is a scene.
    pub fn keep_until_end(&mut self, thing: impl std::any::Any) {
        self.kept.push(Box::new(thing));
    }

    /// Operations acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.load.history().acknowledged()
    }

    /// The times that transactions were told by now, in their order.
    pub fn times_told(&self) -> Vec<u64> {
        let mut records = self.load.history().records();
        records.retain(|record| record.entity_type() == "probe_timer");
        records.sort_by_key(|record| record.seq);
        records.iter().filter_map(Record::value).collect()
    }

    /// Waits until so many operations more were acknowledged.
    ///
    /// # Errors
    /// If a client found something wrong, or that took too long.
    pub fn wait_acknowledged(&mut self, more: u64) -> anyhow::Result<()> {
        let goal = self.acknowledged() + more;
        match self.until(AFTER_HEALING_MAX, |scene| scene.acknowledged() >= goal)? {
            true => Ok(()),
            false => bail!("{more} calls more were not acknowledged in time"),
        }
    }

    /// Waits until that holds; false: it did not in time, or a client found something wrong.
    ///
    /// # Errors
    /// None of its own: those of `holds` are its answers.
    pub fn until(
        &mut self,
        max: Duration,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> anyhow::Result<bool> {
        let end = Instant::now() + max;
        while Instant::now() < end && !self.load.trouble() {
            if holds(self) {
                return Ok(true);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(false)
    }

    /// The fault happened; said for people.
    pub fn bit(&mut self, what: impl Into<String>) {
        self.outcome.bit = true;
        self.note(what);
    }

    /// Something to be told.
    pub fn note(&mut self, what: impl Into<String>) {
        self.outcome.notes.push(what.into());
    }

    /// A check of the fault's own.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.outcome.checks += 1;
        if !holds {
            self.outcome.violations.push(what());
        }
    }

    /// From here on the server is whole again.
    pub fn healed(&mut self) {
        self.healed_at = Some(self.acknowledged());
    }

    /// Waits for the calls after healing, stops the clients, checks everything.
    ///
    /// # Errors
    /// If the server cannot be asked any more.
    pub fn conclude(&mut self) -> anyhow::Result<Outcome> {
        let healed_at = self.healed_at.context("the fault's run never healed")?;
        let goal = healed_at + AFTER_HEALING;
        self.until(AFTER_HEALING_MAX, |scene| scene.acknowledged() >= goal)?;
        self.load.stop(SETTLE_MAX);
        self.outcome.acknowledged = self.acknowledged();
        self.outcome.after_healing = self.acknowledged() - healed_at;
        let troubles = self.load.shared.troubles();
        self.found(troubles);
        let before = self.audit()?;
        self.check_restart(&before)?;
        Ok(std::mem::take(&mut self.outcome))
    }

    /// Writes down all that was recorded, for whoever looks at a violation, and copies data that is on a disk
    /// which goes with the scene.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self) -> anyhow::Result<()> {
        self.load
            .history()
            .write(&self.root.join("history.jsonl"))?;
        let data = self.root.join("data");
        if self.setup.data != data && self.setup.data.exists() {
            copy(&self.setup.data, &data)?;
        }
        Ok(())
    }

    fn found(&mut self, violations: Vec<String>) {
        self.outcome.checks += 1;
        self.outcome.violations.extend(violations);
    }

    /// Reads everything and holds it against what was recorded. Gives the state's hash.
    fn audit(&mut self) -> anyhow::Result<String> {
        let client = self.load.client()?;
        let handle = self.load.handle().clone();
        let mut records = self.load.history().records();
        let timers = handle.block_on(self.read_timers(&client, &records))?;
        let counts = handle.block_on(read_counts(&client, &records))?;
        let lists = handle.block_on(self.read_lists(&client, &mut records))?;
        self.found(isolation::check(&records));
        self.found(order::check(&records, &lists));
        self.found(counters::check(&records, &counts));
        self.found(timers::check(&records, &timers));
        let audit = self.load.banks.audit(&handle, &client)?;
        self.found(audit);
        let unknown = records.iter().filter(|record| record.unknown()).count();
        if unknown > 0 {
            self.note(format!("{unknown} operations were never answered"));
        }
        Ok(handle.block_on(client.state_hash())?.hash)
    }

    /// A last read of each list, as operations of a client of its own.
    async fn read_lists(
        &self,
        client: &Client,
        records: &mut Vec<Record>,
    ) -> anyhow::Result<BTreeMap<Key, Vec<u64>>> {
        let steps = records.iter().filter_map(isolation::steps).flatten();
        let keys: BTreeSet<Key> = steps
            .map(|step| match step {
                Op::Append { key, .. } | Op::Read { key } => key,
            })
            .collect();
        let mut lists = BTreeMap::new();
        for key in keys {
            let invoked = self.load.history().moment();
            let request = ordain_example_probe::Lists::at("all").read(vec![key.clone()]);
            let parts = request.clone().into_parts()?;
            let reply: Reply<Vec<Vec<u64>>> = client.query(request).await?;
            let mut record = Record::begin(u32::MAX, invoked, &parts);
            record.returned = Some(self.load.history().moment());
            record.seq = reply.seq.map(|seq| seq.0);
            let json = serde_json::to_string(&reply.value)?;
            record.answer = crate::history::Answer::Value(crate::history::raw(&json));
            records.push(record);
            let alone = client.query(List::at(&key).read()).await?.value;
            lists.insert(key, alone);
        }
        Ok(lists)
    }

    /// The timers, when every send that was asked for has arrived.
    async fn read_timers(
        &self,
        client: &Client,
        records: &[Record],
    ) -> anyhow::Result<BTreeMap<String, Timer>> {
        let mut timers = BTreeMap::new();
        let end = Instant::now() + SETTLE_MAX;
        for key in keys_of(records, "probe_timer") {
            let told = loop {
                let told = client.query(Timer::at(&key).told()).await?.value;
                if told.fired.len() as u64 >= told.set || Instant::now() > end {
                    break told;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            };
            timers.insert(key, told);
        }
        Ok(timers)
    }

    /// A restart, by kill or by stop, changes nothing at rest: the state's hash is what it was `before`.
    ///
    /// # Errors
    /// If the server does not start again or cannot be asked.
    pub fn check_restart(&mut self, before: &str) -> anyhow::Result<()> {
        let server = self.take()?;
        match self.repetition % 2 {
            0 => server.kill()?,
            _ => {
                let status = server.stop()?;
                self.check(status.success(), || format!("a stop ended with {status}"));
            }
        }
        self.start()?;
        let client = self.load.client()?;
        let after = self.load.handle().block_on(client.state_hash())?.hash;
        self.check(after == before, || {
            format!("the state's hash was {before} and is {after} after a restart")
        });
        self.kill()
    }
}

/// The keys of all entities of a type that were asked anything.
fn keys_of(records: &[Record], ty: &str) -> BTreeSet<String> {
    let asked = records.iter().filter(|record| record.entity_type() == ty);
    asked.map(|record| record.entity_key().to_owned()).collect()
}

async fn read_counts(client: &Client, records: &[Record]) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for key in keys_of(records, "probe_counter") {
        let count = client.query(Counter::at(&key).count()).await?.value;
        counts.insert(key, count);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_on_a_disk_that_goes_is_kept_beside_the_history() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("run");
        let mut scene = Scene::new(Path::new("ordain"), &root, 1, 0).unwrap();
        scene.setup.data = root.join("disk/data");
        std::fs::create_dir_all(scene.setup.data.join("log")).unwrap();
        std::fs::write(scene.setup.data.join("log/acked"), "7").unwrap();
        scene.keep().unwrap();
        assert!(root.join("history.jsonl").exists());
        assert_eq!(std::fs::read(root.join("data/log/acked")).unwrap(), b"7");
    }
}
