//! The engine's door: batches of commands in, outcomes and digests out.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use ordain_types::{
    BatchDigest, Bug, BuildId, Call, ChangeList, Command, Granule, InForce, LogId, ModuleName,
    Outcome, SendId, Seq, Timestamp, limits, planted,
};
use serde::{Deserialize, Serialize};

use crate::catalog::{Args, Catalog};
use crate::checkpoint::{Capture, Changes};
use crate::cold::{Cold, ColdError};
use crate::digest::Digest;
use crate::rows::Rows;
use crate::sends::{PendingSends, encode};
use crate::slots::Slots;
use crate::transaction::{Running, Tx};
use crate::undo::Undo;

/// What the engine is told once. Nothing of it shows in outcomes or state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Where entities fall in the hash table; unknown to those who choose keys.
    pub hash_seed: u64,
    /// Replace every state by what reads back from its encoding, after each call that wrote it: a
    /// state that does not survive that shows at once, not after a restart. Costs an encoding a write.
    pub read_back: bool,
    /// Run each update twice, the second time carefully, and make a fault of any difference: a method
    /// that is not deterministic shows at once, not at a replay. Costs a run.
    pub twice: bool,
}

/// What the state says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The log this state comes from.
    pub log_id: LogId,
    /// The code and settings in force.
    pub in_force: InForce,
    /// The last batch's.
    pub timestamp: Timestamp,
    /// The last command executed.
    pub seq: Seq,
}

/// The engine cannot go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Halt {
    /// The durable state cannot be read.
    #[error("the durable state cannot be read: {0}")]
    Cold(#[from] ColdError),
    /// A module in force cannot be run by this program.
    #[error(
        "the module `{0}` is in force and cannot be run: {1}. Start the program that ran it, or one \
         that can"
    )]
    Module(ModuleName, String),
    /// A module in force brings an entity type that this program has itself.
    #[error(
        "the module `{0}` is in force, and {1}. Start the program that ran it, or one without \
         that type"
    )]
    Clash(ModuleName, String),
    /// The machine gave not what a host needs to run a method; another time it may.
    #[error("a method cannot be run now: {0}. Start again when the machine has room")]
    Machine(String),
    /// What is to be taken back is not kept any more.
    #[error("what came after seq {0} cannot be taken back: it is durable")]
    NotKept(Seq),
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It ran, and this is its end.
    Done(Outcome),
    /// Its idempotency key was answered before: the first answer.
    Repeated {
        /// The command that ran.
        first: Seq,
        /// Its end.
        outcome: Outcome,
    },
    /// Its idempotency key was answered before, for another request.
    KeyReused {
        /// The command that ran.
        first: Seq,
    },
}

/// One command, executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its seq.
    pub seq: Seq,
    /// Its answer.
    pub answer: Answer,
}

/// A list of before-images is used again if it has room for no more than these.
const SPARE_MAX: usize = 32 << 10;

/// The serial executor and the state it runs on.
pub struct Engine {
    pub(crate) tx: Tx,
    next: Seq,
    batch: Option<Begun>,
    digest: Digest,
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// Of the last batch.
    writes: usize,
    /// Empty lists of before-images, for batches to come: their memory is there already.
    spare: Vec<Vec<Undo>>,
}

/// The batch that is being executed.
struct Begun {
    first_seq: Seq,
    /// It is durable already, and nothing of it will be taken back.
    durable: bool,
    /// How many before-images it made, and what those that are kept keep alive.
    writes: usize,
    bytes: usize,
}

/// A batch that is executed and not durable yet.
struct Kept {
    first_seq: Seq,
    before: Meta,
    undo: Vec<Undo>,
    bytes: usize,
}

