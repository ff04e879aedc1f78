//! The replay of the log's tail: its records are read and decoded ahead, run, and each batch is held
//! against what the log says came of it. It knows nothing of the threads that come after it.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

use ordain_engine::{Answer, Args, Catalog, Engine, FORESEEN};
use ordain_log::{Reader, Record};
use ordain_store::Store;
use ordain_types::batch::BatchError;
use ordain_types::{Batch, BatchDigest, Bug, Command, InForce, Outcome, Seq, limits, planted};

use crate::ahead::ReadAhead;
use crate::budget::Budget;
use crate::cold::Reads;
use crate::options::Options;
use crate::panics::caught;
use crate::recovery::{Difference, OpenError, Progress};
use crate::reply::outcome_bytes;
use crate::threads::spawn_within;
use crate::warm::{Worth, warm};

/// What a replayed batch came to, until the log says what it should have.
struct ReplayedBatch {
    digest: BatchDigest,
    commands: Vec<Command>,
    answers: Vec<Came>,
}

/// How a command ended, for whoever is told that it should have ended otherwise. Few ever are: an answer is
/// put into words only if that makes it smaller.
enum Came {
    Answer(Answer),
    Words(String),
}

/// So many bytes of how a command ended are told.
const WORDS_BYTES_MAX: usize = 200;

impl Came {
    fn new(answer: Answer) -> Self {
        let bytes = match &answer {
            Answer::Done(outcome) | Answer::Repeated { outcome, .. } => outcome_bytes(outcome),
            Answer::KeyReused { .. } => 0,
        };
        match bytes <= WORDS_BYTES_MAX {
            true => Came::Answer(answer),
            false => Came::Words(ended(&answer)),
        }
    }

    fn words(&self) -> String {
        match self {
            Came::Answer(answer) => ended(answer),
            Came::Words(words) => words.clone(),
        }
    }
}

/// Records that may be decoded and not run.
const RECORDS_AHEAD_MAX: usize = 4;

/// A record as it is run. Its checksum says nothing of whether it holds a batch, or belongs there.
struct Read {
    record: Record,
    batch: Result<Batch, BatchError>,
    /// Decoded arguments, by command; none: whoever runs it decodes them and says what is wrong.
    args: Vec<Option<Args>>,
}

impl Read {
    fn new(mut record: Record, catalog: &Catalog) -> Self {
        let batch = Batch::decode(&std::mem::take(&mut record.payload));
        let commands = batch.iter().flat_map(|batch| &batch.commands);
        let args = commands.map(|command| decode(command, catalog)).collect();
        Self {
            record,
            batch,
            args,
        }
    }
}

fn decode(command: &Command, catalog: &Catalog) -> Option<Args> {
    let Command::Call(call) = command else {
        return None;
    };
    let (ty, method) = catalog.find(call.entity.ty.as_str(), call.method.as_str())?;
    let run = &catalog.get(ty).methods[method.0 as usize].run;
    let fits = call.args.len() <= limits::ARGUMENT_BYTES_MAX;
    let decoded = caught(|| fits.then(|| run.decode(&call.args).ok()).flatten());
    Some(decoded.ok()??.args)
}

/// A replay and what it came to.
pub(crate) struct Replay<'a> {
    engine: &'a mut Engine,
    in_force: &'a InForce,
    force: bool,
    budget: Budget,
    reads: Reads,
    executed: BTreeMap<Seq, ReplayedBatch>,
    differences: Vec<Difference>,
}

impl<'a> Replay<'a> {
    /// On an engine whose reads of the store `reads` counts.
    pub fn new(
        engine: &'a mut Engine,
        in_force: &'a InForce,
        options: &Options,
        reads: Reads,
    ) -> Self {
        Self {
            engine,
            in_force,
            force: options.replay_other_build,
            budget: Budget::new(options.memory_budget_bytes),
            reads,
            executed: BTreeMap::new(),
            differences: Vec::new(),
        }
    }

