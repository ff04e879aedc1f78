//! Other builds of the program: after a start each is tried on a copy of what the disk and the store hold.
//! One whose methods are not what they were must refuse what another one ran, take over where there is
//! nothing of the kind, and when it is made to run it, say exactly what came out differently.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ordain_log::disk::{Disk, MemoryDisk};
use ordain_node::{Node, OpenError, Options, Recovered, Stepped, Steps};
use ordain_store::{MemoryStore, Store};
use ordain_types::{Batch, BuildId, Command, FaultKind, Outcome, Seq};

use super::crashes::all_records;
use super::look::{unreadable, whole_state};
use super::store::copy;
use super::world::World;
use crate::compare::{Difference, Same, holds, same, same_state};
use crate::dump;
use crate::host::Change;
use crate::oracle::{Expected, Oracle};

/// A build that no life of a world is of.
const OTHER: &str = "another build";

/// What comes out differently of a batch.
#[derive(Debug, Default)]
struct Differing {
    sure: Vec<Seq>,
    /// Perhaps only in the prose of a fault, which the oracle has none of.
    perhaps: Vec<Seq>,
}

impl Differing {
    fn fits(&self, told: &[Seq]) -> bool {
        let possible = |seq: &Seq| self.sure.contains(seq) || self.perhaps.contains(seq);
        told.iter().all(possible) && self.sure.iter().all(|seq| told.contains(seq))
    }
}

/// What a start finds, once for each build that is tried on it.
struct Found {
    disk: MemoryDisk,
    store: MemoryStore,
}

impl Found {
    fn fork(&self) -> (MemoryDisk, Arc<MemoryStore>) {
        (self.disk.fork(), Arc::new(self.store.fork()))
    }
}