impl Engine {
    /// An engine over what the last checkpoint left in `cold`.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn open(catalog: Catalog, cold: Box<dyn Cold>, options: Options) -> Result<Self, Halt> {
        let stored = cold.get(&Granule::meta("engine"))?;
        let meta = match &stored {
            None => Meta::before_genesis(),
            Some(bytes) => postcard::from_bytes(bytes)
                .map_err(|error| ColdError(format!("the engine's own row: {error}")))?,
        };
        if meta.seq > Seq::MAX {
            let seq = meta.seq;
            return Err(
                ColdError(format!("the engine's own row: no log comes to seq {seq}")).into(),
            );
        }
        let next = meta.seq.next();
        let mut tx = Tx {
            catalog: Arc::new(catalog.of_program()), // what else is in force the state says
            cold,
            read_back: options.read_back,
            twice: options.twice,
            slots: Slots::new(options.hash_seed),
            rows: Rows::new(options.hash_seed, stored.is_none()),
            pending: PendingSends::default(),
            undo: Vec::new(),
            capture: Capture::default(),
            meta,
            next_expiry: Some(Timestamp::default()), // looked for by the first command
            running: Running::default(),
        };
        tx.load_pending()?;
        tx.whole(Tx::load_modules)??;
        let (digest, kept) = (Digest::default(), VecDeque::new());
        Ok(Self {
            tx,
            next,
            batch: None,
            digest,
            kept,
            kept_bytes: 0,
            writes: 0,
            spare: Vec::new(),
        })
    }

    /// All that can be called.
    pub fn catalog(&self) -> &Catalog {
        &self.tx.catalog
    }

    /// The same, to be kept while other modules come into force.
    pub fn shared_catalog(&self) -> Arc<Catalog> {
        self.tx.catalog.clone()
    }

    /// What the state says of itself.
    pub fn meta(&self) -> &Meta {
        &self.tx.meta
    }

    /// The last command executed.
    pub fn seq(&self) -> Seq {
        Seq(self.next.0 - 1)
    }

    /// Begins a batch.
    ///
    /// # Panics
    /// If it does not follow the last one in seq and time.
    pub fn begin_batch(&mut self, first_seq: Seq, timestamp: Timestamp) {
        assert!(self.batch.is_none(), "the batch before was ended");
        assert_eq!(first_seq, self.next, "seqs have no gaps");
        assert!(timestamp >= self.tx.meta.timestamp, "time does not go back");
        assert!(
            self.tx.undo.is_empty(),
            "between batches nothing is half done"
        );
        self.batch = Some(Begun {
            first_seq,
            durable: false,
            writes: 0,
            bytes: 0,
        });
        self.kept.push_back(Kept {
            first_seq,
            before: self.tx.meta.clone(),
            undo: Vec::new(),
            bytes: 0,
        });
        self.tx.meta.timestamp = timestamp;
    }

    /// Reads what these calls will need, the first [`FORESEEN`](crate::FORESEEN) of them, as far as that can be told.
    /// Nothing comes of it but that they run sooner.
    pub fn foresee<'a>(&self, calls: impl Iterator<Item = &'a Call>) {
        self.tx.foresee(calls);
    }

    /// Runs the next command of the batch to its end. `args` are its decoded arguments, where
    /// whoever made the command has them; of a deployment, its [`crate::Loaded`] package.
    ///
    /// # Errors
    /// If the durable state cannot be read, or a module not be run; the engine is of no use then.
    pub fn execute(&mut self, command: &Command, args: Option<Args>) -> Result<Executed, Halt> {
        let kept = self.tx.undo.len();
        assert!(self.batch.is_some(), "a command runs in a batch");
        let seq = self.next;
        self.next = seq.next();
        self.tx.begin(seq, self.tx.meta.timestamp);
        self.tx.meta.seq = seq;
        let answer = self.tx.whole(|tx| {
            tx.forget_expired();
            Ok::<_, Halt>(match command {
                Command::Genesis { log_id } => tx.genesis(*log_id),
                Command::InForce(in_force) => tx.in_force(in_force),
                Command::Call(call) => tx.once(call, None, |tx| tx.outermost(call, args)),
                Command::Send { call, delay_ms } => {
                    tx.once(call, Some(*delay_ms), |tx| tx.accept_send(call, *delay_ms))
                }
                Command::Deliver { send } => tx.deliver(*send),
                Command::Deploy(deploy) => tx.deploy(deploy, args)?,
                Command::Undeploy(undeploy) => tx.undeploy(undeploy),
            })
        })??;
        self.digest.add(&answer, &self.tx.running.sends);
        self.tx.whole(Tx::commit_sends)?;
        let batch = self.batch.as_mut().expect("seen above");
        let made = &self.tx.undo[kept..];
        batch.writes += made.len();
        match batch.durable {
            true => self.tx.undo.clear(),
            false => batch.bytes += made.iter().map(Undo::bytes).sum::<usize>(),
        }
        Ok(Executed { seq, answer })
    }

    /// The batch that is being executed is durable: what it wrote, and what it will write, need not be
    /// taken back.
    ///
    /// # Panics
    /// If there is none.
    pub fn batch_is_durable(&mut self) {
        let batch = self.batch.as_mut().expect("a batch was begun");
        (batch.durable, batch.bytes) = (true, 0);
        self.tx.undo.clear();
    }

    /// What before-images keep alive of batches that are not durable, in bytes: whoever executes waits
    /// for the log when it is much.
    pub fn undo_bytes(&self) -> usize {
        self.kept_bytes + self.batch.as_ref().map_or(0, |batch| batch.bytes)
    }

    /// Ends the batch.
    pub fn end_batch(&mut self) -> BatchDigest {
        let batch = self.batch.take().expect("a batch was begun");
        self.writes = batch.writes;
        if batch.durable {
            while !self.kept.is_empty() {
                self.forget_oldest();
            }
            return self.digest.take(batch.first_seq);
        }
        let kept = self.kept.back_mut().expect("pushed when it began");
        let len = self.tx.undo.len(); // the next batch is like this one
        let room = self.spare.pop();
        let room = room.unwrap_or_else(|| Vec::with_capacity(len));
        kept.undo = std::mem::replace(&mut self.tx.undo, room);
        kept.bytes = batch.bytes;
        self.kept_bytes += batch.bytes;
        self.digest.take(batch.first_seq)
    }

    /// How many before-images the last batch made.
    pub fn writes(&self) -> usize {
        self.writes
    }

    /// Runs a query on the state as it is. `now` counts only if it is later than the last batch.
    ///
    /// # Errors
    /// If the durable state cannot be read; the engine is of no use then.
    pub fn query(
        &mut self,
        call: &Call,
        args: Option<Args>,
        now: Timestamp,
    ) -> Result<Outcome, Halt> {
        let undone = self.tx.undo.len();
        self.tx.begin(self.seq(), now.max(self.tx.meta.timestamp));
        self.tx.running.query = true;
        let outcome = self.tx.whole(|tx| tx.outermost(call, args));
        assert_eq!(self.tx.undo.len(), undone, "a query writes nothing");
        outcome
    }

    /// All commands up to `seq` are durable: they need not be taken back any more.
    pub fn durable(&mut self, seq: Seq) {
        while self
            .kept
            .get(1)
            .is_some_and(|next| next.first_seq.0 <= seq.0 + 1)
        {
            self.forget_oldest();
        }
        if self.batch.is_none() && self.seq() <= seq && !self.kept.is_empty() {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(mut kept) = self.kept.pop_front() {
            self.kept_bytes -= kept.bytes;
            kept.undo.clear();
            // A batch that was durable when it ran kept none, and got none to give back.
            if (1..=SPARE_MAX).contains(&kept.undo.capacity()) {
                self.spare.push(kept.undo);
            }
        }
    }

    /// Takes back all commands after `seq`, which must be the last of a batch. A checkpoint that is
    /// being taken of what is taken back is abandoned; an earlier one goes on.
    ///
    /// # Errors
    /// If their before-images are gone, since they were durable.
    pub fn roll_back_to(&mut self, seq: Seq) -> Result<(), Halt> {
        assert!(self.batch.is_none(), "only whole batches are taken back");
        if self.seq() > seq
            && self
                .kept
                .front()
                .is_none_or(|kept| kept.first_seq.0 > seq.0 + 1)
        {
            return Err(Halt::NotKept(seq));
        }
        while self.kept.back().is_some_and(|kept| kept.first_seq > seq) {
            let kept = self.kept.pop_back().expect("just seen");
            self.kept_bytes -= kept.bytes;
            self.tx.undo = kept.undo;
            self.tx.roll_back(0);
            if !planted(Bug::MetaStays) {
                self.tx.meta = kept.before;
            }
            self.next = kept.first_seq;
        }
        assert_eq!(self.seq(), seq, "a batch is taken back whole");
        self.tx.next_expiry = Some(Timestamp::default());
        if self.tx.capture.frozen_at().is_some_and(|at| at > seq) {
            self.abandon_checkpoint();
        }
        Ok(())
    }

    /// When the next send is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.tx.pending.next_due()
    }

    /// The first `most` sends that are due, in the order they are to be delivered.
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<SendId> {
        self.tx.pending.due(now, most)
    }

    /// Sends that wait.
    pub fn sends_pending(&self) -> usize {
        self.tx.pending.len()
    }

    /// Makes room for up to so many entities, as far as a budget of bytes goes, before they are loaded.
    pub fn reserve(&mut self, entities: u64, budget: usize) {
        self.tx.slots.reserve(entities, budget);
    }

    /// Takes what cold has for a granule into memory, ahead of its use: it only changes what a later
    /// read costs. Cold must not have changed since it was read.
    pub fn load(&mut self, granule: &Granule, value: Bytes) {
        self.tx.load(granule, value);
    }

    /// Granules changed since the last checkpoint was begun.
    pub fn dirty(&self) -> usize {
        self.tx.capture.dirty()
    }

    /// Whether a checkpoint is under way.
    pub fn checkpointing(&self) -> bool {
        self.tx.capture.is_frozen()
    }

    /// Begins a checkpoint of the state as it is.
    pub fn begin_checkpoint(&mut self) {
        assert!(
            self.batch.is_none(),
            "a checkpoint stands between two batches"
        );
        let seq = Seq(self
            .seq()
            .0
            .saturating_sub(planted(Bug::CheckpointEarly).into()));
        self.tx.capture.freeze(seq, encode(&self.tx.meta));
    }

    /// Captures at most `most` granules of the checkpoint under way. Gives it once it is whole.
    pub fn step_checkpoint(&mut self, most: usize) -> Option<Changes> {
        assert!(
            self.batch.is_none(),
            "captured between batches, when nothing is held"
        );
        let Tx {
            capture,
            slots,
            rows,
            catalog,
            ..
        } = &mut self.tx;
        capture.step(most, slots, rows, catalog)
    }

    /// The checkpoint of this epoch is in cold, and reads there show it. What it holds must be
    /// durable in the log before: it cannot be taken back any more.
    pub fn applied(&mut self, epoch: u64) {
        let seq = self.tx.capture.applied(epoch, &mut self.tx.rows);
        self.tx.rows.cold_is_filled();
        self.durable(seq); // before-images name slots that may now be forgotten
    }

    /// Gives back the list of a checkpoint that was applied: its memory serves for the next one, if many granules
    /// are changed already.
    pub fn reuse(&mut self, list: ChangeList) {
        self.tx.capture.reuse(list);
    }

    /// The checkpoint under way, if any, will not be applied.
    pub fn abandon_checkpoint(&mut self) {
        let Tx {
            capture,
            slots,
            rows,
            ..
        } = &mut self.tx;
        capture.abandon(slots, rows);
    }

    /// Roughly the bytes of state in memory.
    pub fn memory_bytes(&self) -> usize {
        self.tx.slots.bytes() + self.tx.rows.bytes() + self.tx.pending.len() * 48
    }

    /// Entities in memory.
    pub fn entities_in_memory(&self) -> usize {
        self.tx.slots.len()
    }

    /// Forgets about `bytes` of what cold has and was not used lately, as far as there is so much.
    /// Between any two commands: what could be taken back is changed, and what is changed stays.
    pub fn evict(&mut self, bytes: usize) {
        assert!(
            self.tx.running.frames.is_empty(),
            "while a command runs entities stay where they are"
        );
        let applied = self.tx.capture.applied;
        let before = self.memory_bytes();
        self.tx.rows.evict(bytes, applied);
        let freed = before - self.memory_bytes();
        self.tx.slots.evict(bytes.saturating_sub(freed), applied);
    }
}

impl Meta {
    fn before_genesis() -> Self {
        let in_force = InForce {
            build: BuildId(String::new()),
            build_name: String::new(),
            executor_version: limits::EXECUTOR_VERSION,
            retention_ms: 24 * 3_600_000,
        };
        Self {
            log_id: LogId(0),
            in_force,
            timestamp: Timestamp(0),
            seq: Seq::ZERO,
        }
    }
}
