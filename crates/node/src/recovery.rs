//! Opening: the state of the last checkpoint, then the commands after it, each held against what the
//! log says came of it; then, and only then, the threads.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use ordain_engine::{Answer, Args, Catalog, CatalogError, Engine, Halt, Meta};
use ordain_log::disk::{Dir, Disk};
use ordain_log::{Cut, Log, Record};
use ordain_store::{DiskStore, Store};
use ordain_types::batch::BatchError;
use ordain_types::{
    Batch, BatchDigest, Bug, Command, Granule, InForce, LogId, Outcome, Seq, limits, planted,
};

use crate::budget::Budget;
use crate::checkpointer;
use crate::cold::StoreCold;
use crate::committer::{Commit, Committer};
use crate::executor::Executor;
use crate::identity::build_of_this_program;
use crate::ingress::Ingress;
use crate::lock::{DataDir, DirError};
use crate::node::{Ending, Node, Running, in_force};
use crate::options::{Options, OptionsError};
use crate::panics::caught;
use crate::preparer::{Errand, Preparation};
use crate::status::Counters;
use crate::stepped::Steps;

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The last command replayed.
    pub at: Seq,
    /// The first command that is replayed.
    pub first: Seq,
    /// The last command of the log.
    pub last: Seq,
}

/// What opening found and did.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// What the last checkpoint stood for.
    pub checkpoint: Seq,
    /// The last command of the log.
    pub seq: Seq,
    /// Commands replayed.
    pub replayed: u64,
    /// An unfinished write at the end of the log that was cut; nothing of it was acknowledged.
    pub cut: Option<Cut>,
    /// What came out differently from what the log says, under
    /// [`Options::replay_other_build`].
    pub differences: Vec<Difference>,
}

/// A command whose replay came out differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub seq: Seq,
    /// What it called.
    pub method: String,
    /// How it ended now.
    pub now: String,
}

/// Why a node could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be used.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// A setting is out of bounds.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Two entity types or methods have one name.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] ordain_log::OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ordain_log::ReadError),
    /// The log's directory cannot be used.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] ordain_store::Error),
    /// The state in the store cannot be read.
    #[error(transparent)]
    Engine(#[from] Halt),
    /// A record passes its checksum and is no batch.
    #[error(
        "{file}, offset {offset}: {error}; the log was written by another version of Ordain or is damaged: use a matching version, or restore a backup"
    )]
    Batch {
        /// The segment.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        error: BatchError,
    },
    /// The log ends before what the store stands for, or begins after it.
    #[error(
        "the store stands for seq {store}, but the log holds {first} to {last}: parts of the data directory are missing or from different times; restore a backup"
    )]
    Apart {
        /// The store's seq.
        store: Seq,
        /// The log's first.
        first: Seq,
        /// The log's last.
        last: Seq,
    },
    /// The tail of the log was written by another build.
    #[error(
        "the log holds commands after the last checkpoint (from seq {from}) that build {needed} ran; this is build {this}. Start that build once and stop it cleanly, then start this one; or replay with this build (--replay-other-build), which reports every outcome that comes out differently"
    )]
    OtherBuild {
        /// The first of them.
        from: Seq,
        /// The build that ran them, with its name.
        needed: String,
        /// This program's.
        this: String,
    },
    /// The replay came to other outcomes than the log says.
    #[error(
        "the replay of the batch of seq {first} to {last} came out differently from when it ran: {}. A method is not deterministic, or the state is damaged. Fix the method and replay with --replay-other-build, which reports every difference; or restore a backup",
        list(differences)
    )]
    Diverged {
        /// The batch's first command.
        first: Seq,
        /// Its last.
        last: Seq,
        /// What came out differently; if nothing did by itself, all commands of the batch.
        differences: Vec<Difference>,
    },
}

fn list(differences: &[Difference]) -> String {
    let shown = differences.iter().take(10);
    let mut text: Vec<_> = shown
        .map(|d| format!("seq {} {} (now: {})", d.seq, d.method, d.now))
        .collect();
    if differences.len() > 10 {
        text.push(format!("and {} more", differences.len() - 10));
    }
    text.join(", ")
}