impl World<'_> {
    /// After a clean stop: perhaps the next start is another build's, if that has nothing to replay.
    pub(super) fn change_build(&mut self) -> Same {
        if !self.settings.builds || !self.chance.one_in(2) {
            return Ok(());
        }
        let checkpoint = self.medium.open().map_err(unreadable)?.seq();
        let disk: Arc<dyn Disk> = Arc::new(self.fork_of_disk());
        let records = all_records(&disk);
        let reached = records.map(|records| records.last().map(|record| record.last_seq()));
        if reached.is_ok_and(|reached| reached == Some(checkpoint)) {
            self.settings.build.push('+');
            self.note("builds changed");
        }
        Ok(())
    }

    /// Tries other builds on what was just started on.
    pub(super) fn try_other_builds(&mut self, store: &dyn Store) -> Same {
        if !self.settings.builds || !self.chance.one_in(3) {
            return Ok(());
        }
        let found = Found {
            disk: self.fork_of_disk(),
            store: copy(store).map_err(unreadable)?,
        };
        self.another_refuses_or_takes_over(&found)?;
        self.made_to_it_tells(&found)?;
        self.under_the_same_name_it_is_found(&found)
    }

    /// A log that does not reach what the store stands for.
    pub(super) fn apart_is_refused(&mut self, store: &MemoryStore) -> Same {
        if !self.settings.builds || store.seq() == Seq::ZERO {
            return Ok(());
        }
        let options = self.options_of(&self.settings.build.clone());
        let opened = self.open_changed(&MemoryDisk::new(), Arc::new(store.fork()), options);
        let refused = matches!(opened, Err(OpenError::Apart { .. }));
        self.exercised.add("apart refused", u64::from(refused));
        holds(refused, || {
            let found = told(opened.map(|(.., recovered)| recovered));
            Difference::new("a store without its log", found, "it is refused")
        })
    }

    fn fork_of_disk(&self) -> MemoryDisk {
        let disk = self.disk.fork();
        disk.calm();
        disk.limit_bytes(None);
        disk
    }

    fn options_of(&self, build: &str) -> Options {
        Options {
            segment_bytes: 64 << 10,
            checkpoint_interval: Duration::from_secs(1 << 20),
            history_bytes: 1 << 30,
            retention: self.settings.retention,
            build: Some(build.to_owned()),
            clock: self.clock.clone(),
            ..Options::default()
        }
    }

    /// Opens a node whose methods' values are not what they were.
    fn open_changed(
        &self,
        disk: &MemoryDisk,
        store: Arc<MemoryStore>,
        options: Options,
    ) -> Result<(Node, Steps, Recovered), OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let catalog = self.hosting.changed_catalog(Change::Values);
        Node::open_stepped(disk, store, catalog, options, 0, &mut |_| {})
    }

    fn another_refuses_or_takes_over(&mut self, found: &Found) -> Same {
        let (disk, store) = found.fork();
        let opened = self.open_changed(&disk, store.clone(), self.options_of(OTHER));
        let opened = opened.map(|(.., recovered)| recovered);
        let foreign = self.first_run_by_others(found.store.seq(), OTHER);
        let as_due = match (&opened, foreign) {
            (Err(OpenError::OtherBuild { from, .. }), Some(first)) => *from == first,
            (Ok(recovered), None) => recovered.differences.is_empty(),
            _ => false,
        };
        holds(as_due, || {
            let expected = foreign.map(|seq| format!("it refuses from {seq} on"));
            let expected = expected.unwrap_or_else(|| "it starts".to_owned());
            Difference::new("the start of another build", told(opened), expected)
        })?;
        if foreign.is_none() {
            self.note("builds accepted");
            return Ok(());
        }
        self.note("builds refused");
        let disk: Arc<dyn Disk> = Arc::new(disk);
        for record in all_records(&disk).map_err(no_log)? {
            self.history.is_known(&record)?;
        }
        let what = || "the store of who was refused".to_owned();
        same(what, &store.seq(), &found.store.seq())
    }

    /// Told to replay what another one ran, a build says what came out differently; its state is what
    /// its own methods make of the log.
    fn made_to_it_tells(&mut self, found: &Found) -> Same {
        let (disk, store) = found.fork();
        let options = Options {
            replay_other_build: true,
            ..self.options_of(OTHER)
        };
        let opened = self.open_changed(&disk, store.clone(), options);
        let (node, mut steps, recovered) = opened.map_err(|error| {
            let what = "the start of another build that is told to replay";
            Difference::new(what, error.to_string(), "it starts")
        })?;
        let (mut oracle, batches) = self.run_changed(found.store.seq())?;
        let told: Vec<_> = recovered.differences.iter().map(|told| told.seq).collect();
        let expected = batches
            .into_iter()
            .fold(Differing::default(), |all, batch| Differing {
                sure: [all.sure, batch.sure].concat(),
                perhaps: [all.perhaps, batch.perhaps].concat(),
            });
        holds(expected.fits(&told), || {
            let expected = format!("{expected:?}");
            Difference::new("what came out differently", format!("{told:?}"), expected)
        })?;
        self.exercised
            .add("differences told of", u64::from(!told.is_empty()));

        node.stop();
        while steps.executor() != Stepped::Ended {
            steps.committer();
            steps.checkpointer();
        }
        while steps.committer() != Stepped::Ended {}
        let disk: Arc<dyn Disk> = Arc::new(disk);
        for record in all_records(&disk).map_err(no_log)? {
            if record.first_seq > self.history.last() {
                let batch = Batch::decode(&record.payload).map_err(no_log)?;
                for command in &batch.commands {
                    oracle.execute(command, batch.timestamp);
                }
            }
        }
        let state = whole_state(&*store)?;
        let what = "the state that another build came to";
        same_state(what, &state, &dump::of_oracle(&oracle))
    }

    /// Methods that changed under the name of the build that ran them are found where the log has their
    /// digests.
    fn under_the_same_name_it_is_found(&mut self, found: &Found) -> Same {
        let checkpoint = found.store.seq();
        let build = self.settings.build.clone();
        if self.first_run_by_others(checkpoint, &build).is_some() {
            return Ok(());
        }
        let (disk, store) = found.fork();
        let opened = self.open_changed(&disk, store, self.options_of(&build));
        let (_, batches) = self.run_changed(checkpoint)?;
        let differs = match &opened {
            Ok((.., recovered)) => &recovered.differences,
            Err(OpenError::Diverged { differences, .. }) => differences,
            Err(_) => &Vec::new(),
        };
        let seqs: Vec<_> = differs.iter().map(|told| told.seq).collect();
        let sure = batches.iter().position(|batch| !batch.sure.is_empty());
        // A start ends with the first batch that differs.
        let reached = &batches[..sure.map_or(batches.len(), |at| at + 1)];
        let as_due = match &opened {
            Ok(_) => seqs.is_empty() && sure.is_none(),
            Err(OpenError::Diverged { .. }) => {
                !seqs.is_empty() && reached.iter().any(|batch| batch.fits(&seqs))
            }
            Err(_) => false,
        };
        self.exercised
            .add("replays found to differ", u64::from(sure.is_some()));
        holds(as_due, || {
            let found = told(opened.map(|(.., recovered)| recovered));
            let what = "the start of changed methods under the same name";
            Difference::new(what, found, format!("these differ: {batches:?}"))
        })
    }

    /// The first command after the checkpoint that another build than this ran.
    fn first_run_by_others(&self, checkpoint: Seq, build: &str) -> Option<Seq> {
        let mut ran_by = self.history.state_at(checkpoint)?.in_force.build;
        for seq in checkpoint.0 + 1..=self.history.last().0 {
            match &self.history.log[seq as usize - 1].command {
                Command::Genesis { .. } => {}
                Command::InForce(in_force) => ran_by = in_force.build.clone(),
                _ if ran_by != BuildId(build.to_owned()) => return Some(Seq(seq)),
                _ => {}
            }
        }
        None
    }

    /// Runs with changed methods what the log has after the checkpoint. Gives, batch by batch, what comes
    /// out differently from what the log's digests say.
    fn run_changed(&self, checkpoint: Seq) -> Result<(Oracle, Vec<Differing>), Difference> {
        let before = self.history.state_at(checkpoint);
        let mut oracle = before.expect("a checkpoint is durable").changed();
        let mut batches = Vec::new();
        for record in self.history.records_after(checkpoint) {
            batches.push(Batch::decode(&record.payload).map_err(no_log)?);
        }
        let digests = batches.iter().flat_map(|batch| &batch.digests);
        let digested: BTreeSet<Seq> = digests.map(|digest| digest.first_seq).collect();
        let mut all = Vec::new();
        for batch in batches {
            let mut differ = Differing::default();
            for (seq, command) in (batch.first_seq.0..).zip(&batch.commands) {
                let expected = oracle.execute(command, batch.timestamp);
                if expected != self.history.log[seq as usize - 1].expected {
                    differ.sure.push(Seq(seq));
                } else if tells_a_length(&expected) {
                    differ.perhaps.push(Seq(seq));
                }
            }
            if digested.contains(&batch.first_seq) {
                all.push(differ);
            }
        }
        Ok((oracle, all))
    }
}

/// Whether a fault says how long a value is that is too long.
fn tells_a_length(expected: &Expected) -> bool {
    let outcome = match expected {
        Expected::Done(outcome) | Expected::Repeated(_, outcome) => outcome,
        Expected::KeyReused(_) => return false,
    };
    matches!(outcome, Outcome::Fault(fault) if fault.kind == FaultKind::ValueBytes)
}

fn no_log(error: impl std::fmt::Display) -> Difference {
    Difference::new("reading a sound log", error.to_string(), "it can be read")
}

fn told(opened: Result<Recovered, OpenError>) -> String {
    match opened {
        Ok(recovered) => format!("it starts: {recovered:?}"),
        Err(error) => error.to_string(),
    }
}
