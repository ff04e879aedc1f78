//! What the log holds, what the oracle makes of it, and whether what clients were told agrees. It
//! reads nothing itself and knows neither node nor disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ordain_log::Record;
use ordain_node::{Body, InvocationStatus, Reply};
use ordain_types::{Batch, Call, Command, EntityId, Outcome, SendId, Seq, Timestamp};

use super::asks::{Ask, Standing, What, unavailable};
use crate::compare::{Difference, Same, holds, same};
use crate::dump::plain;
use crate::oracle::{Defect, Expected, Oracle};

/// A command of the log and what it must come to.
struct Logged {
    command: Command,
    expected: Expected,
    timestamp: Timestamp,
}

pub(super) struct History {
    oracle: Oracle,
    log: Vec<Logged>,
    records: Vec<Record>,
    /// First seqs of batches whose digests are not in the log yet.
    undigested: VecDeque<Seq>,
    /// The oracle where batches end.
    states: BTreeMap<Seq, Oracle>,
    delivered: BTreeSet<SendId>,
    /// What the clock showed.
    readings: Vec<Timestamp>,
    asks: Vec<Ask>,
    /// Commands that answered a request.
    claimed: BTreeSet<Seq>,
    /// The latest seq anyone was told of.
    floor: Seq,
}

