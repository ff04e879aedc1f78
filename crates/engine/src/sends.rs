//! Sends: asked for in a transaction, kept in the state when it commits, delivered by a command of
//! their own.
//!
//! A send's payload is a row; what is due when is an index in memory, made anew on start from the
//! rows. Delivery goes by (due, id): immediate sends are due at once, and neither timestamps nor ids
//! ever go back, so sends between two entities arrive in the order they were asked for.

use std::collections::BTreeSet;
use std::ops::Bound;

use ordain_types::granule::{Part, prefix_end};
use ordain_types::{
    Bug, EntityId, FaultKind, Granule, Json, Method, Outcome, SendId, Seq, Timestamp, limits,
    planted,
};
use serde::{Deserialize, Serialize};

use crate::Tx;
use crate::undo::Undo;

/// A send that waits: the payload of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingSend {
    pub due: Timestamp,
    pub entity: EntityId,
    pub method: Method,
    pub args: Json,
    /// The entity or the caller that asked.
    pub sender: String,
}

/// A send asked for by the running transaction.
pub(crate) struct NewSend {
    pub entity: EntityId,
    pub method: Method,
    pub args: Json,
    pub sender: String,
    pub delay_ms: u64,
}

/// A delivered send: the payload of its invocation row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivered {
    pub entity: EntityId,
    pub method: Method,
    pub at: Seq,
    pub outcome: Outcome,
}

/// What is known of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Whom it calls.
    pub entity: EntityId,
    /// What it calls.
    pub method: Method,
    /// How far it is.
    pub status: InvocationStatus,
}

/// How far a send is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvocationStatus {
    /// Not delivered yet.
    Pending {
        /// When it is due.
        due: Timestamp,
    },
    /// Delivered.
    Done {
        /// The transaction that delivered it.
        seq: Seq,
        /// How it ended.
        outcome: Outcome,
    },
}

/// What is due when.
#[derive(Default)]
pub(crate) struct PendingSends(BTreeSet<(Timestamp, SendId)>);

impl PendingSends {
    pub fn insert(&mut self, due: Timestamp, send: SendId) {
        self.0.insert((due, send));
    }

    pub fn remove(&mut self, due: Timestamp, send: SendId) {
        self.0.remove(&(due, send));
    }

    pub fn next_due(&self) -> Option<Timestamp> {
        self.0.first().map(|(due, _)| *due)
    }

