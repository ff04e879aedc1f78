//! A simulated life of one engine: batches of commands, queries between them, checkpoints taken piece by
//! piece, durability that lags, roll-backs, crashes with and without loss of the tail, reads that fail,
//! and in the end a replay of the whole log. After every step the engine is held against the oracle.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ordain_engine::{Answer, Args, Changes, Engine, Executed, Halt, InvocationStatus};
use ordain_types::{BatchDigest, Call, Command, EntityId, FieldKey, Json, Seq, Timestamp};

use crate::chance::Chance;
use crate::cold::Durable;
use crate::compare::{Difference, Same, same};
use crate::dump::{self, Dump, plain, short};
use crate::generate;
use crate::hosting::{Cast, Hosting};
use crate::modules;
use crate::oracle::{Expected, Oracle};
use crate::report::{Exercised, Failure, Report, Scope};

mod commands;
mod durability;
mod processes;

use processes::{open, options};

/// Lives one life, with the entity types that `cast` makes native and all others in modules.
///
/// # Errors
/// The first difference between engine and oracle.
pub(crate) fn run(
    chance: Chance,
    seed: u64,
    scope: Scope,
    cast: impl FnOnce(&mut Chance) -> Cast,
) -> Result<Report, Box<Failure>> {
    let mut world = World::new(chance, scope, cast);
    let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
    let lived = lived.unwrap_or_else(|panic| Err(Difference::panicked(&*panic)));
    let World {
        step, trace, log, ..
    } = world;
    match lived {
        Ok(()) => Ok(Report {
            exercised: world.exercised,
            trace,
            digests: log.into_iter().filter_map(|entry| entry.digest).collect(),
        }),
        Err(difference) => Err(Box::new(Failure {
            seed,
            step,
            difference,
            trace,
            tape: world.chance.into_tape(),
        })),
    }
}

/// One batch of the log and what it is to come to.
struct Entry {
    first_seq: Seq,
    timestamp: Timestamp,
    commands: Vec<Command>,
    expected: Vec<Expected>,
    /// Of its first execution.
    digest: Option<BatchDigest>,
    /// Whether methods asked for sends in it.
    sends: bool,
    /// The oracle before it.
    before: Oracle,
}

/// A checkpoint under way.
struct Checkpoint {
    seq: Seq,
    state: Dump,
    /// Once it is whole.
    changes: Option<Changes>,
}

struct World {
    scope: Scope,
    hosting: Hosting,
    chance: Chance,
    step: u64,
    exercised: Exercised,
    trace: Vec<String>,
    now: Timestamp,
    oracle: Oracle,
    engine: Engine,
    cold: Durable,
    log: Vec<Entry>,
    durable: Seq,
    checkpoint: Option<Checkpoint>,
    /// What was asked for, for retries.
    asked: Vec<(Call, Option<u64>)>,
}

impl World {
    fn new(mut chance: Chance, scope: Scope, cast: impl FnOnce(&mut Chance) -> Cast) -> Self {
        let cast = cast(&mut chance);
        let cold = Durable::default();
        let hosting = Hosting::new(cast);
        let options = options(&mut chance, cast);
        let engine = open(hosting.catalog(), &cold, options);
        Self {
            scope,
            hosting,
            chance,
            step: 0,
            exercised: Exercised::default(),
            trace: Vec::new(),
            now: Timestamp(1_000),
            oracle: Oracle::new(scope.defect, cast.native),
            engine,
            cold,
            log: Vec::new(),
            durable: Seq::ZERO,
            checkpoint: None,
            asked: Vec::new(),
        }
    }

    fn live(&mut self) -> Same {
        for step in 0..8 + self.chance.below(60) {
            self.step = step;
            match self.chance.weighted(&[20, 8, 5, 3, 6, 4, 2, 2, 1]) {
                0 => self.batch()?,
                1 => self.checkpoint()?,
                2 => self.sync(),
                3 => self.evict(),
                4 => self.ask()?,
                5 => self.look_inside()?,
                6 => self.roll_back()?,
                7 => self.crash()?,
                _ => self.fail_reads(),
            }
            self.check_sends()?;
        }
        self.step += 1;
        self.finish()
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.scope.trace {
            self.trace
                .push(format!("{:4} {}", self.step, short(&line())));
        }
    }

