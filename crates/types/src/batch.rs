//! Consecutive commands with one timestamp: the payload of one log record.
//!
//! A batch also carries the digests of earlier batches' outcomes, one or more batches behind, so
//! that a replay can be held against what ran. The encoding is postcard's; since a list there is its
//! length and then its elements, encodings of commands one behind the other are most of it.

use serde::{Deserialize, Serialize};

use crate::{Call, Command, EntityId, Seq, Timestamp};

/// The digest of one executed batch's outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchDigest {
    /// The first command of that batch.
    pub first_seq: Seq,
    /// A short hash of each command's outcome and sends, in order: tells which came out differently.
    pub outcomes: Vec<u32>,
    /// A hash over all of them in full: tells that none did.
    pub batch: u64,
}

/// Consecutive commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The first command's seq; the others follow without gaps.
    pub first_seq: Seq,
    /// What `cx.now()` answers in all of them. Never less than the batch before's.
    pub timestamp: Timestamp,
    /// Of earlier batches, each once.
    pub digests: Vec<BatchDigest>,
    /// In order, at least one.
    pub commands: Vec<Command>,
}

/// A log record's payload that is no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record is not a batch: {0}")]
pub struct BatchError(String);

impl Command {
    /// Appends the encoding of this command: postcard's, which for the most frequent one is written here, in
    /// far fewer instructions.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        if let Command::Call(call) = self {
            out.push(CALL);
            return call.encode_into(out);
        }
        let taken = std::mem::take(out);
        *out = postcard::to_extend(self, taken).expect("a command always encodes into memory");
    }
}

/// The place of [`Command::Call`] among the kinds of commands.
const CALL: u8 = 2;

impl Call {
    fn encode_into(&self, out: &mut Vec<u8>) {
        let Self {
            entity: EntityId { ty, key },
            method,
            args,
            caller,
            idempotency_key,
        } = self;
        put(out, ty.as_str().as_bytes());
        put(out, key.as_str().as_bytes());
        put(out, method.as_str().as_bytes());
        put(out, args);
        put(out, caller.as_bytes());
        out.push(u8::from(idempotency_key.is_some()));
        if let Some(key) = idempotency_key {
            put(out, key.as_str().as_bytes());
        }
    }
}

/// Appends the length of `bytes`, seven bits to a byte and the least first, and then them.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
}

impl Batch {
    /// The encoding of a batch of `count` commands, given the encodings of the commands joined.
    pub fn encode_parts(
        first_seq: Seq,
        timestamp: Timestamp,
        digests: &[BatchDigest],
        count: usize,
        commands: &[u8],
    ) -> Vec<u8> {
        let out = Vec::with_capacity(commands.len() + 64 + digests.len() * 64);
        let head = (first_seq, timestamp, digests, count);
        let mut out = postcard::to_extend(&head, out).expect("a head encodes into memory");
        out.extend_from_slice(commands);
        out
    }

    /// The encoding of this batch.
    pub fn encode(&self) -> Vec<u8> {
        let mut commands = Vec::new();
        for command in &self.commands {
            command.encode_into(&mut commands);
        }
        let count = self.commands.len();
        Self::encode_parts(
            self.first_seq,
            self.timestamp,
            &self.digests,
            count,
            &commands,
        )
    }

