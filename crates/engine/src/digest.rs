//! Digests of outcomes: what a replay is held against.
//!
//! A command's hash covers its answer and the sends it asked for, so that a method that answers the same
//! but sends something else is found too. What it wrote shows in later answers and in the state hash.

use ordain_types::{BatchDigest, Bug, Outcome, Seq, planted};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::engine::Answer;
use crate::sends::NewSend;

/// Digests of the batch that runs.
#[derive(Default)]
pub(crate) struct Digest {
    outcomes: Vec<u32>,
    batch: u64,
    scratch: Vec<u8>,
}

impl Digest {
    /// Takes in one command's answer and sends.
    pub fn add(&mut self, answer: &Answer, sends: &[NewSend]) {
        self.scratch.clear();
        let out = &mut self.scratch;
        match answer {
            Answer::Done(outcome) => put_outcome(out, outcome),
            Answer::Repeated { first, outcome } => {
                put(out, b'=', &first.0.to_le_bytes());
                put_outcome(out, outcome);
            }
            Answer::KeyReused { first } => put(out, b'!', &first.0.to_le_bytes()),
        }
        for send in sends.iter().filter(|_| !planted(Bug::DigestSkipsSends)) {
            put(out, b's', send.entity.ty.as_str().as_bytes());
            put(out, b'k', send.entity.key.as_str().as_bytes());
            put(out, b'm', send.method.as_str().as_bytes());
            put(out, b'a', &send.args);
            put(out, b'd', &send.delay_ms.to_le_bytes());
        }
        let hash = xxh3_64(&self.scratch);
        self.outcomes.push(hash as u32);
        self.batch = xxh3_64_with_seed(&hash.to_le_bytes(), self.batch);
    }

    /// Gives the batch's digest and begins anew.
    pub fn take(&mut self, first_seq: Seq) -> BatchDigest {
        let room = Vec::with_capacity(self.outcomes.len()); // the next batch is like this one
        let outcomes = std::mem::replace(&mut self.outcomes, room);
        BatchDigest {
            first_seq,
            outcomes,
            batch: std::mem::take(&mut self.batch),
        }
    }
}

fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_outcome(out: &mut Vec<u8>, outcome: &Outcome) {
    match outcome {
        Outcome::Value(value) => put(out, b'v', value),
        Outcome::Rejected(rejection) => {
            put(out, b'r', rejection.code.as_bytes());
            put(out, b'm', rejection.message.as_bytes());
            if !planted(Bug::DigestSkipsDetails) {
                put(out, b'd', rejection.details.as_deref().unwrap_or_default());
            }
        }
        Outcome::Fault(fault) => {
            put(out, b'f', fault.kind.code().as_bytes());
            put(out, b'm', fault.message.as_bytes());
            put(out, b'@', fault.at.as_bytes());
            put(out, b't', fault.trace.as_bytes());
        }
    }
}
