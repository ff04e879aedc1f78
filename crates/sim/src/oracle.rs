//! The oracle: what every command must come to, worked out in the most naive way there is. One command
//! at a time, the state as plain ordered maps, a copy of it kept before whatever may have to be undone.
//!
//! It knows nothing of the engine: not its encodings, its undo lists, its digests, its checkpoints.

use std::collections::BTreeMap;

use bytes::Bytes;
use ordain_types::{
    Call, Command, EntityId, Fault, FaultKind, InForce, LogId, Method, Outcome, Rejection, SendId,
    Seq, Timestamp, limits,
};

mod method;
mod modules;
mod stream;

use method::{Running, Stop};
use modules::Host;
pub(crate) use modules::{Met, Modules};

/// A deliberate mistake of the oracle, by which the comparison is shown to notice mistakes at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Rejections do not undo fields.
    FieldsStay,
    /// Rejections do not take back sends.
    SendsStay,
    /// Rejections do not undo root values.
    RootsStay,
    /// A retry runs again.
    RunsAgain,
    /// A retry with another request gets the first answer.
    AnswersAnyway,
    /// Scans leave out the field they may end at.
    ScanEndsEarly,
    /// Scans from the end begin at the beginning.
    ScanForwards,
    /// What a rejected delivery was to do is tried again.
    DeliversAgain,
    /// Answers are kept a millisecond too long.
    KeptTooLong,
    /// One call more may nest.
    DeeperByOne,
    /// A fault can be caught.
    FaultCaught,
    /// Random numbers do not depend on the seq.
    SameChance,
}

impl Defect {
    /// Every mistake.
    pub const ALL: [Defect; 12] = [
        Defect::FieldsStay,
        Defect::SendsStay,
        Defect::RootsStay,
        Defect::RunsAgain,
        Defect::AnswersAnyway,
        Defect::ScanEndsEarly,
        Defect::ScanForwards,
        Defect::DeliversAgain,
        Defect::KeptTooLong,
        Defect::DeeperByOne,
        Defect::FaultCaught,
        Defect::SameChance,
    ];
}

/// The root value of an entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Root {
    pub number: i32,
    pub notes: u32,
    pub pad: u32,
    pub spoilt: bool,
    /// The version of the shape that it was written in.
    pub version: Version,
}

/// The version of a state's shape, 1 where nothing is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(pub u32);

impl Default for Version {
    fn default() -> Self {
        Self(1)
    }
}

impl Root {
    pub fn json(&self) -> String {
        let Root {
            number, notes, pad, ..
        } = self;
        let pad = " ".repeat(*pad as usize);
        format!(
            r#"[{{"number":{number},"notes":{notes},"pad":{}}},"{pad}"]"#,
            self.pad
        )
    }

    /// As it is kept.
    pub fn stored(&self) -> String {
        match self.version {
            Version(1) => self.json(),
            Version(other) => format!(r#"{{"$version":{other},"$state":{}}}"#, self.json()),
        }
    }
}

/// An entity: none of its parts is there before the first write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entity {
    pub root: Option<Root>,
    /// How long the root value was when a method that wrote it last came to its value.
    pub root_len: usize,
    pub fields: BTreeMap<String, Bytes>,
}

/// A send that waits.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub due: Timestamp,
    pub entity: EntityId,
    pub method: Method,
    pub args: Bytes,
    pub sender: String,
}

/// What is remembered until its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remembered {
    Answer(String, String),
    Delivery(SendId),
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub call: Call,
    pub delay_ms: Option<u64>,
    pub seq: Seq,
    pub outcome: Outcome,
}

/// A send that was delivered.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub entity: EntityId,
    pub method: Method,
    pub seq: Seq,
    pub outcome: Outcome,
}

/// All state.
#[derive(Debug, Clone)]
pub struct Oracle {
    pub(crate) entities: BTreeMap<EntityId, Entity>,
    pub(crate) waiting: BTreeMap<SendId, Waiting>,
    pub(crate) delivered: BTreeMap<SendId, Delivered>,
    pub(crate) answered: BTreeMap<(String, String), Answered>,
    pub(crate) expiries: BTreeMap<(Timestamp, SendId), Remembered>,
    pub(crate) log_id: LogId,
    pub(crate) in_force: InForce,
    pub(crate) now: Timestamp,
    pub(crate) seq: Seq,
    pub(crate) modules: Modules,
    /// The entity types that the program brings itself.
    native: &'static [&'static str],
    pub(crate) met: Met,
    defect: Option<Defect>,
    /// Native methods' values have something more in them.
    changed: bool,
}