    pub fn due(&self, now: Timestamp, most: usize) -> Vec<SendId> {
        let due = self.0.iter().take_while(|(due, _)| *due <= now);
        let mut due: Vec<_> = due.take(most).map(|(_, send)| *send).collect();
        if planted(Bug::DueReversed) {
            due.reverse();
        }
        due
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Tx {
    /// Asks for a call after this transaction has committed, in a transaction of its own, exactly
    /// once. The method and its arguments are checked now.
    pub fn send(&mut self, entity: EntityId, method: Method, args: &[u8], delay_ms: u64) -> SendId {
        if self.in_query() {
            self.fault(FaultKind::WriteInQuery, "a query tried to send");
        }
        let args = self.check_send(&entity, &method, args, delay_ms);
        let sender = self.entity().to_string();
        let index = self.running.sends.len() as u32;
        self.running.sends.push(NewSend {
            entity,
            method,
            args,
            sender,
            delay_ms,
        });
        SendId {
            seq: self.running.seq,
            index,
        }
    }

    fn check_send(&mut self, entity: &EntityId, method: &Method, args: &[u8], delay: u64) -> Json {
        let waiting = self.pending.len() + self.running.sends.len();
        let broken = if self.running.sends.len() >= limits::SENDS_MAX {
            format!("more than {} sends in one transaction", limits::SENDS_MAX)
        } else if waiting >= limits::SENDS_PENDING_MAX {
            format!(
                "{} sends wait for their delivery already",
                limits::SENDS_PENDING_MAX
            )
        } else if delay > limits::SEND_DELAY_MS_MAX {
            format!(
                "a delay of {delay} ms, more than the limit of {}",
                limits::SEND_DELAY_MS_MAX
            )
        } else {
            return self.canonical(entity, method, args);
        };
        self.fault(FaultKind::Sends, broken)
    }

    /// Makes what the transaction asked for wait. Called once, when it has committed.
    pub(crate) fn commit_sends(&mut self) {
        for (index, send) in std::mem::take(&mut self.running.sends)
            .into_iter()
            .enumerate()
        {
            let id = SendId {
                seq: self.running.seq,
                index: index as u32,
            };
            self.add_pending(id, send);
        }
    }

    pub(crate) fn add_pending(&mut self, id: SendId, send: NewSend) {
        let due = self.running.now.plus_ms(send.delay_ms);
        let NewSend {
            entity,
            method,
            args,
            sender,
            ..
        } = send;
        let row = PendingSend {
            due,
            entity,
            method,
            args,
            sender,
        };
        self.write_row(Granule::send(id), Some(encode(&row)));
        self.pending.insert(due, id);
        self.undo.push(Undo::Pending { due, send: id });
    }

    /// Takes a send out of those that wait. None: it was delivered before.
    pub(crate) fn take_pending(&mut self, id: SendId) -> Option<PendingSend> {
        let granule = Granule::send(id);
        let row: PendingSend = self.decode_row(&granule)?;
        if planted(Bug::DeliversTwice) {
            return Some(row);
        }
        self.write_row(granule, None);
        self.pending.remove(row.due, id);
        self.undo.push(Undo::Delivered {
            due: row.due,
            send: id,
        });
        Some(row)
    }

    /// Makes the index of what is due, from the rows.
    pub(crate) fn load_pending(&mut self) -> Result<(), crate::ColdError> {
        if planted(Bug::SendsNotLoaded) {
            return Ok(());
        }
        let end = prefix_end(Granule::sends()).expect("a table number is below 255");
        let mut from = Bound::Included(Granule::sends().to_vec());
        loop {
            let bounds = (from.as_ref().map(Vec::as_slice), Bound::Excluded(&end[..]));
            let rows = self
                .cold
                .scan(bounds.0, bounds.1, false, LOAD_ROWS, LOAD_BYTES)?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            from = Bound::Excluded(last.as_bytes().to_vec());
            for (granule, bytes) in &rows {
                let send = postcard::from_bytes::<PendingSend>(bytes).ok();
                let (Some(Part::Send(id)), Some(send)) = (granule.part(), send) else {
                    let message = format!("the stored send {granule:?} does not decode");
                    return Err(crate::ColdError(message));
                };
                self.pending.insert(send.due, id);
            }
        }
    }

    /// What is known of a send.
    pub(crate) fn invocation(&mut self, id: SendId) -> Option<Invocation> {
        if let Some(send) = self.decode_row::<PendingSend>(&Granule::send(id)) {
            let status = InvocationStatus::Pending { due: send.due };
            return Some(Invocation {
                entity: send.entity,
                method: send.method,
                status,
            });
        }
        let done: Delivered = self.decode_row(&Granule::invocation(id))?;
        let status = InvocationStatus::Done {
            seq: done.at,
            outcome: done.outcome,
        };
        Some(Invocation {
            entity: done.entity,
            method: done.method,
            status,
        })
    }

    /// A system row, decoded.
    pub(crate) fn decode_row<T: for<'a> Deserialize<'a>>(
        &mut self,
        granule: &Granule,
    ) -> Option<T> {
        let bytes = self.read_row(granule)?;
        Some(self.decode_value(granule, &bytes))
    }

    /// What a row of the system holds.
    pub(crate) fn decode_value<T: for<'a> Deserialize<'a>>(
        &mut self,
        granule: &Granule,
        value: &[u8],
    ) -> T {
        match postcard::from_bytes(value) {
            Ok(row) => row,
            Err(error) => self.stop_at(granule, &error.to_string()),
        }
    }
}

/// Rows read at a time when the index is made.
const LOAD_ROWS: usize = 4_096;
/// Bytes of them.
const LOAD_BYTES: usize = 8 << 20;

/// The encoding of a system row.
pub(crate) fn encode<T: Serialize>(row: &T) -> Json {
    Json::copy_from_slice(&encoded(row)) // as long as it is, and no longer: it stays
}

/// The same, to be read and dropped.
pub(crate) fn encoded<T: Serialize>(row: &T) -> Vec<u8> {
    postcard::to_extend(row, Vec::with_capacity(ROOM)).expect("a row encodes into memory")
}

/// Enough for most, which then do not grow piece by piece.
const ROOM: usize = 256;
