//! Opening: the state of the last checkpoint, then the commands after it, each held against what the
//! log says came of it; then, and only then, the threads.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use ordain_engine::{Catalog, CatalogError, Engine, Halt, Meta};
use ordain_log::disk::{Dir, Disk};
use ordain_log::{Cut, Log, ReadError, Reader};
use ordain_store::{DiskStore, Store};
use ordain_types::batch::BatchError;
use ordain_types::{Batch, BatchDigest, Bug, Command, InForce, LogId, Seq, Timestamp, planted};

use crate::ahead::ReadAhead;
use crate::budget::Budget;
use crate::checkpointer;
use crate::cold::{Reads, StoreCold};
use crate::committer::{Commit, Committer};
use crate::ending::Ending;
use crate::executor::Executor;
use crate::identity::build_of_this_program;
use crate::ingress::Ingress;
use crate::lock::{DataDir, DirError};
use crate::node::{Node, Running, in_force};
use crate::options::{Options, OptionsError};
use crate::preparer::{Errand, Preparation};
use crate::replay::Replay;
use crate::reply::Unavailable;
use crate::status::Counters;
use crate::stepped::Steps;
use crate::threads::spawn;

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The last command replayed; at first the one before them.
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
    Read(#[from] ReadError),
    /// The log's directory cannot be used.
    #[error("{path}: {error}")]
    Io {
        /// Where.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// The system gives no thread.
    #[error(
        "the system gives no thread for `{name}`: {error}; allow this process more memory (address \
         space) or more threads"
    )]
    Thread {
        /// What it was for.
        name: &'static str,
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
        "the store stands for seq {store}, but the log holds {}: parts of the data directory are missing or from different times; put together what belongs together, or restore a backup",
        held(*first, *last)
    )]
    Apart {
        /// The store's seq.
        store: Seq,
        /// The log's first.
        first: Seq,
        /// The log's last.
        last: Seq,
    },
    /// The log or the store is not there, and the other cannot do without it.
    #[error(
        "{path} is not there, but {why}: put back what belongs there, or restore a backup. Nothing was made in its place"
    )]
    Missing {
        /// What is not there.
        path: String,
        /// What the other one says.
        why: String,
    },
    /// What the store stands for is not what the log came to there.
    #[error(
        "the store stands for all up to seq {store}, which ran {} ms after 1970; the log's batch of seq {first} to {last} ran {} ms after 1970: the store belongs to another log, or to another time of this one. Put together what belongs together, or restore a backup",
        time.0,
        logged.0
    )]
    OtherLog {
        /// The store's seq.
        store: Seq,
        /// Of the last batch the store stands for.
        time: Timestamp,
        /// The first command of the log's batch that holds that seq.
        first: Seq,
        /// Its last.
        last: Seq,
        /// Of that batch.
        logged: Timestamp,
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

/// What a log holds, in words.
fn held(first: Seq, last: Seq) -> String {
    match first > last {
        true => "nothing".to_owned(),
        false => format!("{first} to {last}"),
    }
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
    if let Some(host) = catalog.host() {
        host.cache_in(&dir.cache());
    }
    let (disk, store) = log_and_store(&dir, &options)?;
    open_on(disk, store, Some(dir), catalog, options, progress)
}

/// The log and the store of a directory. One that is missing is made only where the other can do without what was in
/// it: a new one would be in the way of who puts the old one back.
#[expect(clippy::type_complexity, reason = "one pair, used once")]
fn log_and_store(
    dir: &DataDir,
    options: &Options,
) -> Result<(Arc<dyn Disk>, Arc<dyn Store>), OpenError> {
    let (log, store) = (dir.log(), dir.store());
    let io = |error| OpenError::Io {
        path: log.display().to_string(),
        error,
    };
    let missing = |path: &Path, why| OpenError::Missing {
        path: path.display().to_string(),
        why,
    };
    if !DiskStore::exists(&store) && log.exists() {
        let disk = Arc::new(Dir::existing(&log).map_err(io)?);
        if let Err(ReadError::Removed { first_seq, .. }) = ordain_log::read_from(disk, Seq(1)) {
            return Err(missing(
                &store,
                format!("the log begins with seq {first_seq}"),
            ));
        }
    }
    let store_options = ordain_store::Options {
        cache_bytes: options.store_cache_bytes,
    };
    let store = DiskStore::open(store, store_options)?;
    if store.seq() > Seq::ZERO && !log.exists() {
        let seq = store.seq();
        return Err(missing(&log, format!("the store stands for seq {seq}")));
    }
    let disk = Dir::open(&log).map_err(io)?;
    Ok((Arc::new(disk), Arc::new(store)))
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
    Ok((whole.start(dir)?, recovered))
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
    let known = store.seq();
    if known > Seq::ZERO && !Log::exists(&*disk)? && !planted(Bug::ApartAccepted) {
        // Before a new one is made: it would be in the way of who puts the old one back.
        return Err(OpenError::Apart {
            store: known,
            first: Seq(1),
            last: Seq::ZERO,
        });
    }
    let (log, found) = Log::open(disk.clone(), log_options)?;
    let reads = Reads::default();
    let cold = Box::new(StoreCold::new(store.clone(), reads.clone()));
    let hash_seed = chance.hash_seed;
    let read_back = options.read_back;
    let engine_options = ordain_engine::Options {
        hash_seed,
        read_back,
        twice: options.twice,
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
    let records = match found.first_seq <= checkpoint && !planted(Bug::OtherLogAccepted) {
        true => records_after(engine.meta(), disk)?,
        false => ordain_log::read_from(disk, checkpoint.next())?,
    };
    let replayed = found.last_seq.0.saturating_sub(checkpoint.0);
    let mut replay = Replay::new(&mut engine, &in_force, &options, reads);
    replay.run(records, &*store, found.last_seq, ahead, progress)?;
    let (digests, differences) = replay.end();
    let recovered = Recovered {
        checkpoint,
        seq: found.last_seq,
        replayed,
        cut: found.cut,
        differences,
    };
    let log_id = chance.log_id;
    let whole = Whole::new(engine, log, store, options, in_force, log_id, digests);
    Ok((whole, recovered))
}

/// What the log holds after a checkpoint, whose state is held against the batch with whose end it was taken: the
/// seqs alone fit many a log.
fn records_after(meta: &Meta, disk: Arc<dyn Disk>) -> Result<Reader, OpenError> {
    let mut records = ordain_log::read_from(disk, meta.seq)?;
    let Some(record) = records.next().transpose()? else {
        return Ok(records);
    };
    let batch = Batch::decode(&record.payload).map_err(|error| OpenError::Batch {
        file: record.file,
        offset: record.offset,
        error,
    })?;
    let (first, last) = (batch.first_seq, batch.last_seq());
    match last == meta.seq && batch.timestamp == meta.timestamp {
        true => Ok(records),
        false => Err(OpenError::OtherLog {
            store: meta.seq,
            time: meta.timestamp,
            first,
            last,
            logged: batch.timestamp,
        }),
    }
}

/// What is said to updates under [`Options::read_only`].
const READ_ONLY: &str = "it was opened to be looked into, and takes no updates";

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
        let catalog = match planted(Bug::DoorForgets) {
            true => Arc::new(engine.catalog().of_program()),
            false => engine.shared_catalog(),
        };
        let catalog = Arc::new(ArcSwap::new(catalog));
        let counters = Arc::new(Counters::default());
        counters.show(&engine);
        Counters::set(&counters.durable_seq, durable.0);
        Counters::set(&counters.checkpoint_seq, store.seq().0);
        let ingress = Arc::new(Ingress::new(
            options.queue_commands_max,
            options.queue_bytes_max,
        ));
        if options.read_only {
            ingress.refuse(Some(Unavailable::Halted(READ_ONLY.to_owned())));
        }
        let commit = Commit::new(durable, store.seq().next(), catalog.clone());
        let commit = Arc::new(commit);
        let (halted, unsaved) = <(Arc<Mutex<_>>, Arc<Mutex<_>>)>::default();
        let preparer = Arc::new(Errand::new(commit.clone()));
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
            read_only: options.read_only,
            preparing: Preparation::steps(preparer.clone()),
            recover_at: None,
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
            unsaved: unsaved.clone(),
            changed: None,
            listener: options.listener,
            read_only: options.read_only,
            in_force,
            log_id,
            restored_at: is_restored.then_some(durable),
            digests,
            carried: VecDeque::new(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            batch_min: options.batch_min,
            batch_max: ordain_types::limits::BATCH_COMMANDS_MAX,
            spare: Vec::new(),
            encoded: Vec::new(),
            placed: None,
            closing: false,
            ended: false,
        };
        let running = Running {
            catalog,
            ingress,
            commit,
            counters,
            store: Arc::new(Mutex::new(Some(store))),
            halted,
            unsaved,
            own: Vec::new(),
            executes: None,
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

    /// Starts the threads; all of them, or none stays.
    fn start(self, dir: Option<DataDir>) -> Result<Node, OpenError> {
        let Whole { mut running, steps } = self;
        let Steps {
            executor,
            mut committer,
            checkpointer,
            ..
        } = steps;
        committer.preparing = committer.preparing.on_threads();
        let commit = committer.commit.clone();
        // The executor is the last: the others end without it, the checkpointer by itself.
        let start = || -> Result<_, OpenError> {
            Ok(vec![
                spawn("ordain-committer", move || committer.run())?,
                spawn("ordain-checkpointer", move || checkpointer.run())?,
                spawn("ordain-executor", move || executor.run())?,
            ])
        };
        let threads = start().inspect_err(|_| commit.stop())?;
        running.own = threads.iter().map(|thread| thread.thread().id()).collect();
        running.executes = running.own.last().copied();
        running.ending = Arc::new(Mutex::new(Ending { threads, dir }));
        Ok(Node::of(running))
    }

    /// Leaves what the threads would do to someone else.
    fn leave(self) -> (Node, Steps) {
        (Node::of(self.running), self.steps)
    }
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
