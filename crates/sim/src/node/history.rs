//! What the log holds, what the oracle makes of it, and who asked for what. It reads nothing itself and
//! knows neither node nor disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ordain_log::Record;
use ordain_types::{Batch, Command, SendId, Seq, Timestamp};

use super::asks::{Ask, Standing, What};
use crate::compare::{Difference, Same, holds, same};
use crate::oracle::{Defect, Expected, Oracle};

/// A command of the log and what it must come to.
pub(super) struct Logged {
    pub command: Command,
    pub expected: Expected,
    pub timestamp: Timestamp,
}

pub(super) struct History {
    oracle: Oracle,
    pub(super) log: Vec<Logged>,
    records: Vec<Record>,
    /// First seqs of batches whose digests are not in the log yet.
    undigested: VecDeque<Seq>,
    /// The oracle where batches end.
    states: BTreeMap<Seq, Oracle>,
    delivered: BTreeSet<SendId>,
    /// What the clock showed.
    pub(super) readings: Vec<Timestamp>,
    pub(super) asks: Vec<Ask>,
    /// Commands that answered a request.
    pub(super) claimed: BTreeSet<Seq>,
    /// The latest seq anyone was told of.
    pub(super) floor: Seq,
}

impl History {
    pub fn new(defect: Option<Defect>, native: &'static [&'static str]) -> Self {
        let oracle = Oracle::new(defect, native);
        Self {
            states: BTreeMap::from([(Seq::ZERO, oracle.clone())]),
            oracle,
            log: Vec::new(),
            records: Vec::new(),
            undigested: VecDeque::new(),
            delivered: BTreeSet::new(),
            readings: Vec::new(),
            asks: Vec::new(),
            claimed: BTreeSet::new(),
            floor: Seq::ZERO,
        }
    }

    /// The last command known to be durable.
    pub fn last(&self) -> Seq {
        self.oracle.seq
    }

    /// The state after it.
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }

    /// The latest seq anyone was told of.
    pub fn floor(&self) -> Seq {
        self.floor
    }

    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// The clock shows something else.
    pub fn clock_shows(&mut self, now: Timestamp) {
        self.readings.push(now);
    }

    /// Takes in one durable record more.
    pub fn extend(&mut self, record: Record) -> Same {
        same(
            || "the first seq of a record".to_owned(),
            &record.first_seq,
            &self.last().next(),
        )?;
        let batch = Batch::decode(&record.payload).map_err(|error| {
            Difference::new(
                format!("the record of {}", record.first_seq),
                error.to_string(),
                "a batch",
            )
        })?;
        let (at, before) = (batch.timestamp, self.oracle.now);
        let told = at == before || self.readings.contains(&at);
        holds(at >= before && told, || {
            let what = format!("the time of the batch of {}", batch.first_seq);
            Difference::new(
                what,
                format!("{at:?}"),
                format!("{before:?}, or later and by the clock"),
            )
        })?;
        for digest in &batch.digests {
            let next = self.undigested.pop_front();
            let what = || format!("the digests with the batch of {}", batch.first_seq);
            same(what, &Some(digest.first_seq), &next)?;
        }
        self.undigested.push_back(batch.first_seq);
        for command in batch.commands {
            self.command(command, batch.timestamp)?;
        }
        same(
            || "the length of a record".to_owned(),
            &record.last_seq(),
            &self.last(),
        )?;
        self.states.insert(self.last(), self.oracle.clone());
        self.records.push(record);
        Ok(())
    }

    fn command(&mut self, command: Command, timestamp: Timestamp) -> Same {
        if let Command::Deliver { send } = &command {
            let due = self.oracle.waiting.get(send).map(|send| send.due);
            holds(due.is_some_and(|due| due <= timestamp), || {
                let what = format!("when send {send} was delivered");
                Difference::new(what, format!("{timestamp:?}"), format!("{due:?} or later"))
            })?;
            self.is_delivered(*send)?;
        }
        let expected = self.oracle.execute(&command, timestamp);
        self.log.push(Logged {
            command,
            expected,
            timestamp,
        });
        Ok(())
    }

    fn is_delivered(&mut self, send: SendId) -> Same {
        holds(self.delivered.insert(send), || {
            Difference::new(format!("deliveries of send {send}"), "two", "one")
        })
    }

    /// A node began with this checkpoint: what is before it was not run again, and has no digest to come.
    pub fn began_at(&mut self, checkpoint: Seq) {
        self.undigested.retain(|first| *first > checkpoint);
    }

    /// Whether any send was delivered.
    pub fn has_delivered(&self) -> bool {
        !self.delivered.is_empty()
    }

    /// A delivery is reported once more.
    pub fn deliver_again(&mut self) -> Same {
        match self.delivered.last().copied() {
            Some(send) => self.is_delivered(send),
            None => Ok(()),
        }
    }

    /// Holds what a restart found in the log against what was durable before.
    pub fn survived(&mut self, records: Vec<Record>, cut_off: Seq) -> Same {
        let reached = records.last().map_or(cut_off, Record::last_seq);
        holds(reached >= self.last(), || {
            let found = format!("they end with {reached}");
            Difference::new(
                "durable commands after a restart",
                found,
                format!("they reach {}", self.last()),
            )
        })?;
        for record in records {
            match self.known(&record) {
                Some(known) => is_same_record(&record, known)?,
                None => self.extend(record)?,
            }
        }
        Ok(())
    }

    /// Holds records that were read against what was durable.
    pub fn is_known(&self, record: &Record) -> Same {
        match self.known(record) {
            Some(known) => is_same_record(record, known),
            None => Err(Difference::new(
                format!("the record of {}", record.first_seq),
                "it is in the log",
                "nothing of the kind was ever durable",
            )),
        }
    }

    fn known(&self, record: &Record) -> Option<&Record> {
        let at = self
            .records
            .binary_search_by_key(&record.first_seq, |known| known.first_seq);
        at.ok().map(|at| &self.records[at])
    }

    /// The records of the batches after a seq.
    pub fn records_after(&self, seq: Seq) -> impl Iterator<Item = &Record> {
        let records = self.records.iter();
        records.filter(move |record| record.first_seq > seq)
    }

    /// The state after the command of a seq.
    pub fn state_at(&self, seq: Seq) -> Option<Oracle> {
        let (from, state) = self.states.range(..=seq).next_back()?;
        let mut state = state.clone();
        for at in from.0..seq.0 {
            let logged = self.log.get(at as usize)?;
            state.execute(&logged.command, logged.timestamp);
        }
        Some(state)
    }

    /// A request was taken.
    pub fn asked(&mut self, what: What) -> u64 {
        self.asks.push(Ask {
            what,
            floor: self.floor,
            readings: self.readings.len().saturating_sub(1),
            standing: Standing::Open,
        });
        self.asks.len() as u64 - 1
    }

    /// The last request was not taken after all.
    pub fn refused(&mut self) {
        self.asks.pop();
    }

    /// Pretends that more was told before a request was asked than was.
    pub fn raise_floor(&mut self, number: u64, to: Seq) {
        self.asks[number as usize].floor = to;
    }

    /// Connections broke: no one who waits will be told anything.
    pub fn hang_up(&mut self) {
        for ask in self.asks.iter_mut() {
            if ask.standing == Standing::Open {
                ask.standing = Standing::Unknown;
            }
        }
    }

    /// Nobody waits any more.
    pub fn all_are_answered(&self) -> Same {
        let waits = self.asks.iter().find(|ask| ask.standing == Standing::Open);
        match waits {
            None => Ok(()),
            Some(ask) => Err(Difference::new(
                format!("the reply to {:?}", ask.what),
                "none came",
                "everyone is answered",
            )),
        }
    }

    /// Every request is in the log as often as it was asked for at most, and as often as it was
    /// answered at least; and nothing else is.
    pub fn nothing_is_missing_or_repeated(&self) -> Same {
        let mut counts: BTreeMap<Vec<u8>, (u64, u64, u64)> = BTreeMap::new();
        let encoded = |command: &Command| {
            let mut bytes = Vec::new();
            command.encode_into(&mut bytes);
            bytes
        };
        for ask in &self.asks {
            let What::Update(command) = &ask.what else {
                continue;
            };
            let (asked, answered, _) = counts.entry(encoded(command)).or_default();
            *asked += 1;
            *answered += u64::from(ask.standing == Standing::Answered);
        }
        for logged in &self.log {
            let asked_for = match &logged.command {
                Command::Genesis { .. } | Command::InForce(_) | Command::Deliver { .. } => false,
                Command::Call(_) | Command::Send { .. } => true,
                Command::Deploy(_) | Command::Undeploy(_) => true,
            };
            if asked_for {
                counts.entry(encoded(&logged.command)).or_default().2 += 1;
            }
        }
        let wrong = counts
            .iter()
            .find(|(_, (asked, answered, logged))| logged > asked || logged < answered);
        match wrong {
            None => Ok(()),
            Some((bytes, (asked, answered, logged))) => Err(Difference::new(
                format!(
                    "how often a request is in the log, {}",
                    String::from_utf8_lossy(bytes)
                ),
                logged.to_string(),
                format!("{answered}, as it was answered, to {asked}, as it was asked"),
            )),
        }
    }
}

fn is_same_record(found: &Record, known: &Record) -> Same {
    let facts = |record: &Record| (record.count, record.payload.clone());
    let what = || format!("the record of {} in the log", found.first_seq);
    same(what, &facts(found), &facts(known))
}