impl History {
    pub fn new(defect: Option<Defect>) -> Self {
        let oracle = Oracle::new(defect);
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

    /// A reply came. Gives the request it is for.
    pub fn answered(&mut self, number: u64, reply: &Reply) -> Result<Ask, Difference> {
        let ask = self.asks[number as usize].clone();
        holds(ask.standing == Standing::Open, || {
            Difference::new(format!("replies to {:?}", ask.what), "two", "one")
        })?;
        if unavailable(reply).is_some() {
            self.asks[number as usize].standing = Standing::Unknown;
            return Ok(ask);
        }
        self.asks[number as usize].standing = Standing::Answered;
        holds(reply.seq <= self.last(), || {
            let what = format!("the seq of the reply to {:?}", ask.what);
            Difference::new(
                what,
                reply.seq.to_string(),
                format!("durable: {} at most", self.last()),
            )
        })?;
        match &ask.what {
            What::Update(command) => self.check_update(command, ask.floor, reply)?,
            What::Query { call, at_least } => self.check_query(&ask, call, *at_least, reply)?,
            What::Invocation(send) => self.check_invocation(ask.floor, *send, reply)?,
            What::NextDue => {
                let waiting = self.seen(ask.floor, reply)?.waiting;
                let due = waiting.values().map(|send| send.due).min();
                same(
                    || "the next due".to_owned(),
                    &reply.body,
                    &Body::NextDue(due),
                )?;
            }
            What::Inspect(entity) => self.check_entity(ask.floor, entity, reply)?,
            What::Checkpoint { .. } => {
                same(
                    || "the reply to a checkpoint".to_owned(),
                    &reply.body,
                    &Body::Checkpoint,
                )?;
                self.is_after(ask.floor, reply)?;
            }
        }
        self.floor = self.floor.max(reply.seq);
        Ok(ask)
    }

    fn is_after(&self, floor: Seq, reply: &Reply) -> Same {
        holds(reply.seq >= floor, || {
            let found = format!("it saw {}", reply.seq);
            Difference::new(
                "what a read saw",
                found,
                format!("{floor}, which was told of before it was asked"),
            )
        })
    }

    /// The state that a read saw.
    fn seen(&self, floor: Seq, reply: &Reply) -> Result<Oracle, Difference> {
        self.is_after(floor, reply)?;
        let state = self.state_at(reply.seq);
        state.ok_or_else(|| Difference::new("the state that was seen", "unknown", "durable"))
    }

    fn check_update(&mut self, command: &Command, floor: Seq, reply: &Reply) -> Same {
        let expected = match reply.body.clone() {
            Body::Outcome {
                outcome,
                repeated: true,
            } => {
                let answer = Expected::Repeated(reply.seq, plain(outcome));
                return self.check_repeated(command, floor, answer);
            }
            Body::Outcome {
                outcome,
                repeated: false,
            } => Expected::Done(plain(outcome)),
            Body::KeyReused { first } => Expected::KeyReused(first),
            body => {
                let what = format!("the kind of the reply to {command:?}");
                return Err(Difference::new(what, format!("{body:?}"), "an outcome"));
            }
        };
        holds(reply.seq > floor, || {
            let found = format!("it is {}", reply.seq);
            Difference::new(
                "the place of an update",
                found,
                format!("after {floor}, which was told of before it was asked"),
            )
        })?;
        let logged = &self.log[reply.seq.0 as usize - 1];
        same(
            || format!("the command at {}", reply.seq),
            &logged.command,
            command,
        )?;
        same(
            || format!("the reply to {} {command:?}", reply.seq),
            &expected,
            &logged.expected,
        )?;
        holds(self.claimed.insert(reply.seq), || {
            Difference::new(format!("requests answered by {}", reply.seq), "two", "one")
        })
    }

    /// A repeated answer does not say where it was asked again: somewhere it must have been.
    fn check_repeated(&self, command: &Command, floor: Seq, answer: Expected) -> Same {
        let later = self.log.iter().skip(floor.0 as usize).rev();
        let mut same_commands = later.filter(|logged| logged.command == *command).peekable();
        let other = same_commands.peek().map(|logged| logged.expected.clone());
        holds(
            same_commands.any(|logged| logged.expected == answer),
            || {
                Difference::new(
                    format!("the repeated reply to {command:?}"),
                    format!("{answer:?}"),
                    format!("{other:?}"),
                )
            },
        )
    }

    /// What the clock showed between asking and now decides what a query may have seen of time.
    fn check_query(&self, ask: &Ask, call: &Call, at_least: Option<Seq>, reply: &Reply) -> Same {
        let outcome = match &reply.body {
            Body::SeqNotReached => {
                let what = || {
                    Difference::new(
                        "a query that came too early",
                        reply.seq.to_string(),
                        format!("before {at_least:?}"),
                    )
                };
                return holds(at_least.is_some_and(|seq| seq > reply.seq), what);
            }
            Body::Outcome {
                outcome,
                repeated: false,
            } => plain(outcome.clone()),
            body => {
                return Err(Difference::new(
                    "the kind of the reply to a query",
                    format!("{body:?}"),
                    "an outcome",
                ));
            }
        };
        let state = self.seen(ask.floor.max(at_least.unwrap_or_default()), reply)?;
        let readings = self.readings[ask.readings..].iter().rev();
        let mut expected: Vec<Outcome> = Vec::new();
        for now in readings {
            expected.push(state.query(call, *now));
            if expected.last() == Some(&outcome) {
                return Ok(());
            }
        }
        same(
            || format!("the reply to the query {call:?} at {}", reply.seq),
            &Some(&outcome),
            &expected.first(),
        )
    }

    fn check_invocation(&self, floor: Seq, send: SendId, reply: &Reply) -> Same {
        let state = self.seen(floor, reply)?;
        let found = match &reply.body {
            Body::Invocation(found) => found.as_deref().map(|found| match &found.status {
                InvocationStatus::Pending { due } => (found.entity.clone(), Err(*due)),
                InvocationStatus::Done { seq, outcome } => {
                    (found.entity.clone(), Ok((*seq, plain(outcome.clone()))))
                }
            }),
            body => {
                return Err(Difference::new(
                    "the kind of the reply about a send",
                    format!("{body:?}"),
                    "an invocation",
                ));
            }
        };
        let waits = state.waiting.get(&send);
        let waits = waits.map(|waits| (waits.entity.clone(), Err(waits.due)));
        let done = state.delivered.get(&send);
        let done = done.map(|done| (done.entity.clone(), Ok((done.seq, done.outcome.clone()))));
        same(
            || format!("send {send} at {}", reply.seq),
            &found,
            &waits.or(done),
        )
    }

    fn check_entity(&self, floor: Seq, id: &EntityId, reply: &Reply) -> Same {
        let state = self.seen(floor, reply)?;
        let Body::Entity { root, fields } = &reply.body else {
            return Err(Difference::new(
                "the kind of the reply about an entity",
                format!("{:?}", reply.body),
                "an entity",
            ));
        };
        let entity = state.entities.get(id).cloned().unwrap_or_default();
        let root = root
            .as_ref()
            .map(|json| String::from_utf8_lossy(json).into_owned());
        let expected = entity.root.map(|root| root.json());
        same(
            || format!("root of {id} at {}", reply.seq),
            &root,
            &expected,
        )?;
        let fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| (key.as_str().to_owned(), value.clone()))
            .collect();
        let expected: Vec<_> = entity.fields.into_iter().collect();
        same(
            || format!("fields of {id} at {}", reply.seq),
            &fields,
            &expected,
        )
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
            if let command @ (Command::Call(_) | Command::Send { .. }) = &logged.command {
                counts.entry(encoded(command)).or_default().2 += 1;
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
