//! What clients asked and what they were told: every operation with its place in time. It judges
//! nothing.

use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ordain_types::{MethodKind, RequestParts};
use serde::Serialize;
use serde_json::value::RawValue;

/// One operation of one client. A client has one at a time.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Which client.
    pub client: u32,
    /// The first attempt was about to be sent.
    pub invoked: Moment,
    /// The answer was there; none: it never came.
    pub returned: Option<Moment>,
    /// How often it was asked.
    pub attempts: u32,
    /// Whom: `account/alice`.
    pub entity: String,
    /// What.
    pub method: String,
    /// Whether it may write.
    pub kind: MethodKind,
    /// With which arguments.
    pub args: Box<RawValue>,
    /// What came of it.
    pub answer: Answer,
    /// Where in the order it says it is.
    pub seq: Option<u64>,
}

/// A place in time. Tickets are taken one after the other by all clients: if one operation returned
/// before another was invoked, its ticket is the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moment {
    /// The ticket.
    pub ticket: u64,
    /// Microseconds since the history began, for people.
    pub us: u64,
}

/// What came of an operation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It committed, with this value.
    Value(Box<RawValue>),
    /// It ran and was undone: the code.
    Rejected(String),
    /// It broke a limit or crashed, and was undone.
    Fault(String),
    /// It may have run or not.
    Unknown(String),
}

/// A history in the making; clients share it.
#[derive(Debug)]
pub struct History {
    began: Instant,
    began_unix_ms: u128,
    next_ticket: AtomicU64,
    records: Mutex<Vec<Record>>,
    acknowledged: AtomicU64,
}

impl Default for History {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            began: Instant::now(),
            began_unix_ms: since.unwrap_or_default().as_millis(),
            next_ticket: AtomicU64::new(0),
            records: Mutex::default(),
            acknowledged: AtomicU64::new(0),
        }
    }
}

impl History {
    /// Now.
    pub fn moment(&self) -> Moment {
        let us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let ticket = self.next_ticket.fetch_add(1, Ordering::SeqCst);
        Moment { ticket, us }
    }

    /// Adds an operation that is over.
    pub fn add(&self, record: Record) {
        if matches!(record.answer, Answer::Value(_) | Answer::Rejected(_)) {
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        self.records_mut().push(record);
    }

    /// How many operations were answered.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// All operations so far, in the order in which they were invoked.
    pub fn records(&self) -> Vec<Record> {
        let mut records = self.records_mut().clone();
        records.sort_by_key(|record| record.invoked);
        records
    }

    /// Writes all of it, a line of JSON an operation.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut out = io::BufWriter::new(std::fs::File::create(path)?);
        writeln!(out, "{{\"began_unix_ms\":{}}}", self.began_unix_ms)?;
        for record in self.records() {
            serde_json::to_writer(&mut out, &record)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    fn records_mut(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// An operation that was invoked and has no answer yet.
    pub fn begin(client: u32, invoked: Moment, parts: &RequestParts) -> Self {
        let args = serde_json::from_slice(&parts.args).unwrap_or_else(|_| raw("null"));
        Self {
            client,
            invoked,
            returned: None,
            attempts: 0,
            entity: parts.entity.to_string(),
            method: parts.method.to_string(),
            kind: parts.kind,
            args,
            answer: Answer::Unknown("not answered".into()),
            seq: None,
        }
    }

    /// The type of the entity.
    pub fn entity_type(&self) -> &str {
        self.entity.split_once('/').map_or(&self.entity, |it| it.0)
    }

    /// The key of the entity.
    pub fn entity_key(&self) -> &str {
        self.entity.split_once('/').map_or("", |it| it.1)
    }

    /// The value, if it committed.
    pub fn value<R: serde::de::DeserializeOwned>(&self) -> Option<R> {
        match &self.answer {
            Answer::Value(json) => serde_json::from_str(json.get()).ok(),
            _ => None,
        }
    }

    /// One of the arguments.
    pub fn arg<R: serde::de::DeserializeOwned>(&self, name: &str) -> Option<R> {
        let mut args: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(self.args.get()).ok()?;
        serde_json::from_value(args.remove(name)?).ok()
    }

    /// Whether nobody knows if it happened.
    pub fn unknown(&self) -> bool {
        matches!(self.answer, Answer::Unknown(_))
    }
}

/// JSON text that is known to be some.
pub fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("it is JSON")
}
