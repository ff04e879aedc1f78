//! Answers that are remembered for a time: idempotency keys and delivered sends. The index of what is
//! to be forgotten when is kept in rows; forgetting happens as commands run, a few at a time, so that it
//! is a function of the log like everything else.

use bytes::Bytes;
use ordain_types::granule::Part;
use ordain_types::{Bug, Call, Granule, Outcome, SendId, Seq, Timestamp, limits, planted};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::Tx;
use crate::known::{Cut, Stretch};
use crate::same::arguments_hash;
use crate::sends::{encode, encoded};

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
    let args = arguments_hash(&call.args);
    let parts = (&call.entity, &call.method, args, delay_ms);
    xxh3_128(&encoded(&parts))
}

impl Tx {
    /// Remembers `granule` until the retention is over. `index` tells apart what one command
    /// remembers.
    pub(crate) fn remember(&mut self, granule: Granule, value: Bytes, index: u32) {
        let late = u64::from(planted(Bug::ExpiresLate));
        let at = (self.running.now).plus_ms(self.meta.in_force.retention_ms + late);
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
        let next = self
            .next_expiry
            .filter(|next| *next <= at || planted(Bug::ExpiryMissed));
        self.next_expiry = Some(next.unwrap_or(at));
    }

    /// Remembers the answer to a call with an idempotency key, which is `granule`'s.
    pub(crate) fn remember_answer(&mut self, granule: Granule, request: u128, outcome: &Outcome) {
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
        let Some(next) = self.next_expiry.filter(|next| *next <= now) else {
            return;
        };
        // From the lower bound up: what was forgotten before it is not looked for again in the store.
        let first = SendId {
            seq: Seq::ZERO,
            index: 0,
        };
        let from = Granule::expiry(next, first);
        let (prefix, from) = from.split();
        let (from, to) = (Cut::before(from), Cut::End);
        let most = limits::EXPIRIES_PER_COMMAND + 1;
        let rows = self.scan_rows(prefix, Stretch { from, to }, false, most);
        self.next_expiry = None;
        for (index, (key, granule)) in rows.into_iter().enumerate() {
            let expiry = Granule::from_bytes(&[prefix, &key].concat());
            let at = self.time_of(&expiry);
            if at > now || index == limits::EXPIRIES_PER_COMMAND {
                self.next_expiry = Some(at);
                return;
            }
            let forgotten = Granule::from_bytes(&granule);
            match forgotten.part() {
                Some(Part::Answered(..) | Part::Invocation(_)) => {}
                _ => self.stop_at(&expiry, "it names nothing that is forgotten"),
            }
            self.write_row(forgotten, None);
            self.write_row(expiry, None);
        }
    }

    fn time_of(&mut self, expiry: &Granule) -> Timestamp {
        match expiry.part() {
            Some(Part::Expiry(at, _)) => at,
            _ => self.stop_at(expiry, "the expiry index holds expiries"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ordain_types::Method;

    use super::*;

    /// It is durable: a retry is known by what an earlier program wrote. To change it is a new format.
    #[test]
    fn the_hash_of_a_request_stays_what_it_is() {
        let hash = |args: &'static str, delay_ms| {
            let call = Call {
                entity: "account/alice".parse().expect("an id"),
                method: Method::new("deposit").expect("a name"),
                args: args.into(),
                caller: "me".to_owned(),
                idempotency_key: None,
            };
            format!("{:032x}", request_hash(&call, delay_ms))
        };
        let all = [
            hash(r#"{"amount":5}"#, None),
            hash(r#"{"amount":5}"#, Some(1_000)),
            hash("{}", None),
            hash(
                r#"{"to":{"id":[1,null,"a"],"kind":"x"},"amount":-1.5}"#,
                None,
            ),
            hash("no JSON", None),
        ];
        assert_eq!(
            all,
            [
                "2d0c1e97d900c59972c89aa388b698eb",
                "c93298125adf71bf529110cf1c8b26be",
                "4d6c89f310b1556cbe4c7289264ac5a2",
                "18dfe068ca27e03ece6347924e0b4460",
                "7365ef070ed431592a9b363aaa6bd468",
            ]
        );
    }
}