    /// Runs a batch, with queries between its commands.
    fn batch(&mut self) -> Same {
        self.now = self.now.plus_ms(self.jump());
        let commands = self.new_commands();
        let (first_seq, timestamp) = (self.oracle.seq.next(), self.now);
        let mut entry = Entry {
            first_seq,
            timestamp,
            commands,
            expected: Vec::new(),
            digest: None,
            sends: false,
            before: self.oracle.clone(),
        };
        self.tell(|| format!("batch of {} at {timestamp:?}", entry.commands.len()));
        self.engine.begin_batch(first_seq, timestamp);
        let mut halted = false;
        let mut early = self.decode_early(&entry.commands);
        for (at, command) in entry.commands.iter().enumerate() {
            let expected = self.expect(command, timestamp);
            self.exercised.add("commands", 1);
            entry.sends |= self.oracle.sent() && !matches!(command, Command::Send { .. });
            self.tell(|| format!("  {command:?} -> {expected:?}"));
            entry.expected.push(expected);
            if halted {
                continue;
            }
            let args = match &mut early {
                Some(early) => early[at].take(),
                None if self.chance.one_in(2) => decode(&self.engine, command),
                None => None,
            };
            match self.engine.execute(command, args) {
                Ok(executed) => check(&entry, self.oracle.seq, &executed)?,
                Err(_) => halted = true,
            }
            if !halted && self.chance.one_in(12) {
                halted = self.query()?;
            }
        }
        if !halted {
            entry.digest = Some(self.engine.end_batch());
        }
        self.log.push(entry);
        match halted {
            true => self.halted(),
            false => Ok(()),
        }
    }

    fn jump(&mut self) -> u64 {
        let far = self.chance.below(200_000);
        self.chance.pick(&[0, 0, 1, 3, 40, 100, 1_500, far])
    }

    fn ask(&mut self) -> Same {
        match self.query()? {
            true => self.halted(),
            false => Ok(()),
        }
    }

    /// Asks the same of both. True: the engine halted.
    fn query(&mut self) -> Result<bool, Difference> {
        let call = generate::query(&mut self.chance, self.hosting.cast.dialect());
        self.exercised.add("queries", 1);
        let now = Timestamp(
            self.now
                .0
                .saturating_add(self.chance.below(50))
                .saturating_sub(20),
        );
        let decoded = self.chance.one_in(2);
        let args = decoded.then(|| decode_call(&self.engine, &call));
        let Ok(outcome) = self.engine.query(&call, args.flatten(), now) else {
            return Ok(true);
        };
        let expected = self.oracle.query(&call, now);
        self.tell(|| format!("query {call:?} -> {expected:?}"));
        same(|| format!("query {call:?}"), &plain(outcome), &expected)?;
        Ok(false)
    }