/// What a command must be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It runs and ends so.
    Done(Outcome),
    /// The answer given before, to the command at this seq.
    Repeated(Seq, Outcome),
    /// A refusal: the key belongs to the request at this seq.
    KeyReused(Seq),
}

impl Oracle {
    /// Before the first command. `native`: the entity types that belong to no module.
    pub fn new(defect: Option<Defect>, native: &'static [&'static str]) -> Self {
        Self {
            entities: BTreeMap::new(),
            waiting: BTreeMap::new(),
            delivered: BTreeMap::new(),
            answered: BTreeMap::new(),
            expiries: BTreeMap::new(),
            log_id: LogId(0),
            in_force: InForce {
                build: ordain_types::BuildId(String::new()),
                build_name: String::new(),
                executor_version: limits::EXECUTOR_VERSION,
                retention_ms: 24 * 3_600_000,
            },
            now: Timestamp(0),
            seq: Seq::ZERO,
            modules: Modules::default(),
            native,
            met: Met::default(),
            defect,
            changed: false,
        }
    }

    /// The same state, of native methods whose values are not what they were.
    #[must_use]
    pub(crate) fn changed(self) -> Self {
        let changed = true;
        Self { changed, ..self }
    }

    /// Runs the next command.
    pub fn execute(&mut self, command: &Command, now: Timestamp) -> Expected {
        self.seq = self.seq.next();
        self.now = now;
        self.forget();
        match command {
            Command::Genesis { log_id } => {
                self.log_id = *log_id;
                done("null")
            }
            Command::InForce(in_force) => {
                self.in_force = (**in_force).clone();
                done("null")
            }
            Command::Call(call) => self.once(call, None),
            Command::Send { call, delay_ms } => self.once(call, Some(*delay_ms)),
            Command::Deliver { send } => self.deliver(*send),
            Command::Deploy(deploy) => Expected::Done(self.deploy(deploy)),
            Command::Undeploy(undeploy) => Expected::Done(self.undeploy(undeploy)),
        }
    }

    /// Answers a query.
    pub fn query(&self, call: &Call, now: Timestamp) -> Outcome {
        let mut copy = self.clone();
        copy.now = now.max(self.now);
        let mut running = Running::new(&mut copy, call.caller.clone(), true);
        running.transaction(&call.entity, &call.method, &call.args)
    }

    /// Whether the last command asked for a send that waits.
    pub fn sent(&self) -> bool {
        let of_last = SendId {
            seq: self.seq,
            index: 0,
        };
        self.waiting.contains_key(&of_last)
    }

    /// Sends that are due, in the order they are to be delivered.
    pub fn due(&self, now: Timestamp) -> Vec<SendId> {
        let waiting = self.waiting.iter();
        let mut due: Vec<_> = waiting.map(|(id, send)| (send.due, *id)).collect();
        due.retain(|(due, _)| *due <= now);
        due.sort();
        due.into_iter().map(|(_, id)| id).collect()
    }

    fn once(&mut self, call: &Call, delay_ms: Option<u64>) -> Expected {
        let Some(key) = &call.idempotency_key else {
            return Expected::Done(self.request(call, delay_ms));
        };
        let place = (call.caller.clone(), key.as_str().to_owned());
        let first = self.answered.get(&place).cloned();
        if let Some(first) = first.filter(|_| self.defect != Some(Defect::RunsAgain)) {
            let asked = |call: &Call| (call.entity.clone(), call.method.clone(), said(&call.args));
            let same = asked(&first.call) == asked(call) && first.delay_ms == delay_ms;
            return match same || self.defect == Some(Defect::AnswersAnyway) {
                true => Expected::Repeated(first.seq, first.outcome),
                false => Expected::KeyReused(first.seq),
            };
        }
        let outcome = self.request(call, delay_ms);
        let answered = Answered {
            call: call.clone(),
            delay_ms,
            seq: self.seq,
            outcome: outcome.clone(),
        };
        self.answered.insert(place.clone(), answered);
        self.remember(Remembered::Answer(place.0, place.1), 0);
        Expected::Done(outcome)
    }

    fn request(&mut self, call: &Call, delay_ms: Option<u64>) -> Outcome {
        match delay_ms {
            None => self.transaction(&call.entity, &call.method, &call.args, &call.caller),
            Some(delay_ms) => self.accept(call, delay_ms),
        }
    }

    fn accept(&mut self, call: &Call, delay_ms: u64) -> Outcome {
        let full = self.waiting.len() >= limits::SENDS_PENDING_MAX;
        if full || delay_ms > limits::SEND_DELAY_MS_MAX {
            return fault(FaultKind::Sends, String::new(), String::new());
        }
        let id = SendId {
            seq: self.seq,
            index: 0,
        };
        let send = Waiting {
            due: self.now.plus_ms(delay_ms),
            entity: call.entity.clone(),
            method: call.method.clone(),
            args: call.args.clone(),
            sender: call.caller.clone(),
        };
        self.waiting.insert(id, send);
        Outcome::Value(format!("\"{id}\"").into())
    }

    fn deliver(&mut self, id: SendId) -> Expected {
        let Some(send) = self.waiting.remove(&id) else {
            return done("null");
        };
        let outcome = self.transaction(&send.entity, &send.method, &send.args, &send.sender);
        let again = self.defect == Some(Defect::DeliversAgain);
        if again && matches!(outcome, Outcome::Rejected(_)) {
            self.waiting.insert(id, send);
            return Expected::Done(outcome);
        }
        let delivered = Delivered {
            entity: send.entity,
            method: send.method,
            seq: self.seq,
            outcome: outcome.clone(),
        };
        self.delivered.insert(id, delivered);
        self.remember(Remembered::Delivery(id), u32::MAX);
        Expected::Done(outcome)
    }

    fn transaction(
        &mut self,
        entity: &EntityId,
        method: &Method,
        args: &[u8],
        caller: &str,
    ) -> Outcome {
        let mut running = Running::new(self, caller.to_owned(), false);
        let outcome = running.transaction(entity, method, args);
        let sends = running.into_sends();
        for (index, send) in sends.into_iter().enumerate() {
            let id = SendId {
                seq: self.seq,
                index: index as u32,
            };
            self.waiting.insert(id, send);
        }
        outcome
    }

    fn remember(&mut self, what: Remembered, index: u32) {
        let late = u64::from(self.defect == Some(Defect::KeptTooLong));
        let at = self.now.plus_ms(self.in_force.retention_ms + late);
        let id = SendId {
            seq: self.seq,
            index,
        };
        self.expiries.insert((at, id), what);
    }

    fn forget(&mut self) {
        for _ in 0..limits::EXPIRIES_PER_COMMAND {
            let Some(first) = self.expiries.first_entry() else {
                return;
            };
            if first.key().0 > self.now {
                return;
            }
            match first.remove() {
                Remembered::Answer(caller, key) => drop(self.answered.remove(&(caller, key))),
                Remembered::Delivery(id) => drop(self.delivered.remove(&id)),
            }
        }
    }
}