/// Opens a node on a directory.
pub(crate) fn open_dir(
    path: &Path,
    catalog: Catalog,
    options: Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Node, Recovered), OpenError> {
    options.check()?;
    let dir = DataDir::open(path)?;
    let io = |error| OpenError::Io {
        path: dir.log().display().to_string(),
        error,
    };
    let disk: Arc<dyn Disk> = Arc::new(Dir::open(dir.log()).map_err(io)?);
    let store_options = ordain_store::Options {
        cache_bytes: options.store_cache_bytes,
    };
    let store: Arc<dyn Store> = Arc::new(DiskStore::open(dir.store(), store_options)?);
    open_on(disk, store, Some(dir), catalog, options, progress)
}

/// Opens a node on any disk and store, and starts its threads.
pub(crate) fn open_on(
    disk: Arc<dyn Disk>,
    store: Arc<dyn Store>,
    dir: Option<DataDir>,
    catalog: Catalog,
    options: Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Node, Recovered), OpenError> {
    let chance = Chance::of_the_system();
    let ahead = ReadAhead::OnAThread;
    let (whole, recovered) = recover(disk, store, catalog, options, chance, ahead, progress)?;
    Ok((whole.start(dir), recovered))
}

/// Opens a node on any disk and store, and leaves its steps to the caller.
pub(crate) fn open_stepped(
    disk: Arc<dyn Disk>,
    store: Arc<dyn Store>,
    catalog: Catalog,
    options: Options,
    seed: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Node, Steps, Recovered), OpenError> {
    let chance = Chance::of_seed(seed);
    let ahead = ReadAhead::Never;
    let (whole, recovered) = recover(disk, store, catalog, options, chance, ahead, progress)?;
    let (node, steps) = whole.leave();
    Ok((node, steps, recovered))
}

/// All that a node takes from chance.
struct Chance {
    /// Where entities fall in the hash table.
    hash_seed: u64,
    /// What tells the log from others, if it is new.
    log_id: LogId,
}

impl Chance {
    /// The standard library's randomness, which the system seeds.
    fn of_the_system() -> Self {
        let number = |n: u64| RandomState::new().hash_one(n);
        Self {
            hash_seed: number(0),
            log_id: LogId(u128::from(number(1)) << 64 | u128::from(number(2))),
        }
    }

    fn of_seed(seed: u64) -> Self {
        Self {
            hash_seed: seed,
            log_id: LogId(u128::from(seed) << 64 | u128::from(!seed)),
        }
    }
}

fn recover(
    disk: Arc<dyn Disk>,
    store: Arc<dyn Store>,
    catalog: Catalog,
    options: Options,
    chance: Chance,
    ahead: ReadAhead,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Whole, Recovered), OpenError> {
    options.check()?;
    let build = match &options.build {
        Some(build) => build.clone(),
        None => build_of_this_program().map_err(|error| OpenError::Io {
            path: "this program's file".to_owned(),
            error,
        })?,
    };
    let in_force = in_force(&options, build);
    let log_options = ordain_log::Options {
        segment_bytes: options.segment_bytes,
    };
    let (log, found) = Log::open(disk.clone(), log_options)?;
    let cold = Box::new(StoreCold::new(store.clone()));
    let hash_seed = chance.hash_seed;
    let read_back = options.read_back;
    let engine_options = ordain_engine::Options {
        hash_seed,
        read_back,
    };
    let mut engine = Engine::open(catalog, cold, engine_options)?;
    let checkpoint = engine.seq();
    let apart = checkpoint > found.last_seq || found.first_seq > checkpoint.next();
    if apart && !planted(Bug::ApartAccepted) {
        let (first, last) = (found.first_seq, found.last_seq);
        return Err(OpenError::Apart {
            store: checkpoint,
            first,
            last,
        });
    }
    let replayed = found.last_seq.0.saturating_sub(checkpoint.0);
    warm(&mut engine, &*store, replayed, options.memory_budget_bytes)?;
    let mut replay = Replay {
        engine: &mut engine,
        in_force: &in_force,
        force: options.replay_other_build,
        budget: Budget::new(options.memory_budget_bytes),
        executed: BTreeMap::new(),
        differences: Vec::new(),
    };
    replay.run(disk, found.last_seq, ahead, progress)?;
    let (executed, differences) = (replay.executed, replay.differences);
    let recovered = Recovered {
        checkpoint,
        seq: found.last_seq,
        replayed: found.last_seq.0 - checkpoint.0,
        cut: found.cut,
        differences,
    };
    let digests = executed
        .into_values()
        .map(|executed| executed.digest)
        .collect();
    let log_id = chance.log_id;
    let whole = Whole::new(engine, log, store, options, in_force, log_id, digests);
    Ok((whole, recovered))
}