    /// Runs the log's records up to `last`, which follow what the engine has executed; that is what `store` holds.
    pub fn run(
        &mut self,
        records: Reader,
        store: &dyn Store,
        last: Seq,
        ahead: ReadAhead,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), OpenError> {
        let first = self.engine.seq().next();
        if first > last {
            return Ok(());
        }
        let count = last.0 - first.0 + 1;
        let records = records.until(last);
        let mut tell = |at| progress(Progress { at, first, last });
        tell(self.engine.seq()); // the first record may take its time
        if ahead == ReadAhead::Never {
            let ran = |at| {
                tell(at);
                true
            };
            return self.all(records, count, store, ahead, ran);
        }
        thread::scope(|scope| {
            let (ran, runs) = sync_channel(RECORDS_AHEAD_MAX);
            // What ran on the executor's stack needs one like it again, whoever opens the node.
            let replay = spawn_within(scope, "ordain-replay", move || {
                self.all(records, count, store, ahead, |at| ran.send(at).is_ok())
            })?;
            runs.into_iter().for_each(tell);
            replay.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Runs `count` commands of these records. It breaks off when nobody hears any more what `ran`.
    fn all(
        &mut self,
        records: Reader,
        count: u64,
        store: &dyn Store,
        ahead: ReadAhead,
        mut ran: impl FnMut(Seq) -> bool,
    ) -> Result<(), OpenError> {
        let before = self.engine.seq();
        let mut worth = Worth::new(self.reads.clone(), count);
        let catalog = self.engine.catalog().clone();
        let read = records.map(move |record| record.map(|record| Read::new(record, &catalog)));
        ahead.read(read, RECORDS_AHEAD_MAX, |records| {
            for read in records {
                self.record(read?)?;
                let now = self.engine.seq();
                if !ran(now) {
                    break;
                }
                if worth.is_now(now.0 - before.0, store) {
                    warm(self.engine, store, self.budget.bytes(), ahead)?;
                }
            }
            Ok(())
        })?
    }

    /// The digests that the log does not hold yet, and what came out differently.
    pub fn end(self) -> (Vec<BatchDigest>, Vec<Difference>) {
        let executed = self.executed.into_values();
        let digests = executed.map(|executed| executed.digest).collect();
        (digests, self.differences)
    }

    fn record(&mut self, read: Read) -> Result<(), OpenError> {
        let Read {
            record,
            batch,
            args,
        } = read;
        let placed = batch.and_then(|batch| {
            let before = self.engine.meta().timestamp;
            batch.check_place(self.engine.seq().next(), record.last_seq(), before)?;
            Ok(batch)
        });
        let batch = placed.map_err(|error| OpenError::Batch {
            file: record.file,
            offset: record.offset,
            error,
        })?;
        self.batch(batch, args)
    }

    fn batch(&mut self, batch: Batch, args: Vec<Option<Args>>) -> Result<(), OpenError> {
        for digest in &batch.digests {
            self.compare(digest)?;
        }
        self.engine.begin_batch(batch.first_seq, batch.timestamp);
        self.engine.batch_is_durable();
        let mut answers = Vec::with_capacity(batch.commands.len());
        for (at, (command, args)) in batch.commands.iter().zip(args).enumerate() {
            if at % FORESEEN == 0 {
                let next = batch.commands[at..].iter().take(FORESEEN);
                self.engine.foresee(next.filter_map(Command::call));
            }
            self.check_build(command)?;
            let command = match planted(Bug::NewestReplays) {
                true => newest(&batch.commands, command),
                false => command,
            };
            let executed = self.engine.execute(command, args)?;
            self.budget.keep(self.engine);
            answers.push(Came::new(executed.answer));
        }
        let digest = self.engine.end_batch();
        self.engine.durable(self.engine.seq());
        let replayed = ReplayedBatch {
            digest,
            commands: batch.commands,
            answers,
        };
        self.executed.insert(batch.first_seq, replayed);
        Ok(())
    }

    /// What another build ran, this one must not run.
    fn check_build(&self, command: &Command) -> Result<(), OpenError> {
        let ran_by = &self.engine.meta().in_force;
        let own = matches!(command, Command::Genesis { .. } | Command::InForce(_));
        let same = ran_by.build == self.in_force.build
            && ran_by.executor_version == self.in_force.executor_version;
        if own || same || self.force || planted(Bug::OtherBuildRuns) {
            return Ok(());
        }
        let name = |in_force: &InForce| format!("{} ({})", in_force.build, in_force.build_name);
        Err(OpenError::OtherBuild {
            from: self.engine.seq().next(),
            needed: name(ran_by),
            this: name(self.in_force),
        })
    }

    /// Holds what a batch came to against what the log says of it.
    fn compare(&mut self, logged: &BatchDigest) -> Result<(), OpenError> {
        // A batch before the checkpoint was not replayed.
        let Some(ours) = self.executed.remove(&logged.first_seq) else {
            return Ok(());
        };
        if ours.digest == *logged || planted(Bug::CompareSkipped) {
            return Ok(());
        }
        let first = logged.first_seq;
        let pairs = ours
            .digest
            .outcomes
            .iter()
            .zip(&logged.outcomes)
            .map(|(a, b)| a != b);
        let mut differ: Vec<bool> = pairs.collect();
        if !differ.contains(&true) {
            differ = vec![true; ours.commands.len()];
        }
        let last = Seq(first.0 + ours.commands.len() as u64 - 1);
        let ran = ours.commands.iter().zip(&ours.answers);
        let differences: Vec<_> = ran
            .enumerate()
            .zip(differ)
            .filter(|(_, differs)| *differs)
            .map(|((at, (command, answer)), _)| Difference {
                seq: first.plus(at as u64),
                method: called(command),
                now: answer.words(),
            })
            .collect();
        if !self.force {
            return Err(OpenError::Diverged {
                first,
                last,
                differences,
            });
        }
        self.differences.extend(differences);
        Ok(())
    }
}

/// Of the deployments of a module the last.
fn newest<'a>(commands: &'a [Command], of: &'a Command) -> &'a Command {
    let Command::Deploy(deploy) = of else {
        return of;
    };
    let same = |other: &&Command| matches!(other, Command::Deploy(it) if it.name == deploy.name);
    commands.iter().rfind(same).unwrap_or(of)
}

fn called(command: &Command) -> String {
    match command {
        Command::Genesis { .. } => "genesis".to_owned(),
        Command::InForce(_) => "in force".to_owned(),
        Command::Call(call) => format!("{}.{}", call.entity, call.method),
        Command::Send { call, .. } => format!("send {}.{}", call.entity, call.method),
        Command::Deliver { send } => format!("deliver {send}"),
        Command::Deploy(deploy) => format!("deploy {}", deploy.name),
        Command::Undeploy(undeploy) => format!("undeploy {}", undeploy.name),
    }
}

fn ended(answer: &Answer) -> String {
    let outcome = match answer {
        Answer::Done(outcome) | Answer::Repeated { outcome, .. } => outcome,
        Answer::KeyReused { first } => return format!("key reused from seq {first}"),
    };
    let text = match outcome {
        Outcome::Value(value) => {
            let begins = &value[..value.len().min(WORDS_BYTES_MAX)];
            format!("value {}", String::from_utf8_lossy(begins))
        }
        Outcome::Rejected(rejection) => format!("rejected, {rejection}"),
        Outcome::Fault(fault) => format!("fault, {fault}"),
    };
    text[..text.floor_char_boundary(WORDS_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_large_answers_only_words_are_kept() {
        for (len, whole) in [(WORDS_BYTES_MAX, true), (1 << 20, false)] {
            let answer = Answer::Done(Outcome::Value("é".repeat(len / 2).into_bytes().into()));
            let (told, came) = (ended(&answer), Came::new(answer));
            assert_eq!(matches!(came, Came::Answer(_)), whole, "{len}");
            assert!(told.starts_with("value é") && told.len() <= WORDS_BYTES_MAX);
            assert_eq!(came.words(), told);
        }
    }
}
