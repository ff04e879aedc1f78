//! Answers that are remembered for a time: idempotency keys and delivered sends. The index of what is
//! to be forgotten when is kept in rows; forgetting happens as commands run, a few at a time, so that it
//! is a function of the log like everything else.

use std::ops::Bound;

use bytes::Bytes;
use ordain_types::{Call, Granule, Outcome, SendId, Seq, Timestamp, granule::prefix_end, limits};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::Tx;
use crate::sends::encode;

/// An answered idempotency key: the payload of its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// Of the request it answered.
    pub request: u128,
    pub seq: Seq,
    pub outcome: Outcome,
}

/// A hash of all that makes two requests the same one.
pub(crate) fn request_hash(call: &Call, delay_ms: Option<u64>) -> u128 {
    let parts = (&call.entity, &call.method, &call.args, delay_ms);
    xxh3_128(&postcard::to_allocvec(&parts).expect("a request encodes into memory"))
}

impl Tx {
    /// Remembers `granule` until the retention is over. `index` tells apart what one command
    /// remembers.
    pub(crate) fn remember(&mut self, granule: Granule, value: Bytes, index: u32) {
        let at = self.running.now.plus_ms(self.meta.in_force.retention_ms);
        let expiry = Granule::expiry(
            at,
            SendId {
                seq: self.running.seq,
                index,
            },
        );
        let key = Bytes::copy_from_slice(granule.as_bytes());
        self.write_row(granule, Some(value));
        self.write_row(expiry, Some(key));
        self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
    }

    /// Remembers the answer to a call with an idempotency key.
    pub(crate) fn remember_answer(&mut self, call: &Call, request: u128, outcome: &Outcome) {
        let Some(key) = &call.idempotency_key else {
            return;
        };
        let granule = Granule::answered(&call.caller, key.as_str());
        let row = Answered {
            request,
            seq: self.running.seq,
            outcome: outcome.clone(),
        };
        self.remember(granule, encode(&row), 0);
    }

    /// Forgets a few of those whose time has come.
    pub(crate) fn forget_expired(&mut self) {
        let now = self.running.now;
        if self.next_expiry.is_none_or(|next| next > now) {
            return;
        }
        let end = prefix_end(Granule::expiry(now, LAST).as_bytes()).expect("not all bytes are 255");
        let range = (
            Bound::Included(Granule::expiries()),
            Bound::Excluded(&end[..]),
        );
        let expired = self.scan_rows(range, false, limits::EXPIRIES_PER_COMMAND);
        let all = expired.len() < limits::EXPIRIES_PER_COMMAND;
        for (expiry, granule) in expired {
            self.write_row(Granule::from_bytes(&granule), None);
            self.write_row(expiry, None);
        }
        if all {
            self.next_expiry = self.first_expiry();
        }
    }

    fn first_expiry(&mut self) -> Option<Timestamp> {
        let end = prefix_end(Granule::expiries()).expect("a table number is below 255");
        let range = (
            Bound::Included(Granule::expiries()),
            Bound::Excluded(&end[..]),
        );
        let (granule, _) = self.scan_rows(range, false, 1).into_iter().next()?;
        match granule.part() {
            Some(ordain_types::granule::Part::Expiry(at, _)) => Some(at),
            part => unreachable!("the expiry index holds expiries, not {part:?}"),
        }
    }
}

const LAST: SendId = SendId {
    seq: Seq(u64::MAX),
    index: u32::MAX,
};