/// Whether the log is read and decoded while what was read before is run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadAhead {
    OnAThread,
    /// All is done by who replays, one after the other: the seam for simulations.
    Never,
}

/// What a replayed batch came to, until the log says what it should have.
struct ReplayedBatch {
    digest: BatchDigest,
    commands: Vec<Command>,
    answers: Vec<Answer>,
}

/// Commands replayed for each key of the store from which on the store is read from end to end first:
/// what most of the replay needs is then in memory, at a small part of what reading it key by key costs.
const WARM_COMMANDS: u64 = 4;

/// Takes the entities of the store into memory, as far as they fit, if the replay is long enough.
fn warm(
    engine: &mut Engine,
    store: &dyn Store,
    replayed: u64,
    budget: usize,
) -> Result<(), OpenError> {
    if replayed * WARM_COMMANDS < store.stats().keys_approx.max(1) {
        return Ok(());
    }
    let snapshot = store.snapshot()?;
    for entry in snapshot.entries() {
        let (key, value) = entry?;
        if !key.starts_with(Granule::entities()) || engine.memory_bytes() > budget {
            break;
        }
        engine.load(&Granule::from_bytes(&key), value);
    }
    Ok(())
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

struct Replay<'a> {
    engine: &'a mut Engine,
    in_force: &'a InForce,
    force: bool,
    budget: Budget,
    executed: BTreeMap<Seq, ReplayedBatch>,
    differences: Vec<Difference>,
}