/// Arguments without their spelling: in JSON the order of names means nothing, and one that holds null is as one
/// left out.
fn said(args: &[u8]) -> serde_json::Value {
    fn leave_out(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                members.retain(|_, member| !member.is_null());
                members.values_mut().for_each(leave_out);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(leave_out),
            _ => {}
        }
    }
    let mut value = serde_json::from_slice(args).expect("arguments are JSON");
    leave_out(&mut value);
    value
}

fn done(json: &'static str) -> Expected {
    Expected::Done(Outcome::Value(Bytes::from_static(json.as_bytes())))
}

/// A fault without its prose.
fn fault(kind: FaultKind, at: String, message: String) -> Outcome {
    Outcome::Fault(Box::new(Fault {
        kind,
        message,
        at,
        trace: String::new(),
    }))
}

/// How a transaction that came to `stop` ends.
fn stopped(stop: Stop, at: &str) -> Outcome {
    let mut rejection: Rejection = match stop {
        Stop::Rejected(rejection) => rejection,
        Stop::Fault { kind, at, text } => return fault(kind, at, text),
    };
    let details = rejection.details.as_ref().map_or(0, Bytes::len);
    if details > limits::VALUE_BYTES_MAX {
        return fault(FaultKind::ValueBytes, at.to_owned(), String::new());
    }
    rejection.message = first_bytes(&rejection.message, limits::MESSAGE_BYTES_MAX);
    Outcome::Rejected(Box::new(rejection))
}

/// As many whole characters of `text` as fit `limit` bytes.
fn first_bytes(text: &str, limit: usize) -> String {
    let mut cut = String::new();
    for c in text.chars() {
        if cut.len() + c.len_utf8() > limit {
            break;
        }
        cut.push(c);
    }
    cut
}