    /// Reads a batch; every byte must belong to it.
    ///
    /// # Errors
    /// If the bytes are not exactly one batch of at least one command.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        let (batch, rest) = postcard::take_from_bytes::<Batch>(bytes)
            .map_err(|error| BatchError(error.to_string()))?;
        let last = batch.first_seq.0.checked_add(batch.commands.len() as u64);
        match (rest.len(), batch.commands.is_empty()) {
            (0, false) if last.is_none() => {
                Err(BatchError("its seqs pass the last one".to_owned()))
            }
            (0, false) => Ok(batch),
            (0, true) => Err(BatchError("it holds no command".to_owned())),
            (extra, _) => Err(BatchError(format!("{extra} bytes follow it"))),
        }
    }

    /// Holds a batch against where it was found: the seqs of the record that held it, and the timestamp
    /// of the batch before.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check_place(
        &self,
        first_seq: Seq,
        last_seq: Seq,
        before: Timestamp,
    ) -> Result<(), BatchError> {
        let (first, last) = (self.first_seq, self.last_seq());
        if (first, last) != (first_seq, last_seq) {
            return Err(BatchError(format!(
                "it is of seq {first} to {last}, its record of {first_seq} to {last_seq}"
            )));
        }
        match self.timestamp >= before {
            true => Ok(()),
            false => Err(BatchError(
                "its time is before that of the batch before".to_owned(),
            )),
        }
    }

    /// The last command's seq.
    pub fn last_seq(&self) -> Seq {
        Seq(self.first_seq.0 + self.commands.len() as u64 - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BuildId, IdempotencyKey, InForce, LogId, Method, SendId};

    fn sample() -> Batch {
        let call = Call {
            entity: EntityId::new("account", "al").unwrap(),
            method: Method::new("deposit").unwrap(),
            args: crate::Json::from_static(b"{\"amount\":5}"),
            caller: "me".into(),
            idempotency_key: Some(IdempotencyKey::new("k1").unwrap()),
        };
        Batch {
            first_seq: Seq(300),
            timestamp: Timestamp(1_000),
            digests: vec![BatchDigest {
                first_seq: Seq(299),
                outcomes: vec![7],
                batch: 9,
            }],
            commands: vec![
                Command::Genesis { log_id: LogId(5) },
                Command::InForce(Box::new(InForce {
                    build: BuildId("b".into()),
                    build_name: "n".into(),
                    executor_version: 1,
                    retention_ms: 2,
                })),
                Command::Call(Box::new(call.clone())),
                Command::Send {
                    call: Box::new(call),
                    delay_ms: 10,
                },
                Command::Deliver {
                    send: SendId {
                        seq: Seq(1),
                        index: 2,
                    },
                },
            ],
        }
    }

    #[test]
    fn what_is_written_by_hand_is_postcards() {
        for len in [1, 2, 127, 128, 300, 512] {
            for keyed in [false, true] {
                let call = Call {
                    entity: EntityId::new("account", &"k".repeat(len)).unwrap(),
                    method: Method::new("deposit").unwrap(),
                    args: vec![b' '; len * 61].into(), // up to three bytes of length
                    caller: "c".repeat(len - 1),
                    idempotency_key: keyed.then(|| IdempotencyKey::new("k1").unwrap()),
                };
                let command = Command::Call(Box::new(call));
                let mut written = b"before".to_vec();
                command.encode_into(&mut written);
                let theirs = postcard::to_extend(&command, b"before".to_vec());
                assert_eq!(Ok(written), theirs, "{len} bytes, keyed: {keyed}");
            }
        }
    }

    #[test]
    fn round_trip_and_golden_bytes() {
        let bytes = sample().encode();
        assert_eq!(
            bytes,
            postcard::to_allocvec(&sample()).unwrap(),
            "joined parts are the whole"
        );
        assert_eq!(Batch::decode(&bytes).unwrap(), sample());
        let call = b"\x07account\x02al\x07deposit\x0c{\"amount\":5}\x02me\x01\x02k1";
        let mut golden =
            b"\xac\x02\xe8\x07\x01\xab\x02\x01\x07\x09\x05\x00\x05\x01\x01b\x01n\x01\x02\x02"
                .to_vec();
        golden.extend_from_slice(call);
        golden.push(3);
        golden.extend_from_slice(call);
        golden.extend_from_slice(b"\x0a\x04\x01\x02");
        assert_eq!(bytes, golden);
    }

    #[test]
    fn every_cut_and_every_trailing_byte_is_refused() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(Batch::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(Batch::decode(&longer).is_err());
    }

    #[test]
    fn a_batch_past_the_last_seq_is_refused() {
        let at = |first_seq| Batch {
            first_seq: Seq(first_seq),
            ..sample()
        };
        let commands = sample().commands.len() as u64;
        assert!(Batch::decode(&at(u64::MAX - commands).encode()).is_ok());
        assert!(Batch::decode(&at(u64::MAX - commands + 1).encode()).is_err());
    }

    #[test]
    fn a_batch_in_a_record_of_others_is_refused() {
        let (batch, before) = (sample(), sample().timestamp);
        let (first, last) = (batch.first_seq, batch.last_seq());
        assert_eq!(batch.check_place(first, last, before), Ok(()));
        assert!(batch.check_place(first.next(), last, before).is_err());
        assert!(batch.check_place(first, last.next(), before).is_err());
        let later = before.plus_ms(1);
        assert!(batch.check_place(first, last, later).is_err());
    }
}