impl Replay<'_> {
    fn run(
        &mut self,
        disk: Arc<dyn Disk>,
        last: Seq,
        ahead: ReadAhead,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), OpenError> {
        let first = self.engine.seq().next();
        if first > last {
            return Ok(());
        }
        let records = ordain_log::read_from(disk, first)?.until(last);
        let catalog = self.engine.catalog().clone();
        let read = records.map(move |record| record.map(|record| Read::new(record, &catalog)));
        let mut run = |read: Result<Read, _>| {
            self.record(read?)?;
            let at = self.engine.seq();
            progress(Progress { at, first, last });
            Ok(())
        };
        match ahead {
            ReadAhead::Never => read.into_iter().try_for_each(run),
            ReadAhead::OnAThread => thread::scope(|scope| {
                let (give, take) = sync_channel(RECORDS_AHEAD_MAX);
                // It ends when there is no more to read, or when nobody takes it.
                scope.spawn(move || read.into_iter().all(|read| give.send(read).is_ok()));
                take.into_iter().try_for_each(&mut run)
            }),
        }
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
        let mut answers = Vec::with_capacity(batch.commands.len());
        for (command, args) in batch.commands.iter().zip(args) {
            self.check_build(command)?;
            let executed = self.engine.execute(command, args)?;
            self.budget.keep(self.engine);
            answers.push(executed.answer);
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
                now: ended(answer),
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

fn called(command: &Command) -> String {
    match command {
        Command::Genesis { .. } => "genesis".to_owned(),
        Command::InForce(_) => "in force".to_owned(),
        Command::Call(call) => format!("{}.{}", call.entity, call.method),
        Command::Send { call, .. } => format!("send {}.{}", call.entity, call.method),
        Command::Deliver { send } => format!("deliver {send}"),
    }
}

fn ended(answer: &Answer) -> String {
    let outcome = match answer {
        Answer::Done(outcome) | Answer::Repeated { outcome, .. } => outcome,
        Answer::KeyReused { first } => return format!("key reused from seq {first}"),
    };
    let text = match outcome {
        Outcome::Value(value) => format!("value {}", String::from_utf8_lossy(value)),
        Outcome::Rejected(rejection) => format!("rejected, {rejection}"),
        Outcome::Fault(fault) => format!("fault, {fault}"),
    };
    text[..text.floor_char_boundary(200)].to_owned()
}

/// A node whose threads were not started: what its handles share, and what the threads are to do.
struct Whole {
    running: Running,
    steps: Steps,
}

impl Whole {
    fn new(
        engine: Engine,
        log: Log,
        store: Arc<dyn Store>,
        options: Options,
        in_force: InForce,
        log_id: LogId,
        digests: Vec<BatchDigest>,
    ) -> Self {
        let durable = engine.seq();
        let is_restored = log.first_seq() > log.last_seq() && durable > Seq::ZERO;
        let catalog = engine.catalog().clone();
        let counters = Arc::new(Counters::default());
        Counters::set(&counters.seq, durable.0);
        Counters::set(&counters.durable_seq, durable.0);
        Counters::set(&counters.checkpoint_seq, store.seq().0);
        let ingress = Arc::new(Ingress::new(
            options.queue_commands_max,
            options.queue_bytes_max,
        ));
        let commit = Arc::new(Commit::new(durable, store.seq().next()));
        let halted = Arc::new(Mutex::new(None));
        let preparer = Arc::<Errand>::default();
        let (checkpoints, checkpointer) = checkpointer::new(
            store.clone(),
            ingress.clone(),
            commit.clone(),
            counters.clone(),
            options.clock.clone(),
            options.checkpoint_interval,
            options.checkpoint_log_bytes,
        );
        let committer = Committer {
            log,
            commit: commit.clone(),
            ingress: ingress.clone(),
            counters: counters.clone(),
            clock: options.clock.clone(),
            history_bytes: options.history_bytes,
            preparing: Preparation::Steps(preparer.clone()),
        };
        options.clock.goes_on_after(engine.meta().timestamp);
        let executor = Executor {
            engine,
            ingress: ingress.clone(),
            commit: commit.clone(),
            counters: counters.clone(),
            clock: options.clock,
            checkpoints,
            budget: Budget::new(options.memory_budget_bytes),
            halted: halted.clone(),
            in_force,
            log_id,
            restored_at: is_restored.then_some(durable),
            digests,
            carried: VecDeque::new(),
            backlog: VecDeque::new(),
            placed: None,
            closing: false,
            ended: false,
        };
        let running = Running {
            catalog,
            ingress,
            commit,
            counters,
            store: Mutex::new(Some(store)),
            halted,
            own: Vec::new(),
            ending: Arc::default(),
        };
        let steps = Steps {
            executor,
            committer,
            checkpointer,
            preparer,
        };
        Self { running, steps }
    }

    /// Starts the threads.
    fn start(self, dir: Option<DataDir>) -> Node {
        let Whole { mut running, steps } = self;
        let Steps {
            executor,
            mut committer,
            checkpointer,
            ..
        } = steps;
        committer.preparing = Preparation::Threads(None);
        let threads = vec![
            spawn("ordain-executor", move || executor.run()),
            spawn("ordain-committer", move || committer.run()),
            spawn("ordain-checkpointer", move || checkpointer.run()),
        ];
        running.own = threads.iter().map(|thread| thread.thread().id()).collect();
        running.ending = Arc::new(Mutex::new(Ending { threads, dir }));
        Node::of(running)
    }

    /// Leaves what the threads would do to someone else.
    fn leave(self) -> (Node, Steps) {
        (Node::of(self.running), self.steps)
    }
}

/// Stack of each thread: the executor's holds the deepest calls of methods with large frames, and an
/// overflow there would end the process. Untouched pages cost nothing.
const STACK_BYTES: usize = 64 << 20;

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new()
        .stack_size(STACK_BYTES)
        .name(name.to_owned())
        .spawn(run)
        .expect("the system gives a thread")
}

/// What the log must hold before anything else: what tells it from others, if it is new, and what is
/// in force, if that changed.
pub(crate) fn news(meta: &Meta, in_force: &InForce, log_id: LogId) -> Vec<Command> {
    let mut news = Vec::new();
    if meta.seq == Seq::ZERO {
        news.push(Command::Genesis { log_id });
    }
    if meta.in_force != *in_force {
        news.push(Command::InForce(Box::new(in_force.clone())));
    }
    news
}
