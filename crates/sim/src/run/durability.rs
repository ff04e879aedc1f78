//! What happens to the engine besides commands: syncs, checkpoints, evictions, roll-backs, crashes,
//! failing reads, replays.

use ordain_types::Outcome;

use super::{Checkpoint, Entry, World, check, decode};
use super::{Command, Engine, Executed, Expected, Seq, dump};
use crate::compare::{Difference, Same, same, same_state};
use crate::host::Change;

impl World {
    /// More of the log is durable.
    pub(super) fn sync(&mut self) {
        let ends: Vec<_> = self.batch_ends();
        self.durable = self.chance.pick(&ends);
        let told = !self.chance.one_in(3); // the engine may hear of it later, or only by a checkpoint
        if told {
            self.engine.durable(self.durable);
        }
        let durable = self.durable;
        self.tell(|| format!("durable up to {durable}, told: {told}"));
    }

    /// Batch ends from the durable one up.
    fn batch_ends(&self) -> Vec<Seq> {
        let ends = self.log.iter().map(|entry| entry.last_seq());
        let later = ends.filter(|end| *end > self.durable);
        std::iter::once(self.durable).chain(later).collect()
    }

    pub(super) fn checkpoint(&mut self) -> Same {
        if self.checkpoint.is_none() {
            self.begin_checkpoint();
            return Ok(());
        }
        if self.chance.one_in(10) {
            self.tell(|| "checkpoint abandoned".to_owned());
            self.checkpoint = None;
            self.engine.abandon_checkpoint();
            return Ok(());
        }
        let most = self.chance.pick(&[1, 2, 5, 20, 1_000_000]);
        self.checkpoint_further(most)
    }

    pub(super) fn begin_checkpoint(&mut self) {
        self.engine.begin_checkpoint();
        let checkpoint = Checkpoint {
            seq: self.oracle.seq,
            state: dump::of_oracle(&self.oracle),
            changes: None,
        };
        self.tell(|| format!("checkpoint at {}", checkpoint.seq));
        self.checkpoint = Some(checkpoint);
    }

    /// Captures some of the checkpoint, or applies it once all is captured and durable.
    pub(super) fn checkpoint_further(&mut self, most: usize) -> Same {
        let durable = self.durable;
        let Some(checkpoint) = &mut self.checkpoint else {
            return Ok(());
        };
        let Some(changes) = checkpoint.changes.take_if(|_| checkpoint.seq <= durable) else {
            if checkpoint.changes.is_none() {
                checkpoint.changes = self.engine.step_checkpoint(most);
            }
            return Ok(());
        };
        self.cold.apply(&changes);
        self.engine.applied(changes.epoch);
        let checkpoint = self.checkpoint.take().expect("just seen");
        self.tell(|| format!("checkpoint of {} applied", checkpoint.seq));
        self.exercised.add("checkpoints", 1);
        same(
            || "seq of the checkpoint".to_owned(),
            &changes.seq,
            &checkpoint.seq,
        )?;
        let what = format!("state as of {} in the checkpoint", checkpoint.seq);
        same_state(
            &what,
            &dump::of_granules(&self.cold.granules()),
            &checkpoint.state,
        )
    }

    pub(super) fn evict(&mut self) {
        let bytes = self.chance.below(2 * self.engine.memory_bytes() as u64 + 1) as usize;
        self.tell(|| format!("evict {bytes} bytes"));
        self.exercised.add("evictions", 1);
        self.engine.evict(bytes);
    }

    pub(super) fn fail_reads(&mut self) {
        let reads = self.chance.below(20);
        self.tell(|| format!("reads fail after {reads}"));
        self.exercised.add("read failures planned", 1);
        self.cold.fail_after(Some(reads));
    }

    /// The engine halted: a read failed, or it had no reason to.
    pub(super) fn halted(&mut self) -> Same {
        let failed = self.cold.take_failed();
        self.tell(|| format!("halt, {failed} reads failed"));
        self.exercised.add("halts", 1);
        self.exercised.add("reads failed", failed);
        same(
            || "a read failed before the halt".to_owned(),
            &(failed > 0),
            &true,
        )?;
        self.restart()
    }

    /// Writing the log failed: what is not durable is taken back.
    pub(super) fn roll_back(&mut self) -> Same {
        let ends = self.batch_ends();
        let to = self.chance.pick(&ends);
        self.tell(|| format!("roll back to {to}"));
        self.exercised.add("roll-backs", 1);
        let rolled = self
            .engine
            .roll_back_to(to)
            .map_err(|halt| halt.to_string());
        same(|| format!("roll-back to {to}"), &rolled, &Ok(()))?;
        self.forget_log_after(to);
        // One of what stays goes on: it must come to the same as if nothing had been taken back.
        self.checkpoint.take_if(|checkpoint| checkpoint.seq > to);
        Ok(())
    }

    fn forget_log_after(&mut self, seq: Seq) {
        let keep = self.log.partition_point(|entry| entry.first_seq <= seq);
        if let Some(first) = self.log.drain(keep..).next() {
            self.oracle = first.before;
        }
        if self.chance.one_in(2) {
            self.now = self.oracle.now.max(super::Timestamp(1_000));
        }
    }