    /// Compares an entity and a send as they are in memory over cold.
    fn look_inside(&mut self) -> Same {
        let id = generate::entity(&mut self.chance);
        let send = self.some_send();
        let Ok((root, fields)) = self.inspect(&id) else {
            return self.halted();
        };
        let entity = self.oracle.entities.get(&id).cloned().unwrap_or_default();
        let root = root.map(|json| dump::lossy(&json));
        let expected = entity.root.map(|root| root.json());
        same(|| format!("root of {id}"), &root, &expected)?;
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(key, value)| (key.as_str().to_owned(), value))
            .collect();
        let expected: Vec<_> = entity.fields.into_iter().collect();
        same(|| format!("fields of {id}"), &fields, &expected)?;
        if self.pages(id)? {
            return self.halted();
        }
        let Ok(found) = self.engine.invocation(send) else {
            return self.halted();
        };
        let found = found.map(|invocation| match invocation.status {
            InvocationStatus::Pending { due } => (invocation.entity, Err(due)),
            InvocationStatus::Done { seq, outcome } => {
                (invocation.entity, Ok((seq, plain(outcome))))
            }
        });
        let waits = self.oracle.waiting.get(&send);
        let done = self.oracle.delivered.get(&send);
        let expected = waits
            .map(|waits| (waits.entity.clone(), Err(waits.due)))
            .or_else(|| {
                done.map(|done| (done.entity.clone(), Ok((done.seq, done.outcome.clone()))))
            });
        same(|| format!("invocation {send}"), &found, &expected)
    }

    /// An entity, page by page.
    #[expect(clippy::type_complexity, reason = "as the engine gives it")]
    fn inspect(&mut self, id: &EntityId) -> Result<(Option<Json>, Vec<(FieldKey, Json)>), Halt> {
        let (root, mut fields) = self.engine.inspect(id, None, 1_000)?;
        loop {
            let after = fields.last().map(|(field, _)| field.clone());
            let Some(after) = after else { break };
            let (_, more) = self.engine.inspect(id, Some(&after), 1_000)?;
            if more.is_empty() {
                break;
            }
            fields.extend(more);
        }
        Ok((root, fields))
    }

    /// Scans an entity from both ends, in parts of several sizes. True: the engine halted.
    fn pages(&mut self, id: EntityId) -> Result<bool, Difference> {
        let dialect = self.hosting.cast.dialect();
        let call = generate::pages(id, dialect, self.step);
        let Ok(outcome) = self.engine.query(&call, None, self.now) else {
            return Ok(true);
        };
        let expected = self.oracle.query(&call, self.now);
        same(|| format!("{call:?}"), &plain(outcome), &expected)?;
        Ok(false)
    }

    fn check_sends(&mut self) -> Same {
        let most = self.chance.below(6) as usize;
        let mut expected = self.oracle.due(self.now);
        expected.truncate(most);
        same(
            || "sends that are due".to_owned(),
            &self.engine.due(self.now, most),
            &expected,
        )?;
        let next = self.oracle.waiting.values().map(|send| send.due).min();
        same(|| "the next due".to_owned(), &self.engine.next_due(), &next)?;
        let waiting = self.oracle.waiting.len();
        same(
            || "sends that wait".to_owned(),
            &self.engine.sends_pending(),
            &waiting,
        )?;
        same(
            || "the seq".to_owned(),
            &self.engine.seq(),
            &self.oracle.seq,
        )
    }

    /// Checkpoints all of it, and replays the whole log on an empty engine.
    fn finish(&mut self) -> Same {
        self.cold.fail_after(None);
        self.durable = self.oracle.seq;
        self.engine.durable(self.durable);
        while self.checkpoint.is_some() {
            self.checkpoint_further(usize::MAX)?;
        }
        self.begin_checkpoint();
        while self.checkpoint.is_some() {
            self.checkpoint_further(usize::MAX)?;
        }
        self.replay_all()?;
        self.replay_changed()
    }
}

/// Decodes ahead, as a node does, what can be.
fn decode(engine: &Engine, command: &Command) -> Option<Args> {
    match command {
        Command::Call(call) => decode_call(engine, call),
        Command::Deploy(deploy) => {
            let loaded = modules::load(engine.catalog().host()?, &deploy.hash);
            Some(Box::new(loaded))
        }
        _ => None,
    }
}

fn decode_call(engine: &Engine, call: &Call) -> Option<Args> {
    let catalog = engine.catalog();
    let (ty, method) = catalog.find(call.entity.ty.as_str(), call.method.as_str())?;
    let run = &catalog.get(ty).methods[method.0 as usize].run;
    Some(run.decode(&call.args).ok()?.args)
}

/// Holds an answer against what it is to be.
fn check(entry: &Entry, seq: Seq, executed: &Executed) -> Same {
    let at = (seq.0 - entry.first_seq.0) as usize;
    let answer = match executed.answer.clone() {
        Answer::Done(outcome) => Expected::Done(dump::told(&entry.commands[at], outcome)),
        Answer::Repeated { first, outcome } => Expected::Repeated(first, plain(outcome)),
        Answer::KeyReused { first } => Expected::KeyReused(first),
    };
    let what = || format!("answer to command {seq}, {:?}", entry.commands[at]);
    same(what, &executed.seq, &seq)?;
    same(what, &answer, &entry.expected[at])
}