    /// The process ends; what was not durable may be lost.
    pub(super) fn crash(&mut self) -> Same {
        let ends = self.batch_ends();
        let to = self.chance.pick(&ends);
        self.tell(|| format!("crash, of the log {to} is left"));
        self.exercised.add("crashes", 1);
        self.forget_log_after(to);
        self.restart()
    }

    /// A new engine over what was checkpointed, and a replay of the log after it.
    pub(super) fn restart(&mut self) -> Same {
        self.tell(|| "restart".to_owned());
        self.exercised.add("restarts", 1);
        self.cold.fail_after(None);
        self.checkpoint = None;
        self.end_process();
        self.engine = self.open();
        let from = self.engine.seq();
        let decoded = self.chance.one_in(2);
        for entry in self.log.iter_mut().filter(|entry| entry.first_seq > from) {
            let digest = replay(&mut self.engine, entry, decoded)?;
            let first = entry.digest.get_or_insert_with(|| digest.clone());
            same(
                || format!("digest of batch {}", entry.first_seq),
                &digest,
                first,
            )?;
        }
        self.durable = self.engine.seq();
        self.engine.durable(self.durable);
        Ok(())
    }

    /// The log once more with methods that are not what they were: its digests must tell, in the
    /// first batch at the latest whose outcomes are other ones.
    pub(super) fn replay_changed(&mut self) -> Same {
        if self.hosting.cast.has_modules() {
            return Ok(()); // whose methods are what their packages say
        }
        let change = (self.chance).pick(&[Change::Values, Change::Details, Change::Delays]);
        let catalog = self.hosting.changed_catalog(change);
        let mut engine = self.open_anew(catalog);
        for entry in &self.log {
            engine.begin_batch(entry.first_seq, entry.timestamp);
            for command in &entry.commands {
                executed(&mut engine, command, false)?;
            }
            let told = Some(engine.end_batch()) != entry.digest;
            if told || entry.changes_by(change) {
                return same(
                    || format!("digest of batch {}: {change:?} are others", entry.first_seq),
                    &told,
                    &true,
                );
            }
        }
        Ok(())
    }

    /// The whole log once more, from nothing, in batches of other sizes.
    pub(super) fn replay_all(&mut self) -> Same {
        self.end_process();
        let mut engine = self.open_anew(self.catalog());
        for entry in &self.log {
            let mut outcomes = Vec::new();
            engine.begin_batch(entry.first_seq, entry.timestamp);
            for (at, command) in entry.commands.iter().enumerate() {
                let seq = entry.first_seq.plus(at as u64);
                if at > 0 && self.chance.one_in(4) {
                    outcomes.extend(engine.end_batch().outcomes);
                    engine.begin_batch(seq, entry.timestamp);
                }
                check(entry, seq, &executed(&mut engine, command, false)?)?;
            }
            outcomes.extend(engine.end_batch().outcomes);
            let first = entry.digest.as_ref().map(|digest| &digest.outcomes);
            same(
                || format!("digests of {}", entry.first_seq),
                &Some(&outcomes),
                &first,
            )?;
        }
        engine.begin_checkpoint();
        let changes = engine
            .step_checkpoint(usize::MAX)
            .expect("captured in one step");
        let cold = crate::cold::Durable::default();
        cold.apply(&changes);
        let state = dump::of_oracle(&self.oracle);
        same_state(
            "state after the replay",
            &dump::of_granules(&cold.granules()),
            &state,
        )
    }
}

impl Entry {
    /// Whether the change must show in an outcome or a send of this batch.
    fn changes_by(&self, change: Change) -> bool {
        let calls = self.commands.iter().zip(&self.expected);
        let mut outcomes = calls.filter_map(|(command, expected)| match (command, expected) {
            (Command::Call(_) | Command::Deliver { .. }, Expected::Done(outcome)) => Some(outcome),
            _ => None,
        });
        match change {
            Change::Values => {
                outcomes.any(|it| matches!(it, Outcome::Value(value) if value != "null"))
            }
            Change::Details => {
                outcomes.any(|it| matches!(it, Outcome::Rejected(no) if no.details.is_some()))
            }
            Change::Delays => self.sends,
        }
    }

    fn last_seq(&self) -> Seq {
        Seq(self.first_seq.0 + self.commands.len() as u64 - 1)
    }
}

/// Runs a batch of the log again.
fn replay(
    engine: &mut Engine,
    entry: &Entry,
    decoded: bool,
) -> Result<ordain_types::BatchDigest, Difference> {
    engine.begin_batch(entry.first_seq, entry.timestamp);
    for (at, command) in entry.commands.iter().enumerate() {
        let seq = entry.first_seq.plus(at as u64);
        check(entry, seq, &executed(engine, command, decoded)?)?;
    }
    Ok(engine.end_batch())
}

fn executed(
    engine: &mut Engine,
    command: &ordain_types::Command,
    decoded: bool,
) -> Result<Executed, Difference> {
    let args = decoded.then(|| decode(engine, command)).flatten();
    engine.execute(command, args).map_err(|halt| {
        let what = format!("replay of {command:?}");
        Difference::new(what, halt.to_string(), "all reads succeed")
    })
}
